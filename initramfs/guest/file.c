/* SPDX-License-Identifier: MIT */
#include "initramfs/guest/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Reads to the end: the size is a hint at best, the host may be writing. */
static int read_all(int fd, char *buf, size_t size, size_t *ret_len)
{
	size_t len = 0;
	ssize_t n = 1;

	while (len < size && (n = read(fd, buf + len, size - len)) > 0)
		len += (size_t)n;
	if (n > 0)
		return -EFBIG;
	*ret_len = len;
	return n < 0 ? -errno : 0;
}

int file_read(const char *path, char *buf, size_t size, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (!S_ISREG(st.st_mode))
		r = -EINVAL;
	else if (st.st_size >= (off_t)size)
		r = -EFBIG;
	else
		r = read_all(fd, buf, size, ret_len);
	close(fd);
	return r;
}
