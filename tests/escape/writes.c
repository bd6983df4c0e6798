/* SPDX-License-Identifier: MIT */
/* To change what is not the guest's: host files, the jail itself, what later runs start from. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/escape/escape.h"

#define WALK_ENTRIES 3000
#define WALK_DEPTH 12

static enum verdict host_file(void)
{
	return judge(open(scene.secret, O_WRONLY | O_CLOEXEC), "open for writing");
}

static enum verdict host_create(void)
{
	return judge(open(path_in(scene.dir), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600),
		     "creating a file");
}

static enum verdict host_rename(void)
{
	char from[PATH_SIZE];

	snprintf(from, sizeof(from), "%s/decoy", scene.dir);
	return judge(rename(from, path_in(writable_dir())), "rename");
}

static enum verdict host_chmod(void)
{
	return judge(chmod(scene.secret, 0600), "chmod");
}

/* --- whatever is there that may be written to --- */

struct walk {
	unsigned int seen;
	char found[512];
};

/* Where the guest's own files are, and what is no file system. */
static bool is_left_out(const char *path)
{
	return !strcmp(path, "/proc") || !strcmp(path, "/sys") || !strcmp(path, "/dev/shm") ||
	       !strcmp(path, "/vm/volumes/0") || !strcmp(path, "/vm/root");
}

static bool is_writable(const char *path, const struct stat *st)
{
	int fd = -1;

	if (S_ISDIR(st->st_mode))
		fd = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	else if (S_ISREG(st->st_mode))
		fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* @levels: that many below @path. */
static void walk(struct walk *w, const char *path, int levels)
{
	char below[512];
	struct dirent *entry;
	struct stat st;
	DIR *d;

	if (is_left_out(path) || lstat(path, &st) < 0)
		return;
	if (is_writable(path, &st)) {
		snprintf(w->found, sizeof(w->found), "%s", path);
		return;
	}
	d = S_ISDIR(st.st_mode) && levels > 0 ? opendir(path) : NULL;
	while (d && !*w->found && w->seen < WALK_ENTRIES && (entry = readdir(d))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		w->seen++;
		if (snprintf(below, sizeof(below), "%s/%s", strcmp(path, "/") ? path : "",
			     entry->d_name) < (int)sizeof(below))
			walk(w, below, levels - 1);
	}
	if (d)
		closedir(d);
}

static enum verdict anything(void)
{
	struct walk w = { 0 };

	/* The near ones first: on the host there are far too many. */
	for (int levels = 1; levels <= WALK_DEPTH && !*w.found; levels += WALK_DEPTH - 1) {
		w.seen = 0;
		walk(&w, "/", levels);
	}
	return *w.found ? out("%s can be written to", w.found) :
			  held("%u files and directories, none", w.seen);
}

static enum verdict root(void)
{
	int fd = open("/escaped", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return refused("creating /escaped");
	unlink("/escaped");
	return out("created a file in the jail's root");
}

static enum verdict devices(void)
{
	int fd = open("/dev/escaped", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return refused("creating /dev/escaped");
	unlink("/dev/escaped");
	return out("created a file in /dev");
}

/* --- what is attached read-only --- */

static enum verdict create_below(const char *dir)
{
	const char *path = path_in(dir);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return refused(path);
	unlink(path);
	return out("created %s", path);
}

static enum verdict base(void)
{
	return create_below("/vm/root");
}

static enum verdict volume(void)
{
	return create_below("/vm/volumes/1");
}

static enum verdict base_mode(void)
{
	struct stat st;

	/* What it has: if this is let through, nothing is spoilt. */
	if (stat("/vm/root", &st) < 0)
		return refused("stat");
	return judge(chmod("/vm/root", st.st_mode & 07777), "chmod");
}

static enum verdict base_times(void)
{
	struct timespec times[2];
	struct stat st;

	if (stat("/vm/root", &st) < 0)
		return refused("stat");
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	return judge(utimensat(AT_FDCWD, "/vm/root", times, 0), "utimensat");
}

static enum verdict base_xattr(void)
{
	return judge(setxattr("/vm/root", "user.escaped", "1", 1, 0), "setxattr");
}

static enum verdict volume_rename(void)
{
	return judge(rename("/vm/volumes/1/given", "/vm/volumes/1/taken"), "rename");
}

static enum verdict volume_link(void)
{
	return judge(link("/vm/volumes/1/given", path_in("/vm/volumes/0")), "link");
}

/* --- what later runs boot, or wake up from: by the descriptor, its link, its pages --- */

static enum verdict write_by(const char *field)
{
	int fd = (int)number(field), again;
	char link[64];

	if (fcntl(fd, F_GETFD) < 0)
		return refused("no such descriptor");
	if (pwrite(fd, "x", 1, 0) == 1)
		return out("wrote to descriptor %d", fd);
	if (ftruncate(fd, 0) == 0)
		return out("truncated descriptor %d", fd);
	if (mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED)
		return out("mapped descriptor %d writable", fd);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	again = open(link, O_RDWR | O_CLOEXEC);
	if (again >= 0 && pwrite(again, "x", 1, 0) == 1)
		return out("wrote to %s", link);
	return refused(link);
}

static enum verdict kernel(void)
{
	return write_by(scene.kernel);
}

static enum verdict initrd(void)
{
	return write_by(scene.initrd);
}

static enum verdict ram(void)
{
	return write_by(scene.ram);
}

static enum verdict state(void)
{
	return write_by(scene.state);
}

/* To have it in a mount that can be written to. */
static enum verdict cache_link(void)
{
	char from[64];

	snprintf(from, sizeof(from), "/proc/self/fd/%ld", number(scene.kernel));
	return judge(linkat(AT_FDCWD, from, AT_FDCWD, path_in(writable_dir()), AT_SYMLINK_FOLLOW),
		     "linkat");
}

static enum verdict lock(void)
{
	return judge(flock((int)number(scene.ram), LOCK_EX | LOCK_NB), "flock");
}

static enum verdict lease(void)
{
	return judge(fcntl((int)number(scene.kernel), F_SETLEASE, F_RDLCK), "fcntl(F_SETLEASE)");
}

static const struct attempt attempts[] = {
	{ "write-host", "open a file of the caller's for writing", host_file },
	{ "write-host-create", "create a file beside it", host_create },
	{ "write-host-rename", "take one away", host_rename },
	{ "write-host-chmod", "change its mode", host_chmod },
	{ "write-anything", "find something writable", anything },
	{ "write-root", "create a file in the jail's root", root },
	{ "write-dev", "create a file in /dev", devices },
	{ "write-base", "create a file in a read-only base", base },
	{ "write-volume", "create a file in a read-only volume", volume },
	{ "write-base-mode", "change a read-only base's mode", base_mode },
	{ "write-base-times", "change its times", base_times },
	{ "write-base-xattr", "give it an attribute", base_xattr },
	{ "write-volume-rename", "rename in a read-only volume", volume_rename },
	{ "write-volume-link", "link out of a read-only volume", volume_link },
	{ "write-kernel", "change the kernel that later runs boot", kernel },
	{ "write-initrd", "change the initramfs", initrd },
	{ "write-ram", "change a template's memory", ram },
	{ "write-state", "change a template's device state", state },
	{ "cache-link", "link the kernel into a volume", cache_link },
	{ "cache-lock", "lock a template against later runs", lock },
	{ "cache-lease", "take a lease on the kernel", lease },
};

GROUP(writes, attempts);
