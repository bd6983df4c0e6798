/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * passwd(5), shadow(5), group(5), gshadow(5), subuid(5) and subgid(5) as formats: what is
 * not changed stays as it is, byte by byte, comments and odd lines too. Pure: text in,
 * text out (accounts_files.h reads and writes them). All of them are hostile.
 *
 * A line is read as glibc's "files" reads it: white space in front is skipped; an empty
 * line, a comment, one of NIS ("+..." and "-...") and one with too few fields name
 * nobody. Of several lines with one name the first is the one that counts; what is
 * changed is all of them, for another libc may count another one, and what is removed is
 * all of them or none.
 */
#ifndef VMRUN_ROOTFS_EDIT_ACCOUNTS_H
#define VMRUN_ROOTFS_EDIT_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "runner/base/cleanup.h"
#include "runner/base/err.h"
#include "runner/base/strbuf.h"

/* Where useradd and adduser look for an id of a person, as login.defs(5) comes. */
#define ACCOUNTS_ID_MIN 1000u
#define ACCOUNTS_ID_MAX 60000u

enum accounts_file {
	ACCOUNTS_PASSWD,
	ACCOUNTS_SHADOW,
	ACCOUNTS_GROUP,
	ACCOUNTS_GSHADOW,
	ACCOUNTS_SUBUID,
	ACCOUNTS_SUBGID,
	ACCOUNTS_FILES
};

/* All that a root has of them, borrowed. */
struct accounts_texts {
	struct {
		const char *text; /* NULL: there is no such file */
		size_t len;
	} file[ACCOUNTS_FILES];
};

/* What they become; .data is NULL for what stays as it is. */
struct accounts_changed {
	struct strbuf file[ACCOUNTS_FILES];
};

/* A user of passwd(5). */
struct account {
	char name[256];
	char home[4096];
	char shell[4096];
	uid_t uid;
	gid_t gid;
};

/** accounts_file_name() - in /etc: "passwd". */
const char *accounts_file_name(enum accounts_file file);

void accounts_changed_free(struct accounts_changed *changed);
#define _cleanup_accounts_changed_ _cleanup_(accounts_changed_free)

/**
 * accounts_check_name() - whether a user may be called that, as useradd decides.
 *
 * Letters, digits, '_', '.', '-', and a '$' at the end (Samba's machines); no '-' in
 * front; not all digits; 32 bytes at most.
 */
int accounts_check_name(const char *name, struct err *e);

/**
 * accounts_find() - Return: 0, -ENOENT without an error text, or -errno (-EBADMSG: the
 * line is there and cannot be used: a number that is none, a field that is too long).
 */
int accounts_find(const char *passwd, size_t len, const char *user, struct account *ret,
		  struct err *e);

/**
 * accounts_each() - call @each for every user of passwd(5) that can be used, in order.
 * @each: returns 0 to go on; anything else ends it and is returned.
 */
int accounts_each(const char *passwd, size_t len, int (*each)(const struct account *, void *arg),
		  void *arg);

/**
 * accounts_set_hash() - shadow(5) with @user's password hash replaced, or a line added
 * for one that has none.
 * @hash: as crypt(5) has it; "!" locks. "" is refused: it lets anybody in.
 * @day: of the change, days since the epoch.
 */
int accounts_set_hash(const char *shadow, size_t len, const char *user, const char *hash, long day,
		      struct strbuf *out, struct err *e);

/**
 * accounts_set_password() - the same, and in passwd(5) the "x" that makes shadow(5) count:
 * a hash there, or none at all, would be taken instead.
 * @ret: zeroed; of PASSWD and SHADOW.
 *
 * Return: -ENOENT with an error text if passwd(5) has no such user.
 */
int accounts_set_password(const struct accounts_texts *in, const char *user, const char *hash,
			  long day, struct accounts_changed *ret, struct err *e);

struct account_new {
	const char *name;
	const char *comment; /* NULL: none */
	const char *home;    /* NULL: /home/NAME */
	const char *shell;   /* NULL: /bin/sh */
	const char *hash;    /* NULL: locked */
};

/**
 * accounts_add_user() - a user with a group of its own, with the lowest id from
 * ACCOUNTS_ID_MIN on that is neither a user's nor a group's.
 * @day: as above.
 * @ret: zeroed; of PASSWD, SHADOW and GROUP, and of GSHADOW if there is one. No
 *	subordinate ids: a guest has few enough itself.
 * @ret_account: as it is now.
 *
 * No home is made. Return: -EEXIST if a user or a group is called that; -ENOSPC: all ids
 * are taken.
 */
int accounts_add_user(const struct accounts_texts *in, const struct account_new *account, long day,
		      struct accounts_changed *ret, struct account *ret_account, struct err *e);

/**
 * accounts_remove_users() - all users that @chosen says true of, wherever they are named
 * (of several lines with one name: of each).
 * @ret: zeroed; of every file that there is. A group goes with a user of its name and
 *	group id, unless others are left in it.
 * @ret_n: users removed.
 */
int accounts_remove_users(const struct accounts_texts *in,
			  bool (*chosen)(const struct account *, void *arg), void *arg,
			  struct accounts_changed *ret, unsigned int *ret_n, struct err *e);

#endif
