/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A copy of a tree that keeps what can be kept: owners, modes, times to the nanosecond,
 * names of one file (hard links), holes, extended attributes with ACLs and file
 * capabilities, symlinks, FIFOs, sockets. It runs inside (enter.h), so that owners are
 * those of the map; the source is a read-only mount, whose access times do not change.
 *
 * The source is hostile and may change meanwhile. A name that was read is opened without
 * following it and without waiting, and what it is is asked of the open file. The
 * destination is nobody else's: it is closed to all others until it is complete.
 *
 * Order: a directory's own owner, mode, ACLs and times come when all its entries are
 * there, since each entry changes its times and a default ACL would change each entry.
 * Of a file the owner comes before attributes and mode, which a change of it clears, and
 * the times come last.
 *
 * Content is shared with the source where the file system can (FICLONE), else copied by
 * the kernel, by the parts that are no holes.
 *
 * What the kernel refuses to an ordinary user is left out and reported: device nodes,
 * attributes of namespaces that only real root may set, owners outside the map. Anything
 * else that fails ends the copy.
 */
#ifndef VMRUN_ROOTFS_CORE_TREE_COPY_H
#define VMRUN_ROOTFS_CORE_TREE_COPY_H

#include <stdint.h>
#include <sys/types.h>

#include "rootfs-tools/core/losses.h"
#include "runner/base/err.h"

/* Of fixed size: filled inside, read outside. */
struct tree_copy_report {
	uint64_t files; /* names of anything but directories */
	uint64_t shared; /* files whose blocks are the source's */
	struct losses losses;
};

/**
 * tree_copy() - copy all that is below @src to the empty directory @dst.
 * @src, @dst: O_PATH. Of @dst itself only the extended attributes are set.
 *
 * Other file systems that are mounted below @src are reported and left out. Sets the umask.
 */
int tree_copy(int src, int dst, struct tree_copy_report *ret, struct err *e);

/**
 * tree_copy_as() - the same, with all of it given to one owner, and so without setuid and
 *	setgid bits.
 */
int tree_copy_as(int src, int dst, uid_t uid, gid_t gid, struct tree_copy_report *ret,
		 struct err *e);

#endif
