/* SPDX-License-Identifier: MIT */
#include "tests/unit/template_store_world.h"

static void templates_are_listed(void **state)
{
	struct world *w = *state;
	struct template_entry *list = NULL;
	struct err e = { 0 };
	size_t n = 7;
	int fd;

	assert_int_equal(template_store_list(w->store, &list, &n, &e), 0);
	assert_int_equal(n, 0);
	free(list);
	publish_aged(w, key_of(1), 1000, 5000);
	publish_aged(w, key_of(2), 2000, 9000);
	publish_aged(w, key_of(3), 3000, 7000);
	fd = open_template(w, key_of(3), O_RDONLY);
	assert_int_equal(flock(fd, LOCK_SH), 0);
	put_file(w, "04" ZEROS_62 ".template");
	set_used(w, key_of(4), 1);
	fixture_symlink(&w->fx, "x", "cache/templates/ff" ZEROS_62 ".template");
	template_store_stamp_note(w->store, key_of(1), key_of(1));

	assert_int_equal(template_store_list(w->store, &list, &n, &e), 0);
	assert_int_equal(n, 5);
	/* The link was made now. */
	assert_true(list[0].bad);
	assert_string_equal(list[0].name, "ff" ZEROS_62 ".template");
	assert_string_equal(list[1].name, "02" ZEROS_62 ".template");
	assert_int_equal(list[1].info.created, 2000);
	assert_int_equal(list[1].last_used, 9000);
	assert_int_equal(list[1].disk, w->disk);
	assert_false(list[1].in_use || list[1].bad || list[3].in_use);
	assert_string_equal(list[2].name, "03" ZEROS_62 ".template");
	assert_true(list[2].in_use && !list[2].bad);
	assert_string_equal(list[3].name, "01" ZEROS_62 ".template");
	assert_true(list[4].bad && !list[4].in_use);
	assert_memory_equal(list[4].info.key, key_of(4), 32);
	assert_int_equal(list[4].info.memory, 0);
	free(list);
	close(fd);
	/* To look is not to use. */
	assert_int_equal(template_store_list(w->store, &list, &n, &e), 0);
	assert_int_equal(list[2].last_used, 7000);
	assert_false(list[2].in_use);
	free(list);
}

static void the_least_recently_used_go(void **state)
{
	struct world *w = *state;

	publish_aged(w, key_of(1), 1000, 400);
	publish_aged(w, key_of(2), 1000, 200);
	publish_aged(w, key_of(3), 1000, 100);
	publish_aged(w, key_of(4), 1000, 300);
	assert_int_equal(prune(w, 4 * w->disk, 0, NULL), 0);
	assert_int_equal(prune(w, 4 * w->disk - 1, 0, NULL), 1);
	assert_true(has(w, key_of(1)) && has(w, key_of(2)) && has(w, key_of(4)));
	assert_int_equal(prune(w, w->disk, 0, NULL), 2);
	assert_true(has(w, key_of(1)));
	/* Found: used. */
	publish_aged(w, key_of(2), 1000, 500);
	assert_int_equal(find(w, key_of(1)), 0);
	assert_int_equal(prune(w, w->disk, 0, NULL), 1);
	assert_true(has(w, key_of(1)));
	assert_int_equal(prune(w, 0, 0, NULL), 1);
	assert_int_equal(count_names(w), 0);
	assert_int_equal(template_store_prune(w->store, 0, 0, NULL, NULL, NULL), 0);
}

static void what_must_stay_stays(void **state)
{
	struct world *w = *state;
	int fd;

	publish_aged(w, key_of(1), 1000, 100);
	publish_aged(w, key_of(2), 1000, 200);
	publish_aged(w, key_of(3), 1000, 300);
	fd = open_template(w, key_of(1), O_RDONLY);
	assert_int_equal(flock(fd, LOCK_SH), 0);
	/* They count: for the third there is no room. */
	assert_int_equal(prune(w, 2 * w->disk, 0, key_of(2)), 1);
	assert_true(has(w, key_of(1)) && has(w, key_of(2)));
	assert_int_equal(prune(w, 0, 1, key_of(2)), 0);
	close(fd);
	assert_int_equal(prune(w, 0, 1, key_of(2)), 1);
	assert_true(has(w, key_of(2)));
}

static void old_and_bad_ones_go_first(void **state)
{
	struct world *w = *state;
	time_t now = time(NULL);
	int fd;

	publish_aged(w, key_of(1), now - 1000, now);
	publish_aged(w, key_of(2), now + 1000, now);
	publish_aged(w, key_of(3), now - 10, 100);
	publish_aged(w, key_of(4), now, now);
	/* Bad by its trailer. */
	fd = open_template(w, key_of(4), O_RDWR);
	world_put(fd, "X", 1, WORLD_MEMORY + sizeof(STATE) + 20);
	close(fd);
	assert_int_equal(prune(w, UINT64_MAX, 100, NULL), 3);
	assert_int_equal(count_names(w), 1);
	assert_true(has(w, key_of(3)));
	publish_aged(w, key_of(1), now - 1000, now);
	assert_int_equal(prune(w, UINT64_MAX, 0, NULL), 0);
	assert_int_equal(prune(w, UINT64_MAX, 1000000, NULL), 0);
	/* Bad by its name, whatever the age. */
	assert_int_equal(renameat(w->store, "01" ZEROS_62 ".template", w->store, HEX ".template"),
			 0);
	assert_int_equal(prune(w, UINT64_MAX, 0, NULL), 1);
	assert_true(has(w, key_of(3)));
}

static void temporary_names_of_the_dead(void **state)
{
	static const char temporary[] = HEX ".template.0123456789abcdef.new";
	struct world *w = *state;
	int fd;

	publish(w, world_info.key);
	assert_int_equal(renameat(w->store, HEX ".template", w->store, temporary), 0);
	/* Its publisher lives. */
	fd = openat(w->store, temporary, O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_SH), 0);
	assert_int_equal(prune(w, 0, 0, NULL), 0);
	assert_true(exists(w, temporary));
	close(fd);
	assert_int_equal(prune(w, UINT64_MAX, 0, NULL), 1);
	assert_int_equal(count_names(w), 0);
}

static void one_that_cannot_go(void **state)
{
	struct world *w = *state;
	unsigned int removed = 77;
	uint64_t freed = 77;

	publish_aged(w, key_of(1), 1000, 100);
	publish_aged(w, key_of(2), 1000, 300);
	fixture_mkdir(&w->fx, "cache/templates/" HEX ".template/full");
	set_used(w, world_info.key, 200);
	template_store_stamp_note(w->store, key_of(9), key_of(1));
	assert_int_equal(template_store_prune(w->store, 0, 0, NULL, &removed, &freed), -ENOTEMPTY);
	assert_int_equal(removed, 2);
	assert_int_equal(freed, 2 * w->disk);
	assert_int_equal(count_names(w), 1);
	assert_int_equal(template_store_prune(w->store, 0, 0, NULL, &removed, &freed), -ENOTEMPTY);
	assert_int_equal(removed, 0);
	assert_int_equal(freed, 0);
	removed = 77;
	freed = 77;
	assert_int_equal(template_store_prune(-1, 0, 0, NULL, &removed, &freed), -EBADF);
	assert_int_equal(removed, 0);
	assert_int_equal(freed, 0);
}

static void make_unreadable(const struct world *w, const uint8_t key[32])
{
	char name[TEMPLATE_NAME_SIZE];
	int fd = compose(w, key, 1000);

	CHILD_CHECK(fd >= 0 && template_store_publish(w->store, key, fd) == 0);
	close(fd);
	template_store_name(key, name);
	CHILD_CHECK(fchmodat(w->store, name, 0, 0) == 0);
}

static void remove_unreadable(const void *arg)
{
	struct template_info info;
	unsigned int removed;
	struct world w;
	struct err e;
	int fd;

	CHILD_CHECK(template_store_open(arg, &w.store) == 0);
	make_unreadable(&w, key_of(1));
	make_unreadable(&w, key_of(2));
	CHILD_CHECK(template_store_prune(w.store, UINT64_MAX, 0, NULL, &removed, NULL) == 0);
	CHILD_CHECK(removed == 2);
	make_unreadable(&w, key_of(1));
	CHILD_CHECK(template_store_remove(w.store, key_of(1)) == 0);
	make_unreadable(&w, key_of(1));
	CHILD_CHECK(template_store_look(w.store, key_of(1), 0, &info) == -ENOENT);
	CHILD_CHECK(template_store_find(w.store, key_of(1), 0, &info, &fd, &e) == -EBADMSG);
	CHILD_CHECK(strstr(e.text, "can be read"));
	CHILD_CHECK(template_store_remove(w.store, key_of(1)) == -ENOENT);
	close(w.store);
}

static void unreadable_ones_go(void **state)
{
	struct world *w = *state;
	char dir[128];

	assert_int_equal(chmod(w->fx.dir, 0777), 0);
	snprintf(dir, sizeof(dir), "%s/theirs", w->fx.dir);
	run_unprivileged(remove_unreadable, dir);
}

static void names_of_others(void **state)
{
	static const char *const names[] = {
		"notes",
		HEX,
		HEX ".template~",
		HEX ".templates",
		HEX ".TEMPLATE",
		HEX "0.template",
		"x" HEX ".template",
		"0001AB0000000000000000000000000000000000000000000000000000007fff.template",
		"001ab0000000000000000000000000000000000000000000000000000007fff.template",
		"+001ab0000000000000000000000000000000000000000000000000000007fff.template",
		".template",
		HEX ".template.new",
		HEX ".template.0123456789abcde.new",
		HEX ".template.0123456789abcdeF.new",
		HEX ".template.0123456789abcdef.new2",
		HEX ".template-0123456789abcdef.new",
		"0123456789abcdef.new",
		"lock",
	};
	struct world *w = *state;
	struct template_entry *list = NULL;
	struct err e = { 0 };
	size_t n = 7;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		put_file(w, names[i]);
	fixture_symlink(&w->fx, "nowhere", "cache/templates/dangling.boot");
	fixture_symlink(&w->fx, "nowhere", "cache/templates/dangling");
	assert_int_equal(template_store_list(w->store, &list, &n, &e), 0);
	assert_int_equal(n, 0);
	free(list);
	assert_int_equal(prune(w, 0, 1, NULL), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!exists(w, names[i]))
			fail_msg("%s is gone", names[i]);
	assert_true(exists(w, "dangling.boot") && exists(w, "dangling"));
}

static void stamps_that_lead_nowhere(void **state)
{
	struct world *w = *state;
	uint8_t key[32];

	publish(w, key_of(1));
	template_store_stamp_note(w->store, key_of(7), key_of(1));
	template_store_stamp_note(w->store, key_of(8), key_of(1));
	template_store_stamp_note(w->store, key_of(9), key_of(2));
	assert_int_equal(prune(w, UINT64_MAX, 0, NULL), 0);
	assert_int_equal(template_store_stamp_find(w->store, key_of(7), key), 0);
	assert_int_equal(template_store_stamp_find(w->store, key_of(8), key), 0);
	assert_int_equal(template_store_stamp_find(w->store, key_of(9), key), -ENOENT);
	/* With the template go its stamps, at once. */
	assert_int_equal(prune(w, 0, 0, NULL), 1);
	assert_int_equal(count_names(w), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(templates_are_listed),	   TEST(the_least_recently_used_go),
		TEST(what_must_stay_stays),	   TEST(old_and_bad_ones_go_first),
		TEST(temporary_names_of_the_dead), TEST(one_that_cannot_go),
		TEST(unreadable_ones_go),	   TEST(names_of_others),
		TEST(stamps_that_lead_nowhere),
	};

	/* What the modes are must not come from here. */
	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
