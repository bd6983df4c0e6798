/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/shift/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "rootfs-tools/core/tree.h"
#include "runner/base/cleanup.h"
#include "runner/host/base_dir.h"

#define WANTED (STATX_BASIC_STATS | STATX_MNT_ID)

struct state {
	const struct walk *walk;
	int (*visit)(void *arg, const struct walk_name *name, struct err *e);
	struct tree_stack stack;
	struct statx root;
};

int walk_failed(const struct walk_name *name, const char *what, int errnum, struct err *e)
{
	return err_errno(e, errnum, "cannot %s '%s%.300s/%s'", what, *name->path ? "/" : "",
			 name->path, name->name);
}

static bool same_file_system(const struct statx *a, const struct statx *b)
{
	return a->stx_dev_major == b->stx_dev_major && a->stx_dev_minor == b->stx_dev_minor &&
	       a->stx_mnt_id == b->stx_mnt_id;
}

static int visit_fd(struct state *s, struct walk_name *name, struct err *e)
{
	if (statx(name->fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, WANTED, &name->st) < 0)
		return walk_failed(name, "stat", errno, e);
	if (!*name->name && !*name->path)
		s->root = name->st;
	if (!same_file_system(&name->st, &s->root))
		return err_msg(e, EXDEV,
			       "'%s%.300s/%s' is another file system or a subvolume; unmount it, "
			       "or move it elsewhere meanwhile",
			       *name->path ? "/" : "", name->path, name->name);
	return s->visit(s->walk->arg, name, e);
}

static int visit_name(struct state *s, int dir, const char *path, const char *name, struct err *e)
{
	_cleanup_close_ int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct walk_name at = { .fd = fd, .path = path, .name = name };
	int r;

	if (fd < 0)
		return walk_failed(&at, "open", errno, e);
	r = visit_fd(s, &at, e);
	if (r == 0 && S_ISDIR(at.st.stx_mode))
		r = tree_push(&s->stack, path, name, false, e);
	return r;
}

static int visit_dir(struct state *s, const char *path, struct err *e)
{
	_cleanup_close_ int fd = -1;
	struct dirent *de;
	DIR *dir;
	int r = tree_open(s->walk->tree, path, O_PATH | O_DIRECTORY, &fd);

	if (r < 0)
		return err_errno(e, -r, "cannot open directory '/%.300s'", path);
	r = tree_open_dir(s->walk->read_only, path, &dir, e);
	if (r < 0)
		return r;
	while ((r = tree_read(dir, path, &de, e)) > 0) {
		if (!*path && !strcmp(de->d_name, BASE_DIR_HALF_WAY))
			continue;
		r = visit_name(s, fd, path, de->d_name, e);
		if (r < 0)
			break;
	}
	closedir(dir);
	return r;
}

int walk_tree(const struct walk *walk,
	      int (*visit)(void *arg, const struct walk_name *name, struct err *e), struct err *e)
{
	struct state s = { .walk = walk, .visit = visit };
	struct walk_name root = { .fd = walk->tree, .path = "", .name = "" };
	struct tree_dir at;
	int r = visit_fd(&s, &root, e);

	if (r == 0)
		r = tree_push(&s.stack, "", "", false, e);
	while (r == 0 && tree_pop(&s.stack, &at)) {
		r = visit_dir(&s, at.path, e);
		tree_dir_free(&at);
	}
	tree_stack_free(&s.stack);
	return r;
}
