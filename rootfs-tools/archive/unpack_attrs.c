/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/archive/unpack_attrs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "rootfs-tools/archive/acl.h"
#include "rootfs-tools/core/tree.h"
#include "rootfs-tools/core/xattr.h"
#include "runner/base/cleanup.h"

#define LATER_BYTES_MAX ((size_t)256 << 20) /* that directories take until the end */
#define NOBODY 65534u

struct attrs_value {
	uint32_t len;
};

struct attrs_dir {
	size_t index; /* in the archive */
	size_t path_len;
	bool old;
	struct attrs attrs; /* .xattrs behind the path */
	char path[];
};

/* --- from the archive --- */

static void add_xattr(struct strbuf *xattrs, const char *name, const void *data, size_t len)
{
	const struct attrs_value value = { (uint32_t)len };

	strbuf_add(xattrs, name, strlen(name) + 1);
	strbuf_add(xattrs, &value, sizeof(value));
	strbuf_add(xattrs, data, len);
}

static void read_xattrs(const struct archive_lib *lib, struct archive_entry *entry,
			const char *path, struct strbuf *xattrs, struct losses *losses)
{
	const char *name;
	const void *value;
	size_t size;

	if (lib->archive_entry_xattr_reset(entry) == 0)
		return;
	while (lib->archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
		if (xattr_is_hosts(name))
			continue;
		if (size <= XATTR_BYTES_MAX)
			add_xattr(xattrs, name, value, size);
		else
			losses_add(losses, E2BIG, "'/%.300s': extended attribute %.255s not kept",
				   path, name);
	}
}

static int read_acl(const struct archive_lib *lib, struct archive_entry *entry, int type,
		    const char *name, struct strbuf *xattrs)
{
	_cleanup_strbuf_ struct strbuf value = { 0 };
	int r = acl_from_entry(lib, entry, type, &value);

	if (r > 0)
		add_xattr(xattrs, name, value.data, value.len);
	return r;
}

static void read_acls(const struct archive_lib *lib, struct archive_entry *entry, const char *path,
		      struct strbuf *xattrs, struct losses *losses)
{
	int types = lib->archive_entry_acl_types(entry), r;

	if (!types)
		return;
	r = read_acl(lib, entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, ACL_ACCESS_XATTR, xattrs);
	if (r >= 0)
		r = read_acl(lib, entry, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, ACL_DEFAULT_XATTR, xattrs);
	if (r == -ENOTSUP || types & ~ARCHIVE_ENTRY_ACL_TYPE_POSIX1E)
		losses_add(losses, 0,
			   "'/%.300s': ACL not kept: it is not of POSIX's kind, or names users "
			   "without their numbers",
			   path);
}

static struct timespec time_of(time_t seconds, long nanoseconds)
{
	bool fits = nanoseconds >= 0 && nanoseconds <= 999999999;

	return (struct timespec){ .tv_sec = seconds, .tv_nsec = fits ? nanoseconds : 0 };
}

int attrs_read(const struct archive_lib *lib, struct archive_entry *entry, const char *path,
	       struct strbuf *xattrs, struct attrs *ret, struct losses *losses, struct err *e)
{
	struct timespec mtime = { .tv_nsec = UTIME_OMIT }, atime;

	if (lib->archive_entry_mtime_is_set(entry))
		mtime = time_of(lib->archive_entry_mtime(entry),
				lib->archive_entry_mtime_nsec(entry));
	atime = mtime;
	if (lib->archive_entry_atime_is_set(entry))
		atime = time_of(lib->archive_entry_atime(entry),
				lib->archive_entry_atime_nsec(entry));
	strbuf_consume(xattrs, xattrs->len);
	read_xattrs(lib, entry, path, xattrs, losses);
	read_acls(lib, entry, path, xattrs, losses);
	if (xattrs->failed)
		return err_oom(e);
	*ret = (struct attrs){
		.mode = lib->archive_entry_mode(entry) & 07777,
		.uid = lib->archive_entry_uid(entry),
		.gid = lib->archive_entry_gid(entry),
		.times = { atime, mtime },
		.xattrs = strbuf_str(xattrs),
		.xattrs_len = xattrs->len,
	};
	return 0;
}

/* --- to the file --- */

static int failed(const struct attrs_file *f, const char *what, int errnum, struct err *e)
{
	return err_errno(e, errnum, "cannot set the %s of '/%.300s'", what, f->path);
}

static int chown_to(const struct attrs_file *f, uid_t uid, gid_t gid)
{
	int r = f->fd >= 0 ? fchown(f->fd, uid, gid) :
			     fchownat(f->dir, f->name, uid, gid, AT_SYMLINK_NOFOLLOW);

	return r < 0 ? -errno : 0;
}

/* All ones is no id: to the kernel it means that nothing is to be changed. */
static bool is_id(int64_t id)
{
	return id >= 0 && id < UINT32_MAX;
}

/* One of the two; nobody's where it is not in the map, root's where that one is not either. */
static int set_id(const struct attrs_file *f, bool user, int64_t id, bool *ret_lost)
{
	const uint32_t none = UINT32_MAX,
		       tries[] = { is_id(id) ? (uint32_t)id : NOBODY, NOBODY, 0 };
	int r = -EINVAL;
	size_t i = 0;

	for (; r == -EINVAL && i < ARRAY_SIZE(tries); i++)
		r = chown_to(f, user ? tries[i] : none, user ? none : tries[i]);
	*ret_lost = !is_id(id) || i > 1;
	return r;
}

/* @ret_lost_bits: of the mode: they would give others' rights to whose file it is now. */
static int set_owner(const struct attrs_file *f, const struct attrs *a, mode_t *ret_lost_bits,
		     struct losses *losses, struct err *e)
{
	bool lost_user = false, lost_group = false;
	int r = -EINVAL;

	*ret_lost_bits = 0;
	if (is_id(a->uid) && is_id(a->gid))
		r = chown_to(f, (uid_t)a->uid, (gid_t)a->gid);
	if (r == -EINVAL) {
		r = set_id(f, true, a->uid, &lost_user);
		if (r == 0)
			r = set_id(f, false, a->gid, &lost_group);
	}
	if (r < 0)
		return failed(f, "owner", -r, e);
	if (lost_user || lost_group) {
		*ret_lost_bits = (lost_user ? S_ISUID : 0u) | (lost_group ? S_ISGID : 0u);
		losses_add(losses, 0,
			   "'/%.300s': owner %" PRId64 ":%" PRId64 " not kept%s: it is outside the "
			   "id map",
			   f->path, a->uid, a->gid,
			   a->mode & *ret_lost_bits ? ", nor that it is setuid or setgid" : "");
	}
	return 0;
}

static int set_mode(const struct attrs_file *f, mode_t mode, struct err *e)
{
	int r = f->fd >= 0 ? fchmod(f->fd, mode) : fchmodat(f->dir, f->name, mode, 0);

	return r < 0 ? failed(f, "mode", errno, e) : 0;
}

static void by_path(const struct attrs_file *f, char *ret, size_t size)
{
	snprintf(ret, size, "/proc/self/fd/%d/%s", f->dir, f->name);
}

/* A file system may have room for files and none for more attributes of this one. */
static bool is_full(const struct attrs_file *f)
{
	struct statvfs st;

	return fstatvfs(f->fd >= 0 ? f->fd : f->dir, &st) < 0 || st.f_bavail < 16;
}

static int set_xattr(const struct attrs_file *f, const char *name, const char *value, size_t len,
		     struct losses *losses, struct err *e)
{
	char path[NAME_MAX + 64];
	int r;

	if (f->fd >= 0) {
		r = fsetxattr(f->fd, name, value, len, 0);
	} else {
		by_path(f, path, sizeof(path));
		r = lsetxattr(path, name, value, len, 0);
	}
	if (r == 0)
		return 0;
	if (errno == EIO || errno == EDQUOT || (errno == ENOSPC && is_full(f)))
		return failed(f, "extended attributes", errno, e);
	losses_add(losses, errno, "'/%.300s': extended attribute %.255s not kept", f->path, name);
	return 0;
}

static int set_xattrs(const struct attrs_file *f, const struct attrs *a, struct losses *losses,
		      struct err *e)
{
	const char *at = a->xattrs, *end = a->xattrs + a->xattrs_len;
	int r = 0;

	while (r == 0 && at < end) {
		const char *value = at + strlen(at) + 1;
		struct attrs_value head;

		memcpy(&head, value, sizeof(head));
		value += sizeof(head);
		r = set_xattr(f, at, value, head.len, losses, e);
		at = value + head.len;
	}
	return r;
}

/* What a directory had before, or a file got from its directory. */
static int drop_xattrs(const struct attrs_file *f, bool all, struct err *e)
{
	char path[NAME_MAX + 64], names[XATTR_BYTES_MAX];
	ssize_t len;

	if (f->fd < 0)
		by_path(f, path, sizeof(path));
	len = f->fd >= 0 ? flistxattr(f->fd, names, sizeof(names)) :
			   llistxattr(path, names, sizeof(names));
	if (len < 0)
		return errno == EOPNOTSUPP ? 0 : failed(f, "extended attributes", errno, e);
	for (const char *name = names; name < names + len; name += strlen(name) + 1) {
		bool acl = !strcmp(name, ACL_ACCESS_XATTR) || !strcmp(name, ACL_DEFAULT_XATTR);
		int r;

		if (xattr_is_hosts(name) || !(all || acl))
			continue;
		r = f->fd >= 0 ? fremovexattr(f->fd, name) : lremovexattr(path, name);
		if (r < 0 && errno != ENODATA)
			return failed(f, "extended attributes", errno, e);
	}
	return 0;
}

int attrs_apply(const struct attrs_file *f, const struct attrs *a, struct losses *losses,
		struct err *e)
{
	bool link = S_ISLNK(f->made), odd = f->inherited || f->old;
	bool owned = odd || a->uid || a->gid;
	mode_t lost = 0;
	int r = 0;

	if (owned)
		r = set_owner(f, a, &lost, losses, e);
	if (r == 0 && odd && !link)
		r = drop_xattrs(f, f->old, e);
	if (r == 0 && !link && (owned || (f->made & 07777) != a->mode))
		r = set_mode(f, a->mode & ~lost, e);
	if (r == 0)
		r = set_xattrs(f, a, losses, e);
	if (r < 0)
		return r;
	if (f->fd >= 0 ? futimens(f->fd, a->times) :
			 utimensat(f->dir, f->name, a->times, AT_SYMLINK_NOFOLLOW))
		return failed(f, "times", errno, e);
	return 0;
}

/* --- directories, later --- */

int attrs_later_add(struct attrs_later *later, const char *path, const struct attrs *attrs,
		    bool old, struct err *e)
{
	size_t len = strlen(path), size = sizeof(struct attrs_dir) + len + 1 + attrs->xattrs_len;
	struct attrs_dir *d;

	if (later->bytes + size > LATER_BYTES_MAX)
		return err_msg(e, E2BIG,
			       "the archive has more directories than fit into %zu MiB; it was "
			       "made "
			       "to do harm",
			       LATER_BYTES_MAX >> 20);
	if (later->n == later->cap) {
		size_t cap = later->cap ? later->cap * 2 : 1024;
		struct attrs_dir **v = reallocarray(later->v, cap, sizeof(struct attrs_dir *));

		if (!v)
			return err_oom(e);
		later->v = v;
		later->cap = cap;
	}
	d = malloc(size);
	if (!d)
		return err_oom(e);
	*d = (struct attrs_dir){
		.index = later->n,
		.path_len = len,
		.old = old,
		.attrs = *attrs,
	};
	memcpy(d->path, path, len + 1);
	d->attrs.xattrs = d->path + len + 1;
	if (attrs->xattrs_len)
		memcpy(d->path + len + 1, attrs->xattrs, attrs->xattrs_len);
	later->v[later->n++] = d;
	later->bytes += size + sizeof(void *);
	return 0;
}

/* What is in a directory has a longer path. One that came twice is as it was last. */
static int deepest_first(const void *a, const void *b)
{
	const struct attrs_dir *x = *(struct attrs_dir *const *)a,
			       *y = *(struct attrs_dir *const *)b;

	if (x->path_len != y->path_len)
		return x->path_len > y->path_len ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static int apply_later(const struct attrs_dir *d, int root, struct losses *losses, struct err *e)
{
	_cleanup_close_ int fd = -1;
	int r = tree_open(root, d->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, &fd);
	const struct attrs_file file = {
		.fd = fd,
		.name = "",
		.path = d->path,
		.made = S_IFDIR | 0700,
		.old = d->old,
	};

	/* It was removed since, or became something else. */
	if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP)
		return 0;
	if (r < 0)
		return err_errno(e, -r, "cannot open directory '/%.300s'", d->path);
	return attrs_apply(&file, &d->attrs, losses, e);
}

int attrs_later_apply(struct attrs_later *later, int root, struct losses *losses, struct err *e)
{
	int r = 0;

	if (later->n)
		qsort(later->v, later->n, sizeof(struct attrs_dir *), deepest_first);
	for (size_t i = 0; r == 0 && i < later->n; i++)
		r = apply_later(later->v[i], root, losses, e);
	return r;
}

void attrs_later_free(struct attrs_later *later)
{
	for (size_t i = 0; i < later->n; i++)
		free(later->v[i]);
	free(later->v);
	*later = (struct attrs_later){ 0 };
}
