/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"

#include <dirent.h>

#include "rootfs-tools/core/change.h"
#include "rootfs-tools/core/losses.h"
#include "runner/base/cleanup.h"

static struct change_attrs mine(mode_t mode)
{
	return (struct change_attrs){ mode, geteuid(), getegid() };
}

static void expect_content(const struct fixture *fx, const char *name, const char *want)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	assert_int_equal(fs_read_regular(fx->fd, name, 4096, &text, &len), 0);
	assert_string_equal(text, want);
}

static void expect_entries(const struct fixture *fx, int want)
{
	DIR *dir = opendir(fx->dir);
	const struct dirent *entry;
	int n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(dir);
	assert_int_equal(n, want);
}

static void a_file_is_made(void **state)
{
	struct fixture *fx = *state;
	const struct change_attrs attrs = mine(04751);
	struct stat st;
	struct err e;

	umask(077);
	assert_int_equal(change_replace(fx->fd, "/etc", "f", &attrs, "a\0b", 3, &e), 0);
	umask(022);
	assert_true(change_exists(fx->fd, "f", &st));
	assert_int_equal(st.st_mode, S_IFREG | 04751);
	assert_int_equal(st.st_size, 3);
	expect_entries(fx, 1);
}

/* What a link leads to, and what else has the file's inode, stays as it is. */
static void links_are_replaced(void **state)
{
	struct fixture *fx = *state;
	const struct change_attrs attrs = mine(0644);
	struct stat st;
	struct err e;

	fixture_puts(fx, "target", "old");
	fixture_symlink(fx, "target", "symlink");
	assert_int_equal(linkat(fx->fd, "target", fx->fd, "hard", 0), 0);
	fixture_fifo(fx, "fifo");
	assert_int_equal(change_replace(fx->fd, "/", "symlink", &attrs, "new", 3, &e), 0);
	assert_int_equal(change_replace(fx->fd, "/", "hard", &attrs, "new", 3, &e), 0);
	assert_int_equal(change_replace(fx->fd, "/", "fifo", &attrs, "new", 3, &e), 0);
	expect_content(fx, "target", "old");
	expect_content(fx, "symlink", "new");
	expect_content(fx, "hard", "new");
	expect_content(fx, "fifo", "new");
	assert_true(change_exists(fx->fd, "symlink", &st) && S_ISREG(st.st_mode));
	assert_int_equal(change_symlink(fx->fd, "/", "hard", "nowhere", &e), 0);
	assert_true(change_exists(fx->fd, "hard", &st) && S_ISLNK(st.st_mode));
	expect_entries(fx, 4);
}

/* What has no bytes on disk gets none, and all else its place. */
static void holes_are_kept(void **state)
{
	struct fixture *fx = *state;
	const struct change_attrs attrs = mine(0644);
	const off_t size = (off_t)8 << 30;
	char got[4] = "";
	struct stat st;
	struct err e;
	int in, out;

	fixture_puts(fx, "in", "one");
	in = openat(fx->fd, "in", O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(in, "two", 3, size / 2), 3);
	assert_int_equal(ftruncate(in, size), 0);
	assert_int_equal(change_replace_from(fx->fd, "/", "out", &attrs, in, &e), 0);
	out = openat(fx->fd, "out", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fstat(out, &st), 0);
	assert_int_equal(st.st_size, size);
	assert_in_range(st.st_blocks, 1, 1024);
	assert_int_equal(pread(out, got, 3, size / 2), 3);
	assert_string_equal(got, "two");
	assert_int_equal(pread(out, got, 3, 0), 3);
	assert_string_equal(got, "one");
	close(in);
	close(out);
	in = open("/proc/version", O_RDONLY | O_CLOEXEC);
	assert_int_equal(change_replace_from(fx->fd, "/", "out", &attrs, in, &e), 0);
	assert_true(change_exists(fx->fd, "out", &st) && st.st_size > 10);
	close(in);
}

/* Nothing is left of what could not be put in place. */
static void a_directory_is_never_replaced(void **state)
{
	struct fixture *fx = *state;
	const struct change_attrs attrs = mine(0644);
	struct err e;

	fixture_mkdir(fx, "d");
	assert_int_equal(change_replace(fx->fd, "/etc", "d", &attrs, "x", 1, &e), -EISDIR);
	assert_non_null(strstr(e.text, "/etc/d of the root directory"));
	assert_int_equal(change_symlink(fx->fd, "/etc", "d", "x", &e), -EISDIR);
	assert_int_equal(change_remove(fx->fd, "/etc", "d", &e), -EISDIR);
	assert_int_equal(change_remove(fx->fd, "/etc", "none", &e), 0);
	expect_entries(fx, 1);
}

static void directories_are_found_below_the_root(void **state)
{
	struct fixture *fx = *state;
	int fd;

	fixture_mkdir(fx, "etc");
	fixture_symlink(fx, "/etc", "absolute");
	fixture_symlink(fx, "../../../../etc", "above");
	fixture_puts(fx, "etc/here", "");
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = { "/etc", "absolute", "above" };
		struct stat st;

		fd = change_open_dir(fx->fd, names[i]);
		assert_true(fd >= 0);
		assert_true(change_exists(fd, "here", &st));
		close(fd);
	}
	assert_int_equal(change_open_dir(fx->fd, "etc/here"), -1);
	assert_int_equal(change_open_dir(fx->fd, "none"), -1);
}

static void attributes_of_a_file(void **state)
{
	struct fixture *fx = *state;
	const struct change_attrs otherwise = { 0600, 1, 2 };
	struct change_attrs got;

	fixture_puts(fx, "f", "");
	assert_int_equal(fchmodat(fx->fd, "f", 0640, 0), 0);
	fixture_symlink(fx, "f", "link");
	got = change_attrs_of(fx->fd, "f", otherwise);
	assert_int_equal(got.mode, 0640);
	assert_int_equal(got.uid, geteuid());
	got = change_attrs_of(fx->fd, "link", otherwise);
	assert_int_equal(got.mode, 0600);
	assert_int_equal(got.gid, 2);
}

/* Of many the first are told, and all are counted. */
static void losses_are_bounded(void **state)
{
	struct losses *losses = calloc(1, sizeof(*losses));

	(void)state;
	assert_non_null(losses);
	losses_add(losses, EPERM, "'a\033b': owner");
	losses_add(losses, 0, "plain");
	for (int i = 0; i < 100; i++)
		losses_add(losses, 0, "%d", i);
	assert_int_equal(losses->n, 102);
	assert_string_equal(losses->text[0], "'a?b': owner: Operation not permitted");
	assert_string_equal(losses->text[1], "plain");
	assert_string_equal(losses->text[LOSSES_TEXT_MAX - 1], "13");
	free(losses);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_file_is_made, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(links_are_replaced, fixture_set_up,
						fixture_tear_down),
		cmocka_unit_test_setup_teardown(holes_are_kept, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(a_directory_is_never_replaced, fixture_set_up,
						fixture_tear_down),
		cmocka_unit_test_setup_teardown(directories_are_found_below_the_root,
						fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(attributes_of_a_file, fixture_set_up,
						fixture_tear_down),
		cmocka_unit_test(losses_are_bounded),
	};

	return cmocka_run_group_tests(tests, fixture_become_root, NULL);
}
