/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * An archive becomes a tree below a directory, and nowhere else. It is hostile. libarchive
 * reads it (every compression and every kind of tar that it knows, cpio, ...); what is
 * made of its entries is made here, inside (enter.h), so that what libarchive can be made
 * to do it does in a jail that holds nothing but the new tree.
 *
 * A path is taken apart: "/" in front and "." are dropped, ".." is refused. Each component
 * is opened below the one before, by openat2 without following a symlink: an entry that
 * would go through a symlink is refused, whoever made that symlink. Hard links go to what
 * the archive has put below the same directory, symlinks to wherever they like.
 *
 * Owners are the archive's numbers, modes, ACLs, extended attributes with file
 * capabilities, nanosecond times and holes are kept. What cannot be is listed in the
 * losses: device nodes, attributes that only real root may set, owners outside the map.
 * A directory's own attributes are set at the end, deepest first.
 *
 * Bounds: entries, bytes of content against bytes read (a bomb), path and xattr lengths.
 */
#ifndef VMRUN_ROOTFS_ARCHIVE_UNPACK_H
#define VMRUN_ROOTFS_ARCHIVE_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "rootfs-tools/core/losses.h"
#include "runner/base/err.h"

/* Of fixed size: filled inside, read outside. */
struct unpack_report {
	uint64_t entries;
	uint64_t bytes; /* of content */
	struct losses losses;
};

struct unpack {
	int fd;		  /* of the archive: read to its end, never seeked */
	int root;	  /* O_PATH: what it is unpacked below */
	const char *name; /* the archive's, for messages */
	bool whiteouts;	  /* a layer of an image: ".wh.NAME" removes, ".wh..wh..opq" empties; what
			   * is there already may be replaced, as the image format has it */
	bool keep_root;	  /* what the archive says of "." itself is not taken over */
};

/**
 * unpack_prepare() - load what an unpack needs, which a jail has not: before enter_run().
 */
int unpack_prepare(struct err *e);

/**
 * unpack_run() - inside. Sets the umask. May be called again for the next layer.
 */
int unpack_run(const struct unpack *unpack, struct unpack_report *report, struct err *e);

#endif
