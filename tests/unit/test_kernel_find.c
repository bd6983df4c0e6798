/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"

#include "runner/base/cleanup.h"
#include "runner/host/kernel_find.h"

static void add_modules(const struct fixture *fx, const char *tree, const char *version)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s/modules.dep", tree, version);
	fixture_puts(fx, path, "");
}

static void expect_found(const struct fixture *fx, const char *version, const char *path)
{
	struct kernel_choice c;
	struct err e = { 0 };

	if (kernel_find(fx->fd, &c, &e) != 0)
		fail_msg("%s", e.text);
	assert_string_equal(c.version, version);
	assert_string_equal(c.path, path);
}

static void expect_none(const struct fixture *fx, const char *text)
{
	struct kernel_choice c = { .version = "untouched" };
	struct err e = { 0 };

	assert_int_equal(kernel_find(fx->fd, &c, &e), -ENOENT);
	assert_int_equal(e.errnum, ENOENT);
	if (!strstr(e.text, text))
		fail_msg("\"%s\" does not say \"%s\"", e.text, text);
	assert_non_null(strstr(e.text, "; install linux-image-amd64 in the base or name"));
	assert_string_equal(c.version, "untouched");
}

static int setup(void **state)
{
	struct fixture *fx = malloc(sizeof(*fx));

	assert_non_null(fx);
	fixture_make(fx);
	*state = fx;
	return 0;
}

static int teardown(void **state)
{
	fixture_remove(*state);
	free(*state);
	return 0;
}

static void test_version_order(void **state)
{
	static const char *const ascending[] = {
		"5.10.0-9-amd64",
		"6.1.0-9-amd64",
		"6.1.0-10-amd64",
		"6.1.0-10-cloud-amd64",
		"6.1.0-10.1",
		"6.9.12",
		"6.12~rc1",
		"6.12",
		"6.12.0-rc1",
		"6.12.0-rc2",
		"6.12.0-rc10",
		"6.12.0",
		"6.12.0-1-amd64",
		"6.12.0-18446744073709551616",
		"6.12.0-18446744073709551617",
		"6.13-rc1-amd64",
		"6.13-rc7",
		"6.13",
		"6.13-amd64",
		"10.0",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ascending); i++)
		for (size_t j = 0; j < ARRAY_SIZE(ascending); j++) {
			int d = kernel_version_cmp(ascending[i], ascending[j]);

			if ((d > 0) != (i > j) || (d < 0) != (i < j))
				fail_msg("%s, %s: %d", ascending[i], ascending[j], d);
		}
	assert_int_equal(kernel_version_cmp("", ""), 0);
	assert_true(kernel_version_cmp("", "1") < 0);
	/* different names are never equal */
	assert_true(kernel_version_cmp("6.01", "6.1") != 0);
	assert_true(kernel_version_cmp("6.1-rc", "6.1") > 0);
}

static void test_version_valid(void **state)
{
	char longest[KERNEL_VERSION_MAX + 1];

	(void)state;
	assert_true(kernel_version_valid("6.1.0-56-amd64"));
	assert_true(kernel_version_valid("6.12~rc1+deb13_x-1"));
	assert_false(kernel_version_valid(""));
	assert_false(kernel_version_valid("."));
	assert_false(kernel_version_valid(".."));
	assert_false(kernel_version_valid("6.1/../.."));
	assert_false(kernel_version_valid("6.1 x"));
	assert_false(kernel_version_valid("6.1\n"));
	assert_false(kernel_version_valid("6.1,x"));
	assert_false(kernel_version_valid("6.1\xc3\xa4"));
	memset(longest, '1', sizeof(longest));
	longest[KERNEL_VERSION_MAX] = '\0';
	assert_false(kernel_version_valid(longest));
	longest[KERNEL_VERSION_MAX - 1] = '\0';
	assert_true(kernel_version_valid(longest));
}

static void test_empty_base(void **state)
{
	const struct fixture *fx = *state;

	expect_none(fx, "the base has no kernel; ");
	fixture_mkdir(fx, "boot");
	expect_none(fx, "the base has no kernel; ");
	fixture_puts(fx, "lib/modules/6.1/modules.dep", "");
	expect_none(fx, "the base has no kernel; ");
	/* a file where a directory is expected */
	fixture_puts(fx, "usr/lib/modules", "");
	expect_none(fx, "the base has no kernel; ");
}

static void test_newest(void **state)
{
	const struct fixture *fx = *state;

	fixture_puts(fx, "boot/vmlinuz-6.1.0-9-amd64", "k");
	add_modules(fx, "lib/modules", "6.1.0-9-amd64");
	fixture_puts(fx, "boot/vmlinuz-6.1.0-10-amd64", "k");
	add_modules(fx, "lib/modules", "6.1.0-10-amd64");
	fixture_puts(fx, "boot/vmlinuz-5.10.0-30-amd64", "k");
	add_modules(fx, "lib/modules", "5.10.0-30-amd64");
	expect_found(fx, "6.1.0-10-amd64", "boot/vmlinuz-6.1.0-10-amd64");
	/* no kernels */
	fixture_puts(fx, "boot/initrd.img-9.9", "k");
	fixture_puts(fx, "boot/vmlinuz", "k");
	fixture_puts(fx, "boot/vmlinuz-", "k");
	fixture_puts(fx, "boot/vmlinuz-9.9 9", "k");
	fixture_puts(fx, "boot/vmlinuz-9\n9", "k");
	expect_found(fx, "6.1.0-10-amd64", "boot/vmlinuz-6.1.0-10-amd64");
}

static void test_modules_decide(void **state)
{
	const struct fixture *fx = *state;

	fixture_puts(fx, "boot/vmlinuz-6.1", "k");
	fixture_puts(fx, "boot/vmlinuz-6.2", "k");
	expect_found(fx, "6.2", "boot/vmlinuz-6.2");
	/* the directory alone is not enough */
	fixture_puts(fx, "lib/modules/6.2/modules.order", "");
	add_modules(fx, "lib/modules", "6.1");
	expect_found(fx, "6.1", "boot/vmlinuz-6.1");
	add_modules(fx, "lib/modules", "6.2");
	expect_found(fx, "6.2", "boot/vmlinuz-6.2");
}

static void test_9p_decides(void **state)
{
	const struct fixture *fx = *state;

	fixture_puts(fx, "boot/vmlinuz-6.1.0-9-amd64", "k");
	fixture_puts(fx, "lib/modules/6.1.0-9-amd64/modules.dep",
		     "kernel/net/9p/9pnet_virtio.ko.xz: kernel/net/9p/9pnet.ko.xz\n");
	fixture_puts(fx, "boot/vmlinuz-6.1.0-9-cloud-amd64", "k");
	fixture_puts(fx, "lib/modules/6.1.0-9-cloud-amd64/modules.dep", "kernel/fs/fuse/fuse.ko:\n");
	expect_found(fx, "6.1.0-9-amd64", "boot/vmlinuz-6.1.0-9-amd64");
	fixture_puts(fx, "lib/modules/6.1.0-9-cloud-amd64/modules.builtin",
		     "kernel/net/9p/9pnet_virtio.ko\n");
	expect_found(fx, "6.1.0-9-cloud-amd64", "boot/vmlinuz-6.1.0-9-cloud-amd64");
}

static void test_list(void **state)
{
	const struct fixture *fx = *state;
	struct kernel_entry list[KERNELS_MAX];
	struct err e = { 0 };
	unsigned int n = 99;

	assert_int_equal(kernel_list(fx->fd, list, &n, &e), -ENOENT);
	assert_non_null(strstr(e.text, "the base has no kernel"));
	assert_int_equal(n, 99);
	fixture_fifo(fx, "boot/vmlinuz-7.0");
	fixture_puts(fx, "boot/vmlinuz-6.1.0-9", "k");
	fixture_puts(fx, "boot/vmlinuz-6.1.0-10", "k");
	fixture_puts(fx, "boot/vmlinuz-6.1.0-8", "k");
	fixture_puts(fx, "usr/lib/modules/6.1.0-8/vmlinuz", "the same kernel again");
	fixture_puts(fx, "usr/lib/modules/6.1.0-8/modules.dep", "kernel/fs/fuse/fuse.ko:\n");
	fixture_puts(fx, "lib/modules/6.1.0-9/modules.dep", "kernel/net/9p/9pnet_virtio.ko:\n");
	assert_int_equal(kernel_list(fx->fd, list, &n, &e), 0);
	assert_int_equal(n, 3);
	assert_string_equal(list[0].choice.version, "6.1.0-10");
	assert_false(list[0].modules || list[0].has_9p);
	assert_string_equal(list[1].choice.path, "boot/vmlinuz-6.1.0-9");
	assert_true(list[1].modules && list[1].has_9p);
	assert_string_equal(list[2].choice.path, "boot/vmlinuz-6.1.0-8");
	assert_true(list[2].modules && !list[2].has_9p);
}

static void test_too_many_kernels(void **state)
{
	const struct fixture *fx = *state;
	struct kernel_choice c;
	struct err e = { 0 };
	char name[32];

	for (unsigned int i = 0; i < 65; i++) {
		snprintf(name, sizeof(name), "boot/vmlinuz-%u", i);
		fixture_puts(fx, name, "k");
	}
	assert_int_equal(kernel_find(fx->fd, &c, &e), -E2BIG);
	assert_non_null(strstr(e.text, "more than 64 kernels"));
}

static void test_module_tree(void **state)
{
	const struct fixture *fx = *state;

	/* as Arch has it, merged /usr included */
	fixture_puts(fx, "usr/lib/modules/6.6.1-arch1-1/vmlinuz", "k");
	add_modules(fx, "usr/lib/modules", "6.6.1-arch1-1");
	fixture_puts(fx, "boot/vmlinuz-linux", "k");
	fixture_symlink(fx, "usr/lib", "lib");
	expect_found(fx, "6.6.1-arch1-1", "usr/lib/modules/6.6.1-arch1-1/vmlinuz");
	/* the same version in /boot goes first */
	fixture_puts(fx, "boot/vmlinuz-6.6.1-arch1-1", "k");
	expect_found(fx, "6.6.1-arch1-1", "boot/vmlinuz-6.6.1-arch1-1");
}

static void test_old_layout(void **state)
{
	const struct fixture *fx = *state;

	fixture_puts(fx, "lib/modules/6.6/vmlinuz", "k");
	expect_found(fx, "6.6", "lib/modules/6.6/vmlinuz");
}

static void test_hostile_files(void **state)
{
	const struct fixture *fx = *state;

	fixture_fifo(fx, "boot/vmlinuz-9.1");
	add_modules(fx, "lib/modules", "9.1");
	expect_none(fx, "/boot/vmlinuz-9.1 is no regular file");
	unlink(fixture_path(fx, "boot/vmlinuz-9.1"));
	fixture_mkdir(fx, "boot/vmlinuz-9.1");
	expect_none(fx, "/boot/vmlinuz-9.1 is no regular file");
	rmdir(fixture_path(fx, "boot/vmlinuz-9.1"));
	fixture_sparse(fx, "boot/vmlinuz-9.1", (off_t)10 << 40);
	expect_none(fx, "/boot/vmlinuz-9.1 is larger than any kernel");
	unlink(fixture_path(fx, "boot/vmlinuz-9.1"));
	fixture_symlink(fx, "vmlinuz-9.1", "boot/vmlinuz-9.1");
	expect_none(fx, "/boot/vmlinuz-9.1");

	/* none of them hides a good one */
	fixture_puts(fx, "boot/vmlinuz-6.1", "k");
	add_modules(fx, "lib/modules", "6.1");
	fixture_fifo(fx, "boot/vmlinuz-9.2");
	add_modules(fx, "lib/modules", "9.2");
	fixture_sparse(fx, "usr/lib/modules/9.3/vmlinuz", (off_t)10 << 40);
	add_modules(fx, "usr/lib/modules", "9.3");
	expect_found(fx, "6.1", "boot/vmlinuz-6.1");
}

/* The test's own directory is outside the base: what a symlink leads to there must not be found. */
static void test_symlinks(void **state)
{
	const struct fixture *outer = *state;
	struct fixture base;
	char target[128];
	int fd;

	fixture_puts(outer, "base/boot/vmlinuz-6.1", "k");
	fixture_puts(outer, "outside/vmlinuz-9.9", "k");
	fixture_puts(outer, "outside/9.9/modules.dep", "");
	assert_true(snprintf(base.dir, sizeof(base.dir), "%s/base", outer->dir) <
		    (int)sizeof(base.dir));
	base.fd = open(base.dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(base.fd >= 0);

	snprintf(target, sizeof(target), "%s/outside/vmlinuz-9.9", outer->dir);
	fixture_symlink(&base, target, "boot/vmlinuz-9.1");
	fixture_symlink(&base, "../../outside/vmlinuz-9.9", "boot/vmlinuz-9.2");
	snprintf(target, sizeof(target), "%s/outside", outer->dir);
	fixture_symlink(&base, target, "lib");
	fixture_symlink(&base, "../outside", "usr");
	expect_found(&base, "6.1", "boot/vmlinuz-6.1");
	/* an absolute one is resolved inside the base */
	fixture_puts(&base, "store/kernel", "k");
	fixture_symlink(&base, "/store/kernel", "boot/vmlinuz-9.3");
	expect_found(&base, "9.3", "boot/vmlinuz-9.3");

	unlink(fixture_path(&base, "lib"));
	fixture_puts(&base, "store/modules.dep", "");
	fixture_symlink(&base, "/store", "lib/modules/9.3");
	fixture_symlink(&base, target, "lib/modules/9.9");
	assert_int_equal(kernel_open_modules(base.fd, "9.3", &fd, &(struct err){ 0 }), 0);
	close(fd);
	assert_int_equal(kernel_open_modules(base.fd, "9.9", &fd, &(struct err){ 0 }), -ENOENT);
	close(base.fd);
}

static void test_open_modules(void **state)
{
	const struct fixture *fx = *state;
	struct err e = { 0 };
	int fd = -1;
	struct stat st;

	assert_int_equal(kernel_open_modules(fx->fd, "6.1", &fd, &e), -ENOENT);
	assert_non_null(strstr(e.text, "no module directory /lib/modules/6.1; "));
	fixture_puts(fx, "lib/modules/6.1/modules.order", "");
	assert_int_equal(kernel_open_modules(fx->fd, "6.1", &fd, &e), -ENOENT);
	assert_non_null(strstr(e.text, "run depmod"));
	assert_int_equal(kernel_open_modules(fx->fd, "../modules/6.1", &fd, &e), -ENOENT);
	assert_non_null(strstr(e.text, "is no kernel version"));
	assert_int_equal(kernel_open_modules(fx->fd, "..", &fd, &e), -ENOENT);
	assert_int_equal(fd, -1);

	/* a directory without modules.dep does not hide one with it */
	add_modules(fx, "usr/lib/modules", "6.1");
	assert_int_equal(kernel_open_modules(fx->fd, "6.1", &fd, &e), 0);
	assert_int_equal(fstatat(fd, "modules.dep", &st, 0), 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_PATH, O_PATH);
	close(fd);
}

static void test_crowded_directory(void **state)
{
	const struct fixture *fx = *state;
	struct kernel_choice c;
	struct err e = { 0 };
	char name[32];

	for (unsigned int i = 0; i < 10001; i++) {
		snprintf(name, sizeof(name), "boot/x%u", i);
		fixture_puts(fx, name, "");
	}
	assert_int_equal(kernel_find(fx->fd, &c, &e), -E2BIG);
	assert_non_null(strstr(e.text, "/boot of the base has more than 10000 entries"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version_order),
		cmocka_unit_test(test_version_valid),
		TEST(test_empty_base),
		TEST(test_newest),
		TEST(test_modules_decide),
		TEST(test_9p_decides),
		TEST(test_list),
		TEST(test_too_many_kernels),
		TEST(test_module_tree),
		TEST(test_old_layout),
		TEST(test_hostile_files),
		TEST(test_symlinks),
		TEST(test_open_modules),
		TEST(test_crowded_directory),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
