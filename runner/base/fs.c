/* SPDX-License-Identifier: MIT */
#include "runner/base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/base/strbuf.h"

int fs_open_in_root(int root_fd, const char *path, int flags, int *ret_fd)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	/* A rename racing with ".." makes openat2 give up with EAGAIN. */
	for (int tries = 0; tries < 16; tries++) {
		fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
		if (fd >= 0) {
			*ret_fd = (int)fd;
			return 0;
		}
		if (errno != EAGAIN && errno != EINTR)
			break;
	}
	return -errno;
}

/* Opens again, for reading, what an O_PATH descriptor stands for. */
static int reopen(int fd)
{
	char link[64];
	int ret;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ret = open(link, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return ret < 0 ? -errno : ret;
}

/* The checks come before the file is opened: to open a FIFO or a device acts on it. */
static int open_checked(int pathfd, uint64_t max_size, int *ret_fd, struct stat *ret_st)
{
	struct stat st;
	int fd;

	if (fstat(pathfd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if ((uint64_t)st.st_size > max_size)
		return -EFBIG;
	fd = reopen(pathfd);
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	if (ret_st)
		*ret_st = st;
	return 0;
}

int fs_open_regular(int root_fd, const char *path, uint64_t max_size, int *ret_fd,
		    struct stat *ret_st)
{
	_cleanup_close_ int pathfd = -1;
	int r = fs_open_in_root(root_fd, path, O_PATH, &pathfd);

	return r < 0 ? r : open_checked(pathfd, max_size, ret_fd, ret_st);
}

int fs_open_host_file(const char *path, uint64_t max_size, int *ret_fd)
{
	_cleanup_close_ int pathfd = open(path, O_PATH | O_CLOEXEC);

	return pathfd < 0 ? -errno : open_checked(pathfd, max_size, ret_fd, NULL);
}

int fs_read_fd(int fd, uint64_t max_size, char **ret_data, size_t *ret_len)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };
	char chunk[65536];

	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		if (b.len + (size_t)n > max_size)
			return -EFBIG;
		strbuf_add(&b, chunk, (size_t)n);
	}
	*ret_len = b.len;
	*ret_data = strbuf_steal(&b);
	return *ret_data ? 0 : -ENOMEM;
}

int fs_read_regular(int root_fd, const char *path, uint64_t max_size, char **ret_data,
		    size_t *ret_len)
{
	_cleanup_close_ int fd = -1;
	int r = fs_open_regular(root_fd, path, max_size, &fd, NULL);

	if (r < 0)
		return r;
	return fs_read_fd(fd, max_size, ret_data, ret_len);
}

int fs_read_host(const char *path, uint64_t max_size, char **ret_data, size_t *ret_len)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return -errno;
	return fs_read_fd(fd, max_size, ret_data, ret_len);
}

int fs_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

ssize_t fs_pread_all(int fd, void *buf, size_t len, uint64_t offset)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (char *)buf + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

bool fs_is_sealed(int fd, uint64_t max, uint64_t *ret_size)
{
	const int wanted = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	/* Of a file of any other kind it is -1, which has all bits set. */
	if (seals < 0 || (seals & wanted) != wanted || fstat(fd, &st) < 0 || st.st_size < 0 ||
	    (uint64_t)st.st_size > max)
		return false;
	*ret_size = (uint64_t)st.st_size;
	return true;
}

int fs_pwrite_all(int fd, const void *data, size_t len, uint64_t offset)
{
	const char *p = data;

	while (len) {
		ssize_t n = pwrite(fd, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int fs_write_host(const char *path, const void *data, size_t len)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, data, len);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

int fs_mkdir_p(const char *path, mode_t mode, struct err *e)
{
	char buf[PATH_MAX];
	size_t len = strlen(path);
	struct stat st;

	if (len == 0 || len >= sizeof(buf))
		return err_msg(e, ENAMETOOLONG, "cannot make directory %s: name too long", path);
	memcpy(buf, path, len + 1);
	for (char *p = buf + 1;; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdir(buf, mode) < 0 && errno != EEXIST)
			return err_errno(e, errno, "cannot make directory %s", buf);
		*p = c;
		if (c == '\0')
			break;
	}
	/* EEXIST is also said of what is no directory. */
	if (stat(buf, &st) < 0)
		return err_errno(e, errno, "cannot make directory %s", buf);
	if (!S_ISDIR(st.st_mode))
		return err_errno(e, ENOTDIR, "cannot make directory %s", buf);
	return 0;
}

static uint64_t nanoseconds(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_nsec;
}

void fs_file_id(const struct stat *st, struct file_id *ret)
{
	*ret = (struct file_id){
		.dev = st->st_dev,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime_ns = nanoseconds(&st->st_mtim),
		.ctime_ns = nanoseconds(&st->st_ctim),
	};
}

int fs_fd_path(int fd, char **ret_path)
{
	char link[64], buf[PATH_MAX + 1];
	struct stat by_fd, by_path;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, buf, sizeof(buf) - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	/* " (deleted)" is appended to a lost name, and could also be part of one. */
	if (buf[0] != '/' || fstat(fd, &by_fd) < 0 || stat(buf, &by_path) < 0 ||
	    by_fd.st_dev != by_path.st_dev || by_fd.st_ino != by_path.st_ino)
		return -ENOENT;
	*ret_path = strdup(buf);
	return *ret_path ? 0 : -ENOMEM;
}
