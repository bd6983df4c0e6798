/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "runner/base/cleanup.h"
#include "runner/base/fs.h"

#define MAX UINT64_C(1000)

/*
 * DIR/secret stands outside the root DIR/root, whose links try to get at it.
 */
struct fixture {
	char dir[64];
	int dir_fd;
	int root_fd;
};

static void put(int dir_fd, const char *name, const char *text)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(fs_write_all(fd, text, strlen(text)), 0);
	close(fd);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	snprintf(f->dir, sizeof(f->dir), "/tmp/vmrun-test-fs-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->dir_fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->dir_fd >= 0);
	assert_int_equal(mkdirat(f->dir_fd, "root", 0755), 0);
	f->root_fd = openat(f->dir_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->root_fd >= 0);
	put(f->dir_fd, "secret", "outside");
	assert_int_equal(mkdirat(f->root_fd, "etc", 0755), 0);
	put(f->root_fd, "etc/inside", "inside");
	put(f->root_fd, "secret", "decoy");
	*state = f;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	close(f->root_fd);
	close(f->dir_fd);
	assert_int_equal(nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(f);
	return 0;
}

/* Reads @path below the root and compares; @want NULL: it must fail. */
static void expect_read(const struct fixture *f, const char *path, const char *want)
{
	_cleanup_free_ char *data = NULL;
	size_t len;
	int r = fs_read_regular(f->root_fd, path, MAX, &data, &len);

	if (want && (r < 0 || strcmp(data, want)))
		fail_msg("%s: %d, '%s'", path, r, data ? data : "");
	if (!want && r == 0)
		fail_msg("%s could be read: '%s'", path, data);
}

static void dot_dot_stays_inside(void **state)
{
	struct fixture *f = *state;

	expect_read(f, "etc/inside", "inside");
	expect_read(f, "/etc/inside", "inside");
	expect_read(f, "../secret", "decoy");
	expect_read(f, "/../../../../secret", "decoy");
	expect_read(f, "etc/../../secret", "decoy");
}

static void symlinks_stay_inside(void **state)
{
	struct fixture *f = *state;
	char outside[128];

	snprintf(outside, sizeof(outside), "%s/secret", f->dir);
	assert_int_equal(symlinkat(outside, f->root_fd, "absolute"), 0);
	assert_int_equal(symlinkat("../secret", f->root_fd, "up"), 0);
	assert_int_equal(symlinkat("../../../../secret", f->root_fd, "etc/far-up"), 0);
	assert_int_equal(symlinkat("/etc/inside", f->root_fd, "good"), 0);
	assert_int_equal(symlinkat("/", f->root_fd, "top"), 0);
	assert_int_equal(symlinkat("loop", f->root_fd, "loop"), 0);
	expect_read(f, "absolute", NULL);
	expect_read(f, "up", "decoy");
	expect_read(f, "etc/far-up", "decoy");
	expect_read(f, "good", "inside");
	expect_read(f, "top/../top/etc/inside", "inside");
	expect_read(f, "loop", NULL);
}

static void magic_links_are_not_followed(void **state)
{
	_cleanup_close_ int proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = -1;

	(void)state;
	assert_true(proc >= 0);
	assert_int_equal(fs_open_in_root(proc, "exe", O_RDONLY, &fd), -ELOOP);
	assert_int_equal(fs_open_in_root(proc, "root/etc/passwd", O_RDONLY, &fd), -ELOOP);
	assert_int_equal(fs_open_in_root(proc, "cwd", O_PATH | O_DIRECTORY, &fd), -ELOOP);
	assert_int_equal(fd, -1);
}

static void open_is_close_on_exec(void **state)
{
	struct fixture *f = *state;
	int fd = -1;

	assert_int_equal(fs_open_in_root(f->root_fd, "etc", O_PATH, &fd), 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	assert_int_equal(fs_open_regular(f->root_fd, "etc/inside", MAX, &fd, NULL), 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
}

static void missing_is_enoent(void **state)
{
	struct fixture *f = *state;
	int fd = -1;

	assert_int_equal(fs_open_regular(f->root_fd, "nothing", MAX, &fd, NULL), -ENOENT);
	assert_int_equal(fs_open_regular(f->root_fd, "etc/inside/x", MAX, &fd, NULL), -ENOTDIR);
	assert_int_equal(fs_open_regular(f->root_fd, "", MAX, &fd, NULL), -ENOENT);
	assert_int_equal(fd, -1);
}

/* An open of a FIFO for reading would wait for a writer for ever. */
static void special_files_are_refused(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	_cleanup_close_ int dev = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = -1;

	alarm(10);
	assert_int_equal(mkfifoat(f->root_fd, "fifo", 0644), 0);
	assert_int_equal(fs_open_regular(f->root_fd, "fifo", MAX, &fd, NULL), -EINVAL);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/root/socket", f->dir);
	assert_int_equal(bind(sock, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(fs_open_regular(f->root_fd, "socket", MAX, &fd, NULL), -EINVAL);
	assert_int_equal(fs_open_regular(dev, "zero", MAX, &fd, NULL), -EINVAL);
	assert_int_equal(fs_open_regular(f->root_fd, "etc", MAX, &fd, NULL), -EISDIR);
	assert_int_equal(fd, -1);
	alarm(0);
}

static void size_is_capped(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *data = NULL;
	_cleanup_close_ int big = -1;
	struct stat st = { 0 };
	size_t len;
	int fd = -1;

	big = openat(f->dir_fd, "root/big", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(big >= 0);
	assert_int_equal(ftruncate(big, (off_t)1 << 40), 0);
	assert_int_equal(fs_open_regular(f->root_fd, "big", UINT64_C(1) << 30, &fd, &st), -EFBIG);
	assert_int_equal(fd, -1);
	assert_int_equal(st.st_size, 0);

	assert_int_equal(ftruncate(big, (off_t)MAX + 1), 0);
	assert_int_equal(fs_read_regular(f->root_fd, "big", MAX, &data, &len), -EFBIG);
	assert_null(data);
	assert_int_equal(ftruncate(big, (off_t)MAX), 0);
	assert_int_equal(fs_read_regular(f->root_fd, "big", MAX, &data, &len), 0);
	assert_int_equal(len, MAX);
	assert_int_equal(fs_open_regular(f->root_fd, "big", MAX, &fd, &st), 0);
	assert_int_equal(st.st_size, MAX);
	close(fd);
}

/* A file may grow between stat and read, and files of /proc have size 0. */
static void reading_is_capped_whatever_stat_said(void **state)
{
	_cleanup_close_ int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *data = NULL;
	size_t len;

	(void)state;
	assert_int_equal(fs_read_fd(zero, MAX, &data, &len), -EFBIG);
	assert_int_equal(fs_read_host("/dev/zero", 100000, &data, &len), -EFBIG);
	assert_null(data);
	assert_int_equal(fs_read_host("/proc/self/status", 1 << 20, &data, &len), 0);
	assert_true(len > 0);
	assert_int_equal(strlen(data), len);
}

/* Named by the user: symlinks lead wherever they do, but only to a plain file. */
static void host_files_are_checked_too(void **state)
{
	struct fixture *f = *state;
	char link[128], target[128];
	int fd = -1;

	snprintf(target, sizeof(target), "%s/secret", f->dir);
	snprintf(link, sizeof(link), "%s/link", f->dir);
	assert_int_equal(symlink(target, link), 0);
	assert_int_equal(fs_open_host_file(link, MAX, &fd), 0);
	close(fd);
	fd = -1;
	alarm(10);
	snprintf(link, sizeof(link), "%s/fifo", f->dir);
	assert_int_equal(mkfifo(link, 0644), 0);
	assert_int_equal(fs_open_host_file(link, MAX, &fd), -EINVAL);
	alarm(0);
	assert_int_equal(fs_open_host_file(target, 3, &fd), -EFBIG);
	assert_int_equal(fs_open_host_file(f->dir, MAX, &fd), -EISDIR);
	assert_int_equal(fs_open_host_file("/dev/null", MAX, &fd), -EINVAL);
	assert_int_equal(fs_open_host_file("", MAX, &fd), -ENOENT);
	assert_int_equal(fd, -1);
}

static void empty_file_reads_as_empty_string(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *data = NULL;
	size_t len = 1;

	put(f->root_fd, "empty", "");
	assert_int_equal(fs_read_regular(f->root_fd, "empty", 0, &data, &len), 0);
	assert_int_equal(len, 0);
	assert_string_equal(data, "");
}

static void host_reads_fail_clearly(void **state)
{
	struct fixture *f = *state;
	char path[128], *data = NULL;
	size_t len;

	snprintf(path, sizeof(path), "%s/nothing", f->dir);
	assert_int_equal(fs_read_host(path, MAX, &data, &len), -ENOENT);
	assert_int_equal(fs_read_host(f->dir, MAX, &data, &len), -EISDIR);
	assert_null(data);
}

static void host_writes_need_an_existing_file(void **state)
{
	struct fixture *f = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s/nothing", f->dir);
	assert_int_equal(fs_write_host(path, "x", 1), -ENOENT);
	snprintf(path, sizeof(path), "%s/secret", f->dir);
	assert_int_equal(fs_write_host(path, "O", 1), 0);
	assert_int_equal(fs_write_host("/dev/full", "x", 1), -ENOSPC);
}

static void mkdir_p_makes_parents(void **state)
{
	struct fixture *f = *state;
	char path[128];
	struct err e = { 0 };
	struct stat st;

	snprintf(path, sizeof(path), "%s/a/b//c/", f->dir);
	assert_int_equal(fs_mkdir_p(path, 0700, &e), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(fs_mkdir_p(path, 0700, &e), 0);
	assert_int_equal(fs_mkdir_p("/", 0700, &e), 0);
}

static void mkdir_p_refuses_what_is_no_directory(void **state)
{
	struct fixture *f = *state;
	char path[128], *longest;
	struct err e = { 0 };

	snprintf(path, sizeof(path), "%s/secret", f->dir);
	assert_int_equal(fs_mkdir_p(path, 0700, &e), -ENOTDIR);
	assert_non_null(strstr(e.text, path));
	snprintf(path, sizeof(path), "%s/secret/below", f->dir);
	assert_int_equal(fs_mkdir_p(path, 0700, &e), -ENOTDIR);
	assert_int_equal(fs_mkdir_p("", 0700, &e), -ENAMETOOLONG);
	longest = malloc(PATH_MAX + 1);
	assert_non_null(longest);
	memset(longest, '/', PATH_MAX);
	longest[PATH_MAX] = '\0';
	assert_int_equal(fs_mkdir_p(longest, 0700, &e), -ENAMETOOLONG);
	free(longest);
}

static void fd_path_follows_a_rename(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int fd = openat(f->dir_fd, "secret", O_RDONLY | O_CLOEXEC);
	char want[128], *path = NULL;

	snprintf(want, sizeof(want), "%s/other (deleted)", f->dir);
	assert_int_equal(renameat(f->dir_fd, "secret", f->dir_fd, "other (deleted)"), 0);
	assert_int_equal(fs_fd_path(fd, &path), 0);
	assert_string_equal(path, want);
	free(path);
}

static void fd_path_of_what_has_none(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int fd = openat(f->dir_fd, "secret", O_RDONLY | O_CLOEXEC);
	char *path = NULL;
	int pipes[2];

	assert_int_equal(unlinkat(f->dir_fd, "secret", 0), 0);
	assert_int_equal(fs_fd_path(fd, &path), -ENOENT);
	/* Another file by the name that the kernel shows for the lost one. */
	put(f->dir_fd, "secret (deleted)", "trap");
	assert_int_equal(fs_fd_path(fd, &path), -ENOENT);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	assert_int_equal(fs_fd_path(pipes[0], &path), -ENOENT);
	close(pipes[0]);
	close(pipes[1]);
	assert_true(fs_fd_path(-1, &path) < 0);
	assert_null(path);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(dot_dot_stays_inside),
		TEST(symlinks_stay_inside),
		TEST(magic_links_are_not_followed),
		TEST(open_is_close_on_exec),
		TEST(missing_is_enoent),
		TEST(special_files_are_refused),
		TEST(size_is_capped),
		TEST(reading_is_capped_whatever_stat_said),
		TEST(host_files_are_checked_too),
		TEST(empty_file_reads_as_empty_string),
		TEST(host_reads_fail_clearly),
		TEST(host_writes_need_an_existing_file),
		TEST(mkdir_p_makes_parents),
		TEST(mkdir_p_refuses_what_is_no_directory),
		TEST(fd_path_follows_a_rename),
		TEST(fd_path_of_what_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
