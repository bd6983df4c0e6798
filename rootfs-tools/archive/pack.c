/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/archive/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs-tools/archive/pack_content.h"
#include "rootfs-tools/core/inode_map.h"
#include "rootfs-tools/core/tree.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/base/strbuf.h"

#define BLOCK_SIZE (256 << 10)

struct packer {
	const struct pack *in;
	struct losses *losses;
	const struct archive_lib *lib;
	struct archive *a;
	struct archive_entry *entry; /* the one that is being written */
	struct pack_ways *ways;
	struct tree_stack stack;
	struct inode_map links;
	uint64_t mount;
	int dir; /* the directory that was used last, open; -1 */
	char *dir_path;
	int write_errno;
};

/* What is being packed: a name in a directory; "" in the root for the root itself. */
struct item {
	int dir;
	const char *path; /* below the root */
	const char *name; /* the last part of it */
	struct stat st;
};

/* Options of libarchive's; NULL ends them. Settings of their own: not the machine's. */
static const struct compression {
	const char *name;
	int filter;
	const char *module;
	const char *options[3][2];
} compressions[] = {
	{ "gz",
	  ARCHIVE_FILTER_GZIP,
	  "gzip",
	  { { "compression-level", "6" }, { "timestamp", NULL } } },
	/* What several threads write does not depend on how many they are. */
	{ "xz", ARCHIVE_FILTER_XZ, "xz", { { "compression-level", "6" }, { "threads", "4" } } },
	{ "zst", ARCHIVE_FILTER_ZSTD, "zstd", { { "compression-level", "3" } } },
};

static const struct compression *find_compression(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(compressions); i++)
		if (!strcmp(compressions[i].name, name))
			return &compressions[i];
	return NULL;
}

int pack_compress(const struct archive_lib *lib, struct archive *a, const char *name, struct err *e)
{
	const struct compression *c = find_compression(name);

	/* Anything but OK: it would run a program. */
	if (!c || lib->archive_write_add_filter(a, c->filter) != ARCHIVE_OK)
		return err_msg(e, ENOTSUP, "%s on this host cannot write %s", ARCHIVE_LIB_NAME,
			       name);
	for (size_t i = 0; i < ARRAY_SIZE(c->options) && c->options[i][0]; i++)
		if (lib->archive_write_set_filter_option(a, c->module, c->options[i][0],
							 c->options[i][1]) < ARCHIVE_WARN)
			return err_msg(e, ENOTSUP, "%s on this host does not know option %s of %s",
				       ARCHIVE_LIB_NAME, c->options[i][0], name);
	return 0;
}

/*
 * libarchive takes names to be in the locale's encoding, and marks each that it cannot
 * turn into UTF-8 with a header that GNU tar complains of. Files of a locale may be out
 * of reach in a jail, so it is loaded before.
 */
static locale_t utf8_locale(void)
{
	static locale_t locale;

	if (!locale)
		locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	return locale;
}

int pack_prepare(const char *compression, struct err *e)
{
	const struct archive_lib *lib = archive_lib_load(e);
	struct archive *probe;
	int r;

	if (!lib)
		return -e->errnum;
	utf8_locale();
	if (!compression)
		return 0;
	probe = lib->archive_write_new();
	if (!probe)
		return err_oom(e);
	r = pack_compress(lib, probe, compression, e);
	lib->archive_write_free(probe);
	return r;
}

static la_ssize_t write_some(struct archive *a, void *arg, const void *data, size_t len)
{
	struct packer *p = arg;
	int r = fs_write_all(p->in->fd, data, len);

	(void)a;
	if (r < 0)
		p->write_errno = -r;
	return r < 0 ? -1 : (la_ssize_t)len;
}

/* Of what libarchive could not do. */
static int not_written(const struct packer *p, struct err *e)
{
	const char *why = p->lib->archive_error_string(p->a);

	if (p->write_errno)
		return err_errno(e, p->write_errno, "cannot write the archive");
	return err_msg(e, EIO, "cannot write the archive: %.300s", why ? why : "no reason given");
}

/* --- items --- */

static void lose(struct packer *p, const struct item *it, const char *what, int errnum)
{
	losses_add(p->losses, errnum, "'/%.300s': %s", it->path, what);
}

static int failed(const struct item *it, const char *what, int errnum, struct err *e)
{
	return err_errno(e, errnum, "cannot %s '/%.300s'", what, it->path);
}

static void set_time(struct packer *p, const struct stat *st)
{
	struct timespec t = st->st_mtim;

	if (t.tv_sec >= p->in->epoch)
		t = (struct timespec){ .tv_sec = p->in->epoch };
	p->lib->archive_entry_set_mtime(p->entry, t.tv_sec, t.tv_nsec);
}

struct lost {
	struct packer *p;
	const struct item *it;
};

static void lose_xattr(void *arg, const char *name, int errnum)
{
	const struct lost *l = arg;
	char what[300];

	snprintf(what, sizeof(what), "extended attribute %.255s not kept", name);
	lose(l->p, l->it, what, errnum);
}

/* @fd: of the item, or -1: it is not opened. */
static int describe(struct packer *p, const struct item *it, int fd, struct err *e)
{
	const struct lost lost = { p, it };
	int r;

	p->lib->archive_entry_clear(p->entry);
	p->lib->archive_entry_set_pathname(p->entry, *it->path ? it->path : ".");
	p->lib->archive_entry_set_mode(p->entry, it->st.st_mode);
	p->lib->archive_entry_set_uid(p->entry, it->st.st_uid);
	p->lib->archive_entry_set_gid(p->entry, it->st.st_gid);
	p->lib->archive_entry_set_size(p->entry, S_ISREG(it->st.st_mode) ? it->st.st_size : 0);
	set_time(p, &it->st);
	if (!tree_owner_fits(fd >= 0 ? fd : it->dir, fd >= 0 ? "" : it->name, &it->st))
		lose(p, it, "owner not kept: it is outside the id map", EPERM);
	r = pack_xattrs(p->ways, p->lib, p->entry, fd, it->dir, it->name, lose_xattr,
			(void *)&lost);
	return r < 0 ? failed(it, "read the extended attributes of", -r, e) : 0;
}

static int write_header(struct packer *p, struct err *e)
{
	/* A name in no UTF-8 is worth a warning to it, and is written as it is. */
	if (p->lib->archive_write_header(p->a, p->entry) < ARCHIVE_WARN)
		return not_written(p, e);
	return 0;
}

/* Return: 1 if the file was packed under another name, and now under this one; 0; -errno. */
static int pack_link(struct packer *p, const struct item *it, struct err *e)
{
	const char *first = NULL;
	int r;

	if (it->st.st_nlink < 2)
		return 0;
	r = inode_map_add(&p->links, &it->st, it->path, &first);
	if (r < 0)
		return failed(it, "remember", -r, e);
	if (r == 1)
		return 0;
	p->lib->archive_entry_clear(p->entry);
	p->lib->archive_entry_set_pathname(p->entry, it->path);
	p->lib->archive_entry_set_mode(p->entry, it->st.st_mode);
	p->lib->archive_entry_set_uid(p->entry, it->st.st_uid);
	p->lib->archive_entry_set_gid(p->entry, it->st.st_gid);
	p->lib->archive_entry_set_hardlink(p->entry, first);
	set_time(p, &it->st);
	r = write_header(p, e);
	return r < 0 ? r : 1;
}

static int pack_file(struct packer *p, struct item *it, struct err *e)
{
	_cleanup_close_ int fd = openat(it->dir, it->name,
					O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	bool shorter = false;
	int r;

	if (fd < 0 || fstat(fd, &it->st) < 0)
		return failed(it, "open", errno, e);
	if (!S_ISREG(it->st.st_mode))
		return failed(it, "pack, as it changes,", ESTALE, e);
	r = pack_link(p, it, e);
	if (r != 0)
		return r < 0 ? r : 0;
	r = describe(p, it, fd, e);
	if (r == 0)
		r = pack_holes(p->ways, p->lib, p->entry, fd, it->st.st_size);
	if (r < 0)
		return failed(it, "look for holes in", -r, e);
	r = write_header(p, e);
	if (r < 0)
		return r;
	r = pack_content(p->ways, p->lib, p->a, fd, it->st.st_size, &shorter);
	if (r == -EPIPE)
		return not_written(p, e);
	if (r < 0)
		return failed(it, "read", -r, e);
	if (shorter)
		lose(p, it, "became shorter meanwhile, filled up with zeros", 0);
	return 0;
}

static int pack_other(struct packer *p, struct item *it, struct err *e)
{
	char target[PATH_MAX];
	ssize_t n;
	int r = pack_link(p, it, e);

	if (r != 0)
		return r < 0 ? r : 0;
	if (S_ISSOCK(it->st.st_mode)) {
		lose(p, it, "socket left out: archives have no such thing", 0);
		return 0;
	}
	r = describe(p, it, -1, e);
	if (r < 0)
		return r;
	if (S_ISLNK(it->st.st_mode)) {
		n = readlinkat(it->dir, it->name, target, sizeof(target) - 1);
		if (n < 0)
			return failed(it, "read the symlink", errno, e);
		target[n] = '\0';
		p->lib->archive_entry_set_symlink(p->entry, target);
	} else if (S_ISCHR(it->st.st_mode) || S_ISBLK(it->st.st_mode)) {
		p->lib->archive_entry_set_rdev(p->entry, it->st.st_rdev);
	}
	return write_header(p, e);
}

/* What our own changes leave where they are killed: see change.h and clone.h. */
static bool is_leftover(const char *name)
{
	return !strncmp(name, ".vmrun-new-", 11) || !strncmp(name, ".vmrun-keys-", 12);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void cleanup_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static bool is_skipped(const struct packer *p, const struct item *it, const char *name)
{
	return p->in->skip && !*it->path && !strcmp(name, p->in->skip);
}

/* What is in a directory comes next, the first name first: so it is pushed last. */
static int push_names(struct packer *p, const struct item *it, int fd, struct err *e)
{
	_cleanup_(cleanup_dir) DIR *dir = fdopendir(dup(fd));
	_cleanup_strvec_ struct strvec names = { 0 };
	struct dirent *de;
	int r;

	if (!dir)
		return failed(it, "open directory", errno, e);
	while ((r = tree_read(dir, it->path, &de, e)) > 0)
		if (!is_leftover(de->d_name) && !is_skipped(p, it, de->d_name))
			strvec_add(&names, de->d_name);
	if (r == 0 && names.failed)
		r = err_oom(e);
	if (r == 0 && names.n)
		qsort(names.v, names.n, sizeof(*names.v), compare);
	for (size_t i = names.n; r == 0 && i-- > 0;)
		r = tree_push(&p->stack, it->path, names.v[i], false, e);
	return r;
}

static int pack_dir(struct packer *p, struct item *it, struct err *e)
{
	_cleanup_close_ int fd = openat(it->dir, *it->name ? it->name : ".",
					O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	uint64_t mount = 0;
	int r;

	if (fd < 0 || fstat(fd, &it->st) < 0)
		return failed(it, "open directory", errno, e);
	r = tree_mount(fd, &mount);
	if (r < 0)
		return failed(it, "stat", -r, e);
	r = describe(p, it, fd, e);
	if (r == 0)
		r = write_header(p, e);
	if (r == 0 && mount == p->mount)
		return push_names(p, it, fd, e);
	if (r == 0)
		lose(p, it, "left out, as another file system is mounted here", EXDEV);
	return r;
}

static int pack_item(struct packer *p, struct item *it, struct err *e)
{
	if (fstatat(it->dir, it->name, &it->st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0)
		return failed(it, "stat", errno, e);
	if (S_ISDIR(it->st.st_mode))
		return pack_dir(p, it, e);
	return S_ISREG(it->st.st_mode) ? pack_file(p, it, e) : pack_other(p, it, e);
}

/* Opens the directory that @path is in, unless it is the one that was used last. */
static int enter_parent(struct packer *p, const char *path, size_t len, struct err *e)
{
	_cleanup_free_ char *parent = strndup(path, len);
	int fd = -1, r;

	if (!parent)
		return err_oom(e);
	if (p->dir >= 0 && !strcmp(p->dir_path, parent))
		return 0;
	r = tree_open(p->in->root, parent, O_PATH | O_DIRECTORY, &fd);
	if (r < 0)
		return err_errno(e, -r, "cannot open directory '/%.300s'", parent);
	cleanup_close(&p->dir);
	free(p->dir_path);
	p->dir = fd;
	p->dir_path = steal_ptr(parent);
	return 0;
}

static int pack_path(struct packer *p, const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	int r = enter_parent(p, path, slash ? (size_t)(slash - path) : 0, e);
	struct item it = { .dir = p->dir, .path = path, .name = slash ? slash + 1 : path };

	return r == 0 ? pack_item(p, &it, e) : r;
}

static int pack_tree(struct packer *p, struct err *e)
{
	struct tree_dir at;
	int r = tree_mount(p->in->root, &p->mount);

	if (r < 0)
		return err_errno(e, -r, "cannot stat what is to be packed");
	r = tree_push(&p->stack, "", "", false, e);
	while (r == 0 && tree_pop(&p->stack, &at)) {
		r = pack_path(p, at.path, e);
		tree_dir_free(&at);
	}
	return r;
}

/* --- the archive --- */

static int open_archive(struct packer *p, struct err *e)
{
	const struct archive_lib *lib = p->lib;
	int r = 0;

	if (lib->archive_write_set_format_pax(p->a) != ARCHIVE_OK ||
	    /* Once, in the way that every tar reads. */
	    lib->archive_write_set_format_option(p->a, "pax", "xattrheader", "SCHILY") !=
		    ARCHIVE_OK ||
	    lib->archive_write_set_bytes_per_block(p->a, BLOCK_SIZE) != ARCHIVE_OK ||
	    lib->archive_write_set_bytes_in_last_block(p->a, 1) != ARCHIVE_OK)
		return err_msg(e, ENOTSUP, "%s on this host cannot write pax", ARCHIVE_LIB_NAME);
	if (p->in->compression)
		r = pack_compress(lib, p->a, p->in->compression, e);
	if (r == 0 && lib->archive_write_open(p->a, p, NULL, write_some, NULL) != ARCHIVE_OK)
		r = not_written(p, e);
	return r;
}

static void packer_free(struct packer *p)
{
	if (p->a) {
		/* Not what closes it: an end mark says that all is there. */
		p->lib->archive_write_fail(p->a);
		p->lib->archive_write_free(p->a);
	}
	if (p->entry)
		p->lib->archive_entry_free(p->entry);
	cleanup_close(&p->dir);
	free(p->dir_path);
	pack_ways_free(p->ways);
	tree_stack_free(&p->stack);
	inode_map_free(&p->links);
}

static int write_archive(struct packer *p, struct err *e)
{
	int r = open_archive(p, e);

	if (r == 0)
		r = pack_tree(p, e);
	if (r == 0 && p->lib->archive_write_close(p->a) != ARCHIVE_OK)
		r = not_written(p, e);
	return r;
}

int pack_run(const struct pack *pack, struct losses *losses, struct err *e)
{
	_cleanup_(packer_free) struct packer p = { .in = pack, .losses = losses, .dir = -1 };
	locale_t locale = utf8_locale(), was;
	int r;

	p.lib = archive_lib_load(e);
	if (!p.lib)
		return -e->errnum;
	p.a = p.lib->archive_write_new();
	p.entry = p.lib->archive_entry_new();
	p.ways = pack_ways_new();
	if (!p.a || !p.entry || !p.ways)
		return err_oom(e);
	was = uselocale(locale);
	r = write_archive(&p, e);
	uselocale(was);
	return r;
}
