/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"

#include "rootfs-tools/shift/plan.h"

#include "runner/base/cleanup.h"

#define SELF 1000u
#define FIRST 100000u
#define COUNT 65536u

static const struct id_map caller = { { { 0, SELF, 1 }, { 1, FIRST, COUNT } }, 2 };
static const struct id_map subid = { { { 0, FIRST, COUNT }, { COUNT, SELF, 1 } }, 2 };
static const struct id_map single = { { { 0, SELF, 1 } }, 1 };
static const struct id_map elsewhere = { { { 0, 200000, 1000 } }, 1 };

static void make(const struct id_map *from, const struct id_map *to, struct shift_maps *ret)
{
	struct err e;

	assert_int_equal(shift_ids_make(from, to, &ret->uids, &e), 0);
	assert_int_equal(shift_ids_make(from, to, &ret->gids, &e), 0);
}

/* Which host id the host id of @guest becomes. */
static uint32_t host_of(const struct shift_ids *ids, uint32_t guest, enum shift_fate want)
{
	uint32_t id = 0, host = 0;

	assert_int_equal(shift_id(ids, guest, &id), want);
	assert_true(want == SHIFT_FOREIGN || idmap_outside(&ids->both, id, &host));
	return host;
}

static void ids_keep_their_guest_id(void **state)
{
	const struct id_map *maps[] = { &caller, &subid, &single, &elsewhere };
	static const uint32_t guests[] = { 0, 1, 33, 999, 1000, 65533, 65534, 65535, 65536 };
	struct shift_maps m;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(maps) * ARRAY_SIZE(maps); i++) {
		const struct id_map *from = maps[i / ARRAY_SIZE(maps)];
		const struct id_map *to = maps[i % ARRAY_SIZE(maps)];

		make(from, to, &m);
		/* The kernel takes it: every host id once. */
		assert_int_equal(idmap_check(&m.uids.both, &e), 0);
		for (size_t g = 0; g < ARRAY_SIZE(guests); g++) {
			uint32_t was, will;

			if (!idmap_outside(from, guests[g], &was))
				host_of(&m.uids, guests[g], SHIFT_FOREIGN);
			else if (!idmap_outside(to, guests[g], &will))
				assert_int_equal(host_of(&m.uids, guests[g], SHIFT_NO_PLACE),
						 to->e[0].outside);
			else
				assert_int_equal(host_of(&m.uids, guests[g], SHIFT_MOVED), will);
		}
	}
	make(&subid, &caller, &m);
	assert_int_equal(host_of(&m.uids, 0, SHIFT_MOVED), SELF);
	assert_int_equal(host_of(&m.uids, 1, SHIFT_MOVED), FIRST);
	/* What the guest's caller owned. */
	assert_int_equal(host_of(&m.uids, COUNT, SHIFT_MOVED), FIRST + COUNT - 1);
}

static void maps_that_do_not_fit(void **state)
{
	struct id_map high = { { { 0, 5, 1 }, { UINT32_MAX - 1, 6, 1 } }, 2 };
	struct id_map many = { .n = ID_MAP_MAX };
	struct shift_ids ids;
	struct err e;

	(void)state;
	assert_int_equal(shift_ids_make(&high, &elsewhere, &ids, &e), -E2BIG);
	for (unsigned int i = 0; i < ID_MAP_MAX; i++)
		many.e[i] = (struct id_extent){ i, 10 + 2 * i, 1 };
	assert_int_equal(shift_ids_make(&many, &elsewhere, &ids, &e), -E2BIG);
	assert_int_equal(shift_ids_make(&elsewhere, &many, &ids, &e), -E2BIG);
}

/* --- ACLs and capabilities --- */

#define ENTRY(tag, perm, id) \
	tag, 0, perm, 0, (id)&255, (id) >> 8 & 255, (id) >> 16 & 255, (uint32_t)(id) >> 24
#define NO_ID 0xffffffff

static void acls(void **state)
{
	uint8_t acl[] = { 2,
			  0,
			  0,
			  0,
			  ENTRY(1, 6, NO_ID),
			  ENTRY(2, 7, 33),
			  ENTRY(2, 7, NO_ID),
			  ENTRY(4, 4, NO_ID),
			  ENTRY(8, 5, 0),
			  ENTRY(8, 5, 5000),
			  ENTRY(16, 7, NO_ID),
			  ENTRY(32, 0, NO_ID) };
	static const uint8_t moved[] = { 2,
					 0,
					 0,
					 0,
					 ENTRY(1, 6, NO_ID),
					 ENTRY(2, 7, 1033),
					 ENTRY(4, 4, NO_ID),
					 ENTRY(8, 5, 1000),
					 ENTRY(16, 7, NO_ID),
					 ENTRY(32, 0, NO_ID) };
	static const struct id_map few = { { { 0, 7000, 1000 } }, 1 };
	size_t len = sizeof(acl);
	unsigned int dropped = 99;
	struct shift_maps m;

	(void)state;
	make(&few, &elsewhere, &m);
	assert_int_equal(shift_acl(&m, acl, &len, &dropped), 0);
	assert_int_equal(dropped, 2);
	assert_int_equal(len, sizeof(moved));
	assert_memory_equal(acl, moved, len);
}

static void hostile_acls(void **state)
{
	static const uint8_t good[] = { 2, 0, 0, 0, ENTRY(2, 7, 33) };
	uint8_t acl[sizeof(good)];
	struct shift_maps m;
	unsigned int dropped;

	(void)state;
	make(&subid, &caller, &m);
	for (size_t len = 0; len < sizeof(good); len++) {
		uint8_t *exact = malloc(len ? len : 1);
		size_t n = len;

		assert_non_null(exact);
		memcpy(exact, good, len);
		assert_int_equal(shift_acl(&m, exact, &n, &dropped), len == 4 ? 0 : -EINVAL);
		free(exact);
	}
	for (unsigned int version = 0; version < 5; version++) {
		size_t n = sizeof(acl);

		memcpy(acl, good, n);
		acl[0] = (uint8_t)version;
		assert_int_equal(shift_acl(&m, acl, &n, &dropped), version == 2 ? 0 : -EINVAL);
	}
}

static void capabilities(void **state)
{
	uint8_t v3[24] = { 1, 0, 0, 3, 0, 0x20, 0, 0, 0,  0, 0, 0,
			   0, 0, 0, 0, 0, 0,	0, 0, 33, 0, 0, 0 };
	const uint8_t v2[20] = { 1, 0, 0, 2, 0, 0x20 };
	uint8_t ret[24], want[24];
	struct shift_maps m;

	(void)state;
	make(&subid, &caller, &m);
	/* In this namespace guest root's new host id is that of its last id. */
	assert_int_equal(shift_capability(&m, v2, sizeof(v2), ret), 0);
	memcpy(want, v2, sizeof(v2));
	want[3] = 3;
	memcpy(want + 20, (uint8_t[]){ 0, 0, 1, 0 }, 4);
	assert_memory_equal(ret, want, sizeof(ret));
	assert_int_equal(shift_capability(&m, v3, sizeof(v3), ret), 0);
	v3[20] = 32;
	assert_memory_equal(ret, v3, sizeof(ret));
	for (size_t len = 0; len < sizeof(v3); len++)
		assert_int_equal(shift_capability(&m, v3, len, ret), -EINVAL);
	for (unsigned int version = 0; version < 256; version++) {
		v3[3] = (uint8_t)version;
		assert_int_equal(shift_capability(&m, v3, 24, ret), version == 3 ? 0 : -EINVAL);
		assert_int_equal(shift_capability(&m, v3, 20, ret), version == 2 ? 0 : -EINVAL);
	}
	make(&subid, &single, &m);
	assert_int_equal(shift_capability(&m, v2, sizeof(v2), ret), 0);
	v3[3] = 3;
	assert_int_equal(shift_capability(&m, v3, sizeof(v3), ret), -ENOENT);
}

/* --- the plan --- */

static void make_plan(struct plan *plan)
{
	struct shift_maps m;
	struct err e;

	make(&subid, &caller, &m);
	assert_int_equal(plan_begin(plan, &m, &e), 0);
	for (uint32_t i = 0; i < 300; i++) {
		plan_add(plan, &(struct plan_file){ .ino = (i * 7919) % 1009 + (UINT64_C(1) << 40),
						    .uid = i,
						    .gid = 2 * i,
						    .mode = 0644 });
		if (i % 3 == 0)
			plan_add_value(plan, PLAN_ACL, "abc", i % 4);
		if (i % 5 == 0)
			plan_add_value(plan, PLAN_CAPABILITY, "0123456789", 10);
	}
	assert_int_equal(plan_complete(plan, &e), 0);
}

static void expect_plan(const struct plan *plan)
{
	assert_int_equal(plan->n, 300);
	for (uint32_t i = 0; i < 300; i++) {
		ssize_t at = plan_find(plan, (i * 7919) % 1009 + (UINT64_C(1) << 40));
		const struct plan_file *f;
		struct plan_value v;
		const void *value;
		uint32_t pos = 0;

		assert_in_range(at, 0, 299);
		f = plan->files[at];
		assert_true(f->uid == i && f->gid == 2 * i && f->mode == 0644);
		if (i % 3 == 0) {
			assert_true(plan_next_value(f, &pos, &v, &value));
			assert_true(v.attribute == PLAN_ACL && v.len == i % 4);
			assert_memory_equal(value, "abc", v.len);
		}
		if (i % 5 == 0) {
			assert_true(plan_next_value(f, &pos, &v, &value));
			assert_true(v.attribute == PLAN_CAPABILITY && v.len == 10);
			assert_memory_equal(value, "0123456789", 10);
		}
		assert_false(plan_next_value(f, &pos, &v, &value));
	}
	assert_int_equal(plan_find(plan, 5), -ENOENT);
	assert_int_equal(plan_find(plan, UINT64_MAX), -ENOENT);
}

static void plans_are_read_back(void **state)
{
	_cleanup_plan_ struct plan plan = { 0 }, again = { 0 };
	struct strbuf bytes = { 0 };

	(void)state;
	make_plan(&plan);
	expect_plan(&plan);
	strbuf_add(&bytes, plan.bytes.data, plan.bytes.len);
	assert_int_equal(plan_parse(&bytes, &again), 0);
	assert_null(bytes.data);
	expect_plan(&again);
	assert_int_equal(again.header->nonce, plan.header->nonce);
}

static void incomplete_plans(void **state)
{
	_cleanup_plan_ struct plan plan = { 0 };
	size_t header = sizeof(struct plan_header), len;

	(void)state;
	make_plan(&plan);
	len = plan.bytes.len;
	for (size_t n = 0; n < len; n += n < header - 8 || n > header + 100 ? 61 : 1) {
		_cleanup_strbuf_ struct strbuf bytes = { 0 };
		struct plan cut = { 0 };

		strbuf_add(&bytes, plan.bytes.data, n);
		assert_int_equal(plan_parse(&bytes, &cut), -EBADMSG);
		assert_null(cut.files);
		/* One that says it is whole, too. */
		if (n < header)
			continue;
		((struct plan_header *)bytes.data)->size = n;
		assert_int_equal(plan_parse(&bytes, &cut), -EBADMSG);
	}
}

static void the_same_inode_twice(void **state)
{
	_cleanup_plan_ struct plan plan = { 0 };
	struct shift_maps m;
	struct err e;

	(void)state;
	make(&subid, &caller, &m);
	assert_int_equal(plan_begin(&plan, &m, &e), 0);
	plan_add(&plan, &(struct plan_file){ .ino = 7 });
	plan_add(&plan, &(struct plan_file){ .ino = 7 });
	assert_int_equal(plan_complete(&plan, &e), -ESTALE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_keep_their_guest_id),
		cmocka_unit_test(maps_that_do_not_fit),
		cmocka_unit_test(acls),
		cmocka_unit_test(hostile_acls),
		cmocka_unit_test(capabilities),
		cmocka_unit_test(plans_are_read_back),
		cmocka_unit_test(incomplete_plans),
		cmocka_unit_test(the_same_inode_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
