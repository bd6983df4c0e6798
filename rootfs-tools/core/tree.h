/* SPDX-License-Identifier: MIT */
/*
 * Walking trees that may be hostile: of any width, and of any depth up to TREE_PATH_MAX.
 * Directories that are still to be visited are kept by their paths and opened one at a
 * time, so that neither descriptors nor the stack run out.
 */
#ifndef VMRUN_ROOTFS_CORE_TREE_H
#define VMRUN_ROOTFS_CORE_TREE_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "runner/base/err.h"

/* Bytes of a path: sixteen times what a system call takes. */
#define TREE_PATH_MAX 65536

/* A directory that was met; visits after the first are up to the caller. */
struct tree_dir {
	char *path; /* below the root, "" for itself; owned */
	bool again;
};

struct tree_stack {
	struct tree_dir *dirs;
	size_t n;
	size_t cap;
};

void tree_stack_free(struct tree_stack *stack);
void tree_dir_free(struct tree_dir *dir);

/**
 * tree_push() - @parent/@name is to be visited, before all that was pushed earlier.
 * @name: "": @parent itself.
 */
int tree_push(struct tree_stack *stack, const char *parent, const char *name, bool again,
	      struct err *e);

/** tree_pop() - the next one. Return: false if there is none. */
bool tree_pop(struct tree_stack *stack, struct tree_dir *ret);

/**
 * tree_open() - open a path of up to TREE_PATH_MAX bytes below @root_fd.
 * @path: "" is the root itself. No component may be a symlink: each was seen to be a
 *	directory.
 */
int tree_open(int root_fd, const char *path, int flags, int *ret_fd);

/** tree_open_here() - the same; -EXDEV for what is mounted below @root_fd. */
int tree_open_here(int root_fd, const char *path, int flags, int *ret_fd);

/**
 * tree_open_dir() - as tree_open(), to be read; and as tree_open_here().
 * @ret: closedir() it.
 */
int tree_open_dir(int root_fd, const char *path, DIR **ret, struct err *e);
int tree_open_dir_here(int root_fd, const char *path, DIR **ret, struct err *e);

/**
 * tree_read() - the next entry but "." and "..".
 * Return: 1, 0 at the end, or -errno.
 */
int tree_read(DIR *dir, const char *path, struct dirent **ret, struct err *e);

/**
 * tree_type() - DT_* of an entry, looked up where the directory does not say.
 */
int tree_type(int dir_fd, const struct dirent *entry);

/**
 * tree_owner_fits() - whether the owner of what is at @name below @dir_fd is in the map,
 * inside.
 * @name: "": @dir_fd itself.
 * @st: of it.
 */
bool tree_owner_fits(int dir_fd, const char *name, const struct stat *st);

/** tree_mount() - the id of the mount that @fd is on. Return: 0 or -errno. */
int tree_mount(int fd, uint64_t *ret);

/**
 * tree_remove() - remove all that is below @root_fd, an O_PATH directory that nobody
 * else changes. The directory itself is left. What is mounted below it is not touched:
 * it is an error.
 */
int tree_remove(int root_fd, struct err *e);

#endif
