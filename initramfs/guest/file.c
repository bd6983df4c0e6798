/* SPDX-License-Identifier: MIT */
#include "initramfs/guest/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Reads to the end: the size is a hint at best, the host may be writing. */
static int read_all(int fd, size_t max, char *data, size_t *ret_len)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, data + len, max + 1 - len)) > 0) {
		len += (size_t)n;
		if (len > max)
			return -EFBIG;
	}
	*ret_len = len;
	return n < 0 ? -errno : 0;
}

int file_read(const char *path, size_t max, char **ret_data, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	char *data = NULL;
	struct stat st;
	size_t len = 0;
	int r = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (!S_ISREG(st.st_mode))
		r = -EINVAL;
	else if (st.st_size > (off_t)max)
		r = -EFBIG;
	else if (!(data = malloc(max + 1)))
		r = -ENOMEM;
	if (r == 0)
		r = read_all(fd, max, data, &len);
	close(fd);
	if (r < 0) {
		free(data);
		return r;
	}
	*ret_data = data;
	*ret_len = len;
	return 0;
}
