/* SPDX-License-Identifier: MIT */
#ifndef VMRUN_CMD_PASSWORD_H
#define VMRUN_CMD_PASSWORD_H

#include "rootfs-tools/edit/password.h"

/**
 * cmd_password_ask() - ask for @user's new password on the terminal, twice, without echo.
 * @signal_fd: of enter_signals().
 * @ret_signal: what ended it where -EINTR is returned.
 *
 * The terminal's settings are put back whatever happens, kill -9 too. Return: 0; -EINVAL:
 * the two differ, or no password; -ENXIO: there is no terminal; or -errno.
 */
int cmd_password_ask(const char *user, int signal_fd, struct password *ret, int *ret_signal,
		     struct err *e);

#endif
