/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/core/tree_copy_data.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/base/fs.h"

#define BUFFER_SIZE ((size_t)256 << 10)

/* Whether the two file systems cannot do it at all, rather than for this file. */
static bool is_no_way(int errnum)
{
	return errnum == EOPNOTSUPP || errnum == EXDEV || errnum == ENOTTY || errnum == ENOSYS;
}

static int copy_by_buffer(struct copy_ways *ways, int in, int out, uint64_t at, uint64_t len)
{
	if (!ways->buffer)
		ways->buffer = malloc(BUFFER_SIZE);
	if (!ways->buffer)
		return -ENOMEM;
	while (len) {
		size_t want = len < BUFFER_SIZE ? (size_t)len : BUFFER_SIZE;
		ssize_t n = fs_pread_all(in, ways->buffer, want, at);

		if (n <= 0)
			return (int)n;
		if (lseek(out, (off_t)at, SEEK_SET) < 0)
			return -errno;
		if (fs_write_all(out, ways->buffer, (size_t)n) < 0)
			return -errno;
		at += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

/* A source that ends early has become shorter: what is left of it is copied. */
static int copy_part(struct copy_ways *ways, int in, int out, uint64_t at, uint64_t len)
{
	loff_t from = (loff_t)at, to = (loff_t)at;

	while (len && !ways->no_range) {
		ssize_t n = copy_file_range(in, &from, out, &to, (size_t)len, 0);

		if (n == 0)
			return 0;
		if (n > 0) {
			len -= (uint64_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (!is_no_way(errno) && errno != EINVAL)
			return -errno;
		ways->no_range = true;
	}
	return copy_by_buffer(ways, in, out, (uint64_t)from, len);
}

static int copy_around_holes(struct copy_ways *ways, int in, int out, uint64_t size)
{
	uint64_t at = 0;

	while (at < size) {
		off_t data = lseek(in, (off_t)at, SEEK_DATA), hole;
		int r;

		if (data < 0 && errno == ENXIO)
			break;
		if (data < 0)
			return -errno;
		hole = lseek(in, data, SEEK_HOLE);
		if (hole < 0)
			return -errno;
		if ((uint64_t)data >= size)
			break;
		if ((uint64_t)hole > size)
			hole = (off_t)size;
		r = copy_part(ways, in, out, (uint64_t)data, (uint64_t)(hole - data));
		if (r < 0)
			return r;
		at = (uint64_t)hole;
	}
	return ftruncate(out, (off_t)size) < 0 ? -errno : 0;
}

int copy_content(struct copy_ways *ways, int in, int out, uint64_t size, uint64_t blocks,
		 bool *ret_shared)
{
	if (!size)
		return 0;
	if (!ways->no_reflink) {
		if (ioctl(out, FICLONE, in) == 0) {
			*ret_shared = true;
			return 0;
		}
		if (is_no_way(errno))
			ways->no_reflink = true;
	}
	if (blocks < (size + 511) / 512)
		return copy_around_holes(ways, in, out, size);
	return copy_part(ways, in, out, 0, size);
}

/* --- extended attributes --- */

static ssize_t list(const struct xattr_file *f, char *names, size_t size)
{
	return f->path ? llistxattr(f->path, names, size) : flistxattr(f->fd, names, size);
}

static ssize_t get(const struct xattr_file *f, const char *name, char *value, size_t size)
{
	return f->path ? lgetxattr(f->path, name, value, size) :
			 fgetxattr(f->fd, name, value, size);
}

static int set(const struct xattr_file *f, const char *name, const char *value, size_t size)
{
	return f->path ? lsetxattr(f->path, name, value, size, 0) :
			 fsetxattr(f->fd, name, value, size, 0);
}

int copy_xattrs(struct copy_ways *ways, const struct xattr_file *from,
		const struct xattr_file *to, void (*lost)(void *arg, const char *name, int errnum),
		void *arg)
{
	ssize_t len = list(from, ways->names, sizeof(ways->names));

	if (len < 0 && errno != EOPNOTSUPP)
		return -errno;
	for (const char *name = ways->names; len > 0 && name < ways->names + len;
	     name += strlen(name) + 1) {
		ssize_t n;

		if (xattr_is_hosts(name))
			continue;
		n = get(from, name, ways->value, sizeof(ways->value));
		if (n >= 0 && set(to, name, ways->value, (size_t)n) == 0)
			continue;
		if (errno == ENOSPC || errno == EDQUOT || errno == EIO)
			return -errno;
		lost(arg, name, errno);
	}
	return 0;
}
