/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Files of a root directory as edits see them. Each edit is one function, which runs
 * twice: first all of them to check, then to do it. Both ways it reads, finds out, and
 * fails alike; but to check nothing is written: it is kept here, for the edits behind
 * it that read it. So that a list of edits of which one cannot be done is refused before
 * anything is changed, and what is checked is what is done, not a second opinion.
 *
 * The tree is hostile (change.h). Directories are found as the guest finds them, by
 * symlinks that stay below the root; what has the name itself is never followed: a file
 * that is edited has to be a regular one, and one that is written takes the place of
 * whatever is there, but for a directory.
 *
 * Paths are absolute, without "..", "." or a "/" at the end: edits_normalise().
 */
#ifndef VMRUN_ROOTFS_EDIT_EDITS_H
#define VMRUN_ROOTFS_EDIT_EDITS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "rootfs-tools/core/change.h"
#include "rootfs-tools/core/tree_copy.h"
#include "runner/base/err.h"

#define EDITS_STAGED_MAX 64
#define EDITS_GONE_MAX 64
#define EDITS_TEXT_MAX ((size_t)1 << 20) /* bytes of a file that is edited */

/* Kept while checking. */
struct edits_staged {
	char *path;
	char *text;
	size_t len;
};

/* Of fixed size: filled inside (enter.h), read outside. */
struct edits_said {
	struct losses warnings;
	struct tree_copy_report copy;
	int package_manager; /* of edit_guest.c's table */
	bool locale_def;     /* the locale is to be made, in a guest */
	unsigned int n_checked;
	unsigned int n_done;   /* edits that were done */
	unsigned int n_failed; /* 1: one was begun, and could not be done */
	/* The path of a directory that is to go if it ends now. */
	char unfinished[PATH_MAX + CHANGE_TEMP_SIZE];
};

struct edits {
	int root; /* O_PATH */
	bool check;
	bool unsure; /* to check: a directory that is missing may be made by an edit before */
	struct edits_said *said;
	struct edits_staged staged[EDITS_STAGED_MAX];
	unsigned int n_staged;
	char *gone[EDITS_GONE_MAX]; /* patterns, to check; owned */
	unsigned int n_gone;
};

void edits_free(struct edits *t);

/**
 * edits_normalise() - an absolute path that a person wrote.
 * @ret: free() it. Return: -EINVAL for one that is not absolute, has a "..", is "/" or
 * too long.
 */
int edits_normalise(const char *path, char **ret, struct err *e);

/** edits_has() - whether the guest finds anything there. */
bool edits_has(const struct edits *t, const char *path);

/** edits_has_dir() - whether it finds a directory. */
bool edits_has_dir(const struct edits *t, const char *path);

/**
 * edits_dir() - open a directory, O_PATH.
 *
 * Return: 1; 0 and @ret_fd -1 if it is not there, which only a check forgives; -errno.
 */
int edits_dir(const struct edits *t, const char *path, int *ret_fd, struct err *e);

/**
 * edits_parent() - open the directory that @path is in.
 * @where: its path, "" for the root, as it stands before a name in messages.
 * @ret_name: in @path.
 *
 * Return: as edits_dir().
 */
int edits_parent(const struct edits *t, const char *path, char where[PATH_MAX],
		 const char **ret_name, int *ret_fd, struct err *e);

/** edits_check_place() - whether a file can be put at @path, which is @name in @dir. */
int edits_check_place(const struct edits *t, const char *path, int dir, const char *name,
		      struct err *e);

/** edits_mkdir() - make a directory that is missing, and those above it, as root's, 0755. */
int edits_mkdir(struct edits *t, const char *path, struct err *e);

/**
 * edits_read() - the text of a regular file of EDITS_TEXT_MAX at most.
 * @ret_text: NUL-terminated, to free(); "" if there is none.
 *
 * Return: 1, 0 if there is no such file, or -errno: -ELOOP if it is a symlink.
 */
int edits_read(const struct edits *t, const char *path, char **ret_text, size_t *ret_len,
	       struct err *e);

/**
 * edits_write() - by change_rewrite().
 * @attrs: for a file that is new.
 */
int edits_write(struct edits *t, const char *path, const struct change_attrs *attrs,
		const void *data, size_t len, struct err *e);

/** edits_symlink() - by change_symlink(). */
int edits_symlink(struct edits *t, const char *path, const char *target, struct err *e);

/** edits_forget() - to check: what matches @pattern (glob.h) is gone from here on. */
void edits_forget(struct edits *t, const char *pattern);

/**
 * edits_begin_dir() - @name of directory @where is being made: until edits_end_dir() it is to
 * go, whatever ends this.
 */
void edits_begin_dir(const struct edits *t, const char *where, const char *name);
void edits_end_dir(const struct edits *t);

/** edits_remove_unfinished() - what a process that was ended left of such a directory. */
int edits_remove_unfinished(int root, struct edits_said *said, struct err *e);

/** edits_warn() - something that the user is to know; when it is done, not to check. */
void edits_warn(const struct edits *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
