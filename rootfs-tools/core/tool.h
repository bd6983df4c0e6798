/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Programs of the host's that work on root directories: mke2fs, mksquashfs, mmdebstrap.
 * They are run as root of a user namespace with the directory's id map, in a jail of
 * their own kind (JAIL_PROGRAM): it has the host's programs and their configuration
 * read-only, and no file of the caller's but what is given here. What a package's script
 * or a hostile tree makes such a program do, it does in there.
 *
 *	/usr /bin /sbin /lib* /etc	the host's, read-only
 *	/dev				null zero full random urandom tty, and pts
 *	/proc				of its own PID namespace
 *	/tmp /var /run			empty, in memory; /var/tmp is /tmp
 *	/vmrun/NAME			the directories and files given
 *
 * It has all capabilities over the ids of the map (a package is installed with mounts and
 * chroot), none over the host's; no network, unless that is asked for; and it ends with
 * its caller, with all that it started.
 */
#ifndef VMRUN_ROOTFS_CORE_TOOL_H
#define VMRUN_ROOTFS_CORE_TOOL_H

#include <stdbool.h>

#include "runner/base/err.h"
#include "runner/plan/idmap.h"

#define TOOL_DIR "/vmrun"
#define TOOL_PLACES_MAX 8

/* What it is given, as TOOL_DIR/name. */
struct tool_place {
	const char *name;
	int fd; /* O_PATH, the caller's: a directory or a regular file */
	bool read_only;
	bool programs; /* may hold devices, setuid files and programs: a root that is made */
};

struct tool {
	const struct idmap_choice *idmap;
	const char *const *argv; /* argv[0]: a name, found in the host's usual places */
	const char *const *env;	 /* "NAME=value", NULL-terminated; PATH and HOME are given */
	struct tool_place places[TOOL_PLACES_MAX];
	unsigned int n_places;
	bool network; /* the caller's */
	int fds[3];   /* its standard input, output and error; -1: /dev/null */
};

/** tool_exists() - whether the host has a program of that name. */
bool tool_exists(const char *name);

/**
 * tool_start() - start it.
 * @ret_pidfd: readable when it has ended; kill it, and all that it started is gone. It is
 *	a child: tool_wait() for it.
 */
int tool_start(const struct tool *tool, int *ret_pidfd, struct err *e);

/**
 * tool_wait() - wait for its end.
 * @signal_fd: of enter_signals(), or -1. A signal ends it, by SIGKILL.
 * @ret_status: as a shell's $?.
 * @ret_signal: which one it was where -EINTR is returned; may be NULL if @signal_fd is -1.
 */
int tool_wait(int pidfd, int signal_fd, int *ret_status, int *ret_signal, struct err *e);

#endif
