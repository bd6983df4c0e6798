/* SPDX-License-Identifier: MIT */
/* The parts of tree_copy.c that deal with one open file; change.c has use for them, too. */
#ifndef VMRUN_ROOTFS_CORE_TREE_COPY_DATA_H
#define VMRUN_ROOTFS_CORE_TREE_COPY_DATA_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "rootfs-tools/core/xattr.h"

/* What was found out about the two file systems, and buffers. All zero at first. */
struct copy_ways {
	bool no_reflink;
	bool no_range;
	char *buffer;
	char names[XATTR_BYTES_MAX];
	char value[XATTR_BYTES_MAX];
};

/**
 * copy_content() - of the regular file @in to the new file @out.
 * @size, @blocks: as stat says. What is appended meanwhile is not copied.
 * @ret_shared: set to true if both have the same blocks now.
 * Return: 0 or -errno.
 */
int copy_content(struct copy_ways *ways, int in, int out, uint64_t size, uint64_t blocks,
		 bool *ret_shared);

/* A file whose attributes are copied: an open one, or by a path that is not followed. */
struct xattr_file {
	int fd;
	const char *path; /* NULL: by fd */
};

/**
 * copy_xattrs() - all extended attributes but the host's own labels.
 * @lost: called for each that could not be read or set, with why.
 * Return: 0 or -errno, for what means that the copy cannot go on.
 */
int copy_xattrs(struct copy_ways *ways, const struct xattr_file *from,
		const struct xattr_file *to, void (*lost)(void *arg, const char *name, int errnum),
		void *arg);

#endif
