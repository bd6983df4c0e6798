/* SPDX-License-Identifier: MIT */
/*
 * What each file of a tree is to become: the file that an interrupted shift is resumed from
 * (idshift.h has the theory). In the order of this machine, for it alone:
 *
 *	struct plan_header
 *	for each inode: struct plan_file, then for each attribute struct plan_value and its
 *	value, all filled up to 8 bytes
 */
#ifndef VMRUN_ROOTFS_SHIFT_PLAN_H
#define VMRUN_ROOTFS_SHIFT_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "rootfs-tools/core/losses.h"
#include "rootfs-tools/shift/ids.h"
#include "runner/base/cleanup.h"
#include "runner/base/strbuf.h"

#define PLAN_MAX STRBUF_MAX   /* bytes: twenty million files */
#define PLAN_LEAVE UINT32_MAX /* for a uid: neither owner, mode nor attributes change */

enum plan_attribute { PLAN_ACL, PLAN_DEFAULT_ACL, PLAN_CAPABILITY, PLAN_ATTRIBUTES };

/* Filled inside, read outside; the losses are those that were seen when it was made. */
struct plan_counts {
	uint64_t files; /* inodes */
	uint64_t moved; /* of them, with an owner to be changed */
	uint64_t acls;
	uint64_t capabilities;
	struct losses losses;
};

struct plan_header {
	char magic[16];
	uint64_t size;	  /* bytes, of it all: one that is shorter was never completed */
	uint64_t nonce;	  /* which the tree's marker has, too */
	uint64_t ino;	  /* of the tree's root: a plan is of no use for another tree */
	int64_t times[4]; /* of the tree's root, which the marker changes: atime, mtime; s, ns */
	struct shift_maps maps;
	struct plan_counts counts;
};

struct plan_file {
	uint64_t ino;
	uint32_t uid; /* ids of shift_ids.both */
	uint32_t gid;
	uint32_t mode;	 /* as st_mode */
	uint32_t values; /* bytes that follow */
};

struct plan_value {
	uint32_t attribute; /* enum plan_attribute */
	uint32_t len;	    /* bytes; 0: it is to be removed */
};

/* One that was read, or made. */
struct plan {
	struct plan_header *header; /* of bytes.data */
	struct strbuf bytes;
	size_t last;			/* offset of the file that was added last */
	const struct plan_file **files; /* by inode; owned */
	bool *done;			/* of each; owned */
	size_t n;
};

void plan_free(struct plan *plan);
#define _cleanup_plan_ _cleanup_(plan_free)

/** plan_attribute_name() - "system.posix_acl_access". */
const char *plan_attribute_name(enum plan_attribute attribute);

/** plan_begin() - an empty one. The counts are filled in by and by, through plan->header. */
int plan_begin(struct plan *plan, const struct shift_maps *maps, struct err *e);

/** plan_add() - one inode; then plan_add_value() for its attributes. */
void plan_add(struct plan *plan, const struct plan_file *file);
void plan_add_value(struct plan *plan, enum plan_attribute attribute, const void *value,
		    size_t len);

/** plan_complete() - sort it; from here on plan_find() knows the files. */
int plan_complete(struct plan *plan, struct err *e);

/**
 * plan_parse() - one that was written.
 * @bytes: hostile; taken over on success.
 * Return: 0, -EBADMSG without an error text for what is none or not complete, or -ENOMEM.
 */
int plan_parse(struct strbuf *bytes, struct plan *ret);

/** plan_find() - Return: its place in .files and .done, or -ENOENT. */
ssize_t plan_find(const struct plan *plan, uint64_t ino);

/**
 * plan_next_value() - the attributes of a file, one after another.
 * @at: 0 at first.
 * Return: false at the end.
 */
bool plan_next_value(const struct plan_file *file, uint32_t *at, struct plan_value *ret,
		     const void **ret_value);

#endif
