/* SPDX-License-Identifier: MIT */
#include "runner/vm/disk_lock.h"

#include <errno.h>
#include <fcntl.h>

#include "runner/base/cleanup.h"

#define USED_BASE 100
#define UNSHARED_BASE 200

/* QEMU's numbers of the ways, by what a guest's disk needs and does not share. */
static const struct {
	int way;
	bool used_by_reader, used_by_writer;
	bool shared;
} ways[] = {
	{ 0, true, true, true },   /* consistent read */
	{ 1, false, true, false }, /* write */
	{ 3, false, true, false }, /* resize */
};

static int lock_byte(int fd, int byte)
{
	struct flock l = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

	return fcntl(fd, F_OFD_SETLK, &l) < 0 ? -errno : 0;
}

/* Return: whether anybody else has it. */
static bool is_locked(int fd, int byte)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

	return fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK;
}

int disk_lock(int fd, bool read_only, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(ways); i++) {
		if (read_only ? ways[i].used_by_reader : ways[i].used_by_writer)
			r = lock_byte(fd, USED_BASE + ways[i].way);
		if (r == 0 && !ways[i].shared)
			r = lock_byte(fd, UNSHARED_BASE + ways[i].way);
	}
	/* As QEMU does, that has no locks there either. */
	if (r == -ENOLCK || r == -ENOSYS || r == -EOPNOTSUPP || r == -EINVAL)
		return 0;
	if (r < 0 && r != -EAGAIN && r != -EACCES)
		return err_errno(e, -r, "cannot be locked");
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		bool used = read_only ? ways[i].used_by_reader : ways[i].used_by_writer;

		if (r < 0 || (used && is_locked(fd, UNSHARED_BASE + ways[i].way)) ||
		    (!ways[i].shared && is_locked(fd, USED_BASE + ways[i].way)))
			return err_msg(e, EBUSY,
				       "is in use by another guest or program; wait for its end%s",
				       read_only ? "" :
						   ", or add :ro if that does not write to it");
	}
	return 0;
}
