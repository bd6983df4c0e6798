/* SPDX-License-Identifier: MIT */
/* What is inherited: descriptors, and the environment. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tests/escape/escape.h"

static enum verdict extra(void)
{
	char link[64], path[256];

	for (int fd = -1; (fd = next_fd(fd)) >= 0;) {
		ssize_t n;

		if (is_listed(scene.fds, fd))
			continue;
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, path, sizeof(path) - 1);
		path[n < 0 ? 0 : n] = '\0';
		return out("descriptor %d: %s", fd, path);
	}
	return held("none but those that are documented");
}

static enum verdict any_of(mode_t type, const char *what)
{
	struct stat st;

	for (int fd = -1; (fd = next_fd(fd)) >= 0;)
		if (fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type)
			return out("descriptor %d is a %s", fd, what);
	return held("there is no %s", what);
}

static enum verdict directory(void)
{
	return any_of(S_IFDIR, "directory");
}

static enum verdict block(void)
{
	return any_of(S_IFBLK, "block device");
}

static bool is_of_guest(int fd)
{
	return fd == (int)number(scene.initrd) || fd == (int)number(scene.ram);
}

static enum verdict writable(void)
{
	struct stat st;

	for (int fd = -1; (fd = next_fd(fd)) >= 0;)
		if (!is_of_guest(fd) && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		    (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY)
			return out("descriptor %d is a file that is open for writing", fd);
	return held("there is no writable file");
}

static enum verdict device(void)
{
	struct stat st;

	for (int fd = -1; (fd = next_fd(fd)) >= 0;) {
		if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode))
			continue;
		/* /dev/null, the kernel's memory devices' third. */
		if (major(st.st_rdev) != 1 || minor(st.st_rdev) != 3)
			return out("descriptor %d is device %u:%u", fd, major(st.st_rdev),
				   minor(st.st_rdev));
	}
	return held("there is only /dev/null");
}

static enum verdict standard_input(void)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	char byte;

	if (poll(&p, 1, 0) <= 0)
		return held("there is nothing to read");
	return read(STDIN_FILENO, &byte, 1) > 0 ? out("read vmrun's standard input") :
						  held("it is at its end");
}

static enum verdict environment(void)
{
	for (char **p = environ; *p; p++)
		if (strncmp(*p, "LD_PRELOAD=/vm/", 15) != 0)
			return out("%.60s", *p);
	return held("it is empty");
}

static const struct attempt attempts[] = {
	{ "fd-extra", "find a descriptor that is not documented", extra },
	{ "fd-directory", "a directory", directory },
	{ "fd-block", "a block device", block },
	{ "fd-writable", "a file open for writing", writable },
	{ "fd-device", "a device", device },
	{ "fd-stdin", "what vmrun's user types", standard_input },
	{ "environment", "the caller's environment", environment },
};

GROUP(descriptors, attempts);
