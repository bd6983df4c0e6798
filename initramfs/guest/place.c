/* SPDX-License-Identifier: MIT */
/*
 * Mount points that the base lacks are made for the run and removed after it. By
 * then the command may have renamed what it owns, so each is noted together with
 * a descriptor of its parent, and only what is still empty goes.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "initramfs/guest/guest.h"

#define MADE_MAX 1024

/* Not every libc's <sys/mount.h> has these (linux/mount.h, linux/fcntl.h). */
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef OPEN_TREE_CLOEXEC
#define OPEN_TREE_CLOEXEC O_CLOEXEC
#endif
#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 0x00000004
#endif
#ifndef MOVE_MOUNT_T_SYMLINKS
#define MOVE_MOUNT_T_SYMLINKS 0x00000010
#endif

struct made {
	int parent; /* O_PATH */
	char *path; /* owned; absolute */
	bool dir;
};

static struct made made[MADE_MAX];
static unsigned int n_made;

static const char *last_name(const char *path)
{
	return strrchr(path, '/') + 1;
}

/* Notes what was just made at @path, or removes it. */
static int note(const char *path, bool dir)
{
	struct made m = { .parent = -1, .path = strdup(path), .dir = dir };
	char parent[PATH_MAX];
	size_t len = (size_t)(last_name(path) - path);
	int r = -ENOMEM;

	if (m.path && n_made < MADE_MAX) {
		memcpy(parent, path, len);
		parent[len] = '\0';
		m.parent = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
		r = -errno;
	}
	if (m.parent >= 0) {
		made[n_made++] = m;
		return 0;
	}
	if (dir)
		rmdir(path);
	else
		unlink(path);
	free(m.path);
	return r;
}

int place_dir(const char *path)
{
	char part[PATH_MAX];
	struct stat st;
	size_t len = 0;
	int r;

	if (path[0] != '/' || strlen(path) >= sizeof(part))
		return -ENAMETOOLONG;
	while (path[len]) {
		len += strspn(path + len, "/");
		len += strcspn(path + len, "/");
		memcpy(part, path, len);
		part[len] = '\0';
		if (part[len - 1] == '/')
			continue;
		if (mkdir(part, 0755) == 0) {
			r = note(part, true);
			if (r < 0)
				return r;
		} else if (errno != EEXIST) {
			return -errno;
		}
	}
	if (stat(path, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int place_file(const char *path)
{
	char parent[PATH_MAX];
	struct stat st;
	size_t len;
	int fd, r;

	if (path[0] != '/' || strlen(path) >= sizeof(parent))
		return -ENAMETOOLONG;
	len = (size_t)(last_name(path) - path);
	memcpy(parent, path, len);
	parent[len] = '\0';
	r = place_dir(parent);
	if (r < 0)
		return r;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd >= 0) {
		close(fd);
		return note(path, false);
	}
	if (errno != EEXIST && errno != EROFS)
		return -errno;
	if (stat(path, &st) < 0)
		return errno == ENOENT && lstat(path, &st) < 0 ? -EROFS : -errno;
	return S_ISDIR(st.st_mode) ? -EISDIR : 0;
}

int place_move(int fd, const char *dst)
{
	return syscall(SYS_move_mount, fd, "", AT_FDCWD, dst,
		       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS) < 0 ?
		       -errno :
		       0;
}

int place_tree(int dfd, const char *src)
{
	int fd = (int)syscall(SYS_open_tree, dfd, src,
			      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

int place_bind(int dfd, const char *src, const char *dst)
{
	int fd = place_tree(dfd, src);
	int r;

	if (fd < 0)
		return fd;
	r = place_move(fd, dst);
	close(fd);
	return r;
}

static void unmake(const struct made *m)
{
	const char *name = last_name(m->path);
	struct stat st;

	umount2(m->path, MNT_DETACH | UMOUNT_NOFOLLOW);
	if (m->dir)
		unlinkat(m->parent, name, AT_REMOVEDIR);
	else if (fstatat(m->parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
		 st.st_size == 0)
		unlinkat(m->parent, name, 0);
	close(m->parent);
	free(m->path);
}

void place_undo(void)
{
	while (n_made)
		unmake(&made[--n_made]);
}
