/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "runner/base/cleanup.h"
#include "runner/plan/idmap.h"

static const struct subids usual = { .r = { { 100000, 65536 } }, .n = 1 };
static const struct subids none;

/* The caller of most tests is 1000:1000 with 100000-165535. */
struct world {
	struct idmap_input in;
	struct base_owners owners;
	struct id_map map;
	struct idmap_choice choice;
	struct err e;
};

static int set_up(void **state)
{
	static struct world w;

	w = (struct world){
		.in = {
			.kind = IDMAP_AUTO,
			.explicit_map = &w.map,
			.uid = 1000,
			.gid = 1000,
			.subuids = &usual,
			.subgids = &usual,
			.owners = &w.owners,
		},
	};
	*state = &w;
	return 0;
}

static void own(struct world *w, const char *path, uint32_t uid, uint32_t gid)
{
	struct base_owner *o = &w->owners.o[w->owners.n++];

	snprintf(o->path, sizeof(o->path), "%s", path);
	o->uid = uid;
	o->gid = gid;
}

static void own_all(struct world *w, uint32_t uid, uint32_t gid)
{
	w->owners.n = 0;
	own(w, "/", uid, gid);
	own(w, "/etc", uid, gid);
	own(w, "/usr", uid, gid);
	own(w, "/root", uid, gid);
	own(w, "/etc/passwd", uid, gid);
}

/* What the kernel and newuidmap demand of every map. */
static void assert_sound(const struct id_map *map)
{
	struct err e = { 0 };

	if (idmap_check(map, &e) < 0)
		fail_msg("%s", e.text);
}

static void expect(struct world *w, enum idmap_kind kind, const char *uids, const char *gids)
{
	char buf[512];
	int r = idmap_choose(&w->in, &w->choice, &w->e);

	if (r < 0)
		fail_msg("refused: %s", w->e.text);
	assert_int_equal(w->choice.kind, kind);
	idmap_format(&w->choice.uids, buf, sizeof(buf));
	assert_string_equal(buf, uids);
	idmap_format(&w->choice.gids, buf, sizeof(buf));
	assert_string_equal(buf, gids);
	assert_sound(&w->choice.uids);
	assert_sound(&w->choice.gids);
}

/* The words that the error must hold follow @errnum. */
#define expect_refused(w, errnum, ...) \
	refused(w, errnum, (const char *const[]){ __VA_ARGS__, NULL })

static void refused(struct world *w, int errnum, const char *const *words)
{
	w->choice.uids.n = 77;
	assert_int_equal(idmap_choose(&w->in, &w->choice, &w->e), -errnum);
	assert_int_equal(w->choice.uids.n, 77);
	for (; *words; words++)
		if (!strstr(w->e.text, *words))
			fail_msg("'%s' not in: %s", *words, w->e.text);
}

static void auto_podman_layout(void **state)
{
	struct world *w = *state;

	own_all(w, 1000, 1000);
	expect(w, IDMAP_CALLER, "0:1000:1,1:100000:65536", "0:1000:1,1:100000:65536");
	assert_string_equal(w->choice.warning, "");
}

static void auto_lxc_layout(void **state)
{
	struct world *w = *state;

	own_all(w, 100000, 100000);
	expect(w, IDMAP_SUBID, "0:100000:65536,65536:1000:1", "0:100000:65536,65536:1000:1");
	assert_string_equal(w->choice.warning, "");
}

static void auto_without_subordinate_ids(void **state)
{
	struct world *w = *state;

	own_all(w, 1000, 1000);
	w->in.subuids = w->in.subgids = &none;
	expect(w, IDMAP_SINGLE, "0:1000:1", "0:1000:1");
	assert_non_null(strstr(w->choice.warning, "usermod --add-subuids"));
	assert_true(strlen(w->choice.warning) < sizeof(w->choice.warning) - 1);
	/* One of the two is as good as none. */
	w->in.subuids = &usual;
	expect(w, IDMAP_SINGLE, "0:1000:1", "0:1000:1");
}

static void auto_knows_the_second_range(void **state)
{
	static const struct subids uids = { .r = { { 100000, 65536 }, { 400000, 1000 } }, .n = 2 };
	static const struct subids gids = { .r = { { 700000, 2000 }, { 100000, 65536 } }, .n = 2 };
	struct world *w = *state;

	w->in.subuids = &uids;
	w->in.subgids = &gids;
	own_all(w, 400000, 700000);
	expect(w, IDMAP_SUBID, "0:400000:1000,1000:1000:1", "0:700000:2000,2000:1000:1");
	own_all(w, 100000, 100000);
	expect(w, IDMAP_SUBID, "0:100000:65536,65536:1000:1", "0:100000:65536,65536:1000:1");
	/* First of a range for the user, but in the middle of one for the group. */
	own_all(w, 400000, 700001);
	expect_refused(w, EPERM, "400000:700001", "--idmap");
}

static void auto_refuses_a_mixture(void **state)
{
	struct world *w = *state;

	own_all(w, 1000, 1000);
	w->owners.o[3].uid = 100000;
	w->owners.o[3].gid = 100000;
	expect_refused(w, EPERM, "1000:1000", "100000:100000", "/ ", "/root", "--idmap");
	own_all(w, 100000, 100000);
	w->owners.o[4].gid = 100042;
	expect_refused(w, EPERM, "100000:100042", "/etc/passwd", "--idmap");
}

static void auto_refuses_somebody_elses(void **state)
{
	static const uint32_t ids[] = { 0, 1, 1001, 65534, 99999, 100001, 165535, 165536 };
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		char owner[32];

		own_all(w, ids[i], ids[i]);
		snprintf(owner, sizeof(owner), "%u:%u", ids[i], ids[i]);
		expect_refused(w, EPERM, owner, "1000:1000", "--idmap");
	}
	own_all(w, 1000, 2000);
	expect_refused(w, EPERM, "1000:2000", "--idmap");
}

static void auto_with_only_the_top_directory(void **state)
{
	struct world *w = *state;

	own(w, "/", 1000, 1000);
	expect(w, IDMAP_CALLER, "0:1000:1,1:100000:65536", "0:1000:1,1:100000:65536");
}

static void caller_takes_all_ranges(void **state)
{
	static const struct subids uids = { .r = { { 100000, 1000 }, { 50000, 10 } }, .n = 2 };
	static const struct subids gids = { .r = { { 300000, 7 } }, .n = 1 };
	struct world *w = *state;

	own_all(w, 100000, 100000); /* asked for, not guessed */
	w->in.kind = IDMAP_CALLER;
	w->in.subuids = &uids;
	w->in.subgids = &gids;
	expect(w, IDMAP_CALLER, "0:1000:1,1:100000:1000,1001:50000:10", "0:1000:1,1:300000:7");
}

static void caller_inside_its_own_range(void **state)
{
	static const struct subids middle = { .r = { { 900, 200 } }, .n = 1 };
	static const struct subids front = { .r = { { 1000, 50 } }, .n = 1 };
	static const struct subids back = { .r = { { 990, 11 } }, .n = 1 };
	static const struct subids only = { .r = { { 1000, 1 } }, .n = 1 };
	struct world *w = *state;

	own_all(w, 1000, 1000);
	w->in.subuids = &middle;
	w->in.subgids = &front;
	expect(w, IDMAP_CALLER, "0:1000:1,1:900:100,101:1001:99", "0:1000:1,1:1001:49");
	w->in.subuids = &back;
	w->in.subgids = &only;
	/* The first id of a range and the caller's own: the caller's layout. */
	expect(w, IDMAP_CALLER, "0:1000:1,1:990:10", "0:1000:1");
}

static void caller_with_overlapping_ranges(void **state)
{
	static const struct subids r = {
		.r = { { 100000, 100 }, { 100050, 100 }, { 100000, 100 }, { 99990, 300 } },
		.n = 4,
	};
	struct world *w = *state;

	own_all(w, 1000, 1000);
	w->in.subuids = w->in.subgids = &r;
	expect(w, IDMAP_CALLER, "0:1000:1,1:100000:100,101:100100:50,151:99990:10,161:100150:140",
	       "0:1000:1,1:100000:100,101:100100:50,151:99990:10,161:100150:140");
}

/* Every other id first, then a range over all: more pieces than a map holds. */
static void more_pieces_than_a_map_holds(void **state)
{
	struct subids r = { .n = SUBID_MAX };
	struct world *w = *state;

	own_all(w, 1000, 1000);
	for (unsigned int i = 0; i + 1 < SUBID_MAX; i++)
		r.r[i] = (struct subid_range){ 100001 + 2 * i, 1 };
	r.r[SUBID_MAX - 1] = (struct subid_range){ 100, 200000 - 100 };
	w->in.subuids = w->in.subgids = &r;
	assert_int_equal(idmap_choose(&w->in, &w->choice, &w->e), 0);
	assert_true(w->choice.uids.n <= ID_MAP_MAX);
	assert_sound(&w->choice.uids);
}

static void caller_without_subordinate_ids(void **state)
{
	struct world *w = *state;

	own_all(w, 1000, 1000);
	w->in.kind = IDMAP_CALLER;
	w->in.subgids = &none;
	expect_refused(w, EPERM, "1000", "/etc/subgid", "sudo usermod --add-subuids 100000-165535");
	w->in.subuids = &none;
	expect_refused(w, EPERM, "/etc/subuid");
	w->in.kind = IDMAP_SUBID;
	expect_refused(w, EPERM, "/etc/subuid", "--add-subgids 100000-165535");
}

static void subid_places_the_caller(void **state)
{
	static const struct subids small = { .r = { { 100000, 1000 } }, .n = 1 };
	static const struct subids around = { .r = { { 500, 1000 } }, .n = 1 };
	struct world *w = *state;

	own_all(w, 1000, 1000);
	w->in.kind = IDMAP_SUBID;
	/* Its own id is the first past the range, or further past it. */
	w->in.subuids = w->in.subgids = &small;
	w->in.gid = 5000;
	expect(w, IDMAP_SUBID, "0:100000:1000,1000:1000:1", "0:100000:1000,5000:5000:1");
	/* Part of the range already. */
	w->in.subuids = w->in.subgids = &around;
	w->in.gid = 500;
	expect(w, IDMAP_SUBID, "0:500:1000", "0:500:1000");
}

static void subid_follows_the_owner_of_the_top(void **state)
{
	static const struct subids two = { .r = { { 100000, 10 }, { 200000, 20 } }, .n = 2 };
	struct world *w = *state;

	w->in.kind = IDMAP_SUBID;
	w->in.subuids = w->in.subgids = &two;
	own_all(w, 200000, 200000);
	w->owners.o[1].uid = 5; /* mixed, and so what: it was asked for */
	expect(w, IDMAP_SUBID, "0:200000:20,1000:1000:1", "0:200000:20,1000:1000:1");
	own_all(w, 4711, 4711);
	expect(w, IDMAP_SUBID, "0:100000:10,1000:1000:1", "0:100000:10,1000:1000:1");
}

static void single_needs_nothing(void **state)
{
	struct world *w = *state;

	own_all(w, 4711, 4711);
	w->in.kind = IDMAP_SINGLE;
	w->in.subuids = w->in.subgids = &none;
	expect(w, IDMAP_SINGLE, "0:1000:1", "0:1000:1");
	assert_string_equal(w->choice.warning, "");
}

static void explicit_is_taken_as_it_is(void **state)
{
	struct world *w = *state;

	own_all(w, 4711, 4711);
	w->in.kind = IDMAP_EXPLICIT;
	w->map = (struct id_map){ .e = { { 0, 1000, 1 }, { 5, 100000, 10 } }, .n = 2 };
	expect(w, IDMAP_EXPLICIT, "0:1000:1,5:100000:10", "0:1000:1,5:100000:10");
	w->map.e[1].outside = 1000;
	expect_refused(w, EINVAL, "5:1000:10", "0:1000:1", "host ids");
}

/* Nothing that real root starts may hold the host's own ids. */
static void real_root_never_maps_the_hosts_ids(void **state)
{
	struct world *w = *state;

	w->in.uid = w->in.gid = 0;
	w->in.subuids = w->in.subgids = &none;
	own_all(w, 0, 0);
	expect_refused(w, EPERM, "524288", "ordinary user");
	w->in.kind = IDMAP_CALLER;
	expect_refused(w, EPERM, "524288");
	w->in.kind = IDMAP_SINGLE;
	expect_refused(w, EPERM, "524288");
	w->in.kind = IDMAP_SUBID;
	expect(w, IDMAP_SUBID, "0:524288:65536", "0:524288:65536");
	w->in.kind = IDMAP_AUTO;
	own_all(w, 524288, 524288);
	expect(w, IDMAP_SUBID, "0:524288:65536", "0:524288:65536");
	own_all(w, 100000, 100000);
	expect_refused(w, EPERM, "100000:100000", "524288:524288");
}

static void real_root_uses_its_own_ranges(void **state)
{
	static const struct subids low_first = { .r = { { 1, 65534 }, { 100000, 10 } }, .n = 2 };
	struct world *w = *state;

	w->in.uid = w->in.gid = 0;
	own_all(w, 100000, 100000);
	expect(w, IDMAP_SUBID, "0:100000:65536", "0:100000:65536");
	/* Its group may be another one (sg): no place for it either. */
	w->in.gid = 50;
	expect(w, IDMAP_SUBID, "0:100000:65536", "0:100000:65536");
	/* One over the host's own accounts does not count. */
	w->in.subuids = &low_first;
	w->in.kind = IDMAP_SUBID;
	own_all(w, 1, 100000);
	expect(w, IDMAP_SUBID, "0:100000:10", "0:100000:65536");
	w->in.kind = IDMAP_AUTO;
	expect_refused(w, EPERM, "1:100000", "--idmap");
	own_all(w, 100000, 100000);
	expect(w, IDMAP_SUBID, "0:100000:10", "0:100000:65536");
	/* Half of it is not enough. */
	w->in.subuids = &usual;
	w->in.subgids = &none;
	own_all(w, 524288, 524288);
	expect(w, IDMAP_SUBID, "0:524288:65536", "0:524288:65536");
}

static void real_root_explicit(void **state)
{
	struct world *w = *state;

	w->in.uid = w->in.gid = 0;
	w->in.kind = IDMAP_EXPLICIT;
	own_all(w, 0, 0);
	w->map = (struct id_map){ .e = { { 0, 1000, 1 }, { 1, 100000, 10 } }, .n = 2 };
	expect(w, IDMAP_EXPLICIT, "0:1000:1,1:100000:10", "0:1000:1,1:100000:10");
	w->map.e[0].outside = 999;
	expect_refused(w, EPERM, "999");
	w->map.e[0].outside = 0;
	expect_refused(w, EPERM, "0");
}

static void check_finds_what_a_kernel_refuses(void **state)
{
	static const struct {
		struct id_map map;
		const char *why; /* NULL: good */
	} cases[] = {
		{ { .e = { { 0, 1000, 1 } }, .n = 1 }, NULL },
		{ { .e = { { 0, 0, UINT32_MAX } }, .n = 1 }, NULL },
		{ { .e = { { 0, 5, 5 }, { 5, 10, 5 } }, .n = 2 }, NULL },
		{ { .e = { { 5, 10, 5 }, { 0, 5, 5 } }, .n = 2 }, NULL },
		{ { .n = 0 }, "not mapped" },
		{ { .e = { { 1, 1000, 1 } }, .n = 1 }, "not mapped" },
		{ { .e = { { 0, 1000, 0 } }, .n = 1 }, "no ids" },
		{ { .e = { { 0, 1, UINT32_MAX } }, .n = 1 }, "past" },
		{ { .e = { { 0, 5, 1 }, { 1, 4294967290u, 6 } }, .n = 2 }, "past" },
		{ { .e = { { 0, 5, 1 }, { 4294967295u, 6, 1 } }, .n = 2 }, "past" },
		{ { .e = { { 0, 5, 10 }, { 9, 100, 5 } }, .n = 2 }, "guest ids" },
		{ { .e = { { 9, 100, 5 }, { 0, 5, 10 } }, .n = 2 }, "guest ids" },
		{ { .e = { { 0, 5, 10 }, { 10, 14, 1 } }, .n = 2 }, "host ids" },
		{ { .e = { { 0, 14, 1 }, { 10, 5, 10 } }, .n = 2 }, "host ids" },
		{ { .e = { { 0, 5, 10 }, { 0, 5, 10 } }, .n = 2 }, "guest ids" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err e = { 0 };
		int r = idmap_check(&cases[i].map, &e);

		if (!cases[i].why && r != 0)
			fail_msg("case %zu: %s", i, e.text);
		if (cases[i].why && (r != -EINVAL || !strstr(e.text, cases[i].why)))
			fail_msg("case %zu: %d '%s'", i, r, e.text);
	}
}

static void outside_looks_ids_up(void **state)
{
	static const struct id_map map = { .e = { { 0, 1000, 1 }, { 1, 100000, 65536 } }, .n = 2 };
	uint32_t id = 4711;

	(void)state;
	assert_true(idmap_outside(&map, 0, &id));
	assert_int_equal(id, 1000);
	assert_true(idmap_outside(&map, 65536, &id));
	assert_int_equal(id, 165535);
	assert_false(idmap_outside(&map, 65537, &id));
	assert_false(idmap_outside(&map, UINT32_MAX, &id));
	assert_int_equal(id, 165535);
}

static void format_stays_within_its_buffer(void **state)
{
	struct id_map map = { .n = ID_MAP_MAX };
	char whole[2048], buf[64];

	(void)state;
	for (unsigned int i = 0; i < map.n; i++)
		map.e[i] = (struct id_extent){ 4000000000u + i, 4100000000u + i, 1000000000u };
	idmap_format(&map, whole, sizeof(whole));
	assert_int_equal(strlen(whole), ID_MAP_MAX * 33 - 1);
	for (size_t size = 1; size <= sizeof(buf); size++) {
		memset(buf, 'x', sizeof(buf));
		idmap_format(&map, buf, size);
		assert_int_equal(strlen(buf), size - 1);
		assert_memory_equal(buf, whole, size - 1);
		if (size < sizeof(buf))
			assert_int_equal(buf[size], 'x');
	}
	map.n = 0;
	idmap_format(&map, buf, sizeof(buf));
	assert_string_equal(buf, "");
}

#define TEST(f) cmocka_unit_test_setup(f, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(auto_podman_layout),
		TEST(auto_lxc_layout),
		TEST(auto_without_subordinate_ids),
		TEST(auto_knows_the_second_range),
		TEST(auto_refuses_a_mixture),
		TEST(auto_refuses_somebody_elses),
		TEST(auto_with_only_the_top_directory),
		TEST(caller_takes_all_ranges),
		TEST(caller_inside_its_own_range),
		TEST(caller_with_overlapping_ranges),
		TEST(more_pieces_than_a_map_holds),
		TEST(caller_without_subordinate_ids),
		TEST(subid_places_the_caller),
		TEST(subid_follows_the_owner_of_the_top),
		TEST(single_needs_nothing),
		TEST(explicit_is_taken_as_it_is),
		TEST(real_root_never_maps_the_hosts_ids),
		TEST(real_root_uses_its_own_ranges),
		TEST(real_root_explicit),
		TEST(check_finds_what_a_kernel_refuses),
		TEST(outside_looks_ids_up),
		TEST(format_stays_within_its_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
