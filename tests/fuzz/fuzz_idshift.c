/* SPDX-License-Identifier: MIT */
/*
 * What a shift of ids reads: ACLs and capabilities, and the plan of an interrupted one.
 *
 * Input: a byte that selects, then the value; for a plan, what follows a good header.
 */
#include <stdlib.h>
#include <string.h>

#include "rootfs-tools/shift/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make(struct shift_maps *ret)
{
	static const struct id_map from = { { { 0, 100000, 65536 }, { 65536, 1000, 1 } }, 2 };
	static const struct id_map to = { { { 0, 1000, 1 }, { 1, 100000, 2000 } }, 2 };
	struct err e;

	if (shift_ids_make(&from, &to, &ret->uids, &e) < 0 ||
	    shift_ids_make(&from, &to, &ret->gids, &e) < 0)
		abort();
}

static void try_acl(const struct shift_maps *maps, const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	size_t len = size;
	unsigned int dropped;

	if (!copy)
		abort();
	memcpy(copy, data, size);
	if (shift_acl(maps, copy, &len, &dropped) == 0 && len + 8 * (size_t)dropped != size)
		abort();
	free(copy);
}

static void read_all(const struct plan *plan)
{
	volatile uint8_t sum = 0;

	for (size_t i = 0; i < plan->n; i++) {
		const uint8_t *value;
		struct plan_value v;
		uint32_t at = 0;

		if (plan_find(plan, plan->files[i]->ino) != (ssize_t)i)
			abort();
		while (plan_next_value(plan->files[i], &at, &v, (const void **)&value)) {
			if (!plan_attribute_name(v.attribute))
				abort();
			for (uint32_t j = 0; j < v.len; j++)
				sum = (uint8_t)(sum + value[j]);
		}
	}
}

static void try_plan(const struct shift_maps *maps, const uint8_t *data, size_t size)
{
	_cleanup_plan_ struct plan whole = { 0 }, read = { 0 };
	struct strbuf bytes;
	struct err e;

	if (plan_begin(&whole, maps, &e) < 0)
		abort();
	strbuf_add(&whole.bytes, data, size);
	/* Its own block, and not a byte more. */
	bytes = (struct strbuf){ malloc(whole.bytes.len), whole.bytes.len, whole.bytes.len, false };
	if (!bytes.data)
		abort();
	memcpy(bytes.data, whole.bytes.data, bytes.len);
	((struct plan_header *)bytes.data)->size = bytes.len;
	((struct plan_header *)bytes.data)->counts.files = size ? data[0] : 0;
	if (plan_parse(&bytes, &read) == 0)
		read_all(&read);
	strbuf_free(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t value[SHIFT_CAPABILITY_SIZE];
	struct shift_maps maps;
	struct strbuf bytes = { 0 };
	struct plan plan = { 0 };

	if (!size)
		return 0;
	make(&maps);
	switch (data[0] % 4) {
	case 0:
		try_acl(&maps, data + 1, size - 1);
		break;
	case 1:
		(void)shift_capability(&maps, data + 1, size - 1, value);
		break;
	case 2:
		try_plan(&maps, data + 1, size - 1);
		break;
	case 3:
		strbuf_add(&bytes, data + 1, size - 1);
		if (plan_parse(&bytes, &plan) == 0)
			read_all(&plan);
		strbuf_free(&bytes);
		plan_free(&plan);
	}
	return 0;
}
