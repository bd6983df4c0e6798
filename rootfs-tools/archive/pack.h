/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A tree becomes a tar, inside (enter.h), the same for the same tree: names in the order
 * of their bytes, a directory before what is in it; owners by number, those of the guest;
 * no times but that of the last change, in nanoseconds; of the names of one file the
 * first in that order has the content, the others are links to it. Extended attributes
 * come in the order of their names, a file capability as one of the map's root, ACLs as
 * ACLs. Holes are kept.
 *
 * The format is pax, which has a place for all of that: what an older tar does not know
 * is in extended headers. Compressors run with settings of their own, and in one thread:
 * what they write does not depend on the machine.
 *
 * The tree is hostile, and may change meanwhile (the lock that guests take is held, and
 * ends only with --shared): a file that became shorter is filled up with zeros and
 * reported, for its size was written before its content.
 */
#ifndef VMRUN_ROOTFS_ARCHIVE_PACK_H
#define VMRUN_ROOTFS_ARCHIVE_PACK_H

#include <stdint.h>

#include "rootfs-tools/core/losses.h"
#include "runner/base/err.h"
#include "runner/host/archive_lib.h"

struct pack {
	int root;		 /* O_PATH */
	int fd;			 /* written from where it stands, never seeked */
	const char *compression; /* "gz", "xz", "zst"; NULL: none */
	int64_t epoch;		 /* no time is later: seconds, or INT64_MAX */
	const char *skip;	 /* a name in the root itself that is left out, or NULL */
};

/**
 * pack_prepare() - load what a pack needs, which a jail has not: before enter_run().
 */
int pack_prepare(const char *compression, struct err *e);

/** pack_compress() - what @a writes, as "gz", "xz" or "zst"; before it is opened. */
int pack_compress(const struct archive_lib *lib, struct archive *a, const char *name,
		  struct err *e);

/** pack_run() - inside. */
int pack_run(const struct pack *pack, struct losses *losses, struct err *e);

#endif
