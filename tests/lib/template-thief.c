/* SPDX-License-Identifier: MIT */
/*
 * In QEMU's place, as its first constructor: where a guest is to wake up from a template,
 * tries to change that template's bytes, says what worked, and exits with status 3. Any
 * other guest is left to the real QEMU, whose process this is.
 *
 * What kills a process in the jail is not here, as nothing could be tried after it:
 * mounting (mount, mount_setattr, open_tree, move_mount), new namespaces, files by handle.
 * tests/escape tries these, each in a process of its own.
 *
 * QEMU's process may have our runner/preload in it, which makes some open() calls
 * harmless. A thief would not call it: nothing here is opened but by the system call.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#define VOLUME "/vm/volumes/0" /* may be written to */
#define PAGE 4096
#define MARK "defaced"

/* Where templates are on the host: tests/lib/template.sh knows. */
#ifndef TEMPLATES
#define TEMPLATES "/"
#endif

enum { RAM = 8, STATE = 9, FD_END = 64 }; /* VM_FD_RAM, VM_FD_STATE */

static char breaches[200];
static struct stat template;
static char name[NAME_MAX + 1]; /* of the template */

static void breach(const char *what, const char *on)
{
	size_t len = strlen(breaches);

	snprintf(breaches + len, sizeof(breaches) - len, " %s%s%.100s", what, *on ? ":" : "", on);
}

static void attempt(const char *what, long result)
{
	if (result >= 0)
		breach(what, "");
}

static void attempt_on(const char *what, const char *on, long result)
{
	if (result >= 0)
		breach(what, on);
}

static int open_raw(int dir, const char *path, int flags)
{
	return (int)syscall(SYS_openat, dir, path, flags, 0);
}

static long deface(int fd)
{
	return pwrite(fd, MARK, sizeof(MARK), 0);
}

static void *map(int fd, int prot)
{
	void *at = mmap(NULL, PAGE, prot, MAP_SHARED, fd, 0);

	return at == MAP_FAILED ? NULL : at;
}

/* As a debugger writes to what is mapped read-only. */
static long by_mem(void *at)
{
	int mem = open_raw(AT_FDCWD, "/proc/self/mem", O_RDWR);

	return pwrite(mem, MARK, sizeof(MARK), (off_t)(uintptr_t)at);
}

static long by_map_files(void *at)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (unsigned long)at,
		 (unsigned long)at + PAGE);
	return open_raw(AT_FDCWD, path, O_RDWR);
}

static void by_mapping(int fd)
{
	void *at = map(fd, PROT_READ);

	if (map(fd, PROT_READ | PROT_WRITE))
		breach("mmap", "");
	if (!at) {
		breach("no-mapping", "");
		return;
	}
	attempt("mem", by_mem(at));
	attempt("map-files", by_map_files(at));
	attempt("mprotect", mprotect(at, PAGE, PROT_READ | PROT_WRITE));
}

static void by_opening(const char *path)
{
	static const struct {
		const char *what;
		int flags;
	} ways[] = {
		{ "open-rw", O_RDWR },
		{ "open-w", O_WRONLY },
		{ "open-append", O_RDWR | O_APPEND },
		{ "open-trunc", O_TRUNC },
		{ "open-rw-trunc", O_RDWR | O_TRUNC },
		{ "open-direct", O_WRONLY | O_DIRECT },
	};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		attempt(ways[i].what, open_raw(AT_FDCWD, path, ways[i].flags));
}

static void by_descriptor(int fd)
{
	const struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	int other = RAM + STATE - fd;
	off_t from = PAGE, to = 0;
	long flags = FS_APPEND_FL;
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	attempt("write", write(fd, MARK, sizeof(MARK)));
	attempt("pwrite", deface(fd));
	attempt("ftruncate", ftruncate(fd, 0));
	attempt("truncate", truncate(path, 0));
	attempt("punch", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE));
	attempt("chmod", fchmod(fd, 0666));
	attempt("chmod-path", chmod(path, 0666));
	attempt("chown", fchown(fd, getuid(), getgid()));
	attempt("xattr", fsetxattr(fd, "user.defaced", "x", 1, 0));
	attempt("utime", futimens(fd, times));
	attempt("flags", ioctl(fd, FS_IOC_SETFLAGS, &flags));
	attempt("clone-range", ioctl(fd, FICLONE, other));
	attempt("copy-range", copy_file_range(other, &from, fd, &to, PAGE, 0));
	if (fcntl(fd, F_SETFL, O_RDWR) == 0)
		attempt("dup-writable", deface(fd));
	attempt("link", linkat(AT_FDCWD, path, AT_FDCWD, VOLUME "/link", AT_SYMLINK_FOLLOW));
	by_opening(path);
	by_mapping(fd);
}

/* Wherever the template could be reached by its name. */
static void by_place(int dir, const char *place)
{
	char path[PATH_MAX], gone[PATH_MAX + 8];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", place, name);
	snprintf(gone, sizeof(gone), "%s.gone", path);
	attempt_on("seen", path, fstatat(dir, path, &st, 0));
	attempt_on("write", path, open_raw(dir, path, O_RDWR));
	attempt_on("rename", path, renameat(dir, path, dir, gone));
	attempt_on("unlink", path, unlinkat(dir, path, 0));
}

static DIR *list(const char *path)
{
	int fd = open_raw(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? NULL : fdopendir(fd);
}

/* @where, and all below, but for what other programs or the guest have there. */
static void by_walking(const char *where)
{
	static const char *const others[] = { "/proc", "/vm/root", "/vm/volumes" };
	struct dirent *entry;
	char path[PATH_MAX];
	DIR *dir;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (!strcmp(where, others[i]))
			return;
	by_place(AT_FDCWD, where);
	dir = list(*where ? where : "/");
	while (dir && (entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", where, entry->d_name);
		by_walking(path);
	}
	if (dir)
		closedir(dir);
}

static void by_other_process(const char *pid)
{
	static const char *const parts[] = { "fd", "map_files", "root" };
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/proc/%s/mem", pid);
	attempt_on("mem-of", pid, open_raw(AT_FDCWD, path, O_RDWR));
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		snprintf(path, sizeof(path), "/proc/%s/%s", pid, parts[i]);
		attempt_on(parts[i], pid, open_raw(AT_FDCWD, path, O_RDONLY | O_DIRECTORY));
	}
}

static void by_other_processes(void)
{
	DIR *proc = list("/proc");
	struct dirent *entry;
	bool first = false;

	while (proc && (entry = readdir(proc))) {
		long pid = strtol(entry->d_name, NULL, 10);

		first |= pid == 1;
		if (pid > 0 && pid != getpid())
			by_other_process(entry->d_name);
	}
	if (!first)
		breach("no-first-process", "");
}

static void by_other_descriptors(void)
{
	for (int fd = 3; fd < FD_END; fd++) {
		struct stat st;
		char number[12];

		if (fstat(fd, &st) < 0)
			continue;
		snprintf(number, sizeof(number), "%d", fd);
		if (fd != RAM && fd != STATE && st.st_dev == template.st_dev &&
		    st.st_ino == template.st_ino)
			breach("descriptor", number);
		by_place(fd, ".");
	}
}

/* What would make all of this worthless. */
static void control(void)
{
	char tail[PAGE] = "", link[PATH_MAX] = "";
	int fd = open_raw(AT_FDCWD, VOLUME, O_TMPFILE | O_RDWR);

	if (fstat(RAM, &template) < 0 || pread(RAM, tail, PAGE, template.st_size - PAGE) != PAGE ||
	    memcmp(tail, "vmrun template\n", 15) != 0 || lseek(STATE, 0, SEEK_CUR) <= 0)
		breach("no-template", "");
	if (readlink("/proc/self/fd/8", link, sizeof(link) - 1) < 0 || !strrchr(link, '/'))
		breach("no-name", "");
	else
		snprintf(name, sizeof(name), "%.*s", NAME_MAX, strrchr(link, '/') + 1);
	/* The volume can be written to, by the means that are tried on the template. */
	if (fd < 0 || deface(fd) < 0 || ftruncate(fd, PAGE) < 0 || !map(fd, PROT_WRITE))
		breach("no-control", "");
}

__attribute__((constructor)) static void steal(int argc, char *argv[])
{
	bool wakes = false;

	for (int i = 1; i < argc; i++)
		wakes |= !strcmp(argv[i], "-incoming");
	if (!wakes)
		return;
	control();
	by_descriptor(RAM);
	by_descriptor(STATE);
	by_walking("");
	by_place(AT_FDCWD, TEMPLATES);
	by_place(AT_FDCWD, VOLUME);
	by_other_processes();
	by_other_descriptors();
	dprintf(STDERR_FILENO, "x: breaches:%s\n", *breaches ? breaches : " none");
	_exit(3);
}
