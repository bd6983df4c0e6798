/* SPDX-License-Identifier: MIT */
/* A tool (core/tool.h) that is run to its end, and what it had to say. */
#ifndef VMRUN_ROOTFS_DISK_TOOL_RUN_H
#define VMRUN_ROOTFS_DISK_TOOL_RUN_H

#include "rootfs-tools/core/losses.h"
#include "rootfs-tools/core/tool.h"
#include "runner/base/err.h"

/**
 * tool_run() - start it, and wait for its success.
 * @tool: .fds[2] is set here.
 * @package: what to install where the host lacks it.
 * @losses: gets each line that it wrote to its standard error, once, if it succeeds; may
 *	be NULL.
 * @ret_status: as a shell's $?, where -EIO is returned; may be NULL.
 *
 * Return: 0; -ENOENT: it is not installed; -EINTR with @ret_signal; -EIO: it failed, and
 * the error has its last words; or another -errno.
 */
int tool_run(struct tool *tool, const char *package, int signal_fd, struct losses *losses,
	     int *ret_status, int *ret_signal, struct err *e);

#endif
