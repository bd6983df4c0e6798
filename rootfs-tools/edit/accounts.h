/* SPDX-License-Identifier: MIT */
/*
 * passwd(5), shadow(5) and group(5) as formats: what is not changed stays as it is, byte
 * by byte, comments and odd lines too. Pure: text in, text out. Both are hostile.
 */
#ifndef VMRUN_ROOTFS_EDIT_ACCOUNTS_H
#define VMRUN_ROOTFS_EDIT_ACCOUNTS_H

#include <stddef.h>
#include <sys/types.h>

#include "runner/base/err.h"
#include "runner/base/strbuf.h"

/* A user of passwd(5). */
struct account {
	char name[256];
	char home[4096];
	char shell[4096];
	uid_t uid;
	gid_t gid;
};

/** accounts_find() - Return: 0, -ENOENT without an error text, or -errno. */
int accounts_find(const char *passwd, size_t len, const char *user, struct account *ret,
		  struct err *e);

/**
 * accounts_set_hash() - shadow(5) with @user's password hash replaced, or a line added
 * for one that has none.
 * @hash: as crypt(5) has it; "!" locks.
 * @day: of the change, days since the epoch.
 */
int accounts_set_hash(const char *shadow, size_t len, const char *user, const char *hash, long day,
		      struct strbuf *out, struct err *e);

#endif
