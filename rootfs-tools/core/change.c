/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/core/change.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/base/fs.h"

#define TEMP_SIZE 40

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

/* One that the tree cannot have prepared for. */
static int temp_name(char ret[TEMP_SIZE])
{
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -errno;
	snprintf(ret, TEMP_SIZE, ".vmrun-new-%016" PRIx64, random);
	return 0;
}

static int fill(int fd, const struct change_attrs *attrs, const void *data, size_t len)
{
	int r = fs_write_all(fd, data, len);

	/* The owner first: a change of it clears bits of the mode. */
	if (r == 0 && (fchown(fd, attrs->uid, attrs->gid) < 0 || fchmod(fd, attrs->mode) < 0))
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

int change_replace(int dir, const char *where, const char *name, const struct change_attrs *attrs,
		   const void *data, size_t len, struct err *e)
{
	_cleanup_close_ int fd = -1;
	char temp[TEMP_SIZE];
	int r = temp_name(temp);

	if (r == 0) {
		fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		r = fd < 0 ? -errno : fill(fd, attrs, data, len);
		if (fd >= 0 && r < 0)
			unlinkat(dir, temp, 0);
	}
	if (r == 0)
		r = put(dir, temp, name);
	return r < 0 ? err_errno(e, -r, "cannot write %s/%s of the root directory", where, name) : 0;
}

int change_symlink(int dir, const char *where, const char *name, const char *target, struct err *e)
{
	char temp[TEMP_SIZE];
	int r = temp_name(temp);

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
