/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/edit/edits.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs-tools/core/tree.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/base/strbuf.h"

void edits_free(struct edits *t)
{
	for (unsigned int i = 0; i < t->n_staged; i++) {
		free(t->staged[i].path);
		free(t->staged[i].text);
		t->staged[i] = (struct edits_staged){ 0 };
	}
	for (unsigned int i = 0; i < t->n_gone; i++)
		free(t->gone[i]);
	t->n_staged = t->n_gone = 0;
}

int edits_normalise(const char *path, char **ret, struct err *e)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	const char *p = path;

	if (*path != '/')
		return err_msg(e, EINVAL, "'%.200s' is no absolute path of the guest's", path);
	while (*p) {
		size_t len = strcspn(p, "/");

		if (len == 2 && !memcmp(p, "..", 2))
			return err_msg(e, EINVAL, "'%.200s' has a '..'; give the path without",
				       path);
		if (len && !(len == 1 && *p == '.')) {
			strbuf_putc(&out, '/');
			strbuf_add(&out, p, len);
		}
		p += len;
		p += strspn(p, "/");
	}
	if (out.failed)
		return err_oom(e);
	if (!out.len)
		return err_msg(e, EINVAL, "'%.200s' is the root itself", path);
	if (out.len >= PATH_MAX)
		return err_msg(e, ENAMETOOLONG, "'%.200s' (cut) is longer than %d bytes", path,
			       PATH_MAX - 1);
	*ret = strbuf_steal(&out);
	return 0;
}

static const struct edits_staged *find_staged(const struct edits *t, const char *path)
{
	for (unsigned int i = 0; i < t->n_staged; i++)
		if (!strcmp(t->staged[i].path, path))
			return &t->staged[i];
	return NULL;
}

static int stage(struct edits *t, const char *path, const void *data, size_t len, struct err *e)
{
	struct edits_staged *s = (struct edits_staged *)find_staged(t, path);
	_cleanup_free_ char *name = strdup(path), *text = malloc(len + 1);

	if (!name || !text)
		return err_oom(e);
	/* It is only forgotten: what reads it then sees the old one. */
	if (!s && t->n_staged == EDITS_STAGED_MAX)
		return 0;
	if (!s)
		s = &t->staged[t->n_staged++];
	free(s->path);
	free(s->text);
	if (len)
		memcpy(text, data, len);
	text[len] = '\0';
	*s = (struct edits_staged){ steal_ptr(name), steal_ptr(text), len };
	return 0;
}

/* Whether an edit before is to remove it, or what it is in. */
static bool is_gone(const struct edits *t, const char *path)
{
	char part[PATH_MAX];

	for (unsigned int i = 0; i < t->n_gone; i++)
		for (const char *p = path; *p;) {
			p = strchrnul(p + 1, '/');
			snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
			if (fnmatch(t->gone[i], part, FNM_PATHNAME | FNM_PERIOD) == 0)
				return true;
		}
	return false;
}

void edits_forget(struct edits *t, const char *pattern)
{
	char *copy = NULL;

	/* Without it something more is found to be in the way, at worst. */
	if (t->check && t->n_gone < EDITS_GONE_MAX)
		copy = strdup(pattern);
	if (!copy)
		return;
	t->gone[t->n_gone++] = copy;
	for (unsigned int i = 0; i < t->n_staged;) {
		if (!is_gone(t, t->staged[i].path)) {
			i++;
			continue;
		}
		free(t->staged[i].path);
		free(t->staged[i].text);
		t->staged[i] = t->staged[--t->n_staged];
		t->staged[t->n_staged] = (struct edits_staged){ 0 };
	}
}

static bool finds(const struct edits *t, const char *path, int flags)
{
	_cleanup_close_ int fd = -1;

	return !is_gone(t, path) && fs_open_in_root(t->root, path, O_PATH | flags, &fd) == 0;
}

bool edits_has(const struct edits *t, const char *path)
{
	return find_staged(t, path) || finds(t, path, 0);
}

bool edits_has_dir(const struct edits *t, const char *path)
{
	return finds(t, path, O_DIRECTORY);
}

int edits_dir(const struct edits *t, const char *path, int *ret_fd, struct err *e)
{
	int fd = -1;
	int r = is_gone(t, path) ? -ENOENT :
				   fs_open_in_root(t->root, path, O_PATH | O_DIRECTORY, &fd);

	if (r == 0) {
		*ret_fd = fd;
		return 1;
	}
	if (r == -ENOENT && t->check && t->unsure) {
		*ret_fd = -1;
		return 0;
	}
	return err_errno(e, -r, "cannot open directory %s of the root directory", path);
}

int edits_mkdir(struct edits *t, const char *path, struct err *e)
{
	char part[PATH_MAX];

	for (const char *end = path; *end;) {
		_cleanup_close_ int dir = -1, there = -1;
		const char *begin = end + 1;
		int r;

		end = strchrnul(begin, '/');
		snprintf(part, sizeof(part), "%.*s", (int)(end - path), path);
		r = is_gone(t, part) ?
			    -ENOENT :
			    fs_open_in_root(t->root, part, O_PATH | O_DIRECTORY, &there);
		if (r == 0)
			continue;
		if (r != -ENOENT)
			return err_errno(e, -r, "cannot open directory %s of the root directory",
					 part);
		if (t->check) {
			t->unsure = true;
			return 0;
		}
		part[begin - path] = '\0';
		r = fs_open_in_root(t->root, part, O_PATH | O_DIRECTORY, &dir);
		snprintf(part, sizeof(part), "%.*s", (int)(end - begin), begin);
		if (r == 0 && (mkdirat(dir, part, 0755) < 0 || fchmodat(dir, part, 0755, 0) < 0))
			r = -errno;
		if (r < 0)
			return err_errno(e, -r, "cannot make directory %s of the root directory",
					 path);
	}
	return 0;
}

int edits_parent(const struct edits *t, const char *path, char where[PATH_MAX],
		 const char **ret_name, int *ret_fd, struct err *e)
{
	const char *slash = strrchr(path, '/');

	*ret_name = slash + 1;
	snprintf(where, PATH_MAX, "%.*s", (int)(slash - path), path);
	return edits_dir(t, slash == path ? "/" : where, ret_fd, e);
}

int edits_read(const struct edits *t, const char *path, char **ret_text, size_t *ret_len,
	       struct err *e)
{
	const struct edits_staged *staged = find_staged(t, path);
	_cleanup_close_ int dir = -1, fd = -1;
	char where[PATH_MAX];
	const char *name;
	struct stat st;
	int r;

	if (staged) {
		*ret_text = malloc(staged->len + 1);
		if (!*ret_text)
			return err_oom(e);
		memcpy(*ret_text, staged->text, staged->len + 1);
		*ret_len = staged->len;
		return 1;
	}
	r = edits_parent(t, path, where, &name, &dir, e);
	if (r < 0)
		return r;
	if (r == 0 || is_gone(t, path) || !change_exists(dir, name, &st)) {
		*ret_text = strdup("");
		*ret_len = 0;
		return *ret_text ? 0 : err_oom(e);
	}
	if (!S_ISREG(st.st_mode))
		return err_msg(e, S_ISLNK(st.st_mode) ? ELOOP : EINVAL,
			       "%s of the root directory is no regular file, and is not followed; "
			       "--delete "
			       "it first",
			       path);
	r = fs_open_regular(dir, name, EDITS_TEXT_MAX, &fd, NULL);
	if (r == 0)
		r = fs_read_fd(fd, EDITS_TEXT_MAX, ret_text, ret_len);
	return r < 0 ? err_errno(e, -r, "cannot read %s of the root directory", path) : 1;
}

int edits_check_place(const struct edits *t, const char *path, int dir, const char *name,
		      struct err *e)
{
	struct stat st;

	if (strlen(name) > NAME_MAX)
		return err_errno(e, ENAMETOOLONG, "cannot write %.200s (cut) of the root directory",
				 path);
	if (!is_gone(t, path) && change_exists(dir, name, &st) && S_ISDIR(st.st_mode))
		return err_errno(e, EISDIR, "cannot write %s of the root directory", path);
	if (t->check && faccessat(dir, ".", W_OK, AT_EACCESS) < 0)
		return err_errno(e, errno, "cannot write %s of the root directory", path);
	return 0;
}

int edits_write(struct edits *t, const char *path, const struct change_attrs *attrs,
		const void *data, size_t len, struct err *e)
{
	_cleanup_close_ int dir = -1;
	char where[PATH_MAX];
	const char *name;
	int r = edits_parent(t, path, where, &name, &dir, e);

	if (r == 1)
		r = edits_check_place(t, path, dir, name, e);
	if (r < 0)
		return r;
	return t->check ? stage(t, path, data, len, e) :
			  change_rewrite(dir, where, name, attrs, data, len, e);
}

int edits_symlink(struct edits *t, const char *path, const char *target, struct err *e)
{
	_cleanup_close_ int dir = -1;
	char where[PATH_MAX];
	const char *name;
	int r = edits_parent(t, path, where, &name, &dir, e);

	if (r == 1)
		r = edits_check_place(t, path, dir, name, e);
	return r < 0 || t->check ? r : change_symlink(dir, where, name, target, e);
}

void edits_begin_dir(const struct edits *t, const char *where, const char *name)
{
	snprintf(t->said->unfinished, sizeof(t->said->unfinished), "%s/%s", where, name);
}

void edits_end_dir(const struct edits *t)
{
	t->said->unfinished[0] = '\0';
}

int edits_remove_unfinished(int root, struct edits_said *said, struct err *e)
{
	char *name = strrchr(said->unfinished, '/');
	_cleanup_close_ int parent = -1, dir = -1;
	int r;

	if (!name)
		return 0;
	*name++ = '\0';
	r = fs_open_in_root(root, *said->unfinished ? said->unfinished : "/",
			    O_PATH | O_DIRECTORY, &parent);
	if (r == 0)
		dir = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	said->unfinished[0] = '\0';
	/* It was not made yet. */
	if (dir < 0)
		return 0;
	r = tree_remove(dir, e);
	if (r == 0 && unlinkat(parent, name, AT_REMOVEDIR) < 0)
		r = err_errno(e, errno, "cannot remove %s of the root directory", name);
	return r;
}

void edits_warn(const struct edits *t, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	if (t->check)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	losses_add(&t->said->warnings, 0, "%s", text);
}
