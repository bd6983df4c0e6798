/* SPDX-License-Identifier: MIT */
#include "runner/host/term.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner/base/cleanup.h"

/* Waits for vmrun's word or its end. Runs in a process of its own. */
static _Noreturn void guard(int terminal, int fd, const struct termios *saved)
{
	char byte = 0;
	sigset_t all;

	/* Not to be stopped or killed by what the terminal sends to vmrun's group. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	if (fd != 3)
		dup2(fd, 3);
	if (terminal != 0)
		dup2(terminal, 0);
	syscall(SYS_close_range, 4, ~0U, 0);
	close(1);
	close(2);
	while (read(3, &byte, 1) < 0 && errno == EINTR)
		;
	if (byte != 'k')
		tcsetattr(0, TCSADRAIN, saved);
	_exit(0);
}

/* Sets @t->saved changed by @change, under a guard. */
static int set(struct term *t, int fd, void (*change)(struct termios *), struct err *e)
{
	struct termios settings;
	int pipefd[2];

	if (tcgetattr(fd, &t->saved) < 0)
		return err_errno(e, errno, "cannot read the terminal's settings");
	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return err_errno(e, errno, "cannot make a pipe");
	t->guard_pid = fork();
	if (t->guard_pid == 0) {
		close(pipefd[1]);
		guard(fd, pipefd[0], &t->saved);
	}
	close(pipefd[0]);
	if (t->guard_pid < 0) {
		close(pipefd[1]);
		return err_errno(e, errno, "cannot start the terminal's guard");
	}
	t->guard_fd = pipefd[1];
	t->fd = fd;
	settings = t->saved;
	change(&settings);
	if (tcsetattr(fd, TCSADRAIN, &settings) < 0) {
		int errnum = errno;

		term_restore(t);
		return err_errno(e, errnum, "cannot change the terminal's settings");
	}
	return 0;
}

int term_raw(struct term *t, int fd, struct err *e)
{
	return set(t, fd, cfmakeraw, e);
}

/* Stopped by Ctrl-Z, it would leave a shell without echo. */
static void hide(struct termios *settings)
{
	settings->c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	settings->c_lflag |= ICANON | ISIG;
	settings->c_cc[VSUSP] = _POSIX_VDISABLE;
}

int term_hide(struct term *t, int fd, struct err *e)
{
	return set(t, fd, hide, e);
}

void term_restore(struct term *t)
{
	if (t->fd < 0)
		return;
	tcsetattr(t->fd, TCSADRAIN, &t->saved);
	t->fd = -1;
	if (write(t->guard_fd, "k", 1) == 1)
		while (waitpid(t->guard_pid, NULL, 0) < 0 && errno == EINTR)
			;
	cleanup_close(&t->guard_fd);
}

void term_size(int fd, struct winsize *ret)
{
	if (ioctl(fd, TIOCGWINSZ, ret) < 0 || ret->ws_row == 0 || ret->ws_col == 0)
		*ret = (struct winsize){ .ws_row = 24, .ws_col = 80 };
}
