/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/edit/sweep_change.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs-tools/core/tree.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"

#define SYMLINKS_MAX 1000 /* told of; a hostile tree has as many as it likes */

static void cleanup_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* --- finding --- */

static int expand(struct sweep *s, const struct sweep_rule *rule, const char *path,
		  const char *rest, struct err *e);

static int skip_symlink(struct sweep *s, const char *path, struct err *e)
{
	if (s->symlinks.n >= SYMLINKS_MAX)
		return 0;
	for (size_t i = 0; i < s->symlinks.n; i++)
		if (!strcmp(s->symlinks.v[i], path))
			return 0;
	strvec_add(&s->symlinks, path);
	return s->symlinks.failed ? err_oom(e) : 0;
}

/* @name is what comes next; behind it there is @next, or nothing. */
static int step(struct sweep *s, const struct sweep_rule *rule, struct sweep_place *p,
		const char *next, struct err *e)
{
	_cleanup_free_ char *path = NULL;
	int r;

	if (!change_exists(p->dir, p->name, &p->st))
		return 0;
	if (!next)
		return sweep_act(s, rule, p, e);
	path = sweep_join(p->path, p->name);
	if (!path)
		return err_oom(e);
	if (S_ISLNK(p->st.st_mode))
		return skip_symlink(s, path, e);
	if (!S_ISDIR(p->st.st_mode) || sweep_is_gone(s, path))
		return 0;
	r = inode_map_add(&s->visited, &p->st, NULL, NULL);
	return r == -ENOMEM ? err_oom(e) : expand(s, rule, path, next, e);
}

static int match_names(struct sweep *s, const struct sweep_rule *rule, DIR *dir, const char *path,
		       const char *pattern, const char *next, struct err *e)
{
	struct dirent *entry;
	struct err why;
	int r = 0;

	while (r == 0) {
		int more = tree_read(dir, path, &entry, &why);
		struct sweep_place p = { .dir = dirfd(dir), .path = path };

		if (more <= 0)
			return more < 0 ? sweep_failed(s, &why, e) : 0;
		p.name = entry->d_name;
		if (fnmatch(pattern, entry->d_name, FNM_EXTMATCH) == 0)
			r = step(s, rule, &p, next, e);
	}
	return r;
}

/* The directories below @at. */
static int push_below(struct sweep *s, const char *at, struct tree_stack *stack, struct err *e)
{
	_cleanup_(cleanup_dir) DIR *dir = NULL;
	struct dirent *entry;
	int r = tree_open_dir_here(s->root, at, &dir, e);

	if (r < 0 || !dir)
		return r;
	while (r == 0 && (r = tree_read(dir, at, &entry, e)) > 0) {
		_cleanup_free_ char *path = NULL;

		r = 0;
		if (tree_type(dirfd(dir), entry) != DT_DIR)
			continue;
		path = sweep_join(at, entry->d_name);
		if (!path)
			r = err_oom(e);
		else if (!sweep_is_gone(s, path))
			r = tree_push(stack, at, entry->d_name, false, e);
	}
	return r;
}

static int walk(struct sweep *s, const struct sweep_rule *rule, const char *path, const char *rest,
		struct err *e)
{
	_cleanup_(tree_stack_free) struct tree_stack stack = { 0 };
	struct tree_dir at;
	struct err why;
	int r = tree_push(&stack, path, "", false, e);

	while (r == 0 && tree_pop(&stack, &at)) {
		_cleanup_(tree_dir_free) struct tree_dir owned = at;

		r = expand(s, rule, owned.path, rest, e);
		if (r == 0 && push_below(s, owned.path, &stack, &why) < 0)
			r = sweep_failed(s, &why, e);
	}
	return r;
}

static int open_place(struct sweep *s, const char *path, DIR **ret, struct err *e)
{
	struct err why;
	int r = tree_open_dir_here(s->root, path, ret, &why);

	if (r == -ELOOP)
		return skip_symlink(s, path, e);
	if (r == 0 || r == -ENOENT || r == -ENOTDIR)
		return 0;
	return sweep_failed(s, &why, e);
}

static int expand(struct sweep *s, const struct sweep_rule *rule, const char *path,
		  const char *rest, struct err *e)
{
	const char *slash = strchr(rest, '/'), *next = slash ? slash + 1 : NULL;
	_cleanup_free_ char *name = strndup(rest, strcspn(rest, "/"));
	_cleanup_(cleanup_dir) DIR *dir = NULL;
	int r;

	if (!name)
		return err_oom(e);
	/* "**" stands before something. */
	if (next && !strcmp(name, "**"))
		return walk(s, rule, path, next, e);
	r = open_place(s, path, &dir, e);
	if (r < 0 || !dir)
		return r;
	if (name[strcspn(name, "*?[(")])
		return match_names(s, rule, dir, path, name, next, e);
	return step(s, rule,
		    &(struct sweep_place){
			    .dir = dirfd(dir), .path = path, .name = name, .is_literal = true },
		    next, e);
}

/* Where people's and root's homes are; behind /root and /home where those are symlinks. */
static const char *const usual_homes[] = { "root", "home/*", "var/roothome", "var/home/*" };

bool sweep_is_plain(const char *path)
{
	size_t len;

	if (*path++ != '/' || !*path)
		return false;
	for (;; path += len + 1) {
		len = strcspn(path, "/");
		if (!len || (len == 1 && *path == '.') ||
		    (len == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		if (!path[len])
			return true;
	}
}

static int in_homes(struct sweep *s, const struct sweep_rule *rule, struct err *e)
{
	const char *below = rule->pattern + strlen("~/");
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(usual_homes); i++) {
		_cleanup_free_ char *pattern = sweep_join(usual_homes[i], below);

		r = pattern ? expand(s, rule, "", pattern, e) : err_oom(e);
	}
	for (size_t i = 0; r == 0 && i < s->homes.n; i++)
		if (sweep_is_plain(s->homes.v[i]))
			r = expand(s, rule, s->homes.v[i] + 1, below, e);
	return r;
}

int sweep(struct sweep *s, const struct sweep_rule *rule, struct err *e)
{
	return *rule->pattern == '~' ? in_homes(s, rule, e) :
				       expand(s, rule, "", rule->pattern + 1, e);
}

int sweep_remove_tree(struct sweep *s, const char *path, struct err *e)
{
	static const struct sweep_rule rule = { .action = SWEEP_REMOVE_TREE };
	const char *name = strrchr(path, '/') + 1;
	_cleanup_free_ char *parent = strndup(path + 1, (size_t)(name - path - 1));
	_cleanup_(cleanup_dir) DIR *dir = NULL;
	int r;

	if (!parent)
		return err_oom(e);
	if (*parent)
		parent[strlen(parent) - 1] = '\0';
	r = open_place(s, parent, &dir, e);
	if (r < 0 || !dir)
		return r;
	return step(s, &rule,
		    &(struct sweep_place){
			    .dir = dirfd(dir), .path = parent, .name = name, .is_literal = true },
		    NULL, e);
}

int sweep_end(struct sweep *s, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->symlinks.n; i++) {
		_cleanup_close_ int fd = -1;
		struct stat st;
		struct err why;

		if (fs_open_in_root(s->root, s->symlinks.v[i], O_PATH | O_DIRECTORY, &fd) < 0 ||
		    fstat(fd, &st) < 0)
			continue;
		r = inode_map_add(&s->visited, &st, NULL, NULL);
		if (r == -ENOMEM)
			return err_oom(e);
		if (r == 0)
			continue;
		err_msg(&why, ELOOP, "'/%.300s' is a symlink; what it leads to was left as it is",
			s->symlinks.v[i]);
		r = sweep_failed(s, &why, e);
	}
	return r;
}

void sweep_free(struct sweep *s)
{
	tdestroy(s->gone, free);
	inode_map_free(&s->visited);
	strvec_free(&s->symlinks);
	strvec_free(&s->homes);
}
