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
 *	/usr /bin /sbin /lib* /etc	the host's, read-only: as far as everybody may read it
 *	/dev				null zero full random urandom tty, and pts
 *	/proc				of its own PID namespace, all of it
 *	/tmp /var /run			empty, in memory; /var/tmp is /tmp
 *	/vmrun/NAME			the directories and files given
 *
 * It has all capabilities over the ids of the map (a package is installed with mounts and
 * chroot), none over the host's, and none over what is mounted: that was done in a user
 * namespace above its own (jail_nest()), so no read-only place becomes writable. It can
 * make no further one.
 *
 * Setuid programs of a root that is made work as in any other installation: no_new_privs
 * is not set. The host's have no effect: their owner is not in the map, their mount nosuid.
 *
 * It has no network, unless that is asked for; then it is the caller's, with whatever
 * listens on the host's loopback and on abstract sockets. It ends with its caller, and
 * with all that it started.
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
	const char *const *env;	 /* "NAME=value", NULL-terminated, or NULL; PATH and HOME (/tmp)
				  * are given */
	struct tool_place places[TOOL_PLACES_MAX];
	unsigned int n_places;
	bool network; /* the caller's */
	int fds[3];   /* its standard input, output and error; -1: /dev/null */
};

/** tool_exists() - whether the host has a program of that name. */
bool tool_exists(const char *name);

/**
 * tool_start() - start it.
 * It has been executed when this returns; -ENOENT if the host has none of that name.
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
