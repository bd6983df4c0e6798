/* SPDX-License-Identifier: MIT */
#ifndef VMRUN_HOST_TERM_H
#define VMRUN_HOST_TERM_H

#include <sys/ioctl.h>
#include <sys/types.h>
#include <termios.h>

#include "runner/base/err.h"

/*
 * The user's terminal with settings of ours. A guard process holds the old settings and
 * puts them back if vmrun dies without doing so, kill -9 included.
 */
struct term {
	int fd;		/* the terminal; -1: as it was. Borrowed. */
	struct termios saved;
	int guard_fd;	/* the guard acts when this is closed unread */
	pid_t guard_pid;
};

#define TERM_INIT { .fd = -1, .guard_fd = -1 }

/** term_raw() - make @fd raw. term_restore() it whatever happens. */
int term_raw(struct term *t, int fd, struct err *e);

/** term_hide() - the same, but only what is typed is not shown, and Ctrl-Z does nothing. */
int term_hide(struct term *t, int fd, struct err *e);

void term_restore(struct term *t);

/** term_size() - the size of the terminal @fd; 24 x 80 if it tells none. */
void term_size(int fd, struct winsize *ret);

#endif
