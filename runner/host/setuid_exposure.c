/* SPDX-License-Identifier: MIT */
#include "runner/host/setuid_exposure.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/base/fs.h"

#define NAME_SHOWN_MAX 250 /* bytes of a path in the warning */

static bool is_mapped(const struct id_map *map, uint32_t outside)
{
	for (unsigned int i = 0; i < map->n; i++)
		if (outside >= map->e[i].outside && outside - map->e[i].outside < map->e[i].count)
			return true;
	return false;
}

/* What cannot be looked at is taken for open. */
static bool is_closed(const char *dir, const struct stat *st, uint32_t uid, uint32_t gid)
{
	if (st->st_mode & S_IXOTH)
		return false;
	if (!(st->st_mode & S_IXGRP))
		return true;
	/*
	 * A group of the caller's own has the same number, by custom; any other may have
	 * members. With an ACL the bit of the group is its mask: somebody may search.
	 */
	return st->st_gid == gid && uid == gid && getxattr(dir, "system.posix_acl_access", NULL, 0) < 0;
}

/*
 * Whether a directory above @path, which is absolute and without symlinks, is closed.
 * @ret_own: PATH_MAX bytes: the last one that the caller could close, or "".
 */
static bool closed_above(const char *path, const struct setuid_input *in, char *ret_own)
{
	char dir[PATH_MAX];

	ret_own[0] = '\0';
	if (strlen(path) >= sizeof(dir))
		return false;
	for (size_t i = 0; path[i]; i++) {
		struct stat st;

		if (path[i] != '/')
			continue;
		snprintf(dir, sizeof(dir), "%.*s", i ? (int)i : 1, path);
		if (stat(dir, &st) < 0)
			continue;
		if (is_closed(dir, &st, in->uid, in->gid))
			return true;
		if (st.st_uid == in->uid)
			snprintf(ret_own, PATH_MAX, "%s", dir);
	}
	return false;
}

static bool is_exposed(int fd, const char *path, const struct setuid_input *in, char *ret_own)
{
	struct statvfs vfs;

	if (fstatvfs(fd, &vfs) == 0 && vfs.f_flag & (ST_NOSUID | ST_NOEXEC))
		return false;
	return !closed_above(path, in, ret_own);
}

static void warn(const char *path, const char *own, const char *or_else, char *buf)
{
	char remedy[300] = "chmod go-x a directory above it, or move it below one of yours";

	/* Half of a name would be another directory's. */
	if (*own && strlen(own) <= NAME_SHOWN_MAX)
		snprintf(remedy, sizeof(remedy), "chmod go-x %s", own);
	snprintf(buf, ERR_TEXT_MAX,
		 "a setuid program that the guest makes in %.*s runs as you for everyone on this "
		 "host; %s, or use %s, or --allow-setuid if that is meant",
		 NAME_SHOWN_MAX, path, remedy, or_else);
	text_sanitize(buf);
}

static bool volume_is_exposed(const struct volume *v, const struct setuid_input *in, char *buf)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *path = NULL;
	char own[PATH_MAX];

	if (v->read_only)
		return false;
	/* One that cannot be opened ends the run, with an error of its own. */
	fd = open(v->src, O_PATH | O_CLOEXEC);
	if (fd < 0 || fs_fd_path(fd, &path) < 0 || !is_exposed(fd, path, in, own))
		return false;
	warn(path, own, "-v SRC:DST:ro", buf);
	return true;
}

bool setuid_exposure(const struct setuid_input *in, char ret_warning[ERR_TEXT_MAX])
{
	const struct vm_spec *spec = in->spec;
	char own[PATH_MAX];

	if (spec->allow_setuid || !is_mapped(in->uids, in->uid))
		return false;
	if (spec->root_mode == ROOT_RW && is_exposed(in->base->fd, in->base->path, in, own)) {
		warn(in->base->path, own, "--read-only or --ephemeral", ret_warning);
		return true;
	}
	for (unsigned int i = 0; i < spec->n_volumes; i++)
		if (volume_is_exposed(&spec->volumes[i], in, ret_warning))
			return true;
	return false;
}
