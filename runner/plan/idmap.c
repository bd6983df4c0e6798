/* SPDX-License-Identifier: MIT */
/*
 * How a map is chosen.
 *
 * A base keeps the owners that its maker's user namespace gave it, and the guest
 * sees right ones only through the same map. Two layouts are in use, and they
 * differ by one in every id but 0, so that the wrong one seems to work and then
 * breaks setuid programs and daemons' files. What tells them apart is who owns
 * the places that belong to root in every distribution:
 *
 *	owned by		guest 0 is	guest 1 and up are	made by
 *	the caller		the caller	its ranges		podman, unshare --map-auto
 *	first id of a range	that id		the rest of that range	mmdebstrap, LXC
 *
 * Anything else (a mixture, somebody else's ids) is refused: no guess is better
 * than a base whose owners are silently off by one.
 *
 * uids and gids are mapped apart, their ranges may differ in number and size. A
 * host id is mapped once at most, or the kernel refuses the map: an administrator
 * may have written ranges that overlap each other or hold the caller's own id.
 *
 * Real root gets the second layout only. The first would make the guest's root
 * the host's, whose files, once on the base, are the host root's.
 */
#include "runner/plan/idmap.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runner/base/cleanup.h"

#define ROOT_HOST_ID_MIN 1000u	      /* below: accounts of the host's own system */
#define ID_END ((uint64_t)UINT32_MAX) /* (uid_t)-1 is no id */

#define GET_SUBIDS                                                              \
	"sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 " \
	"\"$(id -un)\""

static const struct subids root_default = {
	.r = { { IDMAP_ROOT_DEFAULT_FIRST, IDMAP_ROOT_DEFAULT_COUNT } },
	.n = 1,
};

/* What the choice is made from; root's ranges are those that it may use. */
struct chooser {
	const struct idmap_input *in;
	const struct subids *subuids;
	const struct subids *subgids;
};

/* What finds no place any more (no real /etc/subuid leads there) stays unmapped. */
static void add_extent(struct id_map *map, uint32_t inside, uint32_t outside, uint32_t count)
{
	if (map->n < ID_MAP_MAX)
		map->e[map->n++] = (struct id_extent){ inside, outside, count };
}

static bool maps_outside(const struct id_map *map, uint32_t outside)
{
	for (unsigned int i = 0; i < map->n; i++)
		if (outside >= map->e[i].outside && outside - map->e[i].outside < map->e[i].count)
			return true;
	return false;
}

uint32_t idmap_append(struct id_map *map, uint32_t inside, const struct subid_range *range)
{
	uint64_t at = range->first, end = at + range->count;

	while (at < end) {
		uint64_t stop = end, resume = end;

		for (unsigned int i = 0; i < map->n; i++) {
			uint64_t first = map->e[i].outside, past = first + map->e[i].count;

			if (past > at && first < stop) {
				stop = first;
				resume = past;
			}
		}
		if (stop > at) {
			add_extent(map, inside, (uint32_t)at, (uint32_t)(stop - at));
			inside += (uint32_t)(stop - at);
		}
		at = resume;
	}
	return inside;
}

static void map_caller(uint32_t self, const struct subids *ranges, struct id_map *ret)
{
	uint32_t next = 1;

	*ret = (struct id_map){ 0 };
	add_extent(ret, 0, self, 1);
	for (unsigned int i = 0; i < ranges->n; i++)
		next = idmap_append(ret, next, &ranges->r[i]);
}

static void map_subid(uint32_t self, const struct subid_range *range, struct id_map *ret)
{
	*ret = (struct id_map){ 0 };
	add_extent(ret, 0, range->first, range->count);
	if (self != 0 && !maps_outside(ret, self))
		add_extent(ret, self < range->count ? range->count : self, self, 1);
}

static const struct subid_range *range_from(const struct subids *ranges, uint32_t first)
{
	for (unsigned int i = 0; i < ranges->n; i++)
		if (ranges->r[i].first == first)
			return &ranges->r[i];
	return NULL;
}

static bool have_ranges(const struct chooser *c)
{
	return c->subuids->n && c->subgids->n;
}

static int no_ranges(const struct chooser *c, struct err *e)
{
	return err_msg(e, EPERM,
		       "user %" PRIu32 " has no subordinate ids in %s; get some (any free range "
		       "will do): " GET_SUBIDS,
		       c->in->uid, c->subuids->n ? "/etc/subgid" : "/etc/subuid");
}

static int choose_single(const struct chooser *c, struct idmap_choice *ret)
{
	struct idmap_choice choice = { .kind = IDMAP_SINGLE };

	add_extent(&choice.uids, 0, c->in->uid, 1);
	add_extent(&choice.gids, 0, c->in->gid, 1);
	*ret = choice;
	return 0;
}

static int choose_caller(const struct chooser *c, struct idmap_choice *ret, struct err *e)
{
	struct idmap_choice choice = { .kind = IDMAP_CALLER };

	if (!have_ranges(c))
		return no_ranges(c, e);
	map_caller(c->in->uid, c->subuids, &choice.uids);
	map_caller(c->in->gid, c->subgids, &choice.gids);
	*ret = choice;
	return 0;
}

static int choose_subid(const struct chooser *c, struct idmap_choice *ret, struct err *e)
{
	const struct base_owner *top = &c->in->owners->o[0];
	struct idmap_choice choice = { .kind = IDMAP_SUBID };
	const struct subid_range *uids, *gids;

	if (!have_ranges(c))
		return no_ranges(c, e);
	uids = range_from(c->subuids, top->uid);
	gids = range_from(c->subgids, top->gid);
	/* Real root's own id is never mapped, and so neither is its group. */
	map_subid(c->in->uid, uids ? uids : &c->subuids->r[0], &choice.uids);
	map_subid(c->in->uid ? c->in->gid : 0, gids ? gids : &c->subgids->r[0], &choice.gids);
	*ret = choice;
	return 0;
}

static int refuse_root(const struct chooser *c, struct err *e)
{
	return err_msg(e, EPERM,
		       "called by root, a guest gets subordinate ids only, never the host's own; "
		       "give the base to %" PRIu32 " and up (mmdebstrap --mode=unshare makes one "
		       "like that), or call vmrun as an ordinary user",
		       c->subuids->r[0].first);
}

static int choose_explicit(const struct chooser *c, struct idmap_choice *ret, struct err *e)
{
	const struct id_map *map = c->in->explicit_map;
	int r = idmap_check(map, e);

	if (r < 0)
		return r;
	for (unsigned int i = 0; c->in->uid == 0 && i < map->n; i++)
		if (map->e[i].outside < ROOT_HOST_ID_MIN)
			return err_msg(e, EPERM,
				       "--idmap: called by root, a map must not hold host ids "
				       "below %u, and this one has %" PRIu32,
				       ROOT_HOST_ID_MIN, map->e[i].outside);
	*ret = (struct idmap_choice){ .kind = IDMAP_EXPLICIT, .uids = *map, .gids = *map };
	return 0;
}

static bool same_owner(const struct base_owner *a, const struct base_owner *b)
{
	return a->uid == b->uid && a->gid == b->gid;
}

static int refuse_mixed(const struct base_owner *a, const struct base_owner *b, struct err *e)
{
	return err_msg(e, EPERM,
		       "the base has mixed owners: %s belongs to %" PRIu32 ":%" PRIu32
		       " and %s to %" PRIu32 ":%" PRIu32 ", so no id map can be told from it; "
		       "make it again with one tool, or choose by --idmap",
		       a->path, a->uid, a->gid, b->path, b->uid, b->gid);
}

static int refuse_foreign(const struct chooser *c, const struct base_owner *o, struct err *e)
{
	const struct idmap_input *in = c->in;
	char first[64] = "who has none";

	if (have_ranges(c))
		snprintf(first, sizeof(first), "which begin at %" PRIu32 ":%" PRIu32,
			 c->subuids->r[0].first, c->subgids->r[0].first);
	return err_msg(e, EPERM,
		       "the base belongs to %" PRIu32 ":%" PRIu32 " (%s), neither the caller's "
		       "own ids (%" PRIu32 ":%" PRIu32 ") nor the first of the caller's "
		       "subordinate ids, %s; use a base of your own, or choose by --idmap",
		       o->uid, o->gid, o->path, in->uid, in->gid, first);
}

static int choose_auto(const struct chooser *c, struct idmap_choice *ret, struct err *e)
{
	const struct base_owners *owners = c->in->owners;
	const struct base_owner *top = &owners->o[0];

	for (unsigned int i = 1; i < owners->n; i++)
		if (!same_owner(&owners->o[i], top))
			return refuse_mixed(top, &owners->o[i], e);
	if (top->uid == c->in->uid && top->gid == c->in->gid) {
		if (c->in->uid == 0)
			return refuse_root(c, e);
		if (have_ranges(c))
			return choose_caller(c, ret, e);
		choose_single(c, ret);
		snprintf(ret->warning, sizeof(ret->warning),
			 "no subordinate ids: root is the only user that the guest can have, and "
			 "chown fails; get some: " GET_SUBIDS);
		return 0;
	}
	if (range_from(c->subuids, top->uid) && range_from(c->subgids, top->gid))
		return choose_subid(c, ret, e);
	return refuse_foreign(c, top, e);
}

/* @ranges less those that hold ids of the host's own system. */
static struct subids above_the_hosts(const struct subids *ranges)
{
	struct subids ret = { 0 };

	for (unsigned int i = 0; i < ranges->n; i++)
		if (ranges->r[i].first >= ROOT_HOST_ID_MIN)
			ret.r[ret.n++] = ranges->r[i];
	return ret;
}

int idmap_choose(const struct idmap_input *in, struct idmap_choice *ret, struct err *e)
{
	struct chooser c = { .in = in, .subuids = in->subuids, .subgids = in->subgids };
	struct subids uids, gids;

	if (in->uid == 0) {
		uids = above_the_hosts(in->subuids);
		gids = above_the_hosts(in->subgids);
		c.subuids = uids.n && gids.n ? &uids : &root_default;
		c.subgids = uids.n && gids.n ? &gids : &root_default;
	}
	switch (in->kind) {
	case IDMAP_AUTO:
		return choose_auto(&c, ret, e);
	case IDMAP_CALLER:
		return in->uid ? choose_caller(&c, ret, e) : refuse_root(&c, e);
	case IDMAP_SUBID:
		return choose_subid(&c, ret, e);
	case IDMAP_SINGLE:
		return in->uid ? choose_single(&c, ret) : refuse_root(&c, e);
	case IDMAP_EXPLICIT:
		return choose_explicit(&c, ret, e);
	}
	return err_msg(e, EINVAL, "unknown kind of id map");
}

static bool overlap(uint32_t a, uint32_t a_count, uint32_t b, uint32_t b_count)
{
	return a < (uint64_t)b + b_count && b < (uint64_t)a + a_count;
}

int idmap_check(const struct id_map *map, struct err *e)
{
	uint32_t ignored;

	for (unsigned int i = 0; i < map->n; i++) {
		const struct id_extent *a = &map->e[i];

		if (a->count == 0 || (uint64_t)a->inside + a->count > ID_END ||
		    (uint64_t)a->outside + a->count > ID_END)
			return err_msg(e, EINVAL,
				       "--idmap: %" PRIu32 ":%" PRIu32 ":%" PRIu32
				       " has no ids, or some past the last one, 4294967294",
				       a->inside, a->outside, a->count);
		for (unsigned int j = 0; j < i; j++) {
			const struct id_extent *b = &map->e[j];
			bool inside = overlap(a->inside, a->count, b->inside, b->count);

			if (!inside && !overlap(a->outside, a->count, b->outside, b->count))
				continue;
			return err_msg(e, EINVAL,
				       "--idmap: %" PRIu32 ":%" PRIu32 ":%" PRIu32 " and %" PRIu32
				       ":%" PRIu32 ":%" PRIu32 " share %s ids",
				       b->inside, b->outside, b->count, a->inside, a->outside,
				       a->count, inside ? "guest" : "host");
		}
	}
	if (!idmap_outside(map, 0, &ignored))
		return err_msg(e, EINVAL, "--idmap: the guest's id 0 is not mapped; add 0:HOST:1");
	return 0;
}

bool idmap_outside(const struct id_map *map, uint32_t inside, uint32_t *ret)
{
	for (unsigned int i = 0; i < map->n; i++) {
		const struct id_extent *x = &map->e[i];

		if (inside >= x->inside && inside - x->inside < x->count) {
			*ret = x->outside + (inside - x->inside);
			return true;
		}
	}
	return false;
}

void idmap_format(const struct id_map *map, char *buf, size_t size)
{
	size_t at = 0;

	if (size)
		buf[0] = '\0';
	for (unsigned int i = 0; i < map->n && at < size; i++) {
		int n = snprintf(buf + at, size - at, "%s%" PRIu32 ":%" PRIu32 ":%" PRIu32,
				 i ? "," : "", map->e[i].inside, map->e[i].outside,
				 map->e[i].count);

		if (n < 0)
			return;
		at += (size_t)n;
	}
}
