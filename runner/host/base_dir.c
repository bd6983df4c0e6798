/* SPDX-License-Identifier: MIT */
#include "runner/host/base_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/base/fs.h"

static void note_owner(struct base_owners *owners, const char *path, const struct stat *st)
{
	struct base_owner *o = &owners->o[owners->n++];

	snprintf(o->path, sizeof(o->path), "%s", path);
	o->uid = st->st_uid;
	o->gid = st->st_gid;
}

static void collect_owners(int root_fd, const struct stat *root, struct base_owners *owners)
{
	/* Owned by the guest's root in every distribution that was looked at. */
	static const char *const telling[] = { "/etc", "/usr", "/root", "/etc/passwd" };

	note_owner(owners, "/", root);
	for (size_t i = 0; i < ARRAY_SIZE(telling); i++) {
		_cleanup_close_ int fd = -1;
		struct stat st;

		if (fs_open_in_root(root_fd, telling[i], O_PATH | O_NOFOLLOW, &fd) < 0 ||
		    fstat(fd, &st) < 0)
			continue;
		note_owner(owners, telling[i], &st);
	}
}

int base_dir_open(const char *path, struct base_dir *ret, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct base_dir base = { .fd = -1 };
	struct stat st;
	int r;

	if (fd < 0 && errno == ENOENT)
		return err_msg(e, ENOENT,
			       "base '%s' does not exist; name a directory that holds a root file "
			       "system",
			       path);
	if (fd < 0 && errno == ENOTDIR)
		return err_msg(e, ENOTDIR,
			       "base '%s' is not a directory; unpack an archive or image first",
			       path);
	if (fd < 0)
		return err_errno(e, errno, "cannot open base '%s'", path);
	if (fstat(fd, &st) < 0)
		return err_errno(e, errno, "cannot stat base '%s'", path);
	r = fs_fd_path(fd, &base.path);
	if (r < 0)
		return err_errno(e, -r, "cannot find the path of base '%s'", path);
	if (!strcmp(base.path, "/")) {
		free(base.path);
		return err_msg(e, EINVAL,
			       "the host's own / cannot be a base; make a copy, or bootstrap one");
	}
	collect_owners(fd, &st, &base.owners);
	base.fd = steal_fd(&fd);
	*ret = base;
	return 0;
}

void base_dir_close(struct base_dir *base)
{
	cleanup_close(&base->fd);
	free(base->path);
	*base = (struct base_dir){ .fd = -1 };
}

int base_dir_check_whole(int root_fd, const char *path, struct err *e)
{
	struct stat st;

	if (fstatat(root_fd, BASE_DIR_HALF_WAY, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return err_msg(e, EUCLEAN,
		       "base '%s' is half way from one id map to another; finish that by the "
		       "vmrun rootfs idshift that was interrupted",
		       path);
}

int base_dir_check(int root_fd, const char *path, struct err *e)
{
	static const char *const places[] = { "/bin", "/sbin", "/usr/bin" };
	int last = base_dir_check_whole(root_fd, path, e);

	if (last < 0)
		return last;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		_cleanup_close_ int fd = -1;

		last = fs_open_in_root(root_fd, places[i], O_PATH | O_DIRECTORY, &fd);
		if (last == 0)
			return 0;
		if (last != -ENOENT && last != -ENOTDIR)
			break;
	}
	if (last == -ENOENT || last == -ENOTDIR)
		return err_msg(e, EINVAL,
			       "'%s' is no root directory: it has no /bin, /sbin or /usr/bin; "
			       "name the directory that a distribution was installed into",
			       path);
	return err_errno(e, -last, "cannot look into base '%s'", path);
}
