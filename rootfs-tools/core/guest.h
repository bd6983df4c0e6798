/* SPDX-License-Identifier: MIT */
/*
 * Commands in a guest, for tools that need what only a guest may do: this very program,
 * run once more as `vmrun [OPTION...] ROOT -- COMMAND...`, so that what a tool gets is
 * what the command line gives.
 */
#ifndef VMRUN_ROOTFS_CORE_GUEST_H
#define VMRUN_ROOTFS_CORE_GUEST_H

#include <sys/types.h>

#include "runner/base/err.h"

struct guest {
	const char *const *options; /* of vmrun, NULL-terminated: "--network=user" */
	const char *root;
	const char *const *command; /* NULL-terminated */
	int fds[3];		    /* its standard input, output and error; -1: /dev/null */
};

/**
 * guest_start() - start it.
 * @ret_pidfd: readable when it has ended; close() it. It is a child: guest_wait() for it.
 *
 * It ends with the calling thread.
 */
int guest_start(const struct guest *guest, int *ret_pidfd, struct err *e);

/**
 * guest_wait() - wait for its end.
 * @signal_fd: of enter_signals(), or -1. A signal is passed on, and what vmrun then
 *	returns waited for.
 * @ret_status: as a shell's $?: vmrun's 125 for what it could not do itself, and has
 *	said so on the guest's fds[2].
 * @ret_signal: which was passed on where -EINTR is returned; may be NULL if @signal_fd is -1.
 */
int guest_wait(int pidfd, int signal_fd, int *ret_status, int *ret_signal, struct err *e);

#endif
