/* SPDX-License-Identifier: MIT */
#include "runner/vm/kcache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runner/base/err.h"
#include "runner/base/fs.h"

int kcache_open(const char *cache_dir, int *ret_fd)
{
	struct err ignored;
	char dir[512];
	int fd, r;

	if (!*cache_dir)
		return -ENOENT;
	snprintf(dir, sizeof(dir), "%s/kernels", cache_dir);
	r = fs_mkdir_p(dir, 0700, &ignored);
	if (r < 0)
		return r;
	/* For real root's jail, which has no id that owns it; its parent keeps others out. */
	(void)!chmod(dir, 0711);
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

void kcache_name(const uint8_t digest[32], char ret[KCACHE_NAME_SIZE])
{
	for (int i = 0; i < 32; i++)
		snprintf(ret + 2 * i, 3, "%02x", digest[i]);
	snprintf(ret + 64, KCACHE_NAME_SIZE - 64, ".vmlinux");
}

bool kcache_has(int kernels_fd, const uint8_t digest[32])
{
	char name[KCACHE_NAME_SIZE];
	struct stat st;

	kcache_name(digest, name);
	return fstatat(kernels_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

int kcache_begin(int kernels_fd, int *ret_fd)
{
	int fd = openat(kernels_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

int kcache_publish(int kernels_fd, const uint8_t digest[32], int fd)
{
	char link[64], name[KCACHE_NAME_SIZE];

	/* QEMU reads it as an id that need not be the owner's; it holds no secret. */
	if (fchmod(fd, 0444) < 0 || fdatasync(fd) < 0)
		return -errno;
	kcache_name(digest, name);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, link, kernels_fd, name, AT_SYMLINK_FOLLOW) < 0 && errno != EEXIST)
		return -errno;
	return 0;
}
