/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/disk/ext4_fill.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "rootfs-tools/core/inode_map.h"
#include "rootfs-tools/core/tree.h"
#include "rootfs-tools/disk/dir_names.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/base/strbuf.h"

#define NAMES_MAX 65000 /* of one file: EXT4_LINK_MAX */
#define XATTR_MAX 65536 /* of all names, and of a value: the kernel's own limits */
#define BUFFER_SIZE ((size_t)256 << 10)

/* A directory that is there, empty as yet. */
struct todo {
	char *path; /* below the root, "" for itself; owned */
	ext2_ino_t ino;
};

struct fill {
	const struct ext2fs_lib *lib;
	ext2_filsys fs;
	int64_t epoch;
	int root;
	uint64_t mount; /* the root's */
	struct todo *todo;
	size_t n_todo;
	size_t cap_todo;
	struct inode_map links; /* to inode numbers of the new file system, in decimal */
	struct losses *losses;
	char names[XATTR_MAX];
	char value[XATTR_MAX];
	char buffer[BUFFER_SIZE];
};

/* One name. */
struct entry {
	struct fill *f;
	int dir;	   /* it is in, on the host; -1: it is the root itself */
	ext2_ino_t parent; /* and in the new file system */
	const char *path;  /* of the directory */
	const char *name;
	int fd; /* of a regular file or directory, else -1 */
	struct stat st;
	ext2_ino_t ino;
};

static void lose(const struct entry *en, const char *what, int errnum)
{
	losses_add(en->f->losses, errnum, "'%s%.300s/%s': %s", *en->path ? "/" : "", en->path,
		   en->name, what);
}

static int failed(const struct entry *en, const char *what, int errnum, struct err *e)
{
	return err_errno(e, errnum, "cannot %s '%s%.300s/%s'", what, *en->path ? "/" : "", en->path,
			 en->name);
}

static int failed_ext2(const struct entry *en, errcode_t code, struct err *e)
{
	if (code == EXT2_ET_BLOCK_ALLOC_FAIL || code == EXT2_ET_INODE_ALLOC_FAIL)
		return err_msg(e, ENOSPC, "the file system is full at '%s%.300s/%s'",
			       *en->path ? "/" : "", en->path, en->name);
	return err_msg(e, code < 256 ? (int)code : EIO, "cannot put '%s%.300s/%s' into ext4: %s",
		       *en->path ? "/" : "", en->path, en->name, en->f->lib->error_message(code));
}

/* --- inodes --- */

static __u32 extra_time(const struct timespec *t)
{
	/* The low two bits extend the seconds; the rest are nanoseconds. */
	uint64_t epoch = ((uint64_t)(t->tv_sec - (int32_t)t->tv_sec) >> 32) & 3;

	return (__u32)((uint64_t)t->tv_nsec << 2 | epoch);
}

static void set_attributes(const struct entry *en, struct ext2_inode_large *inode)
{
	const struct timespec latest = { .tv_sec = en->f->epoch };
	const struct timespec *mtime = en->st.st_mtim.tv_sec < en->f->epoch ? &en->st.st_mtim :
									      &latest;
	__u32 seconds = (__u32)mtime->tv_sec, extra = extra_time(mtime);

	inode->i_mode = (__u16)en->st.st_mode;
	inode->i_uid = (__u16)en->st.st_uid;
	inode->i_gid = (__u16)en->st.st_gid;
	inode->osd2.linux2.l_i_uid_high = (__u16)(en->st.st_uid >> 16);
	inode->osd2.linux2.l_i_gid_high = (__u16)(en->st.st_gid >> 16);
	inode->i_mtime = inode->i_atime = inode->i_ctime = inode->i_crtime = seconds;
	inode->i_mtime_extra = inode->i_atime_extra = extra;
	inode->i_ctime_extra = inode->i_crtime_extra = extra;
	if (S_ISDIR(en->st.st_mode) && inode->i_links_count >= NAMES_MAX)
		inode->i_links_count = 1; /* dir_nlink: nobody knows how many */
}

static void check_owner(const struct entry *en)
{
	bool fits = en->dir < 0 ? tree_owner_fits(en->fd, "", &en->st) :
				  tree_owner_fits(en->dir, en->name, &en->st);

	if (!fits)
		lose(en, "owner not kept: it is outside the id map", EPERM);
}

static int update_inode(const struct entry *en, struct err *e)
{
	const struct ext2fs_lib *lib = en->f->lib;
	struct ext2_inode_large inode = { 0 };
	struct ext2_inode *as_small = (struct ext2_inode *)&inode;
	errcode_t r = lib->ext2fs_read_inode_full(en->f->fs, en->ino, as_small, sizeof(inode));

	check_owner(en);
	if (r == 0) {
		set_attributes(en, &inode);
		r = lib->ext2fs_write_inode_full(en->f->fs, en->ino, as_small, sizeof(inode));
	}
	return r ? failed_ext2(en, r, e) : 0;
}

static errcode_t link_name(const struct entry *en, int type)
{
	const struct ext2fs_lib *lib = en->f->lib;
	errcode_t r = lib->ext2fs_link(en->f->fs, en->parent, en->name, en->ino, type);

	if (r != EXT2_ET_DIR_NO_SPACE)
		return r;
	r = lib->ext2fs_expand_dir(en->f->fs, en->parent);
	return r ? r : lib->ext2fs_link(en->f->fs, en->parent, en->name, en->ino, type);
}

/* What link_name() wants to know; 0: nothing that has an inode of its own here. */
static int ext2_type(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return EXT2_FT_REG_FILE;
	case S_IFLNK:
		return EXT2_FT_SYMLINK;
	case S_IFIFO:
		return EXT2_FT_FIFO;
	case S_IFSOCK:
		return EXT2_FT_SOCK;
	case S_IFCHR:
		return EXT2_FT_CHRDEV;
	case S_IFBLK:
		return EXT2_FT_BLKDEV;
	}
	return EXT2_FT_UNKNOWN;
}

/* The new encoding of Linux: it takes every number that a kernel has. */
static __u32 device_number(dev_t dev)
{
	unsigned int major = major(dev), minor = minor(dev);

	return (minor & 0xff) | (major << 8) | ((minor & ~0xffu) << 12);
}

/* An inode without content, under its name. */
static errcode_t make_inode(const struct entry *en)
{
	const struct ext2fs_lib *lib = en->f->lib;
	struct ext2_inode_large inode = {
		.i_mode = (__u16)en->st.st_mode,
		.i_links_count = 1,
	};
	struct ext2_inode *as_small = (struct ext2_inode *)&inode;
	errcode_t r = link_name(en, ext2_type(en->st.st_mode));

	if (r)
		return r;
	lib->ext2fs_inode_alloc_stats2(en->f->fs, en->ino, 1, 0);
	if (S_ISCHR(en->st.st_mode) || S_ISBLK(en->st.st_mode))
		inode.i_block[1] = device_number(en->st.st_rdev);
	if (S_ISREG(en->st.st_mode)) {
		ext2_extent_handle_t extents;

		inode.i_flags = EXT4_EXTENTS_FL;
		r = lib->ext2fs_extent_open2(en->f->fs, en->ino, as_small, &extents);
		if (r)
			return r;
		lib->ext2fs_extent_free(extents);
	}
	return lib->ext2fs_write_new_inode(en->f->fs, en->ino, as_small);
}

/* --- extended attributes --- */

/* Which ext4 has a place for; the others are the host's own. */
static bool is_kept(const char *name)
{
	static const char *const prefixes[] = { "user.", "trusted.", "security.",
						"system.posix_acl_" };
	static const char *const labels[] = { "security.selinux", "security.evm", "security.ima" };

	for (size_t i = 0; i < ARRAY_SIZE(labels); i++)
		if (!strcmp(name, labels[i]))
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (!strncmp(name, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names of what is kept, sorted: file systems list them in orders of their own. */
static int list_xattrs(const struct entry *en, const char *path, struct strvec *ret, struct err *e)
{
	char *names = en->f->names;
	ssize_t len = path ? llistxattr(path, names, XATTR_MAX) :
			     flistxattr(en->fd, names, XATTR_MAX);

	if (len < 0 && errno != EOPNOTSUPP)
		return failed(en, "list the extended attributes of", errno, e);
	for (const char *name = names; len > 0 && name < names + len; name += strlen(name) + 1)
		if (is_kept(name))
			strvec_add(ret, name);
	if (ret->failed)
		return err_oom(e);
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), by_name);
	return 0;
}

static int add_xattr(const struct entry *en, const char *path, const char *name,
		     struct ext2_xattr_handle *handle, struct err *e)
{
	char *value = en->f->value, what[300];
	ssize_t n = path ? lgetxattr(path, name, value, XATTR_MAX) :
			   fgetxattr(en->fd, name, value, XATTR_MAX);
	errcode_t r;

	snprintf(what, sizeof(what), "extended attribute %.255s not kept", name);
	if (n < 0) {
		lose(en, what, errno);
		return 0;
	}
	r = en->f->lib->ext2fs_xattr_set(handle, name, value, (size_t)n);
	if (r == EXT2_ET_EA_NO_SPACE) {
		lose(en, what, E2BIG);
		return 0;
	}
	return r ? failed_ext2(en, r, e) : 0;
}

static int add_xattrs(const struct entry *en, struct err *e)
{
	const struct ext2fs_lib *lib = en->f->lib;
	_cleanup_strvec_ struct strvec names = { 0 };
	struct ext2_xattr_handle *handle;
	char path[NAME_MAX + 64];
	const char *by_path = NULL;
	errcode_t code;
	int r;

	if (en->fd < 0) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", en->dir, en->name);
		by_path = path;
	}
	r = list_xattrs(en, by_path, &names, e);
	if (r < 0 || !names.n)
		return r;
	code = lib->ext2fs_xattrs_open(en->f->fs, en->ino, &handle);
	if (code)
		return failed_ext2(en, code, e);
	code = lib->ext2fs_xattrs_read(handle);
	if (code)
		r = failed_ext2(en, code, e);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = add_xattr(en, by_path, names.v[i], handle, e);
	lib->ext2fs_xattrs_close(&handle);
	return r;
}

/* --- content --- */

static int write_part(const struct entry *en, ext2_file_t file, uint64_t at, uint64_t end,
		      struct err *e)
{
	const struct ext2fs_lib *lib = en->f->lib;
	errcode_t code = lib->ext2fs_file_llseek(file, at, EXT2_SEEK_SET, NULL);

	while (code == 0 && at < end) {
		size_t want = end - at < BUFFER_SIZE ? (size_t)(end - at) : BUFFER_SIZE;
		ssize_t n = fs_pread_all(en->fd, en->f->buffer, want, at);
		unsigned int written;

		if (n < 0)
			return failed(en, "read", (int)-n, e);
		if (n == 0)
			break; /* it has become shorter */
		code = lib->ext2fs_file_write(file, en->f->buffer, (unsigned int)n, &written);
		at += (uint64_t)n;
	}
	return code ? failed_ext2(en, code, e) : 0;
}

static int write_parts(const struct entry *en, ext2_file_t file, struct err *e)
{
	off_t size = en->st.st_size, at = 0;

	while (at < size) {
		off_t data = lseek(en->fd, at, SEEK_DATA);
		off_t hole = data < 0 ? -1 : lseek(en->fd, data, SEEK_HOLE);
		int r;

		if (hole < 0 && errno == ENXIO)
			break;
		if (hole < 0)
			return failed(en, "find the holes of", errno, e);
		at = hole < size ? hole : size;
		if (data >= at)
			break;
		r = write_part(en, file, (uint64_t)data, (uint64_t)at, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int write_content(const struct entry *en, struct err *e)
{
	const struct ext2fs_lib *lib = en->f->lib;
	ext2_file_t file;
	errcode_t code, closed;
	int r;

	if (!en->st.st_size)
		return 0;
	code = lib->ext2fs_file_open(en->f->fs, en->ino, EXT2_FILE_WRITE, &file);
	if (code)
		return failed_ext2(en, code, e);
	r = write_parts(en, file, e);
	code = r == 0 ? lib->ext2fs_file_set_size2(file, en->st.st_size) : 0;
	closed = lib->ext2fs_file_close(file);
	if (r == 0 && (code || closed))
		r = failed_ext2(en, code ? code : closed, e);
	return r;
}

/* --- entries --- */

/* Counted here: the host's file may have names outside of the tree, too. */
static int add_name(const struct entry *en, struct err *e)
{
	const struct ext2fs_lib *lib = en->f->lib;
	struct ext2_inode_large inode = { 0 };
	struct ext2_inode *as_small = (struct ext2_inode *)&inode;
	errcode_t r = lib->ext2fs_read_inode_full(en->f->fs, en->ino, as_small, sizeof(inode));

	if (r == 0 && inode.i_links_count >= NAMES_MAX)
		return failed(en, "put into ext4, which allows a file 65000 names,", EMLINK, e);
	inode.i_links_count++;
	if (r == 0)
		r = lib->ext2fs_write_inode_full(en->f->fs, en->ino, as_small, sizeof(inode));
	if (r == 0)
		r = link_name(en, ext2_type(en->st.st_mode));
	return r ? failed_ext2(en, r, e) : 0;
}

/* Return: 1 if the file is there under another name, and now under this one; 0; -errno. */
static int link_known(struct entry *en, struct err *e)
{
	const char *known;
	char number[16];
	int r;

	if (en->st.st_nlink < 2)
		return 0;
	snprintf(number, sizeof(number), "%u", en->ino);
	r = inode_map_add(&en->f->links, &en->st, number, &known);
	if (r < 0)
		return failed(en, "remember", -r, e);
	if (r == 1)
		return 0;
	en->ino = (ext2_ino_t)strtoul(known, NULL, 10);
	r = add_name(en, e);
	return r < 0 ? r : 1;
}

static errcode_t make_symlink(const struct entry *en, ssize_t *ret_errno)
{
	char target[PATH_MAX];
	const struct ext2fs_lib *lib = en->f->lib;
	ssize_t n = readlinkat(en->dir, en->name, target, sizeof(target) - 1);
	errcode_t r;

	if (n < 0) {
		*ret_errno = errno;
		return 0;
	}
	target[n] = '\0';
	r = lib->ext2fs_symlink(en->f->fs, en->parent, en->ino, en->name, target);
	if (r != EXT2_ET_DIR_NO_SPACE)
		return r;
	r = lib->ext2fs_expand_dir(en->f->fs, en->parent);
	return r ? r : lib->ext2fs_symlink(en->f->fs, en->parent, en->ino, en->name, target);
}

static errcode_t make_dir(const struct entry *en)
{
	const struct ext2fs_lib *lib = en->f->lib;
	errcode_t r = lib->ext2fs_mkdir(en->f->fs, en->parent, en->ino, en->name);

	if (r != EXT2_ET_DIR_NO_SPACE)
		return r;
	r = lib->ext2fs_expand_dir(en->f->fs, en->parent);
	return r ? r : lib->ext2fs_mkdir(en->f->fs, en->parent, en->ino, en->name);
}

static int fill_file(struct entry *en, struct err *e)
{
	ssize_t read_errno = 0;
	errcode_t code;
	int r = link_known(en, e);

	if (r != 0)
		return r < 0 ? r : 0;
	code = S_ISLNK(en->st.st_mode) ? make_symlink(en, &read_errno) : make_inode(en);
	if (read_errno)
		return failed(en, "read the symlink", (int)read_errno, e);
	if (code)
		return failed_ext2(en, code, e);
	if (S_ISREG(en->st.st_mode))
		r = write_content(en, e);
	if (r == 0)
		r = add_xattrs(en, e);
	return r == 0 ? update_inode(en, e) : r;
}

static int todo_push(struct fill *f, const char *path, const char *name, ext2_ino_t ino,
		     struct err *e)
{
	char *joined;

	if (strlen(path) + strlen(name) + 2 > TREE_PATH_MAX)
		return err_msg(e, ENAMETOOLONG, "a path has more than %d bytes", TREE_PATH_MAX);
	if (f->n_todo == f->cap_todo) {
		size_t cap = f->cap_todo ? f->cap_todo * 2 : 64;
		struct todo *todo = reallocarray(f->todo, cap, sizeof(*todo));

		if (!todo)
			return err_oom(e);
		f->todo = todo;
		f->cap_todo = cap;
	}
	if (asprintf(&joined, "%s%s%s", path, *path ? "/" : "", name) < 0)
		return err_oom(e);
	f->todo[f->n_todo++] = (struct todo){ joined, ino };
	return 0;
}

/* Opens what has content; what is opened may have changed since its name was read. */
static int look(struct entry *en, struct err *e)
{
	const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

	if (fstatat(en->dir, en->name, &en->st, AT_SYMLINK_NOFOLLOW) < 0)
		return failed(en, "stat", errno, e);
	if (!S_ISREG(en->st.st_mode))
		return 0;
	en->fd = openat(en->dir, en->name, flags);
	if (en->fd < 0 || fstat(en->fd, &en->st) < 0)
		return failed(en, "open", errno, e);
	return S_ISREG(en->st.st_mode) ? 0 : failed(en, "read, as it changes,", ESTALE, e);
}

static int fill_entry(struct entry *en, struct err *e)
{
	const struct ext2fs_lib *lib = en->f->lib;
	errcode_t code;
	int r = look(en, e);

	if (r < 0)
		return r;
	code = lib->ext2fs_new_inode(en->f->fs, en->parent, en->st.st_mode, NULL, &en->ino);
	if (code)
		return failed_ext2(en, code, e);
	if (!S_ISDIR(en->st.st_mode))
		return fill_file(en, e);
	code = make_dir(en);
	if (code)
		return failed_ext2(en, code, e);
	return todo_push(en->f, en->path, en->name, en->ino, e);
}

static int fill_entries(struct fill *f, DIR *dir, const struct todo *at, struct err *e)
{
	_cleanup_strvec_ struct strvec names = { 0 };
	int r = dir_names(dir, at->path, &names, e);

	for (size_t i = 0; r == 0 && i < names.n; i++) {
		struct entry en = { .f = f,
				    .dir = dirfd(dir),
				    .parent = at->ino,
				    .path = at->path,
				    .name = names.v[i],
				    .fd = -1 };

		r = fill_entry(&en, e);
		cleanup_close(&en.fd);
	}
	return r;
}

/* Its own attributes come first: what is put in later changes nothing but its size. */
static int fill_dir(struct fill *f, const struct todo *at, struct err *e)
{
	struct entry en = { .f = f, .dir = -1, .path = at->path, .name = "", .ino = at->ino };
	uint64_t mount = 0;
	DIR *dir;
	int r = tree_open_dir(f->root, at->path, &dir, e);

	if (r < 0)
		return r;
	en.fd = dirfd(dir);
	r = tree_mount(en.fd, &mount);
	if (r < 0 || fstat(en.fd, &en.st) < 0) {
		r = failed(&en, "stat", r < 0 ? -r : errno, e);
	} else if (mount != f->mount) {
		lose(&en, "left out, as another file system is mounted here", EXDEV);
	} else {
		r = add_xattrs(&en, e);
		if (r == 0)
			r = fill_entries(f, dir, at, e);
	}
	if (r == 0)
		r = update_inode(&en, e);
	closedir(dir);
	return r;
}

static int fill_all(struct fill *f, struct err *e)
{
	int r = tree_mount(f->root, &f->mount);

	r = r < 0 ? err_errno(e, -r, "cannot stat the root directory") :
		    todo_push(f, "", "", EXT2_ROOT_INO, e);
	while (r == 0 && f->n_todo) {
		struct todo at = f->todo[--f->n_todo];

		r = fill_dir(f, &at, e);
		free(at.path);
	}
	return r;
}

int ext4_fill(const struct ext2fs_lib *lib, ext2_filsys fs, int64_t epoch, int root,
	      struct losses *losses, struct err *e)
{
	struct fill *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return err_oom(e);
	f->lib = lib;
	f->fs = fs;
	f->epoch = epoch;
	f->root = root;
	f->losses = losses;
	r = fill_all(f, e);
	while (f->n_todo)
		free(f->todo[--f->n_todo].path);
	free(f->todo);
	inode_map_free(&f->links);
	free(f);
	return r;
}
