/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/core/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/base/strbuf.h"
#include "runner/jail/jail.h"

#define PATH_SIZE 128

static const char *const paths[] = {
	"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin",
};

/* What the child knows. */
struct running {
	struct jail jail;
	struct strvec argv;
	struct strvec env;
	int fds[3];  /* all above 2; owned */
	int channel; /* its end: takes a struct err, once */
};

static bool find(const char *name, char ret[PATH_SIZE])
{
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		int n = snprintf(ret, PATH_SIZE, "%s/%s", paths[i], name);

		if (n < PATH_SIZE && stat(ret, &st) == 0 && S_ISREG(st.st_mode) &&
		    st.st_mode & 0111)
			return true;
	}
	return false;
}

bool tool_exists(const char *name)
{
	char path[PATH_SIZE];

	return find(name, path);
}

/* --- inside --- */

/* As PID 1: all that is left behind in there is this one's. */
static int reap(pid_t pid)
{
	int status;
	pid_t ended;

	do
		ended = wait(&status);
	while (ended != pid && (ended >= 0 || errno == EINTR));
	if (ended < 0)
		return 127;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void say(const struct running *t, const struct err *e)
{
	(void)!send(t->channel, e, sizeof(*e), MSG_NOSIGNAL);
	close(t->channel);
}

/* In the namespaces that are the program's. */
static void nested_main(void *arg)
{
	struct running *t = arg;
	struct err e = { 0 };
	pid_t pid = 0;
	int r = 0;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		r = err_errno(&e, errno, "cannot tie a program's life to vmrun's");
	if (r == 0)
		r = jail_exec(&t->jail, t->argv.v, false, t->fds, ARRAY_SIZE(t->fds), &t->channel,
			      1, &pid, &e);
	if (r == 0)
		e.errnum = 0;
	say(t, &e);
	_exit(r < 0 ? 127 : reap(pid));
}

static int enter(struct running *t, pid_t *ret_pid, struct err *e)
{
	const int keep[] = { t->channel, t->fds[0], t->fds[1], t->fds[2] };
	int r = jail_let_go(&t->jail, keep, ARRAY_SIZE(keep), e);

	if (r == 0)
		r = jail_attach(&t->jail, e);
	if (r == 0)
		r = jail_confine(&t->jail, e);
	return r == 0 ? jail_nest(&t->jail, nested_main, t, ret_pid, e) : r;
}

static void child_main(void *arg)
{
	struct running *t = arg;
	struct err e = { 0 };
	pid_t pid = 0;
	int r = enter(t, &pid, &e);

	if (r < 0) {
		say(t, &e);
		_exit(127);
	}
	/* Nothing of the caller's but what says that it has ended. */
	close(t->channel);
	for (size_t i = 0; i < ARRAY_SIZE(t->fds); i++)
		close(t->fds[i]);
	_exit(reap(pid));
}

/* --- outside --- */

/*
 * All of it is copied: what the caller has in its environment is wiped in the child, and
 * its descriptors 0 to 2 are replaced there.
 */
static int prepare(const struct tool *tool, struct running *t, struct err *e)
{
	char path[PATH_SIZE];

	if (!find(tool->argv[0], path))
		return err_msg(e, ENOENT, "%s is not installed here", tool->argv[0]);
	strvec_add(&t->argv, path);
	for (size_t i = 1; tool->argv[i]; i++)
		strvec_add(&t->argv, tool->argv[i]);
	strvec_addf(&t->env, "PATH=%s:%s:%s:%s:%s:%s", paths[0], paths[1], paths[2], paths[3],
		    paths[4], paths[5]);
	strvec_add(&t->env, "HOME=/tmp");
	for (size_t i = 0; tool->env && tool->env[i]; i++)
		strvec_add(&t->env, tool->env[i]);
	if (t->argv.failed || t->env.failed)
		return err_oom(e);
	for (size_t i = 0; i < ARRAY_SIZE(t->fds); i++) {
		t->fds[i] = tool->fds[i] < 0 ? open("/dev/null", O_RDWR | O_CLOEXEC) :
					       fcntl(tool->fds[i], F_DUPFD_CLOEXEC, 3);
		if (t->fds[i] >= 0 && t->fds[i] < 3)
			t->fds[i] = fcntl(t->fds[i], F_DUPFD_CLOEXEC, 3);
		if (t->fds[i] < 0)
			return err_errno(e, errno, "cannot pass descriptors on to %s",
					 tool->argv[0]);
	}
	return 0;
}

static int set_up_jail(const struct tool *tool, struct running *t, struct err *e)
{
	int r = 0;

	t->jail.kind = JAIL_PROGRAM;
	t->jail.network = tool->network;
	t->jail.uids = &tool->idmap->uids;
	t->jail.gids = &tool->idmap->gids;
	t->jail.env = t->env.v;
	for (unsigned int i = 0; r == 0 && i < tool->n_places; i++) {
		const struct tool_place *place = &tool->places[i];
		char target[64];

		snprintf(target, sizeof(target), TOOL_DIR "/%s", place->name);
		r = jail_add_bind(&t->jail, place->fd, target, place->read_only, e);
		if (r == 0)
			t->jail.binds[i].programs = place->programs;
	}
	return r;
}

/* Waits until it was executed, or could not be. */
static int await(int channel, int pidfd, struct err *e)
{
	struct err said = { 0 };
	siginfo_t info;
	ssize_t n;

	do
		n = recv(channel, &said, sizeof(said), 0);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)sizeof(said) && said.errnum == 0)
		return 0;
	syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0 && errno == EINTR)
		;
	if (n != (ssize_t)sizeof(said))
		return err_msg(e, EPROTO,
			       "what starts programs was killed or crashed; is there enough "
			       "memory?");
	said.text[sizeof(said.text) - 1] = '\0';
	*e = said;
	return -said.errnum;
}

static int start(const struct tool *tool, struct running *t, int *ret_pidfd, struct err *e)
{
	_cleanup_close_ int channel = -1, pidfd = -1;
	int pair[2], r = prepare(tool, t, e);

	if (r == 0)
		r = set_up_jail(tool, t, e);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(e, errno, "cannot make a socket pair");
	channel = pair[0];
	t->channel = pair[1];
	r = jail_spawn(&t->jail, child_main, t, &pidfd, e);
	close(t->channel);
	if (r == 0)
		r = await(channel, pidfd, e);
	if (r == 0)
		*ret_pidfd = steal_fd(&pidfd);
	return r;
}

int tool_start(const struct tool *tool, int *ret_pidfd, struct err *e)
{
	struct running t = { .fds = { -1, -1, -1 } };
	int r;

	jail_init(&t.jail);
	r = start(tool, &t, ret_pidfd, e);
	jail_free(&t.jail);
	strvec_free(&t.argv);
	strvec_free(&t.env);
	for (size_t i = 0; i < ARRAY_SIZE(t.fds); i++)
		cleanup_close(&t.fds[i]);
	return r;
}

int tool_wait(int pidfd, int signal_fd, int *ret_status, int *ret_signal, struct err *e)
{
	struct pollfd fds[] = { { .fd = pidfd, .events = POLLIN },
				{ .fd = signal_fd, .events = POLLIN } };
	struct signalfd_siginfo info;
	siginfo_t end = { 0 };
	int signal = 0;

	while (!fds[0].revents) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			return err_errno(e, errno, "cannot wait for a program");
		if (!fds[1].revents || read(signal_fd, &info, sizeof(info)) != sizeof(info))
			continue;
		signal = (int)info.ssi_signo;
		syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	}
	while (waitid(P_PIDFD, (id_t)pidfd, &end, WEXITED) < 0)
		if (errno != EINTR)
			return err_errno(e, errno, "cannot wait for a program");
	if (signal) {
		*ret_signal = signal;
		return err_msg(e, EINTR, "interrupted");
	}
	*ret_status = end.si_code == CLD_EXITED ? end.si_status : 128 + end.si_status;
	return 0;
}
