/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"
#include "tests/unit/child.h"

#include "runner/vm/kcache.h"

static const uint8_t digest[32] = { 0x00, 0x01, 0xab, [30] = 0x7f, [31] = 0xff };
static const uint8_t other[32] = { 0x01 };

#define ENTRY \
	"cache/kernels/0001ab0000000000000000000000000000000000000000000000000000007fff.vmlinux"

/* The cache of a run, made if need be. */
static int cache_of(const struct fixture *fx)
{
	char dir[128];
	int fd;

	snprintf(dir, sizeof(dir), "%s/cache", fx->dir);
	assert_int_equal(kcache_open(dir, &fd), 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	return fd;
}

static void assert_content(int kernels, const uint8_t d[32], const char *text)
{
	char name[KCACHE_NAME_SIZE], buf[64];
	struct stat st;
	ssize_t n;
	int fd;

	kcache_name(d, name);
	fd = openat(kernels, name, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	n = pread(fd, buf, sizeof(buf), 0);
	assert_int_equal(n, strlen(text));
	assert_memory_equal(buf, text, strlen(text));
	/* QEMU reads it as another id; nobody writes it. */
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0444);
	close(fd);
}

/* As for one run: unpack @text and give it a name. */
static void publish(int kernels, const uint8_t d[32], const char *text)
{
	int fd = -1;

	assert_int_equal(kcache_begin(kernels, &fd), 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fs_write_all(fd, text, strlen(text)), 0);
	assert_int_equal(kcache_publish(kernels, d, fd), 0);
	close(fd);
}

static void a_kernel_is_kept(void **state)
{
	const struct fixture *fx = *state;
	int kernels = cache_of(fx);
	struct stat st;

	assert_false(kcache_has(kernels, digest));
	publish(kernels, digest, "ELF one");
	assert_true(kcache_has(kernels, digest));
	assert_false(kcache_has(kernels, other));
	assert_content(kernels, digest, "ELF one");
	assert_int_equal(stat(fixture_path(fx, ENTRY), &st), 0);
	assert_int_equal(stat(fixture_path(fx, "cache/kernels"), &st), 0);
	assert_int_equal(st.st_mode & 07777, geteuid() ? 0700 : 0711);
	close(kernels);
	kernels = cache_of(fx);
	assert_true(kcache_has(kernels, digest));
	close(kernels);
}

static void nothing_is_there_before_it_is_whole(void **state)
{
	const struct fixture *fx = *state;
	int kernels = cache_of(fx), fd;

	assert_int_equal(kcache_begin(kernels, &fd), 0);
	assert_int_equal(fs_write_all(fd, "half", 4), 0);
	assert_false(kcache_has(kernels, digest));
	close(fd);
	close(kernels);
	/* Not even a temporary file: this fails if there is one. */
	assert_int_equal(rmdir(fixture_path(fx, "cache/kernels")), 0);
}

static void another_run_was_faster(void **state)
{
	int kernels = cache_of(*state);

	publish(kernels, digest, "first");
	publish(kernels, digest, "second");
	assert_content(kernels, digest, "first");
	close(kernels);
}

static void the_cache_may_go_at_any_time(void **state)
{
	const struct fixture *fx = *state;
	int kernels = cache_of(fx), fd;

	assert_int_equal(kcache_begin(kernels, &fd), 0);
	assert_int_equal(rmdir(fixture_path(fx, "cache/kernels")), 0);
	assert_int_equal(kcache_publish(kernels, digest, fd), -ENOENT);
	assert_false(kcache_has(kernels, digest));
	close(fd);
	close(kernels);
}

static void no_cache_directory(void **state)
{
	const struct fixture *fx = *state;
	char path[128];
	int fd = -2;

	assert_int_equal(kcache_open("", &fd), -ENOENT);
	fixture_puts(fx, "cache", "I am a file");
	snprintf(path, sizeof(path), "%s/cache", fx->dir);
	assert_true(kcache_open(path, &fd) < 0);
	assert_int_equal(fd, -2);
}

static void use_unwritable(const void *arg)
{
	int kernels, fd;

	CHILD_CHECK(kcache_open(arg, &kernels) == 0);
	CHILD_CHECK(kcache_begin(kernels, &fd) == -EACCES);
	CHILD_CHECK(!kcache_has(kernels, digest));
}

static void an_unwritable_cache_directory(void **state)
{
	const struct fixture *fx = *state;
	char path[128];

	assert_int_equal(chmod(fx->dir, 0755), 0);
	fixture_mkdir(fx, "cache");
	fixture_mkdir(fx, "cache/kernels");
	assert_int_equal(chmod(fixture_path(fx, "cache/kernels"), 0555), 0);
	snprintf(path, sizeof(path), "%s/cache", fx->dir);
	run_unprivileged(use_unwritable, path);
}

static void an_entry_that_is_a_symlink(void **state)
{
	const struct fixture *fx = *state;
	int kernels = cache_of(fx);

	fixture_puts(fx, "elsewhere", "not a kernel");
	fixture_symlink(fx, "../../elsewhere", ENTRY);
	assert_false(kcache_has(kernels, digest));
	close(kernels);
}

static void a_bad_descriptor(void **state)
{
	int kernels = cache_of(*state);

	assert_int_equal(kcache_publish(kernels, digest, -1), -EBADF);
	close(kernels);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_set_up, fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_kernel_is_kept),		  TEST(nothing_is_there_before_it_is_whole),
		TEST(another_run_was_faster),	  TEST(the_cache_may_go_at_any_time),
		TEST(no_cache_directory),	  TEST(an_unwritable_cache_directory),
		TEST(an_entry_that_is_a_symlink), TEST(a_bad_descriptor),
	};

	/* Nobody is to look in. */
	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
