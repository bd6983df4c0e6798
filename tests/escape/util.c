/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/escape/escape.h"

#define FDS_MAX 4096

enum verdict refused(const char *what)
{
	return held("%s: %s", what, strerror(errno));
}

enum verdict judge(long r, const char *what)
{
	return r < 0 ? refused(what) : out("%s succeeded (%ld)", what, r);
}

long number(const char *field)
{
	return *field ? strtol(field, NULL, 10) : -1;
}

bool is_listed(const char *field, int n)
{
	while (*field) {
		char *end;

		if (strtol(field, &end, 10) == n)
			return true;
		field = *end ? end + 1 : end;
	}
	return false;
}

bool has_token(const char *data, size_t len)
{
	size_t n = strlen(scene.token);

	return n && memmem(data, len, scene.token, n);
}

bool fd_has_token(int fd)
{
	char buf[4096];
	ssize_t n = read(fd, buf, sizeof(buf));

	close(fd);
	return n > 0 && has_token(buf, (size_t)n);
}

enum verdict read_secret(int dirfd, const char *path)
{
	int fd = openat(dirfd, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return refused(path);
	return fd_has_token(fd) ? out("read the secret as %s", path) :
				  held("%s is another file", path);
}

ssize_t read_text(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t have = 0;
	ssize_t n;

	if (fd < 0)
		return -1;
	while (have < size - 1 && (n = read(fd, buf + have, size - 1 - have)) > 0)
		have += (size_t)n;
	buf[have] = '\0';
	close(fd);
	return (ssize_t)have;
}

bool status_line(const char *path, const char *key, char *ret, size_t size)
{
	char text[8192], *line, *next;
	size_t len = strlen(key);

	if (read_text(path, text, sizeof(text)) < 0)
		return false;
	for (line = text; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (!strncmp(line, key, len) && line[len] == ':') {
			line += len + 1;
			line += strspn(line, " \t");
			snprintf(ret, size, "%s", line);
			return true;
		}
	}
	return false;
}

/* Where there is no root of its own, the same directory on the host. */
const char *writable_dir(void)
{
	static char path[PATH_SIZE];

	if (access("/vm/volumes/0", F_OK) == 0)
		return "/vm/volumes/0";
	snprintf(path, sizeof(path), "%s/volume", scene.dir);
	return path;
}

const char *path_in(const char *dir)
{
	static char path[PATH_SIZE + 64];

	snprintf(path, sizeof(path), "%s/%s", dir, attempt_name);
	if (unlink(path) < 0 && errno == EISDIR)
		rmdir(path);
	return path;
}

int copy_self(int fd)
{
	int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	char buf[16384];
	ssize_t n = -1;

	while (self >= 0 && (n = read(self, buf, sizeof(buf))) > 0)
		if (write(fd, buf, (size_t)n) != n)
			break;
	close(self);
	close(fd);
	return n == 0 ? 0 : -1;
}

enum verdict exec_proof(int dirfd, const char *path, int flags)
{
	char program[] = "escape", proof[] = "proof", name[64];
	char *const argv[] = { program, proof, name, NULL };
	char *const envp[] = { NULL };

	snprintf(name, sizeof(name), "%s", attempt_name);
	if (dirfd == AT_FDCWD)
		execve(path, argv, envp);
	else
		syscall(SYS_execveat, dirfd, path, argv, envp, flags);
	return refused("execve");
}

/* Behind the program's name, which may hold anything. */
long own_stat(int n)
{
	char text[2048], *p;

	if (read_text("/proc/self/stat", text, sizeof(text)) < 0 || !(p = strrchr(text, ')')))
		return -1;
	for (int i = 2; i < n && p; i++)
		p = strchr(p + 1, ' ');
	return p ? strtol(p, NULL, 10) : -1;
}

pid_t first_pid(void)
{
	long parent = own_stat(4);

	return parent > 0 ? (pid_t)parent : 1;
}

pid_t next_pid(pid_t pid)
{
	DIR *d = opendir("/proc");
	struct dirent *entry;
	long best = 0;

	while (d && (entry = readdir(d))) {
		char *end;
		long n = strtol(entry->d_name, &end, 10);

		if (!*end && n > pid && (!best || n < best))
			best = n;
	}
	if (d)
		closedir(d);
	return (pid_t)best;
}

int next_fd(int fd)
{
	while (++fd < FDS_MAX)
		if (fcntl(fd, F_GETFD) >= 0)
			return fd;
	return -1;
}
