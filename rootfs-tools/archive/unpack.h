/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * An archive becomes a tree below a directory, and nowhere else. It is hostile. libarchive
 * reads it: tar of every kind, and cpio, with each compression that it was built with.
 * What is made of the entries is made here, inside (enter.h), so that what libarchive can
 * be made to do it does in a jail that holds nothing but the new tree.
 *
 * A path is taken apart: "/" in front and "." are dropped, ".." is refused. The directory
 * is opened below the root, by openat2 without following a symlink: an entry that would go
 * through a symlink is refused, whoever made that symlink. Hard links go to what is below
 * the same root, symlinks to wherever they like. Of entries with the same name the last
 * one counts; but only a layer of an image may have something else in the place of a
 * directory.
 *
 * Owners are the archive's numbers; modes, ACLs, extended attributes with file
 * capabilities, nanosecond times and holes are kept. What cannot be is listed in the
 * losses: device nodes, attributes that only real root may set, owners outside the map.
 * Such an owner becomes nobody (65534), or root where that one is outside too; setuid and
 * setgid go with it. A directory's own attributes are set at the end, deepest first;
 * directories that the archive has entries in but does not name are root's, mode 755.
 *
 * Bounds: UNPACK_ENTRIES_MAX entries, 64 KiB of path, 256 MiB for what directories are to
 * get at the end, libarchive's own 1 MiB for the attributes of an entry and 1 GiB for a
 * decompressor. The bytes of content have none but the room on the disk.
 *
 * The whole of a compressed stream is read, and so its checksum verified, where libarchive
 * does that: not gzip's. A tar has a mark at its end, and is cut short where that is
 * missing; a layer's digest says the same better, so there it may be.
 */
#ifndef VMRUN_ROOTFS_ARCHIVE_UNPACK_H
#define VMRUN_ROOTFS_ARCHIVE_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "rootfs-tools/core/losses.h"
#include "runner/base/err.h"

#define UNPACK_ENTRIES_MAX 10000000

/* Of fixed size: filled inside, read outside, meanwhile too. */
struct unpack_report {
	uint64_t entries;
	uint64_t bytes; /* of content */
	uint64_t read;	/* of the archive, in bytes */
	bool has_root;	/* it said something of "." */
	struct losses losses;
};

struct unpack {
	int fd;		  /* of the archive: read to its end, never seeked */
	int root;	  /* O_PATH: what it is unpacked below */
	const char *name; /* the archive's, for messages */
	bool whiteouts;	  /* a layer of an image: ".wh.NAME" removes, ".wh..wh..opq" empties, of
			   * what was there before; and that may be replaced */
	bool keep_root;	  /* what the archive says of "." itself is not taken over */
};

/**
 * unpack_prepare() - load what an unpack needs, which a jail has not: before enter_run().
 */
int unpack_prepare(struct err *e);

/**
 * unpack_limit() - inside: let the process have no more than 2 GiB of memory of its own,
 * for good. libarchive takes as much for a name as a cpio says that it is long.
 */
int unpack_limit(struct err *e);

/**
 * unpack_run() - inside. Sets the umask. May be called again for the next layer.
 * @report: counts on.
 */
int unpack_run(const struct unpack *unpack, struct unpack_report *report, struct err *e);

/**
 * unpack_seal() - inside, at the end: where no archive said anything of the root itself,
 * it becomes the map's root's, mode 755. From here on it may not be the caller's.
 */
int unpack_seal(int root, const struct unpack_report *report, struct err *e);

#endif
