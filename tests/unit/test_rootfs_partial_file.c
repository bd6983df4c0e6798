/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"

#include <sys/file.h>

#include "rootfs-tools/core/partial_file.h"
#include "runner/base/cleanup.h"

#define TEMP ".x.tar.vmrun-partial"

static void expect_content(const struct fixture *fx, const char *name, const char *want)
{
	_cleanup_free_ char *data = NULL;
	size_t len;

	if (!want) {
		assert_int_not_equal(faccessat(fx->fd, name, F_OK, AT_SYMLINK_NOFOLLOW), 0);
		return;
	}
	assert_int_equal(fs_read_regular(fx->fd, name, 1000, &data, &len), 0);
	assert_string_equal(data, want);
}

static int begin(const struct fixture *fx, bool replace, struct partial_file *ret)
{
	struct err e;

	return partial_file_begin(fixture_path(fx, "x.tar"), replace, ret, &e);
}

static void whole_or_none(void **state)
{
	struct fixture *fx = *state;
	struct partial_file p = PARTIAL_FILE_INIT;
	mode_t mask = umask(027);
	struct stat st;
	struct err e;

	assert_int_equal(begin(fx, false, &p), 0);
	assert_int_equal(fs_write_all(p.at.fd, "one", 3), 0);
	expect_content(fx, "x.tar", NULL);
	expect_content(fx, TEMP, "one");
	assert_int_equal(fstat(p.at.fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(partial_file_finish(&p, &e), 0);
	partial_file_remove(&p);
	umask(mask);
	expect_content(fx, "x.tar", "one");
	expect_content(fx, TEMP, NULL);
	assert_int_equal(stat(fixture_path(fx, "x.tar"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
}

static void removed(void **state)
{
	struct fixture *fx = *state;
	struct partial_file p = PARTIAL_FILE_INIT;

	assert_int_equal(begin(fx, false, &p), 0);
	partial_file_remove(&p);
	expect_content(fx, "x.tar", NULL);
	expect_content(fx, TEMP, NULL);
	/* Again, of what was never begun. */
	partial_file_remove(&p);
}

static void replaced(void **state)
{
	struct fixture *fx = *state;
	struct partial_file p = PARTIAL_FILE_INIT;
	struct err e;

	fixture_puts(fx, "x.tar", "old");
	assert_int_equal(begin(fx, false, &p), -EEXIST);
	assert_int_equal(begin(fx, true, &p), 0);
	assert_int_equal(fs_write_all(p.at.fd, "new", 3), 0);
	expect_content(fx, "x.tar", "old");
	assert_int_equal(partial_file_finish(&p, &e), 0);
	expect_content(fx, "x.tar", "new");
	expect_content(fx, TEMP, NULL);
}

static void not_replaced(void **state)
{
	struct fixture *fx = *state;
	struct partial_file p = PARTIAL_FILE_INIT;
	struct err e;

	fixture_mkdir(fx, "x.tar");
	assert_int_equal(begin(fx, true, &p), -EEXIST);
	assert_int_equal(rmdir(fixture_path(fx, "x.tar")), 0);
	fixture_symlink(fx, "nowhere", "x.tar");
	assert_int_equal(begin(fx, true, &p), -EEXIST);
	assert_int_equal(unlink(fixture_path(fx, "x.tar")), 0);
	/* Somebody else was faster. */
	assert_int_equal(begin(fx, false, &p), 0);
	fixture_puts(fx, "x.tar", "theirs");
	assert_int_equal(partial_file_finish(&p, &e), -EEXIST);
	partial_file_remove(&p);
	expect_content(fx, "x.tar", "theirs");
	expect_content(fx, TEMP, NULL);
}

static void left_behind(void **state)
{
	struct fixture *fx = *state;
	struct partial_file p = PARTIAL_FILE_INIT, q = PARTIAL_FILE_INIT;
	struct err e;

	fixture_puts(fx, TEMP, "left");
	assert_int_equal(begin(fx, false, &p), 0);
	expect_content(fx, TEMP, "");
	assert_int_equal(begin(fx, false, &q), -EBUSY);
	assert_int_equal(partial_file_finish(&p, &e), 0);
	assert_int_equal(unlink(fixture_path(fx, "x.tar")), 0);

	/* What somebody else has put there is not written to. */
	fixture_puts(fx, "other", "other");
	assert_int_equal(linkat(fx->fd, "other", fx->fd, TEMP, 0), 0);
	assert_int_equal(begin(fx, false, &p), 0);
	assert_int_equal(fs_write_all(p.at.fd, "mine", 4), 0);
	expect_content(fx, "other", "other");
	partial_file_remove(&p);
	fixture_symlink(fx, "other", TEMP);
	assert_int_equal(begin(fx, false, &p), -ELOOP);
	expect_content(fx, "other", "other");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(whole_or_none, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(removed, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(replaced, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(not_replaced, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(left_behind, fixture_set_up, fixture_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
