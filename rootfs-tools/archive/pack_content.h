/* SPDX-License-Identifier: MIT */
/* The parts of pack.c that deal with one file; not for use elsewhere. */
#ifndef VMRUN_ROOTFS_ARCHIVE_PACK_CONTENT_H
#define VMRUN_ROOTFS_ARCHIVE_PACK_CONTENT_H

#include <stdbool.h>
#include <sys/types.h>

#include "runner/host/archive_lib.h"

/** pack_ways_new() - buffers; pack_ways_free() them. Return: NULL without memory. */
struct pack_ways *pack_ways_new(void);
void pack_ways_free(struct pack_ways *ways);

/**
 * pack_xattrs() - extended attributes and ACLs of a file to @entry, but the host's own
 * labels.
 * @fd: of the file, or -1: @name in @dir, not followed.
 * @lost: called for each that could not be read, with why.
 */
int pack_xattrs(struct pack_ways *ways, const struct archive_lib *lib, struct archive_entry *entry,
		int fd, int dir, const char *name,
		void (*lost)(void *arg, const char *name, int errnum), void *arg);

/** pack_holes() - those of the regular file @fd to @entry, if there are any. */
int pack_holes(struct pack_ways *ways, const struct archive_lib *lib, struct archive_entry *entry,
	       int fd, off_t size);

/**
 * pack_content() - of the same file, to the archive.
 * @ret_shorter: it has less than @size bytes; the rest was written as zeros.
 * Return: 0, -EPIPE: libarchive could not write, or another -errno: @fd could not be read.
 */
int pack_content(struct pack_ways *ways, const struct archive_lib *lib, struct archive *a, int fd,
		 off_t size, bool *ret_shorter);

#endif
