/* SPDX-License-Identifier: MIT */
/*
 * One edit of a root directory: an option of `vmrun rootfs customize`, taken apart. What
 * there is is a table of each family's own (edit_*.c); customize.h puts them in order.
 *
 *	parse	outside, as the caller: all that can be known without the root. Reads what
 *		it needs of the host's files.
 *	read	outside, when all are parsed: what somebody may have to type
 *	apply	inside, as the root of the map: once to check, once to do it (edits.h)
 *	guest	outside: a command to be run in a guest, after apply
 */
#ifndef VMRUN_ROOTFS_EDIT_EDIT_H
#define VMRUN_ROOTFS_EDIT_EDIT_H

#include <stdbool.h>
#include <sys/stat.h>

#include "rootfs-tools/edit/edits.h"
#include "runner/base/err.h"
#include "runner/base/strbuf.h"

struct edit;

struct edit_kind {
	const char *name; /* of the option */
	int (*parse)(struct edit *edit, const char *value, struct err *e);
	/* Or NULL. */
	int (*read)(struct edit *edit, int signal_fd, int *ret_signal, struct err *e);
	int (*apply)(struct edits *t, const struct edit *edit, struct err *e); /* or NULL */
	/* Adds its words, or none where no guest is needed. Or NULL. */
	void (*guest)(const struct edit *edit, const struct edits_said *said, struct strvec *words);
	/* Two that are one: what @later has is added to @edit, or it takes its place. Or NULL. */
	void (*merge)(struct edit *edit, struct edit *later);
	bool merge_apart; /* whatever comes between them */
};

struct edit {
	const struct edit_kind *kind;
	const char *value;  /* as typed */
	char *name;	    /* what it is about: a user, a path, an address; owned */
	struct strbuf text; /* what it gets; wiped */
	int fd;		    /* a file or (O_PATH) a directory of the host's; -1; owned */
	int inside;	    /* the same, where apply runs */
	struct stat st;	    /* of .fd */
};

/* Their ends are rows without a name. */
extern const struct edit_kind edit_names[];
extern const struct edit_kind edit_network[];
extern const struct edit_kind edit_locale[];
extern const struct edit_kind edit_users[];
extern const struct edit_kind edit_files[];
extern const struct edit_kind edit_guest[];

void edit_free(struct edit *edit);

/**
 * edit_split() - "NAME:REST" at the first colon.
 * @ret_rest: in @value.
 */
int edit_split(struct edit *edit, const char *value, const char **ret_rest, struct err *e);

#endif
