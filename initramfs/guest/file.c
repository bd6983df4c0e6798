/* SPDX-License-Identifier: MIT */
#include "initramfs/guest/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL_FILE 4096
#define SMALL_PIECE 1024

/*
 * As much as there was when it was opened: to look for its end is one more request.
 * In small pieces, while it is small: a 9p client pins the pages of what it reads in
 * one go of more than 1 KiB, which is more to run than a few requests.
 */
static int read_all(int fd, char *buf, size_t size, size_t *ret_len)
{
	size_t len = 0;

	while (len < size) {
		size_t piece = len < SMALL_FILE ? SMALL_PIECE : size;
		ssize_t n = read(fd, buf + len, piece < size - len ? piece : size - len);

		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret_len = len;
	return 0;
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
		r = read_all(fd, buf, (size_t)st.st_size, ret_len);
	close(fd);
	return r;
}
