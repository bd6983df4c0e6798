/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs-tools/disk/guest/reader.h"

/* What unpacks it takes no longer paths. A level is at least two bytes of one. */
#define WALK_PATH_MAX 65536
#define DEPTH_MAX (WALK_PATH_MAX / 2)

/* Its inode, since mke2fs has made it first of all. */
#define LOST_AND_FOUND 11

struct level {
	DIR *dir;
	size_t path_len; /* of the directory's own path */
};

/* A file that has more names than one, by its first. */
struct link {
	uint64_t dev, ino;
	char *path;
};

static struct level levels[DEPTH_MAX];
static char path[WALK_PATH_MAX + NAME_MAX + 2] = ".";
static struct link *links;
static size_t n_links, links_size;
static uint64_t entries;

static struct link *slot(struct link *table, size_t size, const struct stat *st)
{
	size_t i = (size_t)((st->st_ino * UINT64_C(0x9e3779b97f4a7c15)) ^ st->st_dev) & (size - 1);

	while (table[i].path && (table[i].dev != st->st_dev || table[i].ino != st->st_ino))
		i = (i + 1) & (size - 1);
	return &table[i];
}

static void grow_links(void)
{
	size_t size = links_size ? 2 * links_size : 1024;
	struct link *table = calloc(size, sizeof(*table));

	if (!table)
		die("the helper guest has not enough memory");
	for (size_t i = 0; i < links_size; i++) {
		const struct stat st = { .st_dev = links[i].dev, .st_ino = links[i].ino };

		if (links[i].path)
			*slot(table, size, &st) = links[i];
	}
	free(links);
	links = table;
	links_size = size;
}

/* Return: its first path, or NULL: this is the first. */
static const char *first_path(const struct stat *st)
{
	struct link *l;

	if (2 * n_links >= links_size)
		grow_links();
	l = slot(links, links_size, st);
	if (l->path)
		return l->path;
	*l = (struct link){ st->st_dev, st->st_ino, strdup(path) };
	if (!l->path)
		die("the helper guest has not enough memory");
	n_links++;
	return NULL;
}

static void write_entry(int dir, const char *name, const struct stat *st)
{
	static char target[PATH_MAX];
	struct tar_entry e = { .path = path, .st = st, .fd = -1, .dir = dir, .name = name };
	ssize_t n;

	/* A tar has no sockets, and without their programs they mean nothing. */
	if (S_ISSOCK(st->st_mode))
		return;
	if (!S_ISDIR(st->st_mode) && st->st_nlink > 1) {
		e.link = first_path(st);
		e.hard = e.link != NULL;
	}
	if (S_ISLNK(st->st_mode) && !e.hard) {
		n = readlinkat(dir, name, target, sizeof(target) - 1);
		if (n >= 0)
			target[n] = '\0';
		else
			die("cannot read the link '%s': %s", path, strerror(errno));
		e.link = target;
	}
	if (S_ISREG(st->st_mode) && !e.hard) {
		e.fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC);
		if (e.fd < 0)
			die("cannot open '%s': %s", path, strerror(errno));
	}
	tar_entry(&e);
	if (e.fd >= 0)
		close(e.fd);
	entries++;
}

static void enter(unsigned int depth, int parent, const char *name)
{
	struct level *l = &levels[depth];
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	l->dir = fd < 0 ? NULL : fdopendir(fd);
	if (!l->dir)
		die("cannot read the directory '%s': %s", path, strerror(errno));
	l->path_len = strlen(path);
}

/* That of an ext file system, which is no part of what it holds. */
static bool is_lost_and_found(int dir, const char *name, const struct stat *st)
{
	bool empty = true;
	struct dirent *de;
	DIR *list;
	int fd;

	if (strcmp(name, "lost+found") != 0 || !S_ISDIR(st->st_mode) ||
	    st->st_ino != LOST_AND_FOUND)
		return false;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	list = fd < 0 ? NULL : fdopendir(fd);
	while (list && empty && (de = readdir(list)))
		empty = !strcmp(de->d_name, ".") || !strcmp(de->d_name, "..");
	if (list)
		closedir(list);
	return list && empty;
}

static void visit(const struct level *l, const char *name, unsigned int *depth)
{
	int dir = dirfd(l->dir);
	struct stat st;

	if (l->path_len + 1 + strlen(name) >= WALK_PATH_MAX || *depth + 1 >= DEPTH_MAX)
		die("a path of more than %d bytes: '%.100s...'", WALK_PATH_MAX, path);
	path[l->path_len] = '/';
	memcpy(path + l->path_len + 1, name, strlen(name) + 1);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
		die("cannot look at '%s': %s; the file system is damaged", path, strerror(errno));
	if (is_lost_and_found(dir, name, &st))
		return;
	/* What is mounted here has its own root's attributes. */
	write_entry(dir, name, &st);
	if (S_ISDIR(st.st_mode))
		enter(++*depth, dir, name);
}

uint64_t walk(void)
{
	unsigned int depth = 0;
	struct stat st;

	if (lstat(ROOT_DIR, &st) < 0)
		die("cannot look at the root: %s", strerror(errno));
	write_entry(AT_FDCWD, ROOT_DIR, &st);
	enter(0, AT_FDCWD, ROOT_DIR);
	for (;;) {
		struct level *l = &levels[depth];
		struct dirent *de;

		path[l->path_len] = '\0';
		errno = 0;
		de = readdir(l->dir);
		if (!de && errno)
			die("cannot read the directory '%s': %s", path, strerror(errno));
		if (de && strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			visit(l, de->d_name, &depth);
		if (de)
			continue;
		closedir(l->dir);
		if (depth-- == 0)
			break;
	}
	return entries;
}
