/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/shift/note.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "rootfs-tools/core/inode_map.h"
#include "runner/base/cleanup.h"

#define VALUE_MAX 65536 /* bytes: the kernel's limit, of the list of names too */

struct note {
	struct plan *plan;
	struct inode_map links;
	char names[VALUE_MAX];
	char value[VALUE_MAX];
};

static void lose(struct note *n, const struct walk_name *name, const char *what)
{
	losses_add(&n->plan->header->counts.losses, 0, "'%s%.300s/%s': %s", *name->path ? "/" : "",
		   name->path, name->name, what);
}

/* --- attributes --- */

static int note_acl(struct note *n, const struct walk_name *name, enum plan_attribute attribute,
		    size_t len, struct err *e)
{
	unsigned int dropped = 0;
	char what[128];
	int r = shift_acl(&n->plan->header->maps, n->value, &len, &dropped);

	if (r < 0)
		return walk_failed(name, "understand the ACL of", -r, e);
	plan_add_value(n->plan, attribute, n->value, len);
	n->plan->header->counts.acls++;
	if (!dropped)
		return 0;
	snprintf(what, sizeof(what), "%u ACL entries not kept: they are for nobody of both maps",
		 dropped);
	lose(n, name, what);
	return 0;
}

static int note_capability(struct note *n, const struct walk_name *name, size_t len, struct err *e)
{
	uint8_t value[SHIFT_CAPABILITY_SIZE];
	int r = shift_capability(&n->plan->header->maps, n->value, len, value);

	if (r == -ENOENT) {
		plan_add_value(n->plan, PLAN_CAPABILITY, NULL, 0);
		lose(n, name, "capabilities not kept: they are of a user of not both maps");
		return 0;
	}
	if (r < 0)
		return walk_failed(name, "understand the capabilities of", -r, e);
	plan_add_value(n->plan, PLAN_CAPABILITY, value, sizeof(value));
	n->plan->header->counts.capabilities++;
	return 0;
}

static int note_attribute(struct note *n, const struct walk_name *name, const char *path,
			  enum plan_attribute attribute, struct err *e)
{
	ssize_t len = getxattr(path, plan_attribute_name(attribute), n->value, sizeof(n->value));

	/* Of a namespace that this one knows nothing of; a change of the owner clears them. */
	if (len < 0 && errno == EOVERFLOW && attribute == PLAN_CAPABILITY) {
		plan_add_value(n->plan, attribute, NULL, 0);
		lose(n, name, "capabilities not kept: they are of a user outside the id map");
		return 0;
	}
	if (len < 0)
		return walk_failed(name, "read an extended attribute of", errno, e);
	if (attribute == PLAN_CAPABILITY)
		return note_capability(n, name, (size_t)len, e);
	return note_acl(n, name, attribute, (size_t)len, e);
}

static int note_attributes(struct note *n, const struct walk_name *name, struct err *e)
{
	char path[64];
	ssize_t len;
	int r = 0;

	/* Nothing of this can be a symlink's. */
	if (S_ISLNK(name->st.stx_mode))
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", name->fd);
	len = listxattr(path, n->names, sizeof(n->names));
	if (len < 0 && errno != EOPNOTSUPP)
		return walk_failed(name, "list the extended attributes of", errno, e);
	for (const char *at = n->names; r == 0 && len > 0 && at < n->names + len;
	     at += strlen(at) + 1)
		for (unsigned int i = 0; r == 0 && i < PLAN_ATTRIBUTES; i++)
			if (!strcmp(at, plan_attribute_name(i)))
				r = note_attribute(n, name, path, i, e);
	return r;
}

/* --- owners --- */

/* Root is not to get programs that act for whoever calls them, just for want of a place. */
static void give_to_root(struct note *n, const struct walk_name *name, struct plan_file *file,
			 bool uid, bool gid)
{
	const struct statx *st = &name->st;
	char what[128];

	if (uid)
		file->mode &= ~(uint32_t)S_ISUID;
	if (gid && !S_ISDIR(st->stx_mode))
		file->mode &= ~(uint32_t)S_ISGID;
	snprintf(what, sizeof(what), "owner %u:%u not kept: the new map has no such id",
		 st->stx_uid, st->stx_gid);
	lose(n, name, what);
}

static void note_owner(struct note *n, const struct walk_name *name, struct plan_file *ret)
{
	const struct shift_maps *maps = &n->plan->header->maps;
	const struct statx *st = &name->st;
	enum shift_fate uid = shift_id(&maps->uids, st->stx_uid, &ret->uid);
	enum shift_fate gid = shift_id(&maps->gids, st->stx_gid, &ret->gid);

	if (uid == SHIFT_FOREIGN || gid == SHIFT_FOREIGN) {
		ret->uid = PLAN_LEAVE;
		lose(n, name, "left as it is: its owner is outside the id map");
		return;
	}
	if (uid == SHIFT_NO_PLACE || gid == SHIFT_NO_PLACE)
		give_to_root(n, name, ret, uid == SHIFT_NO_PLACE, gid == SHIFT_NO_PLACE);
	if (ret->uid != st->stx_uid || ret->gid != st->stx_gid)
		n->plan->header->counts.moved++;
}

/* Return: 1 if it was seen under another name, 0, or -errno. */
static int is_known(struct note *n, const struct walk_name *name, struct err *e)
{
	const struct stat st = { .st_ino = name->st.stx_ino };
	int r;

	if (S_ISDIR(name->st.stx_mode) || name->st.stx_nlink < 2)
		return 0;
	r = inode_map_add(&n->links, &st, NULL, NULL);
	return r < 0 ? walk_failed(name, "remember", -r, e) : !r;
}

static int note_name(void *arg, const struct walk_name *name, struct err *e)
{
	struct note *n = arg;
	struct plan_file file = { .ino = name->st.stx_ino, .mode = name->st.stx_mode };
	int r = is_known(n, name, e);

	if (r != 0)
		return r < 0 ? r : 0;
	if (name->st.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND))
		return err_msg(e, EPERM,
			       "'%s%.300s/%s' is immutable or append-only, its owner cannot be "
			       "changed; chattr -ia",
			       *name->path ? "/" : "", name->path, name->name);
	note_owner(n, name, &file);
	plan_add(n->plan, &file);
	return file.uid == PLAN_LEAVE ? 0 : note_attributes(n, name, e);
}

static void note_root(struct plan *plan, const struct statx *st)
{
	plan->header->ino = st->stx_ino;
	plan->header->times[0] = st->stx_atime.tv_sec;
	plan->header->times[1] = st->stx_atime.tv_nsec;
	plan->header->times[2] = st->stx_mtime.tv_sec;
	plan->header->times[3] = st->stx_mtime.tv_nsec;
}

int note_tree(const struct walk *tree, struct plan *ret, struct err *e)
{
	struct note *n = calloc(1, sizeof(*n));
	struct walk walk = *tree;
	struct statx st;
	int r;

	if (!n)
		return err_oom(e);
	n->plan = ret;
	walk.arg = n;
	if (statx(tree->tree, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st) < 0)
		r = err_errno(e, errno, "cannot stat the root directory");
	else
		r = walk_tree(&walk, note_name, e);
	if (r == 0) {
		note_root(ret, &st);
		r = plan_complete(ret, e);
	}
	inode_map_free(&n->links);
	free(n);
	return r;
}
