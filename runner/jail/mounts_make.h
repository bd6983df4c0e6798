/* SPDX-License-Identifier: MIT */
/* What the file systems of jails are made of; not for use outside jail/. */
#ifndef VMRUN_JAIL_MOUNTS_MAKE_H
#define VMRUN_JAIL_MOUNTS_MAKE_H

#include <stddef.h>
#include <stdint.h>

#include "runner/base/err.h"

/*
 * Paths are the jail's, relative: between mounts_new_root() and mounts_pivot() the working
 * directory is the new root.
 */

/**
 * mounts_clone_tree() - a detached copy of the host's mount, from @path down.
 * @attrs: MOUNT_ATTR_*, added to what it has. Return: its descriptor or -errno.
 */
int mounts_clone_tree(int dirfd, const char *path, uint64_t attrs);

/**
 * mounts_new() - a new file system of @type, not yet attached anywhere.
 * @key: of an option, or NULL. Return: its descriptor or -errno.
 */
int mounts_new(const char *type, const char *key, const char *value, unsigned int attrs);

int mounts_attach(int mount_fd, const char *target, struct err *e);

/** mounts_make_dir() - it may be there already. */
int mounts_make_dir(const char *path, struct err *e);

/** mounts_make_parents() - the directories above @path, which is absolute. */
int mounts_make_parents(const char *path, struct err *e);

int mounts_make_file(const char *path, const void *data, size_t len, struct err *e);

/** mounts_show_file() - the one file of the host's that @path leads to, at the same place. */
int mounts_show_file(const char *path, unsigned int attrs, struct err *e);

#endif
