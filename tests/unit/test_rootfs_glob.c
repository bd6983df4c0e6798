/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"

#include <limits.h>

#include "rootfs-tools/edit/glob.h"
#include "runner/base/cleanup.h"

struct world {
	struct fixture fx;
	int root;
};

static int set_up(void **state)
{
	struct world *w = malloc(sizeof(*w));
	char path[128];

	assert_non_null(w);
	fixture_make(&w->fx);
	fixture_puts(&w->fx, "outside/file", "outside");
	fixture_puts(&w->fx, "root/a/one.log", "");
	fixture_puts(&w->fx, "root/a/two.log", "");
	fixture_puts(&w->fx, "root/a/.hidden.log", "");
	fixture_puts(&w->fx, "root/a/keep", "");
	fixture_puts(&w->fx, "root/b/sub/deep/one.log", "");
	fixture_puts(&w->fx, "root/b/weird*", "");
	snprintf(path, sizeof(path), "%s/root", w->fx.dir);
	w->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(w->root >= 0);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	close(w->root);
	fixture_remove(&w->fx);
	free(w);
	return 0;
}

static bool has(const struct world *w, const char *name)
{
	struct stat st;

	return fstatat(w->fx.fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void expect_removed(const struct world *w, const char *pattern, uint64_t want)
{
	struct err e = { 0 };
	uint64_t n = 99;

	assert_int_equal(glob_check(pattern, &e), 0);
	if (glob_remove(w->root, pattern, &n, &e) != 0)
		fail_msg("%s: %s", pattern, e.text);
	assert_int_equal(n, want);
}

static void patterns(void **state)
{
	const struct world *w = *state;

	expect_removed(w, "/none", 0);
	expect_removed(w, "/none/*/x", 0);
	expect_removed(w, "/a/keep/*", 0);
	expect_removed(w, "/a/keep/x", 0);
	expect_removed(w, "/*/*.log", 2);
	assert_true(has(w, "root/a/.hidden.log") && has(w, "root/b/sub/deep/one.log"));
	expect_removed(w, "/a/.h*", 1);
	expect_removed(w, "/b/weird\\*", 1);
	expect_removed(w, "/b/s[a-u]b/d??p/one.log", 1);
	expect_removed(w, "/b", 1);
	assert_true(has(w, "root/a/keep") && !has(w, "root/b"));
	expect_removed(w, "/*", 1);
}

/* Symlinks in the middle stay below the root; the last name is removed itself. */
static void links(void **state)
{
	const struct world *w = *state;

	fixture_symlink(&w->fx, "../outside", "root/out");
	fixture_symlink(&w->fx, "/../../outside", "root/out2");
	fixture_symlink(&w->fx, "/b/sub", "root/in");
	fixture_symlink(&w->fx, "loop", "root/loop");
	fixture_symlink(&w->fx, ".", "root/self");
	expect_removed(w, "/out/file", 0);
	expect_removed(w, "/out*/*", 0);
	expect_removed(w, "/loop/*", 0);
	expect_removed(w, "/in/deep", 1);
	assert_false(has(w, "root/b/sub/deep"));
	expect_removed(w, "/self/self/self/self/none", 0);
	expect_removed(w, "/[iloqs]*", 5);
	assert_true(has(w, "outside/file") && has(w, "root/b/sub"));
}

/* A FIFO blocks nobody, and a tree of links into itself ends with the pattern. */
static void hostile(void **state)
{
	const struct world *w = *state;
	char name[NAME_MAX + 8], pattern[5000] = "";
	struct err e = { 0 };

	fixture_fifo(&w->fx, "root/fifo");
	expect_removed(w, "/fifo/*", 0);
	fixture_symlink(&w->fx, "..", "root/a/x");
	fixture_symlink(&w->fx, ".", "root/a/y");
	expect_removed(w, "/a/[xy]/a/[xy]/a/[xy]/a/[xy]/none", 0);
	memset(name, 'n', sizeof(name));
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	expect_removed(w, name, 0);
	for (int i = 0; i < 65; i++)
		snprintf(pattern + 2 * i, sizeof(pattern) - 2 * (size_t)i, "/*");
	assert_int_equal(glob_check(pattern, &e), -EINVAL);
}

/* Deeper than one call takes a path. */
static void deep(void **state)
{
	const struct world *w = *state;
	char name[201];
	int at = openat(w->root, "b", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	memset(name, 'd', 200);
	name[200] = '\0';
	for (int i = 0; i < 50; i++) {
		int next;

		assert_int_equal(mkdirat(at, name, 0755), 0);
		next = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(at);
		at = next;
	}
	close(at);
	expect_removed(w, "/b/d*/d*/*", 1);
	expect_removed(w, "/b", 1);
	assert_false(has(w, "root/b"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(patterns), TEST(links), TEST(hostile),
					    TEST(deep) };

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
