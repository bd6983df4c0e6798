/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/archive/unpack_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "rootfs-tools/archive/acl.h"
#include "runner/base/cleanup.h"

/* As the image format has it. */
#define WHITEOUT ".wh."
#define WHITEOUT_LEN (sizeof(WHITEOUT) - 1)
#define WHITEOUT_ALL ".wh..wh..opq"

struct places *places_new(int root, bool layer)
{
	struct places *p = calloc(1, sizeof(*p));

	if (p) {
		p->root = root;
		p->layer = layer;
		p->fd = -1;
	}
	return p;
}

void places_free(struct places *p)
{
	if (!p)
		return;
	cleanup_close(&p->fd);
	inode_map_free(&p->made);
	free(p);
}

/* @ret: TREE_PATH_MAX bytes: the parts of @path with one "/" between two. */
static int take_apart(const char *path, char *ret, struct err *e)
{
	size_t len = 0;

	for (const char *at = path; *at;) {
		size_t n = strcspn(at, "/");

		if (n == 2 && at[0] == '.' && at[1] == '.')
			return err_msg(e, EXDEV,
				       "the archive has the name '%.300s', and \"..\" is allowed "
				       "nowhere; it was made to do harm",
				       path);
		if (n && !(n == 1 && at[0] == '.')) {
			if (len + 1 + n >= TREE_PATH_MAX)
				return err_msg(e, ENAMETOOLONG,
					       "the archive has a name of more than %d bytes: "
					       "'%.200s'...",
					       TREE_PATH_MAX, path);
			if (len)
				ret[len++] = '/';
			memcpy(ret + len, at, n);
			len += n;
		}
		at += n + (at[n] == '/');
	}
	ret[len] = '\0';
	return 0;
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool hands_down(int dir)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", dir);
	return (fstat(dir, &st) == 0 && st.st_mode & S_ISGID) ||
	       getxattr(path, ACL_DEFAULT_XATTR, NULL, 0) > 0;
}

static int remember(struct places *p, int dir, const char *name, struct err *e)
{
	struct stat st;
	int r;

	if (!p->layer)
		return 0;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(e, errno, "cannot stat '%.300s'", name);
	r = inode_map_add(&p->made, &st, NULL, NULL);
	return r < 0 ? err_errno(e, -r, "cannot remember what the layer has made") : 0;
}

int place_made(struct places *p, const struct place *at, struct err *e)
{
	return remember(p, at->dir, at->name, e);
}

/* @rest is changed and changed back. */
static int make_dirs(struct places *p, int start, char *rest, int *ret_fd, struct err *e)
{
	_cleanup_close_ int at = -1;

	for (char *name = rest, *slash;; name = slash + 1) {
		int dir = at < 0 ? start : at, next = -1, r;
		bool made;

		slash = strchr(name, '/');
		if (slash)
			*slash = '\0';
		made = mkdirat(dir, name, 0755) == 0;
		r = made || errno == EEXIST ? tree_open(dir, name, O_PATH | O_DIRECTORY, &next) :
					      -errno;
		if (r == 0 && made)
			r = remember(p, dir, name, e);
		if (slash)
			*slash = '/';
		cleanup_close(&at);
		at = next;
		if (r < 0)
			return r;
		if (!slash)
			break;
	}
	*ret_fd = steal_fd(&at);
	return 0;
}

/* The first @len bytes of .path, from the directory that was used last if it is above. */
static int open_parent(struct places *p, size_t len, int *ret_fd, struct err *e)
{
	bool below = p->fd >= 0 && p->fd_len && p->fd_len < len && p->path[p->fd_len] == '/' &&
		     !memcmp(p->path, p->fd_path, p->fd_len);
	int start = below ? p->fd : p->root;
	char *rest = p->path + (below ? p->fd_len + 1 : 0), kept = p->path[len];
	int r;

	p->path[len] = '\0';
	r = tree_open(start, rest, O_PATH | O_DIRECTORY, ret_fd);
	if (r == -ENOENT)
		r = make_dirs(p, start, rest, ret_fd, e);
	p->path[len] = kept;
	return r;
}

static int enter_parent(struct places *p, size_t len, struct err *e)
{
	int fd = -1, r;

	if (p->fd >= 0 && p->fd_len == len && !memcmp(p->path, p->fd_path, len))
		return 0;
	r = open_parent(p, len, &fd, e);
	if (r == -ELOOP || r == -ENOTDIR)
		return err_msg(e, -r,
			       "the archive has '/%.300s' below what is %s and no directory; it "
			       "was "
			       "made to do harm",
			       p->path, r == -ELOOP ? "a symlink" : "a file");
	if (r < 0)
		return err_errno(e, -r, "cannot open the directory of '/%.300s'", p->path);
	cleanup_close(&p->fd);
	p->fd = fd;
	p->fd_len = len;
	memcpy(p->fd_path, p->path, len);
	p->hands_down = p->layer && hands_down(fd);
	return 0;
}

int place_find(struct places *p, const char *path, struct place *ret, struct err *e)
{
	const char *name;
	int r = take_apart(path, p->path, e);

	if (r < 0)
		return r;
	name = last_part(p->path);
	if (*name) {
		r = enter_parent(p, name == p->path ? 0 : (size_t)(name - p->path) - 1, e);
		if (r < 0)
			return r;
	}
	*ret = (struct place){ .dir = *name ? p->fd : p->root, .path = p->path, .name = name };
	return 0;
}

int place_find_link(const struct places *p, const char *path, char *ret_path, const char **ret_name,
		    int *ret_dir, struct err *e)
{
	int r = take_apart(path, ret_path, e);
	char *name;

	if (r < 0)
		return r;
	name = ret_path + (last_part(ret_path) - ret_path);
	if (name > ret_path)
		name[-1] = '\0';
	r = tree_open(p->root, name > ret_path ? ret_path : "", O_PATH | O_DIRECTORY, ret_dir);
	if (name > ret_path)
		name[-1] = '/';
	if (r < 0 && r != -ENOENT)
		return err_errno(e, -r, "the archive has a link to '/%.300s', which cannot be",
				 ret_path);
	*ret_name = name;
	return r;
}

static int failed_to_remove(const struct place *at, int errnum, struct err *e)
{
	return err_errno(e, errnum, "cannot remove '/%.300s'", at->path);
}

int place_clear(struct places *p, const struct place *at, struct err *e)
{
	_cleanup_close_ int dir = -1;
	int r;

	if (unlinkat(at->dir, at->name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return failed_to_remove(at, errno, e);
	if (!p->layer)
		return err_msg(e, EEXIST,
			       "the archive has '/%.300s' as a directory, and then as something "
			       "else; it is damaged, or was made to do harm",
			       at->path);
	r = tree_open(at->dir, at->name, O_PATH | O_DIRECTORY, &dir);
	if (r < 0)
		return failed_to_remove(at, -r, e);
	r = tree_remove(dir, e);
	if (r == 0 && unlinkat(at->dir, at->name, AT_REMOVEDIR) < 0)
		r = failed_to_remove(at, errno, e);
	return r;
}

/* --- whiteouts --- */

static bool is_made(const struct places *p, int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && inode_map_has(&p->made, &st);
}

static void cleanup_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* Removes what is no directory; what is one is to be visited, before this one again. */
static int empty_of_lower(const struct places *p, int top, const struct tree_dir *at,
			  struct tree_stack *stack, struct err *e)
{
	_cleanup_(cleanup_dir) DIR *dir = NULL;
	struct dirent *entry;
	int r = tree_open_dir(top, at->path, &dir, e);

	while (r == 0 && (r = tree_read(dir, at->path, &entry, e)) > 0) {
		r = 0;
		if (tree_type(dirfd(dir), entry) == DT_DIR)
			r = tree_push(stack, at->path, entry->d_name, false, e);
		else if (!is_made(p, dirfd(dir), entry->d_name) &&
			 unlinkat(dirfd(dir), entry->d_name, 0) < 0)
			r = err_errno(e, errno, "cannot remove '%.300s'", entry->d_name);
	}
	return r;
}

/* A directory that is this layer's stays, and one that something of this layer is in. */
static int remove_lower_dir(const struct places *p, int top, const char *path, struct err *e)
{
	_cleanup_free_ char *copy = strdup(path);
	_cleanup_close_ int parent = -1;
	const char *name;
	char *slash;
	int r;

	if (!copy)
		return err_oom(e);
	slash = strrchr(copy, '/');
	if (slash)
		*slash = '\0';
	name = slash ? slash + 1 : copy;
	r = tree_open(top, slash ? copy : "", O_PATH | O_DIRECTORY, &parent);
	if (r == 0 && !is_made(p, parent, name) && unlinkat(parent, name, AT_REMOVEDIR) < 0 &&
	    errno != ENOTEMPTY)
		r = -errno;
	return r < 0 ? err_errno(e, -r, "cannot remove directory '%.300s'", path) : 0;
}

/* All of lower layers that is at @path below @top; "": below @top itself. */
static int remove_lower(const struct places *p, int top, const char *path, struct err *e)
{
	_cleanup_(tree_stack_free) struct tree_stack stack = { 0 };
	struct tree_dir at;
	int r = tree_push(&stack, path, "", false, e);

	while (r == 0 && tree_pop(&stack, &at)) {
		_cleanup_(tree_dir_free) struct tree_dir owned = at;

		if (owned.again) {
			r = remove_lower_dir(p, top, owned.path, e);
			continue;
		}
		if (*owned.path)
			r = tree_push(&stack, owned.path, "", true, e);
		if (r == 0)
			r = empty_of_lower(p, top, &owned, &stack, e);
	}
	return r;
}

int place_white_out(struct places *p, const struct place *at, struct err *e)
{
	const char *name = at->name + WHITEOUT_LEN;
	struct stat st;
	int r = 0;

	if (strncmp(at->name, WHITEOUT, WHITEOUT_LEN))
		return 0;
	if (!strcmp(at->name, WHITEOUT_ALL)) {
		r = remove_lower(p, at->dir, "", e);
		return r < 0 ? r : 1;
	}
	/* Notes that AUFS made for itself. */
	if (!strncmp(name, WHITEOUT, WHITEOUT_LEN))
		return 1;
	if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
		return err_msg(e, EINVAL, "the layer removes '/%.300s', which is no name",
			       at->path);
	if (fstatat(at->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 1 : failed_to_remove(at, errno, e);
	if (S_ISDIR(st.st_mode))
		r = remove_lower(p, at->dir, name, e);
	else if (!inode_map_has(&p->made, &st) && unlinkat(at->dir, name, 0) < 0)
		r = failed_to_remove(at, errno, e);
	return r < 0 ? r : 1;
}
