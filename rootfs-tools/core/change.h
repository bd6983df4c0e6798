/* SPDX-License-Identifier: MIT */
/*
 * Changes to a tree that may be hostile, as its root (enter.h). Directories are opened
 * below the root; what a name in them leads to is never followed and never written to.
 * It is replaced, at once: whoever looks sees the old file or the new one, whole.
 */
#ifndef VMRUN_ROOTFS_CORE_CHANGE_H
#define VMRUN_ROOTFS_CORE_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "runner/base/err.h"

/* What a new file gets; ids are the guest's. */
struct change_attrs {
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

/**
 * change_open_dir() - a directory of the tree, O_PATH, symlinks followed as the guest does.
 * Return: -1 if there is none of that name.
 */
int change_open_dir(int root, const char *path);

/** change_exists() - whether @dir has anything of that name, and what. */
bool change_exists(int dir, const char *name, struct stat *ret);

/**
 * change_remove() - remove @name unless it is a directory; that there is none is fine.
 * @where: the directory's path, for the message.
 */
int change_remove(int dir, const char *where, const char *name, struct err *e);

/**
 * change_replace() - a regular file in the place of whatever has the name.
 *
 * Extended attributes of the old one are not taken over. A directory is never replaced.
 */
int change_replace(int dir, const char *where, const char *name, const struct change_attrs *attrs,
		   const void *data, size_t len, struct err *e);

/**
 * change_rewrite() - as change_replace(), but where it comes in the place of a regular file,
 * owner, mode (less setuid and setgid) and extended attributes are that one's.
 * @otherwise: for a file that is new.
 */
int change_rewrite(int dir, const char *where, const char *name,
		   const struct change_attrs *otherwise, const void *data, size_t len,
		   struct err *e);

/**
 * change_replace_from() - as change_replace(), with what is in the regular file @in.
 */
int change_replace_from(int dir, const char *where, const char *name,
			const struct change_attrs *attrs, int in, struct err *e);

/** change_temp_name() - a name that the tree cannot have prepared for. Return: 0 or -errno. */
#define CHANGE_TEMP_SIZE 40
int change_temp_name(char ret[CHANGE_TEMP_SIZE]);

/**
 * change_symlink() - the same with a symlink to @target, root's.
 */
int change_symlink(int dir, const char *where, const char *name, const char *target, struct err *e);

/**
 * change_attrs_of() - those of the regular file @name, or @otherwise if there is none.
 */
struct change_attrs change_attrs_of(int dir, const char *name, struct change_attrs otherwise);

#endif
