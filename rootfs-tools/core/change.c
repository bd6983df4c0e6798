/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/core/change.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "rootfs-tools/core/tree_copy_data.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"

int change_open_dir(int root, const char *path)
{
	int fd;

	return fs_open_in_root(root, path, O_PATH | O_DIRECTORY, &fd) < 0 ? -1 : fd;
}

bool change_exists(int dir, const char *name, struct stat *ret)
{
	return fstatat(dir, name, ret, AT_SYMLINK_NOFOLLOW) == 0;
}

int change_remove(int dir, const char *where, const char *name, struct err *e)
{
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return err_errno(e, errno, "cannot remove %s/%s of the root directory", where, name);
	return 0;
}

int change_temp_name(char ret[CHANGE_TEMP_SIZE])
{
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -errno;
	snprintf(ret, CHANGE_TEMP_SIZE, ".vmrun-new-%016" PRIx64, random);
	return 0;
}

/* What goes into a new file. */
struct content {
	const void *data;
	size_t len;
	int in;	 /* instead, up to its end; -1 */
	int old; /* whose extended attributes it gets; -1 */
};

/* Up to its end; what is a hole is left one. /proc's files have no sizes, and no holes. */
static int copy_all(int in, int out)
{
	char buffer[65536];
	struct stat st;
	off_t at = 0;
	ssize_t n;
	int r = 0;

	while (r == 0) {
		off_t data = lseek(in, at, SEEK_DATA);

		if (data < 0 && errno == ENXIO && fstat(in, &st) == 0 && st.st_size > at)
			return ftruncate(out, st.st_size) < 0 ? -errno : 0;
		at = data > at ? data : at;
		n = pread(in, buffer, sizeof(buffer), at);
		if (n <= 0)
			return n < 0 ? -errno : 0;
		r = lseek(out, at, SEEK_SET) < 0 ? -errno : fs_write_all(out, buffer, (size_t)n);
		at += n;
	}
	return r;
}

/* What only real root may set is not ours to keep. */
static void lose_xattr(void *arg, const char *name, int errnum)
{
	(void)arg;
	(void)name;
	(void)errnum;
}

static int keep_xattrs(int old, int fd)
{
	_cleanup_free_ struct copy_ways *ways = calloc(1, sizeof(*ways));
	const struct xattr_file from = { .fd = old }, to = { .fd = fd };

	return ways ? copy_xattrs(ways, &from, &to, lose_xattr, NULL) : -ENOMEM;
}

static int fill(int fd, const struct change_attrs *attrs, const struct content *c)
{
	int r = c->in >= 0 ? copy_all(c->in, fd) : fs_write_all(fd, c->data, c->len);

	/* The owner first: a change of it clears bits of the mode. */
	if (r == 0 && fchown(fd, attrs->uid, attrs->gid) < 0)
		r = -errno;
	if (r == 0 && c->old >= 0)
		r = keep_xattrs(c->old, fd);
	if (r == 0 && fchmod(fd, attrs->mode) < 0)
		r = -errno;
	return r;
}

static int put(int dir, const char *temp, const char *name)
{
	int r;

	if (renameat(dir, temp, dir, name) == 0)
		return 0;
	r = -errno;
	unlinkat(dir, temp, 0);
	return r;
}

/* By /proc: of the file itself only real root may do it. */
static int give_name(int fd, int dir, const char *temp)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, path, dir, temp, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

/*
 * The new file has no name before it is whole, so that a kill leaves nothing of it. Where
 * the file system knows no such files, it has the name from the start.
 */
static int fill_new(int dir, const char *temp, const struct change_attrs *attrs,
		    const struct content *c)
{
	_cleanup_close_ int fd = openat(dir, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
	bool named = fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT);
	int r;

	if (named)
		fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = fill(fd, attrs, c);
	if (r == 0 && !named)
		r = give_name(fd, dir, temp);
	if (r < 0 && named)
		unlinkat(dir, temp, 0);
	return r;
}

static int replace(int dir, const char *where, const char *name, const struct change_attrs *attrs,
		   const struct content *c, struct err *e)
{
	char temp[CHANGE_TEMP_SIZE];
	int r = change_temp_name(temp);

	if (r == 0)
		r = fill_new(dir, temp, attrs, c);
	if (r == 0)
		r = put(dir, temp, name);
	return r < 0 ? err_errno(e, -r, "cannot write %s/%s of the root directory", where, name) : 0;
}

int change_replace(int dir, const char *where, const char *name, const struct change_attrs *attrs,
		   const void *data, size_t len, struct err *e)
{
	const struct content c = { .data = data, .len = len, .in = -1, .old = -1 };

	return replace(dir, where, name, attrs, &c, e);
}

int change_replace_from(int dir, const char *where, const char *name,
			const struct change_attrs *attrs, int in, struct err *e)
{
	const struct content c = { .in = in, .old = -1 };

	return replace(dir, where, name, attrs, &c, e);
}

int change_rewrite(int dir, const char *where, const char *name,
		   const struct change_attrs *otherwise, const void *data, size_t len,
		   struct err *e)
{
	_cleanup_close_ int old =
		openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct content c = { .data = data, .len = len, .in = -1, .old = -1 };
	struct change_attrs attrs = *otherwise;
	struct stat st;

	if (old >= 0 && fstat(old, &st) == 0 && S_ISREG(st.st_mode)) {
		attrs = (struct change_attrs){ st.st_mode & 0777, st.st_uid, st.st_gid };
		c.old = old;
	}
	return replace(dir, where, name, &attrs, &c, e);
}

int change_symlink(int dir, const char *where, const char *name, const char *target, struct err *e)
{
	char temp[CHANGE_TEMP_SIZE];
	int r = change_temp_name(temp);

	if (r == 0 && symlinkat(target, dir, temp) < 0)
		r = -errno;
	if (r == 0)
		r = put(dir, temp, name);
	return r < 0 ? err_errno(e, -r, "cannot link %s/%s of the root directory to %s", where, name, target) : 0;
}

struct change_attrs change_attrs_of(int dir, const char *name, struct change_attrs otherwise)
{
	struct stat st;

	if (!change_exists(dir, name, &st) || !S_ISREG(st.st_mode))
		return otherwise;
	return (struct change_attrs){ st.st_mode & 07777, st.st_uid, st.st_gid };
}
