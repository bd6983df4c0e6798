/* SPDX-License-Identifier: MIT */
/* Lines and fields of accounts.h's formats; for accounts*.c. No byte is special but ':', ',', '\n'. */
#ifndef VMRUN_ROOTFS_EDIT_ACCOUNTS_LINES_H
#define VMRUN_ROOTFS_EDIT_ACCOUNTS_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include "rootfs-tools/edit/accounts.h"

#define PASSWD_FIELDS 7
#define SHADOW_FIELDS 9
#define GROUP_FIELDS 4
#define SUBID_FIELDS 3
#define FIELDS_MAX 9

/* Bytes of somebody else's text; not terminated. */
struct span {
	const char *p;
	size_t len;
};

struct line {
	struct span whole; /* with its newline, if it has one */
	struct span f[FIELDS_MAX];
	unsigned int n; /* of fields that are there; 0: a line that names nobody */
};

/**
 * accounts_next_line() - the next line of @rest, which is shortened by it.
 * @fields: that such a line has: the last one has all that is left, colons too.
 * Return: false at the end.
 */
bool accounts_next_line(struct span *rest, unsigned int fields, struct line *ret);

/** accounts_cut() - the bytes before the next @c of @rest, which is shortened by both. */
bool accounts_cut(struct span *rest, char c, struct span *ret);

bool span_is(struct span span, const char *text);

/** span_order() - for qsort(): any order in which equal ones are together. */
int span_order(const void *a, const void *b);

/** span_id() - a number below 2^32 - 1, in decimal. */
bool span_id(struct span span, uint32_t *ret);

/** accounts_parse() - a line of passwd(5). Return: false: it cannot be used. */
bool accounts_parse(const struct line *line, struct account *ret);

#endif
