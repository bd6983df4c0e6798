/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/archive/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs-tools/archive/unpack_attrs.h"
#include "rootfs-tools/archive/unpack_place.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/host/archive_lib.h"

#define BUFFER_SIZE ((size_t)256 << 10)
#define TAR_BLOCK 512
#define MEMORY_MAX ((rlim_t)2 << 30)

/* Not those for which libarchive would run a program. */
static const char *const filters[] = {
	"archive_read_support_filter_gzip", "archive_read_support_filter_bzip2",
	"archive_read_support_filter_xz",   "archive_read_support_filter_lzma",
	"archive_read_support_filter_zstd", "archive_read_support_filter_lz4",
	"archive_read_support_filter_lzip", "archive_read_support_filter_compress",
};

struct unpacker {
	const struct unpack *in;
	struct unpack_report *report;
	const struct archive_lib *lib;
	struct archive *a;
	struct places *places;
	struct attrs_later later;
	struct strbuf xattrs; /* of the entry */
	char *buffer;
	int read_errno;
	char target[TREE_PATH_MAX]; /* of a link */
};

int unpack_prepare(struct err *e)
{
	return archive_lib_load(e) ? 0 : -e->errnum;
}

int unpack_limit(struct err *e)
{
	const struct rlimit limit = { MEMORY_MAX, MEMORY_MAX };

	if (setrlimit(RLIMIT_DATA, &limit) < 0)
		return err_errno(e, errno, "cannot limit memory");
	return 0;
}

static void unpacker_free(struct unpacker **up)
{
	struct unpacker *u = *up;

	if (!u)
		return;
	if (u->a)
		u->lib->archive_read_free(u->a);
	places_free(u->places);
	attrs_later_free(&u->later);
	strbuf_free(&u->xattrs);
	free(u->buffer);
	free(u);
}

static la_ssize_t read_some(struct archive *a, void *arg, const void **ret)
{
	struct unpacker *u = arg;
	ssize_t n;

	(void)a;
	do
		n = read(u->in->fd, u->buffer, BUFFER_SIZE);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		u->read_errno = errno;
	else
		u->report->read += (uint64_t)n;
	*ret = u->buffer;
	return n;
}

/* Of what libarchive could not do. */
static int damaged(const struct unpacker *u, struct err *e)
{
	const char *why = u->lib->archive_error_string(u->a);

	if (u->read_errno)
		return err_errno(e, u->read_errno, "cannot read '%.300s'", u->in->name);
	return err_msg(e, EBADMSG, "'%.300s' is damaged, cut short, or no archive: %.300s",
		       u->in->name, why ? why : "no reason given");
}

/* --- entries --- */

static int failed(const struct place *at, const char *what, int errnum, struct err *e)
{
	return err_errno(e, errnum, "cannot %s '/%.300s'", what, at->path);
}

static int write_content(struct unpacker *u, const struct place *at, int fd,
			 struct archive_entry *entry, struct err *e)
{
	bool sized = u->lib->archive_entry_size_is_set(entry);
	int64_t size = u->lib->archive_entry_size(entry), end = 0;
	const void *block;
	la_int64_t offset;
	size_t len;
	int r;

	while ((r = u->lib->archive_read_data_block(u->a, &block, &len, &offset)) != ARCHIVE_EOF) {
		if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
			return damaged(u, e);
		u->report->bytes += len;
		for (const char *p = block; len;) {
			ssize_t n = pwrite(fd, p, len, offset);

			if (n < 0 && errno != EINTR)
				return failed(at, "write", errno, e);
			if (n < 0)
				continue;
			p += n;
			len -= (size_t)n;
			offset += n;
		}
		end = offset > end ? offset : end;
	}
	/* A hole at its end; or old content behind it, of an archive that has it twice. */
	if (sized && size != end && ftruncate(fd, size) < 0)
		return err_errno(e, errno, "cannot make '/%.300s' of %" PRId64 " bytes", at->path,
				 size);
	return 0;
}

static int take_attrs(struct unpacker *u, const struct place *at, struct archive_entry *entry,
		      struct attrs *ret, struct err *e)
{
	return attrs_read(u->lib, entry, at->path, &u->xattrs, ret, &u->report->losses, e);
}

static int finish(struct unpacker *u, const struct place *at, int fd, mode_t made,
		  const struct attrs *attrs, struct err *e)
{
	const struct attrs_file file = {
		.fd = fd,
		.dir = at->dir,
		.name = at->name,
		.path = at->path,
		.made = made,
		.inherited = u->places->hands_down,
	};
	int r = place_made(u->places, at, e);

	return r == 0 ? attrs_apply(&file, attrs, &u->report->losses, e) : r;
}

/* What is to have a name. */
struct node {
	mode_t mode; /* with its type; 0: another name for .link_name in .link_dir */
	dev_t rdev;
	const char *target;
	int link_dir;
	const char *link_name;
	int fd; /* of a regular file, open; the caller's */
};

static int try_node(const struct place *at, struct node *n)
{
	int r;

	switch (n->mode & S_IFMT) {
	case 0:
		r = linkat(n->link_dir, n->link_name, at->dir, at->name, 0);
		break;
	case S_IFREG:
		n->fd = openat(at->dir, at->name,
			       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			       n->mode & 0777);
		r = n->fd;
		break;
	case S_IFDIR:
		r = mkdirat(at->dir, at->name, n->mode & 0777);
		break;
	case S_IFLNK:
		r = symlinkat(n->target, at->dir, at->name);
		break;
	default:
		r = mknodat(at->dir, at->name, n->mode, n->rdev);
	}
	return r < 0 ? -errno : 0;
}

/* The last entry with a name is the one that counts. */
static int make_node(struct unpacker *u, const struct place *at, struct node *n, struct err *e)
{
	int r = try_node(at, n);

	if (r == -EEXIST) {
		r = place_clear(u->places, at, e);
		if (r < 0)
			return r;
		r = try_node(at, n);
	}
	return r < 0 ? failed(at, "make", -r, e) : 0;
}

static int make_file(struct unpacker *u, const struct place *at, struct archive_entry *entry,
		     struct err *e)
{
	struct node n = { .mode = S_IFREG | (u->lib->archive_entry_mode(entry) & 0777),
			  .target = "",
			  .link_name = "",
			  .fd = -1 };
	struct attrs attrs;
	int r = make_node(u, at, &n, e);

	if (r == 0)
		r = take_attrs(u, at, entry, &attrs, e);
	if (r == 0)
		r = write_content(u, at, n.fd, entry, e);
	if (r == 0)
		r = finish(u, at, n.fd, n.mode, &attrs, e);
	cleanup_close(&n.fd);
	return r;
}

/* Whether there is one already, which may be what the archive or a lower layer has made. */
static bool is_dir(const struct place *at)
{
	struct stat st;

	return fstatat(at->dir, at->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int make_dir(struct unpacker *u, const struct place *at, struct archive_entry *entry,
		    struct err *e)
{
	struct node n = { .mode = S_IFDIR | 0700, .target = "", .link_name = "" };
	bool old = true;
	struct attrs attrs;
	int r = 0;

	if (!*at->name && u->in->keep_root)
		return 0;
	if (!*at->name) {
		u->report->has_root = true;
	} else if (try_node(at, &n) == 0 || !is_dir(at)) {
		old = u->places->hands_down;
		r = is_dir(at) ? 0 : make_node(u, at, &n, e);
	}
	if (r == 0 && *at->name)
		r = place_made(u->places, at, e);
	if (r == 0)
		r = take_attrs(u, at, entry, &attrs, e);
	return r == 0 ? attrs_later_add(&u->later, at->path, &attrs, old, e) : r;
}

/* A symlink, or what has no content and cannot be opened. */
static int make_other(struct unpacker *u, const struct place *at, struct archive_entry *entry,
		      struct err *e)
{
	mode_t type = u->lib->archive_entry_filetype(entry);
	const char *target = u->lib->archive_entry_symlink(entry);
	struct node n = {
		.mode = type | 0600,
		.rdev = u->lib->archive_entry_rdev(entry),
		.target = target ? target : "",
		.link_name = "",
	};
	struct attrs attrs;
	int r;

	r = make_node(u, at, &n, e);
	if (r == -EPERM && (S_ISCHR(type) || S_ISBLK(type))) {
		losses_add(&u->report->losses, EPERM, "'/%.300s': device node not kept", at->path);
		return 0;
	}
	if (r == 0)
		r = take_attrs(u, at, entry, &attrs, e);
	return r == 0 ? finish(u, at, -1, n.mode, &attrs, e) : r;
}

/* cpio has the content with the last name of a file; for a symlink that is its target. */
static int fill_link(struct unpacker *u, const struct place *at, struct archive_entry *entry,
		     struct err *e)
{
	_cleanup_close_ int fd = -1;
	struct attrs attrs;
	struct stat st;
	int r;

	if (fstatat(at->dir, at->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return failed(at, "stat", errno, e);
	if (!S_ISREG(st.st_mode))
		return 0;
	fd = openat(at->dir, at->name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return failed(at, "open", errno, e);
	r = take_attrs(u, at, entry, &attrs, e);
	if (r == 0)
		r = write_content(u, at, fd, entry, e);
	return r == 0 ? finish(u, at, fd, st.st_mode, &attrs, e) : r;
}

static int make_link(struct unpacker *u, const struct place *at, struct archive_entry *entry,
		     struct err *e)
{
	_cleanup_close_ int dir = -1;
	struct node n = { .target = "", .link_name = "" };
	int r = place_find_link(u->places, u->lib->archive_entry_hardlink(entry), u->target,
				&n.link_name, &dir, e);

	/* To itself. */
	if (r == 0 && !strcmp(u->target, at->path))
		return 0;
	n.link_dir = dir;
	if (r == 0)
		r = make_node(u, at, &n, e);
	if (r == -ENOENT) {
		losses_add(&u->report->losses, 0, "'/%.200s': link not kept: there is no '/%.200s'",
			   at->path, u->target);
		return 0;
	}
	if (r == 0)
		r = place_made(u->places, at, e);
	if (r == 0 && u->lib->archive_entry_size_is_set(entry) && u->lib->archive_entry_size(entry))
		r = fill_link(u, at, entry, e);
	return r;
}

static int make_unknown(struct unpacker *u, const struct place *at, struct archive_entry *entry,
			struct err *e)
{
	(void)entry;
	(void)e;
	losses_add(&u->report->losses, 0, "'/%.300s': left out, as it is of an unknown kind",
		   at->path);
	return 0;
}

static const struct kind {
	mode_t type;
	int (*make)(struct unpacker *u, const struct place *at, struct archive_entry *entry,
		    struct err *e);
} kinds[] = {
	{ AE_IFREG, make_file },  { AE_IFDIR, make_dir },    { AE_IFLNK, make_other },
	{ AE_IFIFO, make_other }, { AE_IFSOCK, make_other }, { AE_IFCHR, make_other },
	{ AE_IFBLK, make_other }, { 0, make_unknown },
};

static int unpack_entry(struct unpacker *u, struct archive_entry *entry, struct err *e)
{
	const char *path = u->lib->archive_entry_pathname(entry);
	mode_t type = u->lib->archive_entry_filetype(entry);
	const struct kind *kind = kinds;
	struct place at;
	int r = place_find(u->places, path ? path : "", &at, e);

	if (r < 0)
		return r;
	if (!*at.name && type != AE_IFDIR)
		return err_msg(e, EINVAL, "the archive has a file without a name");
	if (u->in->whiteouts) {
		r = place_white_out(u->places, &at, e);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	if (u->lib->archive_entry_hardlink(entry))
		return make_link(u, &at, entry, e);
	while (kind->type && kind->type != type)
		kind++;
	return kind->make(u, &at, entry, e);
}

/* --- the archive --- */

/*
 * A compression that this libarchive was built without is one for which it would run a
 * program: it says so when asked, and is asked of a reader that is thrown away.
 */
static int support_filters(struct unpacker *u, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		struct archive *probe = u->lib->archive_read_new();
		int (*enable)(struct archive *);
		bool built_in;

		if (!probe)
			return err_oom(e);
		built_in = archive_lib_find(u->lib, filters[i], &enable) &&
			   enable(probe) == ARCHIVE_OK;
		u->lib->archive_read_free(probe);
		if (built_in)
			enable(u->a);
	}
	return 0;
}

static int open_archive(struct unpacker *u, struct err *e)
{
	int r = support_filters(u, e);

	if (r < 0)
		return r;
	/* Several archives in a row: so that the last one is read to its end. */
	if (u->lib->archive_read_support_format_tar(u->a) != ARCHIVE_OK ||
	    u->lib->archive_read_support_format_cpio(u->a) != ARCHIVE_OK ||
	    u->lib->archive_read_set_format_option(u->a, "tar", "read_concatenated_archives",
						   "1") != ARCHIVE_OK)
		return err_oom(e);
	if (u->lib->archive_read_open(u->a, u, NULL, read_some, NULL) < ARCHIVE_WARN)
		return damaged(u, e);
	return 0;
}

static int check_end(struct unpacker *u, struct err *e)
{
	bool tar = (u->lib->archive_format(u->a) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_TAR;
	/* Where the header of another entry would have been. */
	int64_t end = u->lib->archive_read_header_position(u->a);
	const void *ignored;
	la_ssize_t n;

	if (tar && !u->in->whiteouts && u->lib->archive_filter_bytes(u->a, 0) < end + TAR_BLOCK)
		return err_msg(e, EBADMSG, "'%.300s' is cut short: it has no end mark",
			       u->in->name);
	if (!u->report->entries && !u->in->whiteouts)
		return err_msg(e, EINVAL, "'%.300s' is an archive without any file", u->in->name);
	while ((n = read_some(u->a, u, &ignored)) > 0)
		;
	return n < 0 ? damaged(u, e) : 0;
}

static int unpack_entries(struct unpacker *u, struct err *e)
{
	struct archive_entry *entry;
	int r = 0, got;

	while (r == 0 && (got = u->lib->archive_read_next_header(u->a, &entry)) != ARCHIVE_EOF) {
		/* It would try the next header after a bad one. */
		if (got != ARCHIVE_OK && got != ARCHIVE_WARN)
			return damaged(u, e);
		if (++u->report->entries > UNPACK_ENTRIES_MAX)
			return err_msg(e, E2BIG, "'%.300s' has more than %d entries", u->in->name,
				       UNPACK_ENTRIES_MAX);
		r = unpack_entry(u, entry, e);
	}
	return r;
}

int unpack_run(const struct unpack *unpack, struct unpack_report *report, struct err *e)
{
	_cleanup_(unpacker_free) struct unpacker *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return err_oom(e);
	u->in = unpack;
	u->report = report;
	u->lib = archive_lib_load(e);
	if (!u->lib)
		return -e->errnum;
	u->places = places_new(unpack->root, unpack->whiteouts);
	u->buffer = malloc(BUFFER_SIZE);
	u->a = u->lib->archive_read_new();
	if (!u->places || !u->buffer || !u->a)
		return err_oom(e);
	umask(0);
	r = open_archive(u, e);
	if (r == 0)
		r = unpack_entries(u, e);
	if (r == 0)
		r = check_end(u, e);
	if (r == 0)
		r = attrs_later_apply(&u->later, unpack->root, &report->losses, e);
	return r;
}

int unpack_seal(int root, const struct unpack_report *report, struct err *e)
{
	_cleanup_close_ int fd = -1;

	if (report->has_root)
		return 0;
	fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fchown(fd, 0, 0) < 0 || fchmod(fd, 0755) < 0)
		return err_errno(e, errno, "cannot set the owner and mode of the new root");
	return 0;
}
