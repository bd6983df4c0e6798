/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/shift/apply.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

struct apply {
	struct plan *plan;
	struct losses *losses;
	uint64_t *moved;
};

static void lose(struct apply *a, const struct walk_name *name, const char *what)
{
	losses_add(a->losses, 0, "'%s%.300s/%s': %s", *name->path ? "/" : "", name->path,
		   name->name, what);
}

/* Return: 1 if that can be done, 0 if the file must stay as it is, or -errno. */
static int set_owner(struct apply *a, const struct walk_name *name, const struct plan_file *file,
		     struct err *e)
{
	const struct statx *st = &name->st;

	if (st->stx_uid == file->uid && st->stx_gid == file->gid)
		return 1;
	if (fchownat(name->fd, "", file->uid, file->gid, AT_EMPTY_PATH) == 0)
		return 1;
	/* What is shown so need not be the map's own nobody: only now it is seen. */
	if (errno == EPERM && (st->stx_uid == SHIFT_NOBODY || st->stx_gid == SHIFT_NOBODY)) {
		lose(a, name, "left as it is: its owner is outside the id map");
		--*a->moved;
		return 0;
	}
	return walk_failed(name, "change the owner of", errno, e);
}

static int set_attributes(const struct walk_name *name, const struct plan_file *file,
			  const char *path, bool capability, struct err *e)
{
	struct plan_value v;
	const void *value;
	uint32_t at = 0;
	int r;

	while (plan_next_value(file, &at, &v, &value)) {
		if ((v.attribute == PLAN_CAPABILITY) != capability)
			continue;
		if (v.len)
			r = setxattr(path, plan_attribute_name(v.attribute), value, v.len, 0);
		else
			r = removexattr(path, plan_attribute_name(v.attribute));
		if (r < 0 && (v.len || errno != ENODATA))
			return walk_failed(name, "set an extended attribute of", errno, e);
	}
	return 0;
}

/* A change of owner, or of an ACL, clears bits. */
static int set_mode(const struct walk_name *name, const struct plan_file *file, const char *path,
		    struct err *e)
{
	struct statx st;

	if (statx(name->fd, "", AT_EMPTY_PATH, STATX_MODE, &st) < 0)
		return walk_failed(name, "stat", errno, e);
	if ((st.stx_mode & 07777) != (file->mode & 07777) && chmod(path, file->mode & 07777) < 0)
		return walk_failed(name, "set the mode of", errno, e);
	return 0;
}

/* The order matters: each step spoils what comes behind it. */
static int apply_file(struct apply *a, const struct walk_name *name, const struct plan_file *file,
		      struct err *e)
{
	char path[64];
	int r = set_owner(a, name, file, e);

	if (r <= 0 || S_ISLNK(name->st.stx_mode))
		return r < 0 ? r : 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", name->fd);
	r = set_attributes(name, file, path, false, e);
	if (r == 0)
		r = set_mode(name, file, path, e);
	return r == 0 ? set_attributes(name, file, path, true, e) : r;
}

static int apply_name(void *arg, const struct walk_name *name, struct err *e)
{
	struct apply *a = arg;
	const struct plan_file *file;
	ssize_t i = plan_find(a->plan, name->st.stx_ino);

	/* Inode numbers are used again, but seldom for another kind of file. */
	if (i < 0 || (a->plan->files[i]->mode & S_IFMT) != (name->st.stx_mode & S_IFMT)) {
		lose(a, name, "left as it is: it was not there when the shift began");
		return 0;
	}
	file = a->plan->files[i];
	if (a->plan->done[i] || file->uid == PLAN_LEAVE)
		return 0;
	a->plan->done[i] = true;
	return apply_file(a, name, file, e);
}

int apply_plan(const struct walk *tree, struct plan *plan, struct losses *losses, uint64_t *moved,
	       struct err *e)
{
	struct apply a = { .plan = plan, .losses = losses, .moved = moved };
	struct walk walk = *tree;
	uint64_t gone = 0;
	int r;

	walk.arg = &a;
	r = walk_tree(&walk, apply_name, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < plan->n; i++)
		gone += !plan->done[i] && plan->files[i]->uid != PLAN_LEAVE;
	if (gone)
		losses_add(losses, 0,
			   "%" PRIu64 " files are gone that were there when the shift began", gone);
	return 0;
}
