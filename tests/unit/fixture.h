/* SPDX-License-Identifier: MIT */
/*
 * What tests of files and of compressed data share: a directory tree that is
 * thrown away, and tools run as filters. Include it before everything else.
 */
#ifndef VMRUN_TESTS_FIXTURE_H
#define VMRUN_TESTS_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner/base/fs.h"
#include "runner/base/strbuf.h"

struct fixture {
	char dir[64];
	int fd; /* O_PATH of dir */
};

static inline void fixture_make(struct fixture *fx)
{
	strcpy(fx->dir, "/tmp/vmrun-test-XXXXXX");
	assert_non_null(mkdtemp(fx->dir));
	fx->fd = open(fx->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(fx->fd >= 0);
}

static inline int fixture_remove_one(const char *path, const struct stat *st, int type,
				     struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void fixture_remove(struct fixture *fx)
{
	close(fx->fd);
	assert_int_equal(nftw(fx->dir, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* The path on the host of @name in the fixture, its parent directories made. */
static inline const char *fixture_path(const struct fixture *fx, const char *name)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/%s", fx->dir, name);
	for (char *p = path + strlen(fx->dir) + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
		*p = '/';
	}
	return path;
}

static inline void fixture_write(const struct fixture *fx, const char *name, const void *data,
				 size_t len)
{
	int fd = open(fixture_path(fx, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(fs_write_all(fd, data, len), 0);
	close(fd);
}

static inline void fixture_puts(const struct fixture *fx, const char *name, const char *text)
{
	fixture_write(fx, name, text, strlen(text));
}

static inline void fixture_mkdir(const struct fixture *fx, const char *name)
{
	assert_int_equal(mkdir(fixture_path(fx, name), 0755), 0);
}

static inline void fixture_symlink(const struct fixture *fx, const char *target, const char *name)
{
	assert_int_equal(symlink(target, fixture_path(fx, name)), 0);
}

static inline void fixture_fifo(const struct fixture *fx, const char *name)
{
	assert_int_equal(mkfifo(fixture_path(fx, name), 0644), 0);
}

/* A file of @size bytes without a block on the disk. */
static inline void fixture_sparse(const struct fixture *fx, const char *name, off_t size)
{
	fixture_puts(fx, name, "");
	assert_int_equal(truncate(fixture_path(fx, name), size), 0);
}

/* A test's set-up and tear-down: *state is a struct fixture. */
static inline int fixture_set_up(void **state)
{
	struct fixture *fx = malloc(sizeof(*fx));

	assert_non_null(fx);
	fixture_make(fx);
	*state = fx;
	return 0;
}

static inline int fixture_tear_down(void **state)
{
	fixture_remove(*state);
	free(*state);
	return 0;
}

/*
 * As tools have it inside: root of a user namespace, here one with the caller's own id
 * only. For the whole program, as a group's set-up.
 */
static inline int fixture_become_root(void **state)
{
	char uids[32], gids[32];

	(void)state;
	snprintf(uids, sizeof(uids), "0 %u 1", geteuid());
	snprintf(gids, sizeof(gids), "0 %u 1", getegid());
	assert_int_equal(unshare(CLONE_NEWUSER), 0);
	assert_int_equal(fs_write_host("/proc/self/setgroups", "deny", 4), 0);
	assert_int_equal(fs_write_host("/proc/self/uid_map", uids, strlen(uids)), 0);
	assert_int_equal(fs_write_host("/proc/self/gid_map", gids, strlen(gids)), 0);
	return 0;
}

static inline int fixture_memfd(const void *data, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fs_write_all(fd, data, len), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* What `argv <data` writes to its standard output; strbuf_free() it. */
static inline void run_filter(const char *const *argv, const void *data, size_t len,
			      struct strbuf *ret)
{
	int in = fixture_memfd(data, len), out = fixture_memfd("", 0);
	posix_spawn_file_actions_t fa;
	char *text;
	pid_t pid;
	int status;

	assert_int_equal(posix_spawn_file_actions_init(&fa), 0);
	posix_spawn_file_actions_adddup2(&fa, in, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&fa, out, STDOUT_FILENO);
	assert_int_equal(posix_spawnp(&pid, argv[0], &fa, NULL, (char *const *)argv, environ), 0);
	posix_spawn_file_actions_destroy(&fa);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	*ret = (struct strbuf){ 0 };
	assert_int_equal(lseek(out, 0, SEEK_SET), 0);
	assert_int_equal(fs_read_fd(out, STRBUF_MAX, &text, &ret->len), 0);
	ret->data = text;
	ret->cap = ret->len + 1;
	close(in);
	close(out);
}

struct compressor {
	const char *name;
	const char *argv[6];
};

/* As the kernel's build calls them (scripts/Makefile.lib): window sizes, less effort. */
static const struct compressor kernel_compressors[] = {
	{ "gzip", { "gzip", "-n", "-c" } },
	{ "xz", { "xz", "--check=crc32", "--x86", "--lzma2=preset=0,dict=32MiB", "-c" } },
	{ "lzma", { "xz", "--format=lzma", "--lzma1=preset=0,dict=64MiB", "-c" } },
	{ "zstd", { "zstd", "-q", "--long=27", "-c" } },
	{ "lz4", { "lz4", "-l", "-q", "-", "-" } },
	{ "bzip2", { "bzip2", "-c" } },
};

#define N_KERNEL_COMPRESSORS (sizeof(kernel_compressors) / sizeof(kernel_compressors[0]))

static inline void compress_with(const char *name, const void *data, size_t len, struct strbuf *ret)
{
	for (size_t i = 0; i < N_KERNEL_COMPRESSORS; i++)
		if (strcmp(kernel_compressors[i].name, name) == 0) {
			run_filter(kernel_compressors[i].argv, data, len, ret);
			return;
		}
	fail_msg("no compressor %s", name);
}

/* Bytes that do not compress, the same at every call. */
static inline void fill_noise(uint8_t *p, size_t len)
{
	uint32_t x = 2463534242u;

	for (size_t i = 0; i < len; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		p[i] = (uint8_t)x;
	}
}

#endif
