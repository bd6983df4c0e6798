/* SPDX-License-Identifier: MIT */
/*
 * /etc/subuid with anything in it, and what is then made of it: whatever the
 * ranges are, the id maps chosen from them are ones that a kernel takes.
 *
 * Input: uid and gid (4 bytes each), two bytes that select owner and kind, text.
 */
#include <stdlib.h>
#include <string.h>

#include "runner/base/cleanup.h"
#include "runner/host/subid.h"
#include "runner/plan/idmap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_ranges(const struct subids *s)
{
	if (s->n > SUBID_MAX)
		abort();
	for (unsigned int i = 0; i < s->n; i++) {
		uint64_t first = s->r[i].first, end = first + s->r[i].count;

		if (first == 0 || end == first || end > UINT32_MAX ||
		    (first <= 65535 && end > 65535))
			abort();
	}
}

static void check_choice(const struct idmap_input *in)
{
	struct idmap_choice c = { 0 };
	struct err e = { 0 };
	uint32_t host;
	char buf[64];

	if (idmap_choose(in, &c, &e) < 0) {
		if (!e.errnum || !e.text[0])
			abort();
		return;
	}
	if (idmap_check(&c.uids, &e) < 0 || idmap_check(&c.gids, &e) < 0)
		abort();
	/* Real root never hands on an id of the host's own system. */
	for (unsigned int i = 0; in->uid == 0 && i < c.uids.n; i++)
		if (c.uids.e[i].outside < 1000)
			abort();
	if (c.kind != IDMAP_SUBID && (!idmap_outside(&c.uids, 0, &host) || host != in->uid))
		abort();
	idmap_format(&c.uids, buf, sizeof(buf));
	if (strlen(buf) >= sizeof(buf))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum idmap_kind kinds[] = { IDMAP_AUTO, IDMAP_CALLER, IDMAP_SUBID,
						 IDMAP_SINGLE };
	struct base_owners owners = { .o = { { .path = "/" }, { .path = "/etc" } }, .n = 2 };
	struct idmap_input in = { .owners = &owners };
	struct subids s;

	if (size < 10)
		return 0;
	memcpy(&in.uid, data, 4);
	memcpy(&in.gid, data + 4, 4);
	/* (uid_t)-1 calls nobody. */
	if (in.uid == UINT32_MAX || in.gid == UINT32_MAX)
		return 0;
	subid_parse((const char *)data + 10, size - 10, data[8] & 1 ? "user" : NULL, in.uid, &s);
	check_ranges(&s);
	in.subuids = in.subgids = &s;
	in.kind = kinds[data[9] % ARRAY_SIZE(kinds)];
	for (unsigned int i = 0; i < owners.n; i++) {
		bool subid = s.n && data[8] & 2;

		owners.o[i].uid = subid ? s.r[data[9] / 16 % s.n].first : in.uid;
		owners.o[i].gid = subid ? s.r[data[9] / 16 % s.n].first : in.gid;
	}
	check_choice(&in);
	return 0;
}
