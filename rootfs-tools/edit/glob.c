/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/edit/glob.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs-tools/core/tree.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/base/strbuf.h"

struct glob {
	int root;
	char path[PATH_MAX]; /* of the directory that is looked at, "" for the root */
	uint64_t n;
};

static int remove_at(struct glob *g, const char *rest, struct err *e);

int glob_check(const char *pattern, struct err *e)
{
	unsigned int parts = 0;

	for (const char *p = pattern; (p = strchr(p, '/')); p++)
		parts++;
	if (parts > GLOB_PARTS_MAX)
		return err_msg(e, EINVAL, "'%.200s' has more than %d parts", pattern,
			       GLOB_PARTS_MAX);
	return 0;
}

static bool has_wildcards(const char *part)
{
	return strpbrk(part, "*?[\\") != NULL;
}

static int open_dir(const struct glob *g, int flags, int *ret_fd)
{
	return fs_open_in_root(g->root, *g->path ? g->path : "/", flags | O_DIRECTORY, ret_fd);
}

/* A part in the middle may well be missing, or match what is no directory. */
static bool is_no_dir(int r)
{
	return r == -ENOENT || r == -ENOTDIR || r == -ELOOP || r == -ENAMETOOLONG;
}

static int remove_name(struct glob *g, const char *name, struct err *e)
{
	_cleanup_close_ int dir = -1, below = -1;
	struct stat st;
	int r = open_dir(g, O_PATH, &dir);

	if (r < 0)
		return err_errno(e, -r, "cannot open %s of the root directory", g->path);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno == ENOENT || errno == ENAMETOOLONG)
			return 0;
		return err_errno(e, errno, "cannot stat %s/%s of the root directory", g->path,
				 name);
	}
	if (S_ISDIR(st.st_mode)) {
		below = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = below < 0 ? err_errno(e, errno, "cannot open %s/%s of the root directory",
					  g->path, name) :
				tree_remove(below, e);
		if (r < 0)
			return err_prefix(e, "below %s/%s", g->path, name);
	}
	if (unlinkat(dir, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) < 0)
		return err_errno(e, errno, "cannot remove %s/%s of the root directory", g->path,
				 name);
	g->n++;
	return 0;
}

/* @name in the directory, then what is left of the pattern. */
static int go_on(struct glob *g, const char *name, const char *rest, struct err *e)
{
	size_t len = strlen(g->path);
	int r;

	if (!*rest)
		return remove_name(g, name, e);
	/* Nothing has a longer path that the guest could name, either. */
	if (len + 1 + strlen(name) >= sizeof(g->path))
		return 0;
	snprintf(g->path + len, sizeof(g->path) - len, "/%s", name);
	r = remove_at(g, rest, e);
	g->path[len] = '\0';
	return r;
}

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static int match_names(struct glob *g, const char *part, struct strvec *ret, struct err *e)
{
	_cleanup_(close_dir) DIR *dir = NULL;
	struct dirent *entry;
	int fd = -1, r = open_dir(g, O_RDONLY, &fd);

	if (is_no_dir(r))
		return 0;
	if (r < 0)
		return err_errno(e, -r, "cannot open %s of the root directory", g->path);
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return err_oom(e);
	}
	while ((r = tree_read(dir, g->path, &entry, e)) > 0)
		if (fnmatch(part, entry->d_name, FNM_PERIOD) == 0)
			strvec_add(ret, entry->d_name);
	return r == 0 && ret->failed ? err_oom(e) : r;
}

static int remove_at(struct glob *g, const char *rest, struct err *e)
{
	_cleanup_strvec_ struct strvec names = { 0 };
	size_t len = strcspn(++rest, "/");
	char part[PATH_MAX];
	int fd = -1, r;

	snprintf(part, sizeof(part), "%.*s", (int)len, rest);
	rest += len;
	if (!has_wildcards(part)) {
		r = open_dir(g, O_PATH, &fd);
		cleanup_close(&fd);
		if (is_no_dir(r))
			return 0;
		return r < 0 ? err_errno(e, -r, "cannot open %s of the root directory", g->path) :
			       go_on(g, part, rest, e);
	}
	r = match_names(g, part, &names, e);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = go_on(g, names.v[i], rest, e);
	return r;
}

int glob_remove(int root, const char *pattern, uint64_t *ret_n, struct err *e)
{
	struct glob g = { .root = root };
	int r = remove_at(&g, pattern, e);

	if (r == 0)
		*ret_n = g.n;
	return r;
}
