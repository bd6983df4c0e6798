/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/edit/password_prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/host/term.h"

static int ask(int tty, const char *question, int signal_fd, struct password *ret, int *ret_signal,
	       struct err *e)
{
	int r;

	fs_write_all(tty, question, strlen(question));
	r = password_read(tty, signal_fd, "the terminal", ret, ret_signal, e);
	/* The one that was typed was not shown. */
	fs_write_all(tty, "\n", 1);
	return r;
}

static int ask_twice(int tty, const char *user, int signal_fd, struct password *ret,
		     int *ret_signal, struct err *e)
{
	_cleanup_password_ struct password first = { 0 }, second = { 0 };
	char question[320];
	int r;

	snprintf(question, sizeof(question), "New password of %.255s: ", user);
	r = ask(tty, question, signal_fd, &first, ret_signal, e);
	if (r == 0)
		r = ask(tty, "The same again: ", signal_fd, &second, ret_signal, e);
	if (r < 0)
		return r;
	if (strcmp(first.text, second.text) != 0)
		return err_msg(e, EINVAL, "the two passwords of %s differ", user);
	memcpy(ret, &first, sizeof(*ret));
	return 0;
}

int password_prompt(const char *user, int signal_fd, struct password *ret, int *ret_signal,
		    struct err *e)
{
	_cleanup_close_ int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct term term = TERM_INIT;
	int r;

	if (tty < 0)
		return err_msg(e, ENXIO,
			       "there is no terminal to ask for %s's password; use file:PATH or "
			       "stdin",
			       user);
	r = term_hide(&term, tty, e);
	if (r == 0)
		r = ask_twice(tty, user, signal_fd, ret, ret_signal, e);
	/* What is left of a password that was too long is no command for the shell. */
	tcflush(tty, TCIFLUSH);
	term_restore(&term);
	return r;
}
