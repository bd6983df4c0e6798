/* SPDX-License-Identifier: MIT */
/* Files: brought in, written, removed. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs-tools/core/tree.h"
#include "rootfs-tools/edit/edit.h"
#include "rootfs-tools/edit/glob.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/spec/spec_value.h"

/* Setuid and setgid were meant for the owner that it had. */
#define KEPT_BITS (07777 & ~(S_ISUID | S_ISGID))

/* --- --copy-in --- */

/*
 * In struct edit: .name the destination, "/" for the root; .text the name that it gets
 * where that is a directory; .value DST as typed.
 */
static int name_source(struct edit *edit, const char *src, struct err *e)
{
	_cleanup_free_ char *copy = strdup(src), *path = NULL;
	const char *name;
	size_t len;

	if (!copy)
		return err_oom(e);
	for (len = strlen(copy); len > 1 && copy[len - 1] == '/'; len--)
		copy[len - 1] = '\0';
	name = strrchr(copy, '/') ? strrchr(copy, '/') + 1 : copy;
	if (!*name || !strcmp(name, ".") || !strcmp(name, "..")) {
		if (fs_fd_path(edit->fd, &path) < 0)
			return err_msg(e, ENOENT, "cannot find the name of '%s'", src);
		name = strrchr(path, '/') + 1;
		if (!*name)
			return err_msg(e, EINVAL, "the host's root directory is not copied");
	}
	strbuf_puts(&edit->text, name);
	return edit->text.failed ? err_oom(e) : 0;
}

static int open_source(struct edit *edit, const char *src, struct err *e)
{
	edit->fd = open(src, O_PATH | O_CLOEXEC);
	if (edit->fd < 0 || fstat(edit->fd, &edit->st) < 0)
		return err_errno(e, errno, "cannot open '%s'", src);
	if (S_ISDIR(edit->st.st_mode))
		return faccessat(edit->fd, ".", R_OK | X_OK, AT_EACCESS) < 0 ?
			       err_errno(e, errno, "cannot read '%s'", src) :
			       0;
	if (!S_ISREG(edit->st.st_mode))
		return err_msg(e, EINVAL, "'%s' is neither a file nor a directory", src);
	/* By the caller's rights: the one that writes it has others. */
	cleanup_close(&edit->fd);
	edit->fd = open(src, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (edit->fd < 0 || fstat(edit->fd, &edit->st) < 0)
		return err_errno(e, errno, "cannot open '%s'", src);
	return S_ISREG(edit->st.st_mode) ? 0 : err_msg(e, EINVAL, "'%s' is no file any more", src);
}

static int parse_copy(struct edit *edit, const char *value, struct err *e)
{
	const char *colon = strrchr(value, ':');
	_cleanup_free_ char *src = NULL;
	int r;

	if (!colon || colon == value || colon[1] != '/')
		return spec_value_bad(value, "is no SRC:DST, where DST is an absolute path", e);
	src = strndup(value, (size_t)(colon - value));
	if (!src)
		return err_oom(e);
	edit->value = colon + 1;
	if (strspn(colon + 1, "/") == strlen(colon + 1)) {
		edit->name = strdup("/");
		r = edit->name ? 0 : err_oom(e);
	} else {
		r = edits_normalise(colon + 1, &edit->name, e);
	}
	if (r == 0)
		r = open_source(edit, src, e);
	return r == 0 ? name_source(edit, src, e) : r;
}

/* Where it goes: below a directory that is there, or as the name itself. */
static int find_place(const struct edits *t, const struct edit *edit, char **ret, struct err *e)
{
	bool root = !strcmp(edit->name, "/");
	int r;

	if (root || edits_has_dir(t, edit->name))
		r = asprintf(ret, "%s/%s", root ? "" : edit->name, strbuf_str(&edit->text));
	else if (edit->value[strlen(edit->value) - 1] == '/' && !(t->check && t->unsure))
		return err_msg(e, ENOTDIR, "the root directory has no directory %s", edit->value);
	else
		r = asprintf(ret, "%s", edit->name);
	if (r < 0) {
		*ret = NULL;
		return err_oom(e);
	}
	return strlen(*ret) < PATH_MAX ? 0 : err_errno(e, ENAMETOOLONG, "'%.100s'", *ret);
}

static int copy_file(const struct edit *edit, int dir, const char *where, const char *name,
		     struct err *e)
{
	const struct change_attrs attrs = { .mode = edit->st.st_mode & KEPT_BITS };
	const struct timespec times[2] = { edit->st.st_atim, edit->st.st_mtim };
	int r = change_replace_from(dir, where, name, &attrs, edit->inside, e);

	if (r == 0 && utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		r = err_errno(e, errno, "cannot set the times of %s/%s", where, name);
	return r;
}

/* Made under another name, so that it is there whole or not at all. */
static int fill_copy(struct edits *t, const struct edit *edit, int new, struct err *e)
{
	const struct timespec times[2] = { edit->st.st_atim, edit->st.st_mtim };
	_cleanup_close_ int fd = openat(new, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = tree_copy_as(edit->inside, new, 0, 0, &t->said->copy, e);

	if (r == 0 &&
	    (fd < 0 || fchmod(fd, edit->st.st_mode & KEPT_BITS) < 0 || futimens(fd, times) < 0))
		r = err_errno(e, errno, "cannot complete the copy");
	return r;
}

static int copy_dir(struct edits *t, const struct edit *edit, int dir, const char *where,
		    const char *name, struct err *e)
{
	_cleanup_close_ int new = -1;
	char temp[CHANGE_TEMP_SIZE];
	int r = change_temp_name(temp);

	if (r == 0) {
		edits_begin_dir(t, where, temp);
		r = mkdirat(dir, temp, 0700) < 0 ? -errno : 0;
	}
	if (r < 0)
		return err_errno(e, -r, "cannot make a directory in %s of the root directory",
				 where);
	new = openat(dir, temp, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = new < 0 ? err_errno(e, errno, "cannot open what is to be %s/%s", where, name) :
		      fill_copy(t, edit, new, e);
	if (r == 0 && renameat2(dir, temp, dir, name, RENAME_NOREPLACE) < 0)
		r = err_errno(e, errno, "cannot make %s/%s of the root directory", where, name);
	if (r == 0)
		edits_end_dir(t);
	return r;
}

static int apply_copy(struct edits *t, const struct edit *edit, struct err *e)
{
	bool is_dir = S_ISDIR(edit->st.st_mode);
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int dir = -1;
	char where[PATH_MAX];
	const char *name;
	int r = find_place(t, edit, &path, e);

	if (r == 0)
		r = edits_parent(t, path, where, &name, &dir, e);
	if (r >= 0 && is_dir && edits_has(t, path))
		return err_msg(e, EEXIST, "the root directory has %s already; --delete it first",
			       path);
	if (r == 1)
		r = edits_check_place(t, path, dir, name, e);
	if (r < 0 || t->check) {
		t->unsure |= is_dir;
		return r;
	}
	return is_dir ? copy_dir(t, edit, dir, where, name, e) :
			copy_file(edit, dir, where, name, e);
}

/* --- --write --- */

static int parse_write(struct edit *edit, const char *value, struct err *e)
{
	const char *colon = strchr(value, ':');
	_cleanup_free_ char *path = NULL;

	if (!colon)
		return spec_value_bad(value, "is no FILE:CONTENT", e);
	path = strndup(value, (size_t)(colon - value));
	if (!path)
		return err_oom(e);
	strbuf_puts(&edit->text, colon + 1);
	return edit->text.failed ? err_oom(e) : edits_normalise(path, &edit->name, e);
}

static int apply_write(struct edits *t, const struct edit *edit, struct err *e)
{
	const struct change_attrs attrs = { .mode = 0644 };

	return edits_write(t, edit->name, &attrs, strbuf_str(&edit->text), edit->text.len, e);
}

/* --- --delete --- */

static int parse_delete(struct edit *edit, const char *value, struct err *e)
{
	int r = edits_normalise(value, &edit->name, e);

	return r == 0 ? glob_check(edit->name, e) : r;
}

static int apply_delete(struct edits *t, const struct edit *edit, struct err *e)
{
	uint64_t n;

	edits_forget(t, edit->name);
	return t->check ? 0 : glob_remove(t->root, edit->name, &n, e);
}

const struct edit_kind edit_files[] = {
	{ .name = "copy-in", .parse = parse_copy, .apply = apply_copy },
	{ .name = "write", .parse = parse_write, .apply = apply_write },
	{ .name = "delete", .parse = parse_delete, .apply = apply_delete },
	{ 0 },
};
