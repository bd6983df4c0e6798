/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * What is to go from a tree that may be hostile is named by patterns. They are looked up
 * component by component, as its root (enter.h), and nothing is ever followed: a symlink
 * in the place of a directory ends the search there. Where it leads to may be anything;
 * who wants that cleaned names it. It is a loss, unless the directory behind it is one
 * that some pattern came to on its own path, as /var/run behind /run. What is mounted
 * below the tree is not touched either.
 *
 *	component	what it stands for
 *	name		that name
 *	*?[] !(a|b)	as fnmatch(3) with FNM_EXTMATCH; a leading dot is nothing special
 *	**		directories of any depth, none too
 *	~		in front: the homes of users
 *
 * What is emptied or edited is replaced (change.h): it keeps owner, mode and attributes,
 * and no other name of the same file changes.
 *
 * In a dry run each change is told and none is made. For it to tell what the real one
 * would, it has to remember what would be gone: names, and trees by their top.
 *
 * What cannot be changed, an immutable file for one, is a loss, and the rest goes on.
 */
#ifndef VMRUN_ROOTFS_EDIT_SWEEP_H
#define VMRUN_ROOTFS_EDIT_SWEEP_H

#include <stdbool.h>
#include <stddef.h>

#include "rootfs-tools/core/change.h"
#include "rootfs-tools/core/inode_map.h"
#include "rootfs-tools/core/losses.h"
#include "runner/base/err.h"
#include "runner/base/strbuf.h"

enum sweep_action {
	SWEEP_REMOVE,	   /* what is no directory */
	SWEEP_REMOVE_TREE, /* anything, with all that is in it */
	SWEEP_EMPTY,	   /* a regular file becomes an empty one */
	SWEEP_UNSET,	   /* of a regular file, lines that assign to one of .variables go */
};

struct sweep_rule {
	enum sweep_action action;
	const char *pattern;	       /* "/var/log/journal"; ours, not hostile */
	const char *variables; /* of SWEEP_UNSET: "HWADDR MACADDR" */
};

enum sweep_change { SWEEP_REMOVED, SWEEP_EMPTIED, SWEEP_WRITTEN, SWEEP_CHANGES };

struct sweep {
	int root; /* O_PATH */
	bool dry_run;
	struct strvec homes;   /* besides the usual ones: as passwd(5) has them, hostile */
	struct losses *losses; /* NULL: the first one is an error, and ends it */
	/* May be NULL. @path begins with '/', and of a removed directory ends with one. */
	void (*tell)(void *arg, enum sweep_change change, const char *path);
	void *arg;
	/* its own, zeroed */
	void *gone; /* tsearch(3): names, in a dry run */
	size_t n_gone;
	struct inode_map visited; /* directories that patterns came through */
	struct strvec symlinks;	  /* that were in the place of one */
};

/**
 * sweep() - do what @rule says.
 * Return: 0, or -errno where it cannot go on.
 */
int sweep(struct sweep *s, const struct sweep_rule *rule, struct err *e);

/**
 * sweep_write() - as change_replace(), with its directories, which are made; nothing is
 * done where it is there already.
 * @path: "/etc/x".
 */
int sweep_write(struct sweep *s, const char *path, const struct change_attrs *attrs,
		const void *data, size_t len, struct err *e);

/** sweep_link() - the same with a symlink to @target. */
int sweep_link(struct sweep *s, const char *path, const char *target, struct err *e);

/**
 * sweep_remove_tree() - what is at @path, and all that is in it. No part of it is a
 * pattern, and none is followed: it may be hostile.
 */
int sweep_remove_tree(struct sweep *s, const char *path, struct err *e);

/** sweep_told() - tell of a change that was made to @path, or would be in a dry run. */
int sweep_told(struct sweep *s, enum sweep_change change, const char *path, struct err *e);

/** sweep_end() - after all rules: what was not come to is a loss. */
int sweep_end(struct sweep *s, struct err *e);

void sweep_free(struct sweep *s);

/** sweep_is_plain() - whether @path is absolute, is not "/" and has no other spelling. */
bool sweep_is_plain(const char *path);

/**
 * sweep_unset() - @text without the lines that assign to one of @variables, as a shell
 * would: NAME=..., whatever white space is in front.
 * @text: hostile.
 */
void sweep_unset(const char *text, size_t len, const char *variables, struct strbuf *out);

#endif
