/* SPDX-License-Identifier: MIT */
#include "runner/vm/kcache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/base/err.h"
#include "runner/base/fs.h"

static void entry_path(const char *cache_dir, const uint8_t digest[32], char *buf, size_t size)
{
	char hex[65];

	for (int i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	snprintf(buf, size, "%s/kernels/%s.vmlinux", cache_dir, hex);
}

int kcache_open(const char *cache_dir, const uint8_t digest[32], int *ret_fd)
{
	char path[512];
	int fd;

	if (!*cache_dir)
		return -ENOENT;
	entry_path(cache_dir, digest, path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

int kcache_begin(const char *cache_dir, int *ret_fd)
{
	struct err ignored;
	char dir[512];
	int fd = -1;

	snprintf(dir, sizeof(dir), "%s/kernels", cache_dir);
	if (*cache_dir && fs_mkdir_p(dir, 0700, &ignored) == 0)
		fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		fd = memfd_create("vmlinux", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

int kcache_publish(const char *cache_dir, const uint8_t digest[32], int fd, int *ret_fd)
{
	char link[64], path[512];
	int ro;

	/* QEMU opens it as an id that need not be the owner's; it holds no secret. */
	if (fchmod(fd, 0444) < 0)
		return -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ro = open(link, O_RDONLY | O_CLOEXEC);
	if (ro < 0)
		return -errno;
	entry_path(cache_dir, digest, path, sizeof(path));
	/* Another run may have been faster; a memfd cannot be linked: both are well. */
	if (*cache_dir && fdatasync(fd) == 0)
		(void)!linkat(AT_FDCWD, link, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
	*ret_fd = ro;
	return 0;
}
