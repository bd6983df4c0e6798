/* SPDX-License-Identifier: MIT */
/*
 * What else than a name and content the entries of an archive have; a part of unpack.c.
 *
 * The order matters: a change of the owner clears bits of the mode and file capabilities,
 * a change of the mode changes an ACL; the times come last. Those of a directory are kept
 * until all that is in it is there.
 */
#ifndef VMRUN_ROOTFS_ARCHIVE_UNPACK_ATTRS_H
#define VMRUN_ROOTFS_ARCHIVE_UNPACK_ATTRS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "rootfs-tools/core/losses.h"
#include "runner/base/err.h"
#include "runner/base/strbuf.h"
#include "runner/host/archive_lib.h"

struct attrs {
	mode_t mode; /* of 07777 */
	int64_t uid; /* as archived: any number */
	int64_t gid;
	struct timespec times[2]; /* as for utimensat() */
	const char *xattrs;	  /* name, NUL, struct attrs_value, value; and so on; borrowed */
	size_t xattrs_len;
};

/* Something that was made just now, or is there. */
struct attrs_file {
	int fd; /* open, or -1: by the two below, not followed */
	int dir;
	const char *name;
	const char *path; /* below the root, for messages */
	mode_t made;	  /* type, and the mode that it was made with */
	bool inherited;	  /* it may have a group and ACLs that nobody gave it */
	bool old;	  /* it was there: it may have anything */
};

/**
 * attrs_read() - of @entry.
 * @xattrs: is overwritten, and what @ret points to.
 */
int attrs_read(const struct archive_lib *lib, struct archive_entry *entry, const char *path,
	       struct strbuf *xattrs, struct attrs *ret, struct losses *losses, struct err *e);

/** attrs_apply() - What cannot be kept is added to @losses. */
int attrs_apply(const struct attrs_file *file, const struct attrs *attrs, struct losses *losses,
		struct err *e);

/* Directories and what they are to have in the end. */
struct attrs_later {
	struct attrs_dir **v;
	size_t n;
	size_t cap;
	size_t bytes;
};

/**
 * attrs_later_add() - keep those of the directory @path.
 * @old: as in struct attrs_file.
 */
int attrs_later_add(struct attrs_later *later, const char *path, const struct attrs *attrs,
		    bool old, struct err *e);

/** attrs_later_apply() - to all of them that are still there, the deepest first. */
int attrs_later_apply(struct attrs_later *later, int root, struct losses *losses, struct err *e);
void attrs_later_free(struct attrs_later *later);

#endif
