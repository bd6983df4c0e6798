/* SPDX-License-Identifier: MIT */
#include "runner/vm/kcache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runner/vm/cache_dir.h"

int kcache_open(const char *cache_dir, int *ret_fd)
{
	return cache_dir_open(cache_dir, "kernels", O_PATH, ret_fd);
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
