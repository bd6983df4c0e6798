/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/core/tree_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs-tools/core/inode_map.h"
#include "rootfs-tools/core/tree.h"
#include "rootfs-tools/core/tree_copy_data.h"
#include "runner/base/cleanup.h"

#define SPECIAL_BITS (S_ISUID | S_ISGID | S_ISVTX)

struct owner {
	uid_t uid;
	gid_t gid;
};

struct copy {
	int src;
	int dst;
	uint64_t mount; /* the source's */
	struct stat dst_st;
	const struct owner *owner; /* of all copies; NULL: as the source's */
	struct tree_stack stack;
	struct inode_map links;
	struct copy_ways *ways;
	struct tree_copy_report *report;
};

/* One name that is being copied, from directory to directory. */
struct entry {
	struct copy *c;
	int from;
	int to;
	const char *path; /* of the directory */
	const char *name;
	struct stat st;
};

static void lose(const struct entry *en, const char *what, int errnum)
{
	losses_add(&en->c->report->losses, errnum, "'%s%.300s/%s': %s", *en->path ? "/" : "",
		   en->path, en->name, what);
}

static void lose_xattr(void *arg, const char *name, int errnum)
{
	char what[300];

	snprintf(what, sizeof(what), "extended attribute %.255s not kept", name);
	lose(arg, what, errnum);
}

static int failed(const struct entry *en, const char *what, int errnum, struct err *e)
{
	return err_errno(e, errnum, "cannot %s '%s%.300s/%s'", what, *en->path ? "/" : "", en->path,
			 en->name);
}

/* After every stat of the source's. */
static void choose_owner(struct entry *en)
{
	if (!en->c->owner)
		return;
	en->st.st_uid = en->c->owner->uid;
	en->st.st_gid = en->c->owner->gid;
	/* They were meant for the owner it had. */
	en->st.st_mode &= ~(mode_t)(S_ISUID | S_ISGID);
}

static void check_owner(const struct entry *en, int fd, const char *name)
{
	if (!en->c->owner && !tree_owner_fits(fd, name, &en->st))
		lose(en, "owner not kept: it is outside the id map", EPERM);
}

static bool is_owned_by_root(const struct stat *st)
{
	return st->st_uid == 0 && st->st_gid == 0;
}

/* Everything but the content, in the order that matters; new files are root's. */
static int keep_by_fd(struct entry *en, int in, int out, mode_t created, struct err *e)
{
	const struct timespec times[2] = { en->st.st_atim, en->st.st_mtim };
	const struct xattr_file from = { .fd = in }, to = { .fd = out };
	bool chown = !is_owned_by_root(&en->st);
	mode_t mode = en->st.st_mode & 07777;
	int r;

	check_owner(en, in, "");
	if (chown && fchown(out, en->st.st_uid, en->st.st_gid) < 0)
		return failed(en, "give an owner to", errno, e);
	r = copy_xattrs(en->c->ways, &from, &to, lose_xattr, en);
	if (r < 0)
		return failed(en, "copy the extended attributes of", -r, e);
	if ((created != mode || chown) && fchmod(out, mode) < 0)
		return failed(en, "set the mode of", errno, e);
	if (futimens(out, times) < 0)
		return failed(en, "set the times of", errno, e);
	return 0;
}

/* The same for what cannot be opened: symlinks, FIFOs, sockets, devices. */
static int keep_by_name(struct entry *en, struct err *e)
{
	const struct timespec times[2] = { en->st.st_atim, en->st.st_mtim };
	char from_path[NAME_MAX + 64], to_path[NAME_MAX + 64];
	const struct xattr_file from = { .path = from_path }, to = { .path = to_path };
	int r;

	snprintf(from_path, sizeof(from_path), "/proc/self/fd/%d/%s", en->from, en->name);
	snprintf(to_path, sizeof(to_path), "/proc/self/fd/%d/%s", en->to, en->name);
	check_owner(en, en->from, en->name);
	if (!is_owned_by_root(&en->st) && fchownat(en->to, en->name, en->st.st_uid, en->st.st_gid,
						   AT_SYMLINK_NOFOLLOW) < 0)
		return failed(en, "give an owner to", errno, e);
	r = copy_xattrs(en->c->ways, &from, &to, lose_xattr, en);
	if (r < 0)
		return failed(en, "copy the extended attributes of", -r, e);
	if (!S_ISLNK(en->st.st_mode) && fchmodat(en->to, en->name, en->st.st_mode & 07777, 0) < 0)
		return failed(en, "set the mode of", errno, e);
	if (utimensat(en->to, en->name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return failed(en, "set the times of", errno, e);
	return 0;
}

/* Return: 1 if the file is there under another name, and now under this one; 0; -errno. */
static int link_known(struct entry *en, struct err *e)
{
	_cleanup_free_ char *path = NULL, *first = NULL;
	_cleanup_close_ int dir = -1;
	const char *known = NULL;
	char *slash;
	int r;

	if (en->st.st_nlink < 2)
		return 0;
	if (asprintf(&path, "%s%s%s", en->path, *en->path ? "/" : "", en->name) < 0) {
		path = NULL;
		return err_oom(e);
	}
	r = inode_map_add(&en->c->links, &en->st, path, &known);
	if (r < 0)
		return failed(en, "remember", -r, e);
	if (r == 1)
		return 0;
	first = strdup(known);
	if (!first)
		return err_oom(e);
	slash = strrchr(first, '/');
	if (slash)
		*slash = '\0';
	r = tree_open(en->c->dst, slash ? first : "", O_PATH | O_DIRECTORY, &dir);
	if (r == 0 && linkat(dir, slash ? slash + 1 : first, en->to, en->name, 0) < 0)
		r = -errno;
	return r < 0 ? failed(en, "link", -r, e) : 1;
}

static int copy_file(struct entry *en, struct err *e)
{
	_cleanup_close_ int in = -1, out = -1;
	mode_t created;
	bool shared = false;
	int r;

	/* It may have become a FIFO just now. */
	in = openat(en->from, en->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (in < 0 || fstat(in, &en->st) < 0)
		return failed(en, "open", errno, e);
	if (!S_ISREG(en->st.st_mode))
		return failed(en, "copy, as it changes,", ESTALE, e);
	choose_owner(en);
	r = link_known(en, e);
	if (r != 0)
		return r < 0 ? r : 0;
	/* These are cleared by writing. */
	created = en->st.st_mode & 0777;
	out = openat(en->to, en->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		     created);
	if (out < 0)
		return failed(en, "make", errno, e);
	r = copy_content(en->c->ways, in, out, (uint64_t)en->st.st_size,
			 (uint64_t)en->st.st_blocks, &shared);
	if (r < 0)
		return failed(en, "copy", -r, e);
	en->c->report->shared += shared;
	return keep_by_fd(en, in, out, created, e);
}

static int copy_symlink(struct entry *en, struct err *e)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(en->from, en->name, target, sizeof(target) - 1);

	if (n < 0)
		return failed(en, "read the symlink", errno, e);
	target[n] = '\0';
	if (symlinkat(target, en->to, en->name) < 0)
		return failed(en, "make the symlink", errno, e);
	return keep_by_name(en, e);
}

static int copy_special(struct entry *en, struct err *e)
{
	if (mknodat(en->to, en->name, en->st.st_mode & ~(mode_t)SPECIAL_BITS, en->st.st_rdev) < 0) {
		if (errno != EPERM)
			return failed(en, "make", errno, e);
		lose(en, "device node not kept", EPERM);
		en->c->report->files--;
		return 0;
	}
	return keep_by_name(en, e);
}

static int copy_other(struct entry *en, struct err *e)
{
	int r;

	if (fstatat(en->from, en->name, &en->st, AT_SYMLINK_NOFOLLOW) < 0)
		return failed(en, "stat", errno, e);
	choose_owner(en);
	r = link_known(en, e);
	if (r != 0)
		return r < 0 ? r : 0;
	switch (en->st.st_mode & S_IFMT) {
	case S_IFLNK:
		return copy_symlink(en, e);
	case S_IFIFO:
	case S_IFSOCK:
	case S_IFCHR:
	case S_IFBLK:
		return copy_special(en, e);
	}
	return failed(en, "copy, as it changes,", ESTALE, e);
}

static int copy_entry(struct entry *en, int type, struct err *e)
{
	if (type == DT_DIR) {
		int r = tree_push(&en->c->stack, en->path, en->name, false, e);

		/* What is below comes later, with the directory's own mode after that. */
		if (r == 0 && mkdirat(en->to, en->name, 0700) < 0)
			r = failed(en, "make directory", errno, e);
		return r;
	}
	en->c->report->files++;
	return type == DT_REG ? copy_file(en, e) : copy_other(en, e);
}

/* What is not of the source is not entered. Return: 1 for the source's own, 0, or -errno. */
static int is_own(struct entry *en, int fd, struct err *e)
{
	uint64_t mount = 0;
	int r = tree_mount(fd, &mount);

	if (r < 0 || fstat(fd, &en->st) < 0)
		return failed(en, "stat", r < 0 ? -r : errno, e);
	choose_owner(en);
	if (en->st.st_dev == en->c->dst_st.st_dev && en->st.st_ino == en->c->dst_st.st_ino)
		return err_msg(e, EINVAL, "the copy lies inside of what is copied, at '/%.300s'; "
					  "put it elsewhere", en->path);
	if (mount == en->c->mount)
		return 1;
	lose(en, "left out, as another file system is mounted here", EXDEV);
	return 0;
}

static int copy_entries(struct copy *c, DIR *dir, int to, const char *path, struct err *e)
{
	struct dirent *de;
	int r;

	while ((r = tree_read(dir, path, &de, e)) > 0) {
		struct entry en = { .c = c, .from = dirfd(dir), .to = to, .path = path,
				    .name = de->d_name };

		r = copy_entry(&en, tree_type(dirfd(dir), de), e);
		if (r < 0)
			return r;
	}
	return r;
}

/* For messages about a directory itself: where it is, and its name. */
static void name_dir(struct entry *en, char *path)
{
	char *slash = strrchr(path, '/');

	if (slash)
		*slash = '\0';
	en->path = slash ? path : "";
	en->name = slash ? slash + 1 : path;
}

static int copy_dir(struct copy *c, const char *path, struct err *e)
{
	_cleanup_free_ char *split = strdup(path);
	_cleanup_close_ int to = -1;
	struct entry en = { .c = c };
	DIR *dir;
	int r;

	if (!split)
		return err_oom(e);
	name_dir(&en, split);
	r = tree_open_dir(c->src, path, &dir, e);
	if (r < 0)
		return r;
	en.from = dirfd(dir);
	r = tree_open(c->dst, path, O_RDONLY | O_DIRECTORY, &to);
	r = r < 0 ? failed(&en, "open the copy of", -r, e) : is_own(&en, dirfd(dir), e);
	if (r == 1)
		r = copy_entries(c, dir, to, path, e);
	if (r == 0 && *path) {
		r = keep_by_fd(&en, dirfd(dir), to, 0700, e);
	} else if (r == 0) {
		const struct xattr_file from_file = { .fd = dirfd(dir) }, to_file = { .fd = to };

		r = copy_xattrs(c->ways, &from_file, &to_file, lose_xattr, &en);
		if (r < 0)
			failed(&en, "copy the extended attributes of", -r, e);
	}
	closedir(dir);
	return r;
}

static int copy_tree(int src, int dst, const struct owner *owner, struct tree_copy_report *ret,
		     struct err *e)
{
	struct copy c = { .src = src, .dst = dst, .owner = owner, .report = ret };
	struct tree_dir at;
	int r;

	c.ways = calloc(1, sizeof(*c.ways));
	if (!c.ways)
		return err_oom(e);
	umask(0);
	r = tree_mount(src, &c.mount);
	if (r < 0 || fstat(dst, &c.dst_st) < 0)
		r = err_errno(e, r < 0 ? -r : errno, "cannot stat what is to be copied");
	else
		r = tree_push(&c.stack, "", "", false, e);
	while (r == 0 && tree_pop(&c.stack, &at)) {
		r = copy_dir(&c, at.path, e);
		tree_dir_free(&at);
	}
	tree_stack_free(&c.stack);
	inode_map_free(&c.links);
	free(c.ways->buffer);
	free(c.ways);
	return r;
}

int tree_copy(int src, int dst, struct tree_copy_report *ret, struct err *e)
{
	return copy_tree(src, dst, NULL, ret, e);
}

int tree_copy_as(int src, int dst, uid_t uid, gid_t gid, struct tree_copy_report *ret,
		 struct err *e)
{
	const struct owner owner = { uid, gid };

	return copy_tree(src, dst, &owner, ret, e);
}
