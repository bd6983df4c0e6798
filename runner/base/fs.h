/* SPDX-License-Identifier: MIT */
/*
 * Access to files below a root directory that may be hostile. Every path is
 * resolved by openat2(RESOLVE_IN_ROOT), so that no symlink, "..", or absolute
 * path leaves the root; what is opened is checked to be a regular file of a
 * bounded size before a byte is read (a FIFO would block, a sparse file of
 * 10 TB would fill memory).
 */
#ifndef VMRUN_BASE_FS_H
#define VMRUN_BASE_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "runner/base/err.h"

/**
 * fs_open_in_root() - open @path below @root_fd (O_PATH or readable directory).
 * @flags: open flags; O_CLOEXEC is added.
 *
 * No err: the caller knows better what the file is for. Return: 0 or -errno.
 */
int fs_open_in_root(int root_fd, const char *path, int flags, int *ret_fd);

/**
 * fs_open_regular() - open a regular file below @root_fd for reading.
 * @max_size: bytes; a larger file is -EFBIG.
 * @ret_st: may be NULL.
 *
 * -EISDIR for a directory, -EINVAL for any other special file.
 */
int fs_open_regular(int root_fd, const char *path, uint64_t max_size, int *ret_fd,
		    struct stat *ret_st);

/**
 * fs_open_host_file() - open a regular file that the user named, for reading.
 * As fs_open_regular(), but @path is one of the host, symlinks and all.
 */
int fs_open_host_file(const char *path, uint64_t max_size, int *ret_fd);

/**
 * fs_read_fd() - read @fd to its end into memory.
 * @max_size: bytes; more is -EFBIG.
 * @ret_data: NUL-terminated (the terminator not counted); free() it.
 */
int fs_read_fd(int fd, uint64_t max_size, char **ret_data, size_t *ret_len);

/**
 * fs_read_regular() - fs_open_regular() and fs_read_fd() in one.
 */
int fs_read_regular(int root_fd, const char *path, uint64_t max_size, char **ret_data,
		    size_t *ret_len);

/**
 * fs_read_host() - read a file of the host that is trusted to be what its name
 * says (/proc, /etc/subuid), at most @max_size bytes. @ret_data as fs_read_fd().
 */
int fs_read_host(const char *path, uint64_t max_size, char **ret_data, size_t *ret_len);

/**
 * fs_write_all() - write all of @len bytes, however many calls that takes.
 */
int fs_write_all(int fd, const void *data, size_t len);

/**
 * fs_pread_all() - as pread(), until @len bytes are there or the file ends.
 * Return: the bytes read, less than @len at the end of the file, or -errno.
 */
ssize_t fs_pread_all(int fd, void *buf, size_t len, uint64_t offset);

/** fs_pwrite_all() - as pwrite(), however many calls that takes. Return: 0 or -errno. */
int fs_pwrite_all(int fd, const void *data, size_t len, uint64_t offset);

/**
 * fs_is_sealed() - whether @fd is a memory file of at most @max bytes that nobody can change.
 * @ret_size: bytes.
 */
bool fs_is_sealed(int fd, uint64_t max, uint64_t *ret_size);

/**
 * fs_write_host() - write @len bytes to an existing file (a /proc knob) in one
 * write(2).
 */
int fs_write_host(const char *path, const void *data, size_t len);

/**
 * fs_mkdir_p() - make @path and its parents; an existing directory is success.
 */
int fs_mkdir_p(const char *path, mode_t mode, struct err *e);

/*
 * What tells one state of a file from any other on this host, without reading it:
 * a file cannot change without its ctime, which nobody can set.
 */
struct file_id {
	uint64_t dev;
	uint64_t ino;
	uint64_t size;
	uint64_t mtime_ns; /* since the epoch */
	uint64_t ctime_ns;
};

void fs_file_id(const struct stat *st, struct file_id *ret);

/**
 * fs_fd_path() - the absolute path that an open descriptor has now.
 *
 * @ret_path: free() it. -ENOENT if it has none any more (deleted).
 */
int fs_fd_path(int fd, char **ret_path);

#endif
