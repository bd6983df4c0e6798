/* SPDX-License-Identifier: MIT */
/* A tool (core/tool.h) that is run to its end, and what it had to say. */
#ifndef VMRUN_ROOTFS_DISK_TOOL_RUN_H
#define VMRUN_ROOTFS_DISK_TOOL_RUN_H

#include "rootfs-tools/core/losses.h"
#include "rootfs-tools/core/tool.h"
#include "runner/base/err.h"

struct tool_run {
	struct tool tool;      /* .fds[2] is set by tool_run() */
	const char *name;      /* for people, and what has to be installed */
	const char *package;   /* what to install where the host lacks it */
	struct losses *losses; /* gets each line that it wrote to its standard error, once, if
				 * it succeeds; may be NULL */
	int status;	       /* set where -EIO is returned: as a shell's $? */
};

/**
 * tool_run() - start it, and wait for its success.
 *
 * Return: 0; -ENOENT: it is not installed; -EINTR with @ret_signal; -EIO: it failed, and
 * the error has its last words; or another -errno.
 */
int tool_run(struct tool_run *run, int signal_fd, int *ret_signal, struct err *e);

#endif
