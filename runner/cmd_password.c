/* SPDX-License-Identifier: MIT */
#include "runner/cmd_password.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "runner/base/fs.h"
#include "runner/vm/term.h"

#define ASK_SIZE 400

static int ask_once(int terminal, const char *question, int signal_fd, struct password *ret,
		    int *ret_signal, struct err *e)
{
	int r = fs_write_all(terminal, question, strlen(question));

	if (r < 0)
		return err_errno(e, -r, "cannot write to the terminal");
	r = password_read(terminal, signal_fd, "the terminal", ret, ret_signal, e);
	/* The newline that was typed was not shown either. */
	(void)!fs_write_all(terminal, "\r\n", 2);
	return r;
}

static int ask_twice(int terminal, const char *user, int signal_fd, struct password *ret,
		     int *ret_signal, struct err *e)
{
	_cleanup_password_ struct password first = { 0 }, second = { 0 };
	char question[ASK_SIZE];
	int r;

	snprintf(question, sizeof(question), "New password of %.200s: ", user);
	text_sanitize(question);
	r = ask_once(terminal, question, signal_fd, &first, ret_signal, e);
	if (r == 0)
		r = ask_once(terminal, "The same again: ", signal_fd, &second, ret_signal, e);
	if (r < 0)
		return r;
	if (strcmp(first.text, second.text) != 0)
		return err_msg(e, EINVAL, "the two passwords differ; try again");
	memcpy(ret, &first, sizeof(*ret));
	return 0;
}

int cmd_password_ask(const char *user, int signal_fd, struct password *ret, int *ret_signal,
		     struct err *e)
{
	_cleanup_close_ int terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct term term = TERM_INIT;
	int r;

	if (terminal < 0)
		return err_msg(e, ENXIO,
			       "there is no terminal to ask for %s's password on; give it by a "
			       "file or standard input",
			       user);
	r = term_hide(&term, terminal, e);
	if (r == 0)
		r = ask_twice(terminal, user, signal_fd, ret, ret_signal, e);
	/* What is left of a password that was too long is no command for the shell. */
	tcflush(terminal, TCIFLUSH);
	term_restore(&term);
	return r;
}
