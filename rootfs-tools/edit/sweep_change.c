/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/edit/sweep_change.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs-tools/core/tree.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"

#define GONE_MAX ((size_t)1 << 20) /* names; a distribution has a tenth of that in all */
#define EDIT_MAX 65536		   /* bytes of a file that is edited */

int sweep_failed(struct sweep *s, const struct err *why, struct err *e)
{
	if (!s->losses || why->errnum == ENOMEM) {
		*e = *why;
		return -why->errnum;
	}
	/* Several patterns come to one place. */
	for (uint64_t i = 0; i < s->losses->n && i < LOSSES_TEXT_MAX; i++)
		if (!strcmp(s->losses->text[i], why->text))
			return 0;
	losses_add(s->losses, 0, "%s", why->text);
	return 0;
}

char *sweep_join(const char *dir, const char *name)
{
	char *path;

	return asprintf(&path, "%s%s%s", dir, *dir ? "/" : "", name) < 0 ? NULL : path;
}

/* --- what a dry run remembers --- */

static int order(const void *a, const void *b)
{
	return strcmp(a, b);
}

static bool knows(const struct sweep *s, const char *name)
{
	return tfind(name, &s->gone, order) != NULL;
}

static int remember(struct sweep *s, const char *name, struct err *e)
{
	char *copy;

	if (s->n_gone >= GONE_MAX)
		return err_msg(e, E2BIG, "more than %zu names would be changed: too many to tell",
			       GONE_MAX);
	copy = strdup(name);
	if (!copy || !tsearch(copy, &s->gone, order)) {
		free(copy);
		return err_oom(e);
	}
	s->n_gone++;
	return 0;
}

/* Itself, or a directory that it is in. */
bool sweep_is_gone(const struct sweep *s, const char *path)
{
	_cleanup_free_ char *part = NULL;
	char *slash;

	if (!s->gone || !(part = strdup(path)))
		return false;
	while (!knows(s, part)) {
		slash = strrchr(part, '/');
		if (!slash)
			return false;
		*slash = '\0';
	}
	return true;
}

/* --- changes --- */

static void tell(struct sweep *s, enum sweep_change change, const char *path, bool is_dir)
{
	_cleanup_free_ char *text = NULL;

	if (s->tell && asprintf(&text, "/%s%s", path, is_dir ? "/" : "") >= 0)
		s->tell(s->arg, change, text);
}

/*
 * In a dry run once for all times: what was done to a file once needs not be done again.
 * @how: tells apart what is done to it.
 */
static int told(struct sweep *s, enum sweep_change change, const char *path, const char *how,
		struct err *e)
{
	_cleanup_free_ char *key = NULL;
	int r = 0;

	if (s->dry_run) {
		/* "//" is in no path. */
		if (asprintf(&key, "//%s//%s", how, path) < 0)
			return err_oom(e);
		if (knows(s, key))
			return 0;
		r = remember(s, key, e);
	}
	if (r == 0)
		tell(s, change, path, false);
	return r;
}

static int told_removed(struct sweep *s, const char *path, bool is_dir, struct err *e)
{
	int r = s->dry_run ? remember(s, path, e) : 0;

	if (r == 0)
		tell(s, SWEEP_REMOVED, path, is_dir);
	return r;
}

int sweep_told(struct sweep *s, enum sweep_change change, const char *path, struct err *e)
{
	return told(s, change, path + 1, "", e);
}

static int remove_tree(const struct sweep_place *p, const char *path, struct err *e)
{
	_cleanup_close_ int dir = -1;
	int r = tree_open_here(p->dir, p->name, O_PATH | O_DIRECTORY, &dir);

	if (r == -EXDEV)
		return err_msg(e, EXDEV, "another file system is mounted on '/%.300s'", path);
	if (r == 0 && tree_remove(dir, e) < 0)
		return err_prefix(e, "'/%.300s'", path);
	if (r == 0 && unlinkat(p->dir, p->name, AT_REMOVEDIR) < 0)
		r = -errno;
	return r < 0 ? err_errno(e, -r, "cannot remove directory '/%.300s'", path) : 0;
}

static int act_remove(struct sweep *s, const struct sweep_place *p, const char *path, bool trees,
		      struct err *e)
{
	bool is_dir = S_ISDIR(p->st.st_mode);
	struct err why;
	int r = 0;

	if (is_dir && !trees) {
		if (!p->is_literal)
			return 0;
		err_msg(&why, EISDIR, "'/%.300s' is a directory, and left as it is", path);
		return sweep_failed(s, &why, e);
	}
	if (!s->dry_run && is_dir)
		r = remove_tree(p, path, &why);
	else if (!s->dry_run && unlinkat(p->dir, p->name, 0) < 0)
		r = err_errno(&why, errno, "cannot remove '/%.300s'", path);
	return r < 0 ? sweep_failed(s, &why, e) : told_removed(s, path, is_dir, e);
}

/* By @data; with the lines that assign to @variables gone, or by nothing. */
static int replace(struct sweep *s, const struct sweep_place *p, const char *path,
		   const char *variables, const char *data, size_t len, struct err *e)
{
	const struct change_attrs attrs = { .mode = 0600 };
	char where[304];
	struct err why;

	snprintf(where, sizeof(where), "/%.300s", p->path);
	if (!s->dry_run && change_rewrite(p->dir, where, p->name, &attrs, data, len, &why) < 0)
		return sweep_failed(s, &why, e);
	return variables ? told(s, SWEEP_WRITTEN, path, variables, e) :
			   told(s, SWEEP_EMPTIED, path, "", e);
}

static int act_empty(struct sweep *s, const struct sweep_place *p, const char *path, struct err *e)
{
	struct err why;

	if (S_ISREG(p->st.st_mode))
		return p->st.st_size ? replace(s, p, path, NULL, "", 0, e) : 0;
	if (!p->is_literal)
		return 0;
	err_msg(&why, EINVAL, "'/%.300s' is no regular file, and left as it is", path);
	return sweep_failed(s, &why, e);
}

static int act_unset(struct sweep *s, const struct sweep_place *p, const char *path,
		     const char *variables, struct err *e)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	_cleanup_free_ char *text = NULL;
	size_t len;

	/* A network's own file of more than that is none. */
	if (!S_ISREG(p->st.st_mode) || fs_read_regular(p->dir, p->name, EDIT_MAX, &text, &len) < 0)
		return 0;
	sweep_unset(text, len, variables, &out);
	if (out.failed)
		return err_oom(e);
	return out.len == len ? 0 : replace(s, p, path, variables, strbuf_str(&out), out.len, e);
}

int sweep_act(struct sweep *s, const struct sweep_rule *rule, const struct sweep_place *p,
	      struct err *e)
{
	_cleanup_free_ char *path = sweep_join(p->path, p->name);

	if (!path)
		return err_oom(e);
	if (sweep_is_gone(s, path))
		return 0;
	switch (rule->action) {
	case SWEEP_REMOVE:
	case SWEEP_REMOVE_TREE:
		return act_remove(s, p, path, rule->action == SWEEP_REMOVE_TREE, e);
	case SWEEP_EMPTY:
		return act_empty(s, p, path, e);
	case SWEEP_UNSET:
		return act_unset(s, p, path, rule->variables, e);
	}
	return 0;
}

/* --- what is made --- */

/*
 * The directory that @path is in, made if need be. Return: 1; 0: there is none, in a dry
 * run; or -errno.
 */
static int open_parent(const struct sweep *s, const char *path, int *ret, struct err *e)
{
	_cleanup_close_ int dir = -1;
	int r = tree_open_here(s->root, "", O_PATH | O_DIRECTORY, &dir);

	for (const char *p = path; r == 0 && strchr(p, '/'); p = strchr(p, '/') + 1) {
		_cleanup_free_ char *name = strndup(p, strcspn(p, "/"));
		int next = -1;

		if (!name)
			return err_oom(e);
		r = tree_open_here(dir, name, O_PATH | O_DIRECTORY, &next);
		if (r == -ENOENT && s->dry_run)
			return 0;
		if (r == -ENOENT)
			r = mkdirat(dir, name, 0755) < 0 ?
				    -errno :
				    tree_open_here(dir, name, O_PATH | O_DIRECTORY, &next);
		cleanup_close(&dir);
		dir = next;
	}
	if (r < 0)
		return err_errno(e, -r, "cannot open the directory of '/%s'", path);
	*ret = steal_fd(&dir);
	return 1;
}

static bool same_file(int dir, const char *name, const struct change_attrs *attrs, const void *data,
		      size_t len)
{
	_cleanup_free_ char *was = NULL;
	struct stat st;
	size_t was_len;

	return change_exists(dir, name, &st) && S_ISREG(st.st_mode) &&
	       (st.st_mode & 07777) == attrs->mode && st.st_uid == attrs->uid &&
	       st.st_gid == attrs->gid && fs_read_regular(dir, name, len, &was, &was_len) == 0 &&
	       was_len == len && !memcmp(was, data, len);
}

int sweep_write(struct sweep *s, const char *path, const struct change_attrs *attrs,
		const void *data, size_t len, struct err *e)
{
	const char *name = strrchr(path, '/') + 1;
	_cleanup_close_ int dir = -1;
	char where[256];
	struct err why;
	int r = open_parent(s, path + 1, &dir, &why);

	snprintf(where, sizeof(where), "%.*s", (int)(name - 1 - path), path);
	if (r > 0 && same_file(dir, name, attrs, data, len))
		return 0;
	if (r > 0 && !s->dry_run)
		r = change_replace(dir, where, name, attrs, data, len, &why);
	return r < 0 ? sweep_failed(s, &why, e) : sweep_told(s, SWEEP_WRITTEN, path, e);
}

int sweep_link(struct sweep *s, const char *path, const char *target, struct err *e)
{
	const char *name = strrchr(path, '/') + 1;
	_cleanup_close_ int dir = -1;
	char where[256], was[256] = "";
	struct err why;
	int r = open_parent(s, path + 1, &dir, &why);

	snprintf(where, sizeof(where), "%.*s", (int)(name - 1 - path), path);
	if (r > 0 && readlinkat(dir, name, was, sizeof(was) - 1) > 0 && !strcmp(was, target))
		return 0;
	if (r > 0 && !s->dry_run)
		r = change_symlink(dir, where, name, target, &why);
	return r < 0 ? sweep_failed(s, &why, e) : sweep_told(s, SWEEP_WRITTEN, path, e);
}

/* --- lines --- */

/* Whether a line assigns to one of @variables, which are separated by spaces. */
static bool assigns(const char *line, size_t len, const char *variables)
{
	while (len && (*line == ' ' || *line == '\t')) {
		line++;
		len--;
	}
	while (*variables) {
		size_t n = strcspn(variables, " ");

		if (len > n && line[n] == '=' && !memcmp(line, variables, n))
			return true;
		variables += n + (variables[n] == ' ');
	}
	return false;
}

void sweep_unset(const char *text, size_t len, const char *variables, struct strbuf *out)
{
	const char *end = text + len;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((newline ? newline + 1 : end) - text);

		if (!assigns(text, n, variables))
			strbuf_add(out, text, n);
		text += n;
	}
}
