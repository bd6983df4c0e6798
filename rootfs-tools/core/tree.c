/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/core/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runner/base/cleanup.h"

#define UNMAPPED_ID 65534u /* what the kernel shows for an id outside the map */

void tree_dir_free(struct tree_dir *dir)
{
	free(dir->path);
	dir->path = NULL;
}

void tree_stack_free(struct tree_stack *stack)
{
	while (stack->n)
		tree_dir_free(&stack->dirs[--stack->n]);
	free(stack->dirs);
	*stack = (struct tree_stack){ 0 };
}

int tree_push(struct tree_stack *stack, const char *parent, const char *name, bool again,
	      struct err *e)
{
	size_t parent_len = strlen(parent), name_len = strlen(name);
	bool slash = parent_len && name_len;
	char *path;

	if (parent_len + slash + name_len >= TREE_PATH_MAX)
		return err_msg(e, ENAMETOOLONG,
			       "the tree is deeper than %d bytes of path; remove what begins "
			       "with '%.200s'",
			       TREE_PATH_MAX, parent);
	if (stack->n == stack->cap) {
		size_t cap = stack->cap ? stack->cap * 2 : 64;
		struct tree_dir *dirs = reallocarray(stack->dirs, cap, sizeof(*dirs));

		if (!dirs)
			return err_oom(e);
		stack->dirs = dirs;
		stack->cap = cap;
	}
	path = malloc(parent_len + name_len + 2);
	if (!path)
		return err_oom(e);
	memcpy(path, parent, parent_len);
	if (slash)
		path[parent_len++] = '/';
	memcpy(path + parent_len, name, name_len + 1);
	stack->dirs[stack->n++] = (struct tree_dir){ .path = path, .again = again };
	return 0;
}

bool tree_pop(struct tree_stack *stack, struct tree_dir *ret)
{
	if (!stack->n)
		return false;
	*ret = stack->dirs[--stack->n];
	return true;
}

static int open_part(int fd, const char *path, int flags, uint64_t resolve, int *ret_fd)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | resolve,
	};
	long ret = syscall(SYS_openat2, fd, path, &how, sizeof(how));

	if (ret < 0)
		return -errno;
	*ret_fd = (int)ret;
	return 0;
}

static int open_path(int root_fd, const char *path, int flags, uint64_t resolve, int *ret_fd)
{
	_cleanup_close_ int at = -1;

	/* As much of it at once as one call takes. */
	while (strlen(path) >= PATH_MAX) {
		char part[PATH_MAX];
		const char *end = memrchr(path, '/', sizeof(part) - 1);
		int fd = -1, r;

		if (!end)
			return -ENAMETOOLONG;
		memcpy(part, path, (size_t)(end - path));
		part[end - path] = '\0';
		r = open_part(at < 0 ? root_fd : at, part, O_PATH | O_DIRECTORY, resolve, &fd);
		if (r < 0)
			return r;
		cleanup_close(&at);
		at = fd;
		path = end + 1;
	}
	return open_part(at < 0 ? root_fd : at, *path ? path : ".", flags, resolve, ret_fd);
}

int tree_open(int root_fd, const char *path, int flags, int *ret_fd)
{
	return open_path(root_fd, path, flags, 0, ret_fd);
}

int tree_open_here(int root_fd, const char *path, int flags, int *ret_fd)
{
	return open_path(root_fd, path, flags, RESOLVE_NO_XDEV, ret_fd);
}

static int open_dir(int root_fd, const char *path, uint64_t resolve, DIR **ret, struct err *e)
{
	_cleanup_close_ int fd = -1;
	int r = open_path(root_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, resolve, &fd);
	DIR *dir;

	if (r == -EXDEV)
		return err_msg(e, EXDEV, "another file system is mounted on '/%.300s'", path);
	if (r < 0)
		return err_errno(e, -r, "cannot open directory '/%.300s'", path);
	dir = fdopendir(fd);
	if (!dir)
		return err_oom(e);
	steal_fd(&fd);
	*ret = dir;
	return 0;
}

int tree_open_dir(int root_fd, const char *path, DIR **ret, struct err *e)
{
	return open_dir(root_fd, path, 0, ret, e);
}

int tree_open_dir_here(int root_fd, const char *path, DIR **ret, struct err *e)
{
	return open_dir(root_fd, path, RESOLVE_NO_XDEV, ret, e);
}

int tree_read(DIR *dir, const char *path, struct dirent **ret, struct err *e)
{
	struct dirent *entry;

	do {
		errno = 0;
		entry = readdir(dir);
	} while (entry && (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")));
	if (!entry)
		return errno ? err_errno(e, errno, "cannot read directory '/%.300s'", path) : 0;
	*ret = entry;
	return 1;
}

int tree_type(int dir_fd, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type;
	if (fstatat(dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return DT_UNKNOWN;
	return IFTODT(st.st_mode);
}

/*
 * Nobody's id may be somebody's in the map. Which it is the kernel tells: where it is
 * not, a right over the file is missing before the mount's being read-only counts.
 */
bool tree_owner_fits(int dir_fd, const char *name, const struct stat *st)
{
	if (st->st_uid != UNMAPPED_ID && st->st_gid != UNMAPPED_ID)
		return true;
	return faccessat(dir_fd, name, W_OK, AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) ==
		       0 ||
	       errno != EACCES;
}

int tree_mount(int fd, uint64_t *ret)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) < 0)
		return -errno;
	*ret = stx.stx_mnt_id;
	return 0;
}

static void cleanup_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* Removes what is no directory; what is one is to be visited, before this one again. */
static int empty_one(int root_fd, const struct tree_dir *at, struct tree_stack *stack,
		     struct err *e)
{
	_cleanup_(cleanup_dir) DIR *dir = NULL;
	struct dirent *entry;
	int r = tree_open_dir_here(root_fd, at->path, &dir, e);

	while (r == 0 && (r = tree_read(dir, at->path, &entry, e)) > 0) {
		r = 0;
		if (tree_type(dirfd(dir), entry) == DT_DIR)
			r = tree_push(stack, at->path, entry->d_name, false, e);
		else if (unlinkat(dirfd(dir), entry->d_name, 0) < 0 && errno != ENOENT)
			r = err_errno(e, errno, "cannot remove '/%.300s%s%s'", at->path,
				      *at->path ? "/" : "", entry->d_name);
	}
	return r;
}

static int remove_dir(int root_fd, char *path, struct err *e)
{
	char *slash = strrchr(path, '/');
	_cleanup_close_ int parent = -1;
	int r;

	if (slash)
		*slash = '\0';
	r = tree_open(root_fd, slash ? path : "", O_PATH | O_DIRECTORY, &parent);
	if (r == 0 && unlinkat(parent, slash ? slash + 1 : path, AT_REMOVEDIR) < 0)
		r = -errno;
	return r < 0 ? err_errno(e, -r, "cannot remove directory '/%.300s'", path) : 0;
}

int tree_remove(int root_fd, struct err *e)
{
	_cleanup_(tree_stack_free) struct tree_stack stack = { 0 };
	struct tree_dir at;
	int r = tree_push(&stack, "", "", false, e);

	while (r == 0 && tree_pop(&stack, &at)) {
		_cleanup_(tree_dir_free) struct tree_dir owned = at;

		if (owned.again) {
			r = remove_dir(root_fd, owned.path, e);
			continue;
		}
		if (*owned.path)
			r = tree_push(&stack, owned.path, "", true, e);
		if (r == 0)
			r = empty_one(root_fd, &owned, &stack, e);
	}
	return r;
}
