/* SPDX-License-Identifier: MIT */
/*
 * In QEMU's place: writes all that it sees to the first volume, and exits with status 3.
 * "files" is a line for each name: d (a directory of the jail's own), m (one of another
 * file system), f or c (a file, a device), then the path. "mountinfo" and "environ" are
 * those of its process. Builds as a static program and as a constructor in another.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VOLUME "/vm/volumes/0"

static dev_t own;

static char kind_of(const struct stat *st)
{
	if (S_ISDIR(st->st_mode))
		return st->st_dev == own ? 'd' : 'm';
	return S_ISREG(st->st_mode) ? 'f' : S_ISCHR(st->st_mode) ? 'c' : '?';
}

static void walk(int out, const char *where)
{
	struct dirent *entry;
	DIR *dir = opendir(*where ? where : "/");

	if (!dir) {
		dprintf(out, "! %s\n", where);
		return;
	}
	while ((entry = readdir(dir))) {
		char path[PATH_MAX], kind = '?';
		struct stat st;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(path, sizeof(path), "%s/%s", where, entry->d_name);
		if (lstat(path, &st) == 0)
			kind = kind_of(&st);
		dprintf(out, "%c %s\n", kind, path);
		if (kind == 'd')
			walk(out, path);
	}
	closedir(dir);
}

static int create(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);

	if (fd < 0) {
		dprintf(STDERR_FILENO, "x: cannot make %s\n", path);
		_exit(4);
	}
	return fd;
}

static void copy(const char *from, const char *to)
{
	int in = open(from, O_RDONLY), out = create(to);
	char buf[4096];
	ssize_t n;

	if (in < 0)
		dprintf(out, "no %s\n", from);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, (size_t)n) != n)
			_exit(4);
}

__attribute__((constructor)) static void look(void)
{
	struct stat root;

	if (stat("/", &root) < 0)
		_exit(4);
	own = root.st_dev;
	walk(create(VOLUME "/files"), "");
	copy("/proc/self/mountinfo", VOLUME "/mountinfo");
	copy("/proc/self/environ", VOLUME "/environ");
	dprintf(STDERR_FILENO, "x: looked\n");
	_exit(3);
}

int main(void)
{
	return 4;
}
