/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/core/partial_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runner/base/cleanup.h"

static int check_free(const struct partial *p, bool replace, const char *dst, struct err *e)
{
	struct stat st;

	if (fstatat(p->parent, p->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (!replace)
		return err_msg(e, EEXIST, "'%s' exists; --force replaces it", dst);
	if (!S_ISREG(st.st_mode))
		return err_msg(e, EEXIST, "'%s' is no regular file; choose another name", dst);
	return 0;
}

/* Return: 1 if what is open and locked has the name, 0 if somebody took it away, or -errno. */
static int lock(const struct partial *p, int fd, struct err *e)
{
	struct stat is, named;

	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return err_errno(e, errno, "cannot lock '%s'", p->temp);
		return err_msg(e, EBUSY, "'%s' is being made just now; wait for that to end",
			       p->name);
	}
	if (fstat(fd, &is) < 0)
		return err_errno(e, errno, "cannot stat '%s'", p->temp);
	return fstatat(p->parent, p->temp, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       named.st_dev == is.st_dev && named.st_ino == is.st_ino;
}

/* What has the name and is locked by nobody was left behind. */
static int remove_left(const struct partial *p, struct err *e)
{
	_cleanup_close_ int fd = openat(p->parent, p->temp,
					O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_errno(e, errno, "cannot open '%s'", p->temp);
	r = lock(p, fd, e);
	if (r == 1 && unlinkat(p->parent, p->temp, 0) < 0 && errno != ENOENT)
		r = err_errno(e, errno, "cannot remove '%s'", p->temp);
	return r < 0 ? r : 0;
}

/* Return: 1 if it is made and locked, 0 to try again, or -errno. */
static int make(struct partial *p, struct err *e)
{
	_cleanup_close_ int fd = openat(p->parent, p->temp,
					O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0 && errno == EEXIST)
		return remove_left(p, e);
	if (fd < 0)
		return err_errno(e, errno, "cannot make '%s'", p->temp);
	r = lock(p, fd, e);
	if (r == 1)
		p->fd = steal_fd(&fd);
	return r;
}

int partial_file_begin(const char *dst, bool replace, struct partial_file *ret, struct err *e)
{
	struct partial_file p = { .at = PARTIAL_INIT, .replace = replace };
	int r = partial_find_place(dst, &p.at, e);

	if (r < 0)
		return r;
	r = check_free(&p.at, replace, dst, e);
	for (int tries = 0; r == 0 && tries < PARTIAL_BEGIN_TRIES; tries++)
		r = make(&p.at, e);
	if (r == 0)
		r = err_msg(e, EBUSY, "'%s' is being made just now; wait for that to end",
			    p.at.name);
	if (r < 0) {
		partial_close(&p.at);
		return r;
	}
	*ret = p;
	return 0;
}

static int set_mode(int fd)
{
	mode_t mask = umask(0);

	umask(mask);
	return fchmod(fd, 0666 & ~mask);
}

int partial_file_finish(struct partial_file *p, struct err *e)
{
	int r;

	if (set_mode(p->at.fd) < 0)
		return err_errno(e, errno, "cannot set the mode of '%s'", p->at.temp);
	if (!p->replace) {
		r = partial_rename(&p->at);
	} else {
		/* What is replaced must not be lost before this is on the disk. */
		r = fsync(p->at.fd) < 0 || renameat(p->at.parent, p->at.temp, p->at.parent,
						    p->at.name) < 0 ?
			    -errno :
			    0;
	}
	if (r == -EEXIST)
		return err_msg(e, EEXIST,
			       "somebody else has made '%s' meanwhile; choose another "
			       "name, or use --force",
			       p->at.name);
	if (r < 0)
		return err_errno(e, -r, "cannot rename '%s'", p->at.temp);
	partial_close(&p->at);
	return 0;
}

void partial_file_remove(struct partial_file *p)
{
	if (p->at.fd >= 0)
		unlinkat(p->at.parent, p->at.temp, 0);
	partial_close(&p->at);
}
