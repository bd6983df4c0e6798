/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/core/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner/base/cleanup.h"

#define SELF "/proc/self/exe"

static size_t count(const char *const *words)
{
	size_t n = 0;

	while (words[n])
		n++;
	return n;
}

/* Return: to free(), its words borrowed; NULL if there is no memory. */
static const char **make_argv(const struct guest *g)
{
	size_t n = 0, options = count(g->options), words = count(g->command);
	const char **argv = calloc(options + words + 5, sizeof(*argv));

	if (!argv)
		return NULL;
	argv[n++] = "vmrun";
	argv[n++] = "--no-image-config";
	for (size_t i = 0; i < options; i++)
		argv[n++] = g->options[i];
	argv[n++] = g->root;
	argv[n++] = "--";
	for (size_t i = 0; i < words; i++)
		argv[n++] = g->command[i];
	return argv;
}

/* In the child. What was open before has to be close-on-exec. */
static int become(const struct guest *g, const char **argv, pid_t parent)
{
	int fds[3];
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
	if (getppid() != parent)
		return ESRCH;
	/* First out of the way of 0 to 2. */
	for (int i = 0; i < 3; i++) {
		fds[i] = g->fds[i] < 0 ? open("/dev/null", O_RDWR | O_CLOEXEC) :
					 fcntl(g->fds[i], F_DUPFD_CLOEXEC, 3);
		if (fds[i] >= 0 && fds[i] < 3)
			fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		if (fds[i] < 0)
			return errno;
	}
	for (int i = 0; i < 3; i++)
		if (dup2(fds[i], i) < 0)
			return errno;
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(SELF, (char *const *)argv);
	return errno;
}

int guest_start(const struct guest *guest, int *ret_pidfd, struct err *e)
{
	_cleanup_free_ const char **argv = make_argv(guest);
	_cleanup_close_ int said = -1;
	pid_t parent = getpid(), pid;
	int pair[2], error = 0, pidfd;

	if (!argv)
		return err_oom(e);
	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_errno(e, errno, "cannot make a pipe");
	said = pair[0];
	pid = fork();
	if (pid == 0) {
		error = become(guest, argv, parent);
		(void)!write(pair[1], &error, sizeof(error));
		_exit(127);
	}
	close(pair[1]);
	if (pid < 0)
		return err_errno(e, errno, "cannot start a guest");
	/* Not reaped before this one is closed, so its number stays its own. */
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		error = errno;
	else if (read(said, &error, sizeof(error)) <= 0)
		error = 0;
	if (error) {
		cleanup_close(&pidfd);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return err_errno(e, error, "cannot run vmrun for a guest");
	}
	*ret_pidfd = pidfd;
	return 0;
}

int guest_wait(int pidfd, int signal_fd, int *ret_status, int *ret_signal, struct err *e)
{
	struct pollfd fds[] = { { .fd = pidfd, .events = POLLIN },
				{ .fd = signal_fd, .events = POLLIN } };
	struct signalfd_siginfo info;
	siginfo_t end = { 0 };
	int passed_on = 0;

	while (!fds[0].revents) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			return err_errno(e, errno, "cannot wait for the guest");
		if (!fds[1].revents || read(signal_fd, &info, sizeof(info)) != sizeof(info))
			continue;
		passed_on = (int)info.ssi_signo;
		syscall(SYS_pidfd_send_signal, pidfd, passed_on, NULL, 0);
	}
	while (waitid(P_PIDFD, (id_t)pidfd, &end, WEXITED) < 0)
		if (errno != EINTR)
			return err_errno(e, errno, "cannot wait for the guest");
	if (passed_on) {
		*ret_signal = passed_on;
		return err_msg(e, EINTR, "interrupted");
	}
	*ret_status = end.si_code == CLD_EXITED ? end.si_status : 128 + end.si_status;
	return 0;
}
