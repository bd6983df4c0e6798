/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * What a root directory holds belongs to the ids of its map, and it is hostile. So
 * whatever looks into one or changes one is an operation: a function that runs as root
 * of a user namespace with that map, in a jail (JAIL_TOOL in runner/jail/jail.c) that
 * holds nothing but the directories that the operation is about.
 *
 *	vmrun rootfs              the caller, in the caller's namespaces: parses the command
 *	│                         line, prints, names things, waits
 *	└── the operation         PID 1 of new namespaces, all of them: has each directory by
 *	                          a descriptor, and calls op(), which never forks
 *
 * It has CHOWN, DAC_OVERRIDE, FOWNER, FSETID and SETFCAP over the ids of the map and no
 * other capability, no network, no program, no path of the host's: "/" is an empty
 * read-only file system with a /proc of its own. The directories are mounts of their
 * own, nosuid, nodev, noexec, read-only where asked for (which keeps access times,
 * too): ".." ends at them. Below them paths are resolved by fs_open_in_root(), so that
 * a root's symlinks mean what they mean in the guest.
 *
 * Results go through memory that both share (enter_share()): structures of fixed size.
 * The error comes over a socket. The caller's signals stay blocked meanwhile; one of
 * those that end a program ends the operation, by SIGKILL, and then it is for the
 * caller to remove what was begun. An operation dies with its caller, whatever that one
 * dies of.
 */
#ifndef VMRUN_ROOTFS_CORE_ENTER_H
#define VMRUN_ROOTFS_CORE_ENTER_H

#include <stdbool.h>
#include <stddef.h>

#include "runner/base/err.h"
#include "runner/plan/idmap.h"

#define ENTER_DIRS_MAX 4
#define ENTER_FDS_MAX 8

struct enter_dir {
	int fd; /* O_PATH, the caller's */
	bool read_only;
};

struct enter {
	const struct idmap_choice *idmap;
	struct enter_dir dirs[ENTER_DIRS_MAX];
	unsigned int n_dirs;
	const int *fds; /* of the caller's, open inside under the same numbers; all above 2 */
	unsigned int n_fds;
	int signal_fd; /* of enter_signals(); -1: nothing interrupts it */
	void (*tick)(void *arg); /* outside, twice a second: to show how far it is; NULL: not */
	void *tick_arg;
};

/**
 * enter_run() - run @op in there, and wait for it.
 * @op: gets the directories as they are in there, in their order, O_PATH. Returns 0 or
 *	-errno with the error set.
 * @ret_signal: what ended it where -EINTR is returned. May be NULL if .signal_fd is -1.
 */
int enter_run(const struct enter *in, int (*op)(const int *dirs, void *arg, struct err *e),
	      void *arg, int *ret_signal, struct err *e);

/**
 * enter_signals() - block the signals that end a program, to be seen by enter_run().
 * @ret_fd: close() it. They stay blocked.
 */
int enter_signals(int *ret_fd, struct err *e);

/** enter_share() - zeroed memory that an operation shares with the caller, or NULL. */
void *enter_share(size_t size);
void enter_unshare(void *shared, size_t size);

#endif
