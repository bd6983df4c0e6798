/* SPDX-License-Identifier: MIT */
#ifndef VMRUN_HOST_SUBID_H
#define VMRUN_HOST_SUBID_H

#include <stddef.h>
#include <stdint.h>

#include "runner/base/err.h"

#define SUBID_MAX 16

struct subid_range {
	uint32_t first;
	uint32_t count;
};

struct subids {
	struct subid_range r[SUBID_MAX];
	unsigned int n;
};

/**
 * subid_parse() - the ranges that subuid(5) text gives to one user.
 * @text, @len: the file's content; hostile lines are passed over.
 * @name: login name, or NULL if the id has none.
 * @id: the user's numeric id; lines may name either.
 *
 * Ranges that are empty, overflow 32 bits, include id 0 or 65535/4294967295-like
 * reserved ids are passed over. File order is kept; at most SUBID_MAX.
 */
void subid_parse(const char *text, size_t len, const char *name, uint32_t id, struct subids *ret);

/**
 * subid_load() - subid_parse() of /etc/subuid and /etc/subgid for user @uid.
 *
 * A missing file is no ranges, not a failure. (subgid is looked up by user too:
 * subgid(5).) Where nsswitch.conf names another source ("subid: sss"), the
 * getsubids(1) tool is not asked: see the manual.
 */
int subid_load(uint32_t uid, struct subids *ret_uids, struct subids *ret_gids, struct err *e);

#endif
