/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/core/enter.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/host/signals.h"
#include "runner/jail/jail.h"

#define TICK_MS 500

/* What the child knows. */
struct operation {
	struct jail jail;
	int (*op)(const int *dirs, void *arg, struct err *e);
	void *arg;
	const int *fds;
	unsigned int n_fds;
	int channel; /* its end: takes a struct err, once */
};

static int operate(struct operation *o, struct err *e)
{
	int dirs[ENTER_DIRS_MAX], keep[ENTER_FDS_MAX + 1] = { o->channel };
	int r;

	for (unsigned int i = 0; i < o->n_fds; i++)
		keep[i + 1] = o->fds[i];
	r = jail_let_go(&o->jail, keep, o->n_fds + 1, e);
	if (r == 0)
		r = jail_attach(&o->jail, e);
	if (r == 0)
		r = jail_confine(&o->jail, e);
	for (unsigned int i = 0; r == 0 && i < o->jail.n_binds; i++)
		dirs[i] = o->jail.binds[i].tree_fd;
	return r == 0 ? o->op(dirs, o->arg, e) : r;
}

static void child_main(void *arg)
{
	struct operation *o = arg;
	struct err e = { 0 };
	int r = operate(o, &e);

	if (r == 0)
		e.errnum = 0;
	/* The caller may be gone: then nobody wants to know. */
	(void)!send(o->channel, &e, sizeof(e), MSG_NOSIGNAL);
	_exit(r < 0);
}

/* Waits for its word. Return: 0, or -EINTR with the signal that came first. */
static int await(int channel, const struct enter *in, int *ret_signal, struct err *ret)
{
	struct pollfd fds[] = { { .fd = channel, .events = POLLIN },
				{ .fd = in->signal_fd, .events = POLLIN } };
	struct signalfd_siginfo info;
	ssize_t n;

	for (;;) {
		int ready = poll(fds, ARRAY_SIZE(fds), in->tick ? TICK_MS : -1);

		if (ready < 0 && errno != EINTR)
			return err_errno(ret, errno, "cannot wait for the operation");
		if (ready <= 0) {
			if (in->tick)
				in->tick(in->tick_arg);
			continue;
		}
		if (fds[0].revents)
			break;
		if (fds[1].revents && read(in->signal_fd, &info, sizeof(info)) == sizeof(info)) {
			*ret_signal = (int)info.ssi_signo;
			return err_msg(ret, EINTR, "interrupted");
		}
	}
	do
		n = recv(channel, ret, sizeof(*ret), 0);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(*ret))
		return err_msg(ret, EPROTO,
			       "what works on the root directory was killed or crashed; is "
			       "there enough memory?");
	ret->text[sizeof(ret->text) - 1] = '\0';
	return -ret->errnum;
}

static int spawn(struct operation *o, const struct enter *in, int *ret_pidfd, struct err *e)
{
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < in->n_dirs; i++)
		r = jail_add_bind(&o->jail, in->dirs[i].fd, "", in->dirs[i].read_only, e);
	return r == 0 ? jail_spawn(&o->jail, child_main, o, ret_pidfd, e) : r;
}

int enter_run(const struct enter *in, int (*op)(const int *dirs, void *arg, struct err *e),
	      void *arg, int *ret_signal, struct err *e)
{
	_cleanup_close_ int channel = -1, pidfd = -1;
	struct operation o = { .op = op, .arg = arg, .fds = in->fds, .n_fds = in->n_fds };
	struct err said = { 0 };
	siginfo_t info;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(e, errno, "cannot make a socket pair");
	channel = pair[0];
	o.channel = pair[1];
	jail_init(&o.jail);
	o.jail.kind = JAIL_TOOL;
	o.jail.uids = &in->idmap->uids;
	o.jail.gids = &in->idmap->gids;
	r = spawn(&o, in, &pidfd, e);
	jail_free(&o.jail);
	close(o.channel);
	if (r < 0)
		return r;
	r = await(channel, in, ret_signal, &said);
	/* Nothing of it may go on when this returns. */
	syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0 && errno == EINTR)
		;
	if (r < 0)
		*e = said;
	return r;
}

int enter_signals(int *ret_fd, struct err *e)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

	return signals_block(ends, ARRAY_SIZE(ends), ret_fd, e);
}

void *enter_share(size_t size)
{
	void *ret = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return ret == MAP_FAILED ? NULL : ret;
}

void enter_unshare(void *shared, size_t size)
{
	if (shared)
		munmap(shared, size);
}
