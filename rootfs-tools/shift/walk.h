/* SPDX-License-Identifier: MIT */
/* Every name of a tree, for a shift (idshift.h): to note what is there, and to change it. */
#ifndef VMRUN_ROOTFS_SHIFT_WALK_H
#define VMRUN_ROOTFS_SHIFT_WALK_H

#include <sys/stat.h>

#include "runner/base/err.h"

struct walk {
	int read_only; /* the tree, O_PATH: read by this mount, so that no access time changes */
	int tree;      /* the same, by a mount that can be written to */
	void *arg;
};

struct walk_name {
	int fd;		  /* O_PATH, by walk.tree */
	const char *path; /* of the directory, "" for the root */
	const char *name; /* "" for the root itself */
	struct statx st;
};

/**
 * walk_tree() - call @visit for the root and every name below it but the root's
 * BASE_DIR_HALF_WAY, a directory before what is in it.
 * @visit: returns 0 to go on. It may change owner and mode of what it visits.
 *
 * -EXDEV for a tree that is not all of one file system.
 */
int walk_tree(const struct walk *walk,
	      int (*visit)(void *arg, const struct walk_name *name, struct err *e), struct err *e);

/** walk_failed() - "cannot @what '/path/name': ..." Return: -@errnum. */
int walk_failed(const struct walk_name *name, const char *what, int errnum, struct err *e);

#endif
