/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 *	outside                               inside (enter.h)
 *	open SRC, choose its map
 *	make .DST.vmrun-partial, lock it
 *	                                      lock SRC as a reading run does
 *	                                      copy the tree, renew the identity
 *	ssh-keygen, where SRC had host keys
 *	                                      move the keys in
 *	                                      owner, mode, times of the root itself
 *	rename to DST
 *
 * ssh-keygen is the host's and runs as the caller, in an empty directory of the copy,
 * which is the caller's until the end: it never sees what SRC holds.
 *
 * Whatever fails, and a signal, removes the partial copy; kill -9 leaves it for the next
 * clone to the same DST (partial.h).
 */
#ifndef VMRUN_ROOTFS_EDIT_CLONE_H
#define VMRUN_ROOTFS_EDIT_CLONE_H

#include <stdbool.h>

#include "rootfs-tools/core/root.h"
#include "rootfs-tools/core/tree_copy.h"

struct clone_options {
	struct root_idmap idmap;
	bool keep_identity;
	bool shared;	      /* whatever runs over SRC meanwhile */
	const char *hostname; /* NULL: made of DST's name */
};

struct clone_report {
	struct tree_copy_report copy;
	char warning[256]; /* "" or one line for the user */
};

/**
 * clone_run() - copy root directory @src to @dst, which must not exist.
 * @ret: zeroed, of enter_share().
 * @ret_signal: what ended it where -EINTR is returned.
 */
int clone_run(const char *src, const char *dst, const struct clone_options *options, int signal_fd,
	      struct clone_report *ret, int *ret_signal, struct err *e);

#endif
