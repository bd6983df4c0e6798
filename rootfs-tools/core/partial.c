/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/core/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "rootfs-tools/core/enter.h"
#include "rootfs-tools/core/tree.h"
#include "runner/base/cleanup.h"

static int check_name(const char *dst, const char *name, struct err *e)
{
	if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
		return err_msg(e, EINVAL, "'%s' names nothing that could be made", dst);
	if (strlen(name) > NAME_MAX)
		return err_errno(e, ENAMETOOLONG, "cannot make '%s'", dst);
	return 0;
}

int partial_find_place(const char *dst, struct partial *ret, struct err *e)
{
	_cleanup_free_ char *path = strdup(dst);
	struct partial p = PARTIAL_INIT;
	size_t len = strlen(dst);
	char *name;
	int r;

	if (!path)
		return err_oom(e);
	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
	name = strrchr(path, '/');
	name = name ? name + 1 : path;
	r = check_name(dst, name, e);
	if (r < 0)
		return r;
	snprintf(p.name, sizeof(p.name), "%s", name);
	snprintf(p.temp, sizeof(p.temp), ".%.200s.vmrun-partial", name);
	*name = '\0';
	p.parent = open(*path ? path : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (p.parent < 0)
		return err_errno(e, errno, "cannot open the directory that '%s' is to be made in",
				 dst);
	*ret = p;
	return 0;
}

int partial_open(const char *dst, struct partial *ret, struct err *e)
{
	struct partial p = PARTIAL_INIT;
	int r = partial_find_place(dst, &p, e);
	struct stat st;

	if (r < 0)
		return r;
	if (fstatat(p.parent, p.name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		partial_close(&p);
		return err_msg(e, EEXIST, "'%s' exists; remove it, or choose another name", dst);
	}
	*ret = p;
	return 0;
}

void partial_close(struct partial *p)
{
	cleanup_close(&p->parent);
	cleanup_close(&p->fd);
}

/* --- inside --- */

static int op_remove(const int *dirs, void *arg, struct err *e)
{
	(void)arg;
	return tree_remove(dirs[0], e);
}

/* The same, unless somebody works on it. */
static int op_remove_left(const int *dirs, void *arg, struct err *e)
{
	_cleanup_close_ int fd = openat(dirs[0], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)arg;
	if (fd < 0)
		return err_errno(e, errno, "cannot open what was left behind");
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_errno(e, errno, "cannot lock what was left behind");
	return tree_remove(fd, e);
}

static int rename_in(int parent, const struct partial *p)
{
	if (renameat2(parent, p->temp, parent, p->name, RENAME_NOREPLACE) == 0)
		return 0;
	/* The file system does not know that flag. */
	if (errno == EINVAL && faccessat(parent, p->name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
	    renameat(parent, p->temp, parent, p->name) == 0)
		return 0;
	return -errno;
}

int partial_rename(const struct partial *p)
{
	return rename_in(p->parent, p);
}

struct names {
	const struct partial *p;
	bool remove;
};

static int by_name(int parent, const struct names *n)
{
	if (n->remove)
		return unlinkat(parent, n->p->temp, AT_REMOVEDIR) < 0 ? -errno : 0;
	return rename_in(parent, n->p);
}

static int op_by_name(const int *dirs, void *arg, struct err *e)
{
	int r = by_name(dirs[0], arg);

	return r < 0 ? err_errno(e, -r, "not allowed to the root of the map either") : 0;
}

static int enter(const struct partial *p, int fd,
		 int (*op)(const int *dirs, void *arg, struct err *e), void *arg, struct err *e)
{
	const struct enter in = {
		.idmap = p->idmap,
		.dirs = { { .fd = fd } },
		.n_dirs = 1,
		.signal_fd = -1,
	};

	return enter_run(&in, op, arg, NULL, e);
}

/* --- outside --- */

/*
 * Whether the caller may give it a name or take one away depends on the directory above;
 * where that is sticky (/tmp), only who owns it may: the root of the map.
 */
static int set_name(const struct partial *p, bool remove, struct err *e)
{
	struct names n = { .p = p, .remove = remove };
	int r = by_name(p->parent, &n);
	struct err inside;

	if ((r == -EPERM || r == -EACCES) && enter(p, p->parent, op_by_name, &n, &inside) == 0)
		return 0;
	if (r == -EEXIST)
		return err_msg(e, EEXIST, "somebody else has made '%s' meanwhile; remove it, or "
					  "choose another name", p->name);
	return r < 0 ? err_errno(e, -r, "cannot %s '%s'", remove ? "remove" : "rename",
				 p->temp) : 0;
}

static int remove_left(struct partial *p, struct err *e)
{
	_cleanup_close_ int fd = openat(p->parent, p->temp,
					O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_errno(e, errno, "cannot open '%s'", p->temp);
	r = enter(p, fd, op_remove_left, NULL, e);
	if (r == -EWOULDBLOCK)
		return err_msg(e, EBUSY, "'%s' is being made just now; wait for that to end",
			       p->name);
	if (r < 0)
		return err_prefix(e, "cannot remove '%s'", p->temp);
	r = set_name(p, true, e);
	return r == -ENOENT ? 0 : r;
}

/* Return: 1 if what is locked has the name, 0 if somebody took it away, or -errno. */
static int lock(struct partial *p, struct err *e)
{
	_cleanup_close_ int fd = openat(p->parent, p->temp,
					O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat is, named;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &is) < 0)
		return err_errno(e, errno, "cannot open '%s'", p->temp);
	/* Who has it just now takes it for left behind, and removes it. */
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? 0 : err_errno(e, errno, "cannot lock '%s'", p->temp);
	if (fstatat(p->parent, p->temp, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
	    named.st_dev != is.st_dev || named.st_ino != is.st_ino)
		return 0;
	p->fd = steal_fd(&fd);
	return 1;
}

/*
 * A directory above may have handed down its group, and an ACL that all files made in it
 * would get; nobody but this one may look in.
 */
static int make_own(const struct partial *p, struct err *e)
{
	static const char *const acls[] = { "system.posix_acl_default", "system.posix_acl_access" };
	uint32_t uid = geteuid(), gid = getegid();

	/* Real root's own ids are in no map. */
	if (uid == 0 && !(idmap_outside(&p->idmap->uids, 0, &uid) &&
			  idmap_outside(&p->idmap->gids, 0, &gid)))
		return err_msg(e, EINVAL, "the id map has no root");
	for (size_t i = 0; i < ARRAY_SIZE(acls); i++)
		if (fremovexattr(p->fd, acls[i]) < 0 && errno != ENODATA && errno != EOPNOTSUPP)
			return err_errno(e, errno, "cannot set up '%s'", p->temp);
	if (fchown(p->fd, uid, gid) < 0 || fchmod(p->fd, 0700) < 0)
		return err_errno(e, errno, "cannot set up '%s'", p->temp);
	return 0;
}

int partial_begin(struct partial *p, const struct idmap_choice *idmap, struct err *e)
{
	int r;

	p->idmap = idmap;
	for (int tries = 0; tries < PARTIAL_BEGIN_TRIES; tries++) {
		if (mkdirat(p->parent, p->temp, 0700) < 0) {
			if (errno != EEXIST)
				return err_errno(e, errno, "cannot make '%s'", p->temp);
			r = remove_left(p, e);
			if (r < 0)
				return r;
			continue;
		}
		r = lock(p, e);
		if (r < 0)
			return r;
		if (r > 0)
			return make_own(p, e);
	}
	return err_msg(e, EBUSY, "'%s' is being made just now; wait for that to end", p->name);
}

int partial_finish(struct partial *p, struct err *e)
{
	int r = set_name(p, false, e);

	if (r == 0)
		cleanup_close(&p->fd);
	return r;
}

int partial_remove(struct partial *p, struct err *e)
{
	int r;

	if (p->fd < 0)
		return 0;
	/* With nothing in it, as where the map was refused, nobody has to get inside. */
	if (unlinkat(p->parent, p->temp, AT_REMOVEDIR) == 0) {
		cleanup_close(&p->fd);
		return 0;
	}
	r = enter(p, p->fd, op_remove, NULL, e);
	if (r == 0)
		r = set_name(p, true, e);
	cleanup_close(&p->fd);
	return r;
}
