/* SPDX-License-Identifier: MIT */
/*
 * Where the entries of an archive go; a part of unpack.c, which opens with the theory.
 *
 * Archives name the files of a directory one after the other, so the directory that was
 * used last is kept open, and what lies below it is opened from there.
 */
#ifndef VMRUN_ROOTFS_ARCHIVE_UNPACK_PLACE_H
#define VMRUN_ROOTFS_ARCHIVE_UNPACK_PLACE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "rootfs-tools/core/inode_map.h"
#include "rootfs-tools/core/tree.h"
#include "runner/base/err.h"

struct places {
	int root;	       /* borrowed */
	bool layer;	       /* of an image: there are lower ones */
	struct inode_map made; /* by this layer */
	int fd;		       /* the directory that was used last; -1 */
	bool hands_down;       /* it gives new files its group or an ACL */
	size_t fd_len;
	char fd_path[TREE_PATH_MAX]; /* without a NUL */
	char path[TREE_PATH_MAX];    /* of the entry */
};

struct place {
	int dir;	  /* O_PATH */
	const char *path; /* below the root, taken apart and put together again */
	const char *name; /* the last part of it; "": the root itself */
};

/** places_new() - free with places_free(). Return: NULL without memory. */
struct places *places_new(int root, bool layer);
void places_free(struct places *p);

/**
 * place_find() - where @path is to be; directories above it are made where there is none.
 * @ret: until the next call.
 */
int place_find(struct places *p, const char *path, struct place *ret, struct err *e);

/**
 * place_find_link() - where an earlier entry is, that another one is to be a link to.
 * @path: as archived; @ret_path: the same, taken apart; TREE_PATH_MAX bytes.
 * @ret_name: the last part of it.
 * @ret_dir: close() it. Return: -ENOENT without an error text if there is none.
 */
int place_find_link(const struct places *p, const char *path, char *ret_path, const char **ret_name,
		    int *ret_dir, struct err *e);

/** place_clear() - remove what has the name, so that something else can have it. */
int place_clear(struct places *p, const struct place *at, struct err *e);

/** place_made() - of a layer: what has the name is this layer's. */
int place_made(struct places *p, const struct place *at, struct err *e);

/**
 * place_white_out() - if the name is one that removes something of lower layers, do it.
 * Return: 1 if it is, else 0, or -errno.
 */
int place_white_out(struct places *p, const struct place *at, struct err *e);

#endif
