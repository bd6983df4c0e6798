/* SPDX-License-Identifier: MIT */
#include "runner/vm/jail_main.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/vm/channel.h"
#include "runner/vm/prepare.h"

void jail_main_free(struct jail_main *m)
{
	jail_free(&m->jail);
	cleanup_close(&m->channel);
	cleanup_close(&m->agent);
	cleanup_close(&m->console);
	cleanup_close(&m->stderr_fd);
	cleanup_close(&m->kernel_fd);
	cleanup_close(&m->modules_fd);
}

/*
 * The lock is on the base directory itself, so it leaves no file behind, and it
 * is held by the jail's first process, so it ends with the guest.
 */
static int lock_base(const struct jail_main *m, int *ret_fd, struct err *e)
{
	_cleanup_close_ int fd = openat(m->jail.binds[0].tree_fd, ".",
					O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum plan_lock lock = plan_lock(m->in->spec);
	int how = lock == LOCK_WRITER ? LOCK_EX : LOCK_SH;

	if (fd < 0)
		return err_errno(e, errno, "cannot open base '%s' to lock it", m->in->spec->root);
	if (flock(fd, how | LOCK_NB) < 0 && lock != LOCK_TOLERANT) {
		if (errno != EWOULDBLOCK)
			return err_errno(e, errno, "cannot lock base '%s'", m->in->spec->root);
		return err_msg(e, EBUSY,
			       "base '%s' is %s another guest; wait for its end, or use --shared "
			       "to run both all the same",
			       m->in->spec->root,
			       lock == LOCK_WRITER ? "in use by" : "being written by");
	}
	*ret_fd = steal_fd(&fd);
	return 0;
}

struct boot_files {
	int kernel;
	int initrd;
};

static int prepare(const struct jail_main *m, struct base_report *report, struct boot_files *ret,
		   struct err *e)
{
	const struct vm_spec *spec = m->in->spec;
	struct prepare_input in = {
		.channel = m->channel,
		.root_fd = m->jail.binds[0].tree_fd,
		.kernels_fd = m->kernels_bind < 0 ? -1 : m->jail.binds[m->kernels_bind].tree_fd,
		.base = spec->root,
		.kernel_fd = m->kernel_fd,
		.kernel = spec->kernel,
		.modules_fd = m->modules_fd,
		.no_modules = spec->modules && !strcmp(spec->modules, "none"),
	};

	return prepare_boot(&in, report, &ret->kernel, &ret->initrd, e);
}

/* REPORT, then wait for GO. */
static int ask_to_go(const struct jail_main *m, const struct base_report *report)
{
	struct channel_msg msg = { .kind = CHANNEL_REPORT, .report = *report };
	int r = channel_send(m->channel, &msg, -1);

	if (r == 0)
		r = channel_recv(m->channel, &msg, NULL);
	return r < 0 ? r : msg.kind == CHANNEL_GO ? 0 : -EPROTO;
}

static int start_qemu(struct jail_main *m, const struct vm_plan *plan,
		      const struct boot_files *files, int lock, int signals, pid_t *ret_pid,
		      struct err *e)
{
	const int keep[] = { m->channel, signals, lock };
	const int fds[VM_FD_END] = {
		[0] = STDIN_FILENO, /* /dev/null: see let_go() */
		[1] = m->stderr_fd,
		[2] = m->stderr_fd,
		[VM_FD_AGENT] = m->agent,
		[VM_FD_CONSOLE] = m->console,
		[VM_FD_KERNEL] = files->kernel,
		[VM_FD_INITRD] = files->initrd,
	};

	/*
	 * What is kept is all that the jail's first process has from here on; QEMU's
	 * ends of the sockets are QEMU's alone, so that its end is seen on them.
	 */
	return jail_exec(&m->jail, plan->qemu_argv.v, fds, VM_FD_END, keep, ARRAY_SIZE(keep),
			 ret_pid, e);
}

/*
 * All up to the running QEMU. What the base decides (which kernel, what modules)
 * is read and unpacked after the jail has closed: a kernel that takes over its
 * unpacker finds what QEMU would find.
 */
static int start(struct jail_main *m, int signals, pid_t *ret_qemu, struct err *e)
{
	struct boot_files files = { -1, -1 };
	struct base_report report;
	struct vm_plan plan;
	int lock = -1, r;

	r = jail_attach(&m->jail, e);
	if (r == 0 && !m->in->dry_run)
		r = lock_base(m, &lock, e);
	if (r == 0)
		r = jail_confine(&m->jail, e);
	if (r == 0)
		r = prepare(m, &report, &files, e);
	if (r == 0 && ask_to_go(m, &report) < 0)
		_exit(0);
	if (r == 0)
		r = launch_plan(m->in, &report, &plan, e);
	if (r == 0)
		r = start_qemu(m, &plan, &files, lock, signals, ret_qemu, e);
	return r;
}

/* Reap until QEMU ends or vmrun does. */
static int wait_qemu(const struct jail_main *m, int signals, pid_t qemu)
{
	struct pollfd fds[] = { { .fd = m->channel, .events = POLLIN },
				{ .fd = signals, .events = POLLIN } };
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	for (;;) {
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			if (pid == qemu)
				return status;
		poll(fds, 2, -1);
		/* vmrun sends nothing any more: this is its end. */
		if (fds[0].revents)
			_exit(0);
		if (fds[1].revents)
			(void)!read(signals, &info, sizeof(info));
	}
}

/*
 * What a fork inherits and PID 1 must not keep: the other ends of its sockets,
 * or it would never see vmrun's end on them, and what the user gave to vmrun.
 */
static void let_go(const struct jail_main *m)
{
	const int ours[] = { m->parent->channel, m->parent->agent, m->parent->console,
			     m->parent->stderr_fd, m->in->signal_fd };
	_cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		close(ours[i]);
	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
}

void jail_main(void *arg)
{
	struct jail_main *m = arg;
	struct channel_msg msg = { .kind = CHANNEL_RUNNING };
	sigset_t chld;
	pid_t qemu = -1;
	int signals;

	let_go(m);
	/* vmrun's signals stay blocked: they are its own to act upon. */
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	signals = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	if (start(m, signals, &qemu, &msg.err) < 0) {
		msg.kind = CHANNEL_ERROR;
		channel_send(m->channel, &msg, -1);
		_exit(1);
	}
	channel_send(m->channel, &msg, -1);
	msg.kind = CHANNEL_ENDED;
	msg.status = wait_qemu(m, signals, qemu);
	channel_send(m->channel, &msg, -1);
	_exit(0);
}
