/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"
#include "tests/unit/child.h"

#include "runner/host/base_dir.h"

static void open_good(const char *path, struct base_dir *ret)
{
	struct err e = { 0 };

	if (base_dir_open(path, ret, &e) != 0)
		fail_msg("%s", e.text);
}

static void expect_refused(const char *path, int errnum, const char *text)
{
	struct base_dir base = { .fd = -7 };
	struct err e = { 0 };

	assert_int_equal(base_dir_open(path, &base, &e), -errnum);
	assert_int_equal(e.errnum, errnum);
	if (!strstr(e.text, text))
		fail_msg("\"%s\" does not say \"%s\"", e.text, text);
	assert_int_equal(base.fd, -7);
	assert_null(base.path);
}

static const struct base_owner *owner_of(const struct base_dir *base, const char *path)
{
	for (unsigned int i = 0; i < base->owners.n; i++)
		if (!strcmp(base->owners.o[i].path, path))
			return &base->owners.o[i];
	return NULL;
}

static void the_owners_of_telling_places(void **state)
{
	static const char *const places[] = { "/", "/etc", "/usr", "/root", "/etc/passwd" };
	const struct fixture *fx = *state;
	struct base_dir base;

	fixture_puts(fx, "etc/passwd", "");
	fixture_mkdir(fx, "usr");
	fixture_mkdir(fx, "root");
	fixture_mkdir(fx, "home");
	open_good(fx->dir, &base);
	assert_int_equal(base.owners.n, 5);
	assert_string_equal(base.owners.o[0].path, "/");
	for (size_t i = 0; i < 5; i++) {
		const struct base_owner *o = owner_of(&base, places[i]);

		assert_non_null(o);
		assert_int_equal(o->uid, geteuid());
		assert_int_equal(o->gid, getegid());
	}
	base_dir_close(&base);
}

/* Each place's own owner: what decides about the id map. Only root can chown. */
static void owners_that_differ(void **state)
{
	const struct fixture *fx = *state;
	bool root = geteuid() == 0;
	struct base_dir base;
	gid_t groups[256], gid;
	int n = getgroups(256, groups);

	/* Anyone may give a file to a group that he is in. */
	gid = root ? 123456 : n > 0 ? groups[n - 1] : getegid();
	fixture_mkdir(fx, "etc");
	fixture_mkdir(fx, "usr");
	assert_int_equal(chown(fixture_path(fx, "usr"), root ? 100000 : (uid_t)-1, gid), 0);
	open_good(fx->dir, &base);
	assert_int_equal(owner_of(&base, "/usr")->uid, root ? 100000 : geteuid());
	assert_int_equal(owner_of(&base, "/usr")->gid, gid);
	assert_int_equal(owner_of(&base, "/etc")->uid, geteuid());
	assert_int_equal(owner_of(&base, "/etc")->gid, getegid());
	base_dir_close(&base);
}

static void missing_places_are_left_out(void **state)
{
	const struct fixture *fx = *state;
	struct base_dir base;

	fixture_puts(fx, "etc", "a file: no /etc/passwd below it");
	open_good(fx->dir, &base);
	assert_int_equal(base.owners.n, 2);
	assert_string_equal(base.owners.o[0].path, "/");
	assert_non_null(owner_of(&base, "/etc"));
	base_dir_close(&base);
}

/* Of what the caller may not look at nothing is said, rather than something wrong. */
static void look_at_closed(const void *arg)
{
	struct base_dir base;
	struct err e;

	CHILD_CHECK(base_dir_open(arg, &base, &e) == 0);
	CHILD_CHECK(base.owners.n == 2);
	CHILD_CHECK(!strcmp(base.owners.o[0].path, "/"));
	CHILD_CHECK(!strcmp(base.owners.o[1].path, "/etc"));
	base_dir_close(&base);
}

static void refuse_closed(const void *arg)
{
	struct base_dir base;
	struct err e;

	CHILD_CHECK(base_dir_open(arg, &base, &e) == -EACCES);
	CHILD_CHECK(strstr(e.text, "cannot open base '") && strstr(e.text, "Permission denied"));
}

static void check_closed(const void *arg)
{
	struct base_dir base;
	struct err e;

	CHILD_CHECK(base_dir_open(arg, &base, &e) == 0);
	CHILD_CHECK(base_dir_check(base.fd, arg, &e) == -EACCES);
	CHILD_CHECK(strstr(e.text, "cannot look into base '"));
	base_dir_close(&base);
}

static void closed_places(void **state)
{
	const struct fixture *fx = *state;
	char base[128];

	fixture_puts(fx, "base/etc/passwd", "");
	fixture_mkdir(fx, "base/bin");
	snprintf(base, sizeof(base), "%s/base", fx->dir);
	assert_int_equal(chmod(fixture_path(fx, "base/etc"), 0), 0);
	assert_int_equal(chmod(fx->dir, 0755), 0);
	run_unprivileged(look_at_closed, base);
	assert_int_equal(chmod(base, 0), 0);
	run_unprivileged(check_closed, base);
	assert_int_equal(chmod(fx->dir, 0), 0);
	run_unprivileged(refuse_closed, base);
	assert_int_equal(chmod(fx->dir, 0700), 0);
	assert_int_equal(chmod(base, 0700), 0);
	assert_int_equal(chmod(fixture_path(fx, "base/etc"), 0700), 0);
}

/* A link in the base is the base's, never what it names on the host. */
static void symlinks_stay_in_the_base(void **state)
{
	const struct fixture *fx = *state;
	struct base_dir base;
	char path[128];

	fixture_mkdir(fx, "outside");
	fixture_puts(fx, "outside/passwd", "");
	fixture_symlink(fx, "../outside", "base/etc");
	fixture_symlink(fx, "/usr", "base/usr");
	fixture_symlink(fx, "root", "base/root");
	snprintf(path, sizeof(path), "%s/base", fx->dir);
	open_good(path, &base);
	/* The links themselves are looked at; ../outside/passwd is not in the base. */
	assert_int_equal(base.owners.n, 4);
	assert_non_null(owner_of(&base, "/etc"));
	assert_int_equal(owner_of(&base, "/usr")->uid, geteuid());
	assert_null(owner_of(&base, "/etc/passwd"));
	base_dir_close(&base);

	fixture_mkdir(fx, "base/outside");
	fixture_puts(fx, "base/outside/passwd", "");
	open_good(path, &base);
	assert_non_null(owner_of(&base, "/etc/passwd"));
	base_dir_close(&base);
}

static void the_path_is_the_real_one(void **state)
{
	const struct fixture *fx = *state;
	char want[128], typed[256];
	struct base_dir base;

	fixture_mkdir(fx, "a,b\nc");
	fixture_symlink(fx, "a,b\nc", "link");
	snprintf(want, sizeof(want), "%s/a,b\nc", fx->dir);
	snprintf(typed, sizeof(typed), "%s//./link/../link/", fx->dir);
	open_good(typed, &base);
	assert_string_equal(base.path, want);
	assert_int_equal(fcntl(base.fd, F_GETFD), FD_CLOEXEC);
	base_dir_close(&base);
	assert_int_equal(base.fd, -1);
	assert_null(base.path);
	base_dir_close(&base);
}

static void what_is_no_base(void **state)
{
	const struct fixture *fx = *state;
	char path[256];

	snprintf(path, sizeof(path), "%s/none", fx->dir);
	expect_refused(path, ENOENT, "/none' does not exist; name a directory");
	expect_refused("", ENOENT, "does not exist");
	snprintf(path, sizeof(path), "%s/no\nne\x1b[2J", fx->dir);
	expect_refused(path, ENOENT, "/no?ne?[2J' does not exist");
	fixture_puts(fx, "rootfs.tar", "");
	snprintf(path, sizeof(path), "%s/rootfs.tar", fx->dir);
	expect_refused(path, ENOTDIR, "/rootfs.tar' is not a directory; unpack");
	fixture_fifo(fx, "fifo");
	snprintf(path, sizeof(path), "%s/fifo", fx->dir);
	expect_refused(path, ENOTDIR, "is not a directory");
	fixture_symlink(fx, "loop", "loop");
	snprintf(path, sizeof(path), "%s/loop", fx->dir);
	expect_refused(path, ELOOP, "cannot open base '");
}

static void the_hosts_own_root(void **state)
{
	static const char text[] = "the host's own / cannot be a base; make a copy";
	const struct fixture *fx = *state;
	char path[128];

	expect_refused("/", EINVAL, text);
	expect_refused("//../.", EINVAL, text);
	expect_refused("/proc/self/root", EINVAL, text);
	fixture_symlink(fx, "/", "link");
	snprintf(path, sizeof(path), "%s/link", fx->dir);
	expect_refused(path, EINVAL, text);
}

static void lose_the_base(const void *arg)
{
	struct base_dir base;
	struct err e;
	char path[128];

	snprintf(path, sizeof(path), "%s/lost", (const char *)arg);
	CHILD_CHECK(mkdir(path, 0700) == 0);
	CHILD_CHECK(chdir(path) == 0);
	CHILD_CHECK(rmdir(path) == 0);
	CHILD_CHECK(base_dir_open(".", &base, &e) == -ENOENT);
}

static void a_directory_that_was_removed(void **state)
{
	const struct fixture *fx = *state;

	assert_int_equal(chmod(fx->dir, 0777), 0);
	run_unprivileged(lose_the_base, fx->dir);
}

static void expect_no_root_directory(const struct fixture *fx)
{
	struct err e = { 0 };

	assert_int_equal(base_dir_check(fx->fd, "ba\nse", &e), -EINVAL);
	assert_non_null(strstr(e.text, "'ba?se' is no root directory: it has no /bin, /sbin or "
				       "/usr/bin; name the directory"));
}

static void root_directories(void **state)
{
	static const char *const places[] = { "bin", "sbin", "usr/bin" };
	const struct fixture *fx = *state;
	struct err e = { 0 };

	expect_no_root_directory(fx);
	for (size_t i = 0; i < 3; i++) {
		fixture_puts(fx, places[i], "a file");
		expect_no_root_directory(fx);
		assert_int_equal(unlink(fixture_path(fx, places[i])), 0);
		fixture_mkdir(fx, places[i]);
		assert_int_equal(base_dir_check(fx->fd, "base", &e), 0);
		assert_int_equal(rmdir(fixture_path(fx, places[i])), 0);
	}
	/* As a distribution with a merged /usr has it. */
	fixture_symlink(fx, "usr/bin", "bin");
	expect_no_root_directory(fx);
	fixture_mkdir(fx, "usr/bin");
	assert_int_equal(base_dir_check(fx->fd, "base", &e), 0);
	/* Whatever has that name, and wherever it leads to. */
	assert_int_equal(base_dir_check_whole(fx->fd, "base", &e), 0);
	fixture_symlink(fx, "nowhere", BASE_DIR_HALF_WAY);
	assert_int_equal(base_dir_check_whole(fx->fd, "base", &e), -EUCLEAN);
	assert_int_equal(base_dir_check(fx->fd, "base", &e), -EUCLEAN);
	assert_non_null(strstr(e.text, "base 'base' is half way from one id map to another; "));
}

/* The host has a /usr/bin, whatever the base says about its own. */
static void symlinks_to_the_hosts_programs(void **state)
{
	const struct fixture *fx = *state;

	fixture_symlink(fx, "/usr/bin", "bin");
	fixture_symlink(fx, "../../../../../../usr/bin", "sbin");
	expect_no_root_directory(fx);
	fixture_symlink(fx, "/proc/self/root/usr/bin", "usr/bin");
	expect_no_root_directory(fx);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_set_up, fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_owners_of_telling_places),
		TEST(owners_that_differ),
		TEST(missing_places_are_left_out),
		TEST(closed_places),
		TEST(symlinks_stay_in_the_base),
		TEST(the_path_is_the_real_one),
		TEST(what_is_no_base),
		TEST(the_hosts_own_root),
		TEST(a_directory_that_was_removed),
		TEST(root_directories),
		TEST(symlinks_to_the_hosts_programs),
	};

	/* Nobody is to look in. */
	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
