/* SPDX-License-Identifier: MIT */
/*
 * Which host ids the guest's ids are: chosen from who owns the base, in one
 * place, without touching the host. See ARCHITECTURE.md, "Id maps".
 */
#ifndef VMRUN_PLAN_IDMAP_H
#define VMRUN_PLAN_IDMAP_H

#include <stdbool.h>
#include <sys/types.h>

#include "runner/base/err.h"
#include "runner/host/base_dir.h"
#include "runner/host/subid.h"
#include "runner/spec/vm_spec.h"

/* Range used when real root calls and has no subordinate ids of its own. */
#define IDMAP_ROOT_DEFAULT_FIRST 524288u
#define IDMAP_ROOT_DEFAULT_COUNT 65536u

struct idmap_input {
	enum idmap_kind kind; /* what was asked */
	const struct id_map *explicit_map;
	uint32_t uid; /* the caller's */
	uint32_t gid;
	const struct subids *subuids;
	const struct subids *subgids;
	const struct base_owners *owners;
};

struct idmap_choice {
	enum idmap_kind kind; /* CALLER, SUBID, SINGLE or EXPLICIT: what was chosen */
	struct id_map uids;
	struct id_map gids;
	char warning[256]; /* "" or one line for the user */
};

/**
 * idmap_choose() - pure choice of both maps.
 *
 * AUTO: every owner the caller -> CALLER (SINGLE, with a warning, where there
 * are no subordinate ids); every owner the first id of one of the caller's
 * ranges -> SUBID over that range; anything else is refused, naming two owners
 * and --idmap.
 * CALLER: 0 is the caller, 1 and up its ranges, one after another. SUBID: 0 and up the range
 * (the one that owns "/", else the first), and the caller itself at its own id
 * where that lies past the range, else at the first id past the range, so that
 * what it owns can be opened. SINGLE: 0 is the caller, nothing else exists.
 * Real root (uid 0): never maps host id 0..; CALLER and SINGLE are refused, SUBID
 * uses root's range or IDMAP_ROOT_DEFAULT_*; an EXPLICIT map that includes a host
 * id below 1000 is refused.
 */
int idmap_choose(const struct idmap_input *in, struct idmap_choice *ret, struct err *e);

/**
 * idmap_check() - a map that a person wrote: no overlap on either side, no
 * wrap-around, guest id 0 mapped.
 */
int idmap_check(const struct id_map *map, struct err *e);

/**
 * idmap_append() - map host ids of @range that are not mapped yet to guest ids from @inside
 * on, without gaps. What finds no place in a full map (ID_MAP_MAX) stays unmapped.
 * Return: the first guest id after them.
 */
uint32_t idmap_append(struct id_map *map, uint32_t inside, const struct subid_range *range);

/** idmap_outside() - host id of guest id @inside. Return: false if unmapped. */
bool idmap_outside(const struct id_map *map, uint32_t inside, uint32_t *ret);

/** idmap_format() - "0:100000:65536,65536:1000:1" into @buf. */
void idmap_format(const struct id_map *map, char *buf, size_t size);

#endif
