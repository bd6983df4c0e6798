/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A root directory is made beside its final place, as .NAME.vmrun-partial, and gets its
 * name when it is complete: under the final name there is a whole one or none. What makes
 * it holds an exclusive lock on the directory itself, so the lock ends with it.
 *
 * Whoever wants to make the same one finds what an earlier one left behind when it was
 * killed: nobody has the lock, so it is removed. Between mkdir() and flock() somebody
 * else may take the directory for left behind; so it is looked whether what was locked
 * still has the name.
 *
 * The directory is the caller's, and closed to all others, until it is complete.
 */
#ifndef VMRUN_ROOTFS_CORE_PARTIAL_H
#define VMRUN_ROOTFS_CORE_PARTIAL_H

#include <limits.h>

#include "runner/base/err.h"
#include "runner/plan/idmap.h"

struct partial {
	int parent; /* O_PATH; owned */
	int fd;	    /* of the directory, with the lock; -1 until partial_begin(); owned */
	const struct idmap_choice *idmap;
	char name[NAME_MAX + 1];
	char temp[NAME_MAX + 1];
};

#define PARTIAL_BEGIN_TRIES 8

/* Before partial_open(). */
#define PARTIAL_INIT                    \
	{                               \
		.parent = -1, .fd = -1, \
	}

/**
 * partial_open() - where something is to be made; it must not be there yet.
 * @dst: as typed.
 */
int partial_open(const char *dst, struct partial *ret, struct err *e);
void partial_close(struct partial *p);

/** partial_find_place() - the same, and whether it is there is not looked at. */
int partial_find_place(const char *dst, struct partial *ret, struct err *e);

/**
 * partial_begin() - make the directory, after removing what was left behind.
 * @idmap: borrowed: of whose ids all in it will be.
 */
int partial_begin(struct partial *p, const struct idmap_choice *idmap, struct err *e);

/** partial_finish() - give it its name. After that it is no longer this one's to remove. */
int partial_finish(struct partial *p, struct err *e);

/** partial_rename() - only rename it, be it a file or a directory. Return: 0 or -errno. */
int partial_rename(const struct partial *p);

/** partial_remove() - remove it and all in it, whoever's that is. */
int partial_remove(struct partial *p, struct err *e);

#endif
