/* SPDX-License-Identifier: MIT */
/*
 * Whom the command runs as: "USER[:GROUP]" looked up in the text of the base's
 * own /etc/passwd and /etc/group, which may be hostile. Pure.
 */
#ifndef VMRUN_GUEST_PASSWD_H
#define VMRUN_GUEST_PASSWD_H

#include <stddef.h>
#include <stdint.h>

#include "initramfs/guest/fail.h"

#define USER_FIELD_MAX 1024 /* bytes of a name, home or shell, with the terminator */
#define USER_GROUPS_MAX 1024

struct user {
	uint32_t uid;
	uint32_t gid;
	char name[USER_FIELD_MAX]; /* the number for an id without an entry */
	char home[USER_FIELD_MAX];
	char shell[USER_FIELD_MAX];
	uint32_t groups[USER_GROUPS_MAX]; /* supplementary */
	size_t n_groups;
};

/* Contents of passwd(5) and group(5); NULL and 0 where there is no such file. */
struct user_db {
	const char *passwd;
	size_t passwd_len;
	const char *group;
	size_t group_len;
};

/**
 * user_resolve() - find out about the user to run as.
 * @spec: "USER[:GROUP]", each a name or a number, a name that is all digits
 *	included; NULL: root.
 *
 * A number needs no entry (its group is then 0, its home "/"); nor does root.
 * A given GROUP replaces the supplementary groups too, as it does for podman.
 * Lines that are no entry, or too long for one, are passed over.
 * Return: 0 or -ENOENT, -E2BIG with @f.
 */
int user_resolve(const char *spec, const struct user_db *db, struct user *ret, struct fail *f);

#endif
