/* SPDX-License-Identifier: MIT */
#include "runner/vm/jail_main.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "initramfs/decompress.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/host/base_dir.h"
#include "runner/vm/channel.h"
#include "runner/vm/disk_lock.h"
#include "runner/vm/prepare.h"
#include "runner/vm/template_store.h"

void jail_main_free(struct jail_main *m)
{
	jail_free(&m->jail);
	strvec_free(&m->programs);
	cleanup_close(&m->channel);
	cleanup_close(&m->agent);
	cleanup_close(&m->console);
	cleanup_close(&m->qmp);
	cleanup_close(&m->net);
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

	if (m->in->dry_run || m->in->unlocked)
		return 0;
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
	/* What was looked at before the lock was there may be old. */
	return base_dir_check_whole(*ret_fd, m->in->spec->root, e);
}

/* What is opened by its path in the jail is what QEMU will open, on the same rights. */
static int lock_disks(struct jail_main *m, struct err *e)
{
	const struct vm_spec *spec = m->in->spec;

	for (unsigned int i = 0; i < spec->n_disks; i++) {
		const struct disk *disk = &spec->disks[i];
		char path[64];
		int r;

		snprintf(path, sizeof(path), JAIL_DISKS_DIR "/%u", i);
		m->disks[i] = open(path, (disk->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
		r = m->disks[i] < 0 ? err_errno(e, errno, "belongs to nobody in the guest's id map") :
		    m->in->dry_run  ? 0 :
				      disk_lock(m->disks[i], disk->read_only, e);
		if (r < 0)
			return err_prefix(e, "--disk '%.200s'", disk->src);
	}
	return 0;
}

/* What QEMU starts from, each -1 unless there is one. */
struct boot_files {
	int kernel;
	int initrd;
	int ram;
	int state;
};

#define NO_FILES                                                   \
	{                                                          \
		.kernel = -1, .initrd = -1, .ram = -1, .state = -1 \
	}

static int tree_of(const struct jail_main *m, int bind)
{
	return bind < 0 ? -1 : m->jail.binds[bind].tree_fd;
}

/* Sends @msg, and gets the answer into its place. */
static int ask(const struct jail_main *m, struct channel_msg *msg, int fd, struct err *e)
{
	int r = channel_send(m->channel, msg, fd);

	if (r == 0)
		r = channel_recv(m->channel, msg, NULL);
	return r < 0 ? err_errno(e, -r, "the jail lost vmrun") : 0;
}

/*
 * A template, through the read-only mount: by no descriptor and no path can its
 * QEMU write to it. The state is read from the descriptor's position, so it has
 * one of its own.
 */
static int open_template(const struct jail_main *m, const struct channel_restore *restore,
			 struct boot_files *ret, struct err *e)
{
	uint64_t memory = m->in->spec->memory;
	char name[TEMPLATE_NAME_SIZE];
	int dir = tree_of(m, m->templates_bind), r;

	template_store_name(restore->key, name);
	r = fs_open_regular(dir, name, UINT64_MAX, &ret->ram, NULL);
	if (r == 0)
		r = fs_open_regular(dir, name, UINT64_MAX, &ret->state, NULL);
	if (r == 0 && lseek(ret->state, (off_t)memory, SEEK_SET) < 0)
		r = -errno;
	/* Somebody cleared the cache just now: to vmrun, as a guest that does not wake up. */
	if (r < 0)
		return err_msg(e, EHOSTDOWN, "cannot open template %s: %s", name, strerror(-r));
	/* QEMU inherits the lock with the descriptor. That nobody waits for it is fine. */
	flock(ret->ram, LOCK_SH | LOCK_NB);
	return 0;
}

static int prepare(const struct jail_main *m, struct base_report *report,
		   struct channel_msg *answer, struct boot_files *ret, struct err *e)
{
	const struct vm_spec *spec = m->in->spec;
	struct boot_source source = BOOT_SOURCE_INIT;
	struct prepare_input in = {
		.channel = m->channel,
		.root_fd = m->jail.binds[0].tree_fd,
		.kernels_fd = tree_of(m, m->kernels_bind),
		.base = spec->root,
		.kernel_fd = m->kernel_fd,
		.kernel = spec->kernel,
		.modules_fd = m->modules_fd,
		.no_modules = spec->modules && !strcmp(spec->modules, "none"),
		.disks = spec->n_disks > 0,
	};
	_cleanup_close_ int config = -1;
	uint64_t jail_ns = timing_now();
	int r = prepare_find(&in, report, &source, e);

	if (r == 0 && !spec->no_image_config)
		r = prepare_config(&in, &config, e);
	if (r < 0) {
		boot_source_close(&source);
		return r;
	}
	*answer = (struct channel_msg){
		.kind = CHANNEL_IDENT,
		.ident = { .report = *report, .newest_ns = source.newest_ns, .jail_ns = jail_ns }
	};
	memcpy(answer->ident.stamp, source.stamp, sizeof(source.stamp));
	r = ask(m, answer, config, e);
	if (r == 0 && answer->kind == CHANNEL_BOOT) {
		r = prepare_boot(&in, &source, report, &ret->kernel, &ret->initrd, e);
		if (r == 0) {
			*answer = (struct channel_msg){ .kind = CHANNEL_REPORT, .report = *report };
			r = ask(m, answer, ret->initrd, e);
		}
	}
	boot_source_close(&source);
	return r;
}

static int start_qemu(struct jail_main *m, const struct vm_plan *plan,
		      const struct boot_files *files, int lock, int signals, pid_t *ret_pid,
		      struct err *e)
{
	int keep[3 + DISKS_MAX] = { m->channel, signals, lock };
	unsigned int n_keep = 3;
	bool boot = plan->in.start == START_BOOT;
	bool preload = plan->in.start == START_RESTORE && !plan->in.ram_readonly;
	const int fds[VM_FD_END] = {
		[0] = STDIN_FILENO, /* /dev/null: see let_go() */
		[1] = m->stderr_fd,
		[2] = m->stderr_fd,
		[VM_FD_AGENT] = m->agent,
		[VM_FD_CONSOLE] = m->console,
		[VM_FD_KERNEL] = files->kernel,
		[VM_FD_INITRD] = files->initrd,
		[VM_FD_QMP] = boot ? -1 : m->qmp,
		[VM_FD_RAM] = files->ram,
		[VM_FD_STATE] = files->state,
		[VM_FD_NET] = m->net,
	};

	for (unsigned int i = 0; boot && i < m->in->spec->n_disks; i++)
		keep[n_keep++] = m->disks[i];
	/*
	 * What is kept is all that the jail's first process has from here on; QEMU's
	 * ends of the sockets are QEMU's alone, so that its end is seen on them.
	 */
	return jail_exec(&m->jail, plan->qemu_argv.v, preload, fds, VM_FD_END, keep,
			 n_keep, ret_pid, e);
}

/*
 * All up to the running QEMU. What the base decides (which kernel, what modules)
 * is read and unpacked after the jail has closed: a kernel that takes over its
 * unpacker finds what QEMU would find.
 */
static int start_run(struct jail_main *m, int signals, pid_t *ret_qemu, struct err *e)
{
	struct boot_files files = NO_FILES;
	struct channel_msg answer;
	struct base_report report;
	struct vm_plan plan;
	int lock = -1, r;

	if (m->unpacker)
		decompress_prepare();
	r = jail_attach(&m->jail, e);
	/*
	 * Locked before it is read, or else, for a guest that wakes up, before it is used: a
	 * jail without unpacker may be begun anew, and would have to let go of the lock.
	 */
	if (r == 0 && m->unpacker)
		r = lock_base(m, &lock, e);
	if (r == 0)
		r = jail_confine(&m->jail, e);
	if (r == 0)
		r = lock_disks(m, e);
	if (r == 0)
		r = prepare(m, &report, &answer, &files, e);
	if (r == 0 && !m->unpacker)
		r = lock_base(m, &lock, e);
	if (r == 0 && answer.kind == CHANNEL_RESTORE) {
		r = open_template(m, &answer.restore, &files, e);
		if (r == 0)
			r = launch_plan(m->in, &report, START_RESTORE, answer.restore.ram_readonly,
					&plan, e);
	} else if (r == 0 && answer.kind == CHANNEL_GO) {
		r = launch_plan(m->in, &report, START_BOOT, false, &plan, e);
	} else if (r == 0) {
		r = err_msg(e, EPROTO, "the jail was told nonsense (%d)", (int)answer.kind);
	}
	if (r == 0)
		r = start_qemu(m, &plan, &files, lock, signals, ret_qemu, e);
	return r;
}

/* The same for a guest that boots only to be saved. */
static int start_making(struct jail_main *m, int signals, pid_t *ret_qemu, struct err *e)
{
	struct boot_files files = NO_FILES;
	struct base_report report = { .pvh = true };
	struct vm_plan plan;
	int r;

	files.initrd = m->making->initrd_fd;
	files.ram = m->making->ram_fd;
	r = jail_attach(&m->jail, e);
	if (r == 0)
		r = jail_confine(&m->jail, e);
	if (r == 0) {
		r = prepare_cached(tree_of(m, m->kernels_bind), m->making->kernel_digest,
				   &files.kernel);
		if (r < 0)
			return err_errno(e, -r, "cannot open the unpacked kernel");
		r = launch_plan(m->in, &report, START_MAKE, false, &plan, e);
	}
	if (r == 0)
		r = start_qemu(m, &plan, &files, -1, signals, ret_qemu, e);
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
 * What a fork inherits and PID 1 must not keep: the other ends of its sockets, or it
 * would never see vmrun's end on them; directories on mounts of the host's; and
 * whatever else was open in the caller's shell.
 */
static int let_go(const struct jail_main *m, struct err *e)
{
	const int keep[] = {
		m->channel,
		m->agent,
		m->console,
		m->qmp,
		m->net,
		m->stderr_fd,
		m->kernel_fd,
		m->modules_fd,
		m->making ? m->making->initrd_fd : -1,
		m->making ? m->making->ram_fd : -1,
	};

	return jail_let_go(&m->jail, keep, ARRAY_SIZE(keep), e);
}

void jail_main(void *arg)
{
	struct jail_main *m = arg;
	struct channel_msg msg = { .kind = CHANNEL_RUNNING };
	sigset_t chld;
	pid_t qemu = -1;
	int signals, r;

	r = let_go(m, &msg.err);
	/* vmrun's signals stay blocked: they are its own to act upon. */
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	signals = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	if (r == 0)
		r = m->making ? start_making(m, signals, &qemu, &msg.err) :
				start_run(m, signals, &qemu, &msg.err);
	if (r < 0) {
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
