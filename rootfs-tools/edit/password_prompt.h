/* SPDX-License-Identifier: MIT */
#ifndef VMRUN_ROOTFS_EDIT_PASSWORD_PROMPT_H
#define VMRUN_ROOTFS_EDIT_PASSWORD_PROMPT_H

#include "rootfs-tools/edit/password.h"

/**
 * password_prompt() - ask for @user's password on the caller's terminal (/dev/tty), twice,
 * without showing it. The terminal is as it was afterwards, also after a signal.
 * @signal_fd, @ret_signal: as of password_read().
 *
 * Return: 0, -ENXIO: there is no terminal, -EINVAL: the two differ, or another -errno.
 */
int password_prompt(const char *user, int signal_fd, struct password *ret, int *ret_signal,
		    struct err *e);

#endif
