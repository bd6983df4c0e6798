/* SPDX-License-Identifier: MIT */
#include "runner/host/signals.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>

int signals_block(const int *signals, size_t n, int *ret_fd, struct err *e)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (size_t i = 0; i < n; i++) {
		struct sigaction was;

		/* nohup, or a script's background job: to be ignored from here on, too. */
		if (sigaction(signals[i], NULL, &was) == 0 && was.sa_handler != SIG_IGN)
			sigaddset(&set, signals[i]);
	}
	/* Inherited ignored, it would take our children's exit status from us. */
	signal(SIGCHLD, SIG_DFL);
	/* A reader that goes away is seen by EPIPE, a limit of the size of files by EFBIG. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_errno(e, errno, "cannot watch for signals");
	*ret_fd = fd;
	return 0;
}
