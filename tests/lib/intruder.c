/* SPDX-License-Identifier: MIT */
/*
 * In QEMU's place, for a guest that boots over a read-only base: tries to change what
 * later runs or the host will read, says what worked, and exits with status 3. Static.
 * What any program in the jail could try is in tests/escape; here is what only a whole
 * run has: its kernel, initramfs, base, and first process.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file of the host's: the test knows which. */
#ifndef SECRET
#define SECRET "/"
#endif
#define BASE "/vm/root"
#define PAGE 4096

enum { KERNEL = 5, INITRD = 6, FD_END = 256 }; /* VM_FD_KERNEL, VM_FD_INITRD */

static char breaches[200];

static void attempt(const char *what, int number, long result)
{
	size_t len = strlen(breaches);

	if (result >= 0)
		snprintf(breaches + len, sizeof(breaches) - len, " %s:%d", what, number);
}

/* By any way to a descriptor of a file that is to stay as it is. */
static void change(int fd)
{
	char path[32];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDWR);
	attempt("write", fd, pwrite(fd, "x", 1, 0));
	attempt("write-again", fd, pwrite(again, "x", 1, 0));
	attempt("truncate", fd, ftruncate(fd, 0));
	attempt("truncate-path", fd, truncate(path, 0));
	attempt("truncate-again", fd, ftruncate(again, PAGE));
	attempt("punch", fd, fallocate(again, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE));
	if (mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0) != MAP_FAILED)
		attempt("mmap", fd, 0);
}

static void change_kernel(void)
{
	struct stat st;

	change(KERNEL);
	attempt("kernel-open", KERNEL, open("/proc/self/fd/5", O_RDWR));
	attempt("kernel-chmod", KERNEL, fchmod(KERNEL, 0666));
	attempt("kernel-link", KERNEL,
		linkat(AT_FDCWD, "/proc/self/fd/5", AT_FDCWD, BASE "/kernel", AT_SYMLINK_FOLLOW));
	if (fstat(KERNEL, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < PAGE)
		attempt("no-kernel", KERNEL, 0);
}

static void change_directories(void)
{
	static const char *const paths[] = {
		"/breach",    "/dev/breach",  "/etc/breach",	  "/proc/breach",
		"/vm/breach", BASE "/breach", BASE "/etc/passwd",
	};

	for (int i = 0; i < (int)(sizeof(paths) / sizeof(paths[0])); i++) {
		attempt("create", i, open(paths[i], O_WRONLY | O_CREAT, 0666));
		attempt("unlink", i, unlinkat(AT_FDCWD, paths[i], 0));
	}
	attempt("chmod", 0, chmod(BASE "/etc/passwd", 0666));
}

/* A way to the host's files, from whatever was inherited: nothing else may have been. */
static void find_secret(void)
{
	static const char up[] = "../../../../../../../../../../..";
	char path[PATH_MAX];
	struct stat st;

	attempt("host-file", 0, access(SECRET, F_OK));
	for (int fd = 0; fd < FD_END; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d/%s%s", fd, up, SECRET);
		attempt("way-out", fd, access(path, F_OK));
		if (fstat(fd, &st) == 0 && fd != KERNEL && fd != INITRD && !S_ISSOCK(st.st_mode) &&
		    !S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
			attempt("descriptor", fd, 0);
	}
}

static void enter_first_process(void)
{
	static const char *const parts[] = { "environ", "mem", "fd", "root", "cwd", "maps" };
	char path[32];

	for (int i = 0; i < (int)(sizeof(parts) / sizeof(parts[0])); i++) {
		snprintf(path, sizeof(path), "/proc/1/%s", parts[i]);
		attempt(parts[i], 1, open(path, O_RDONLY));
	}
	attempt("no-first-process", 1, -access("/proc/1/status", R_OK) - 1);
}

int main(void)
{
	/* What would make all of this worthless. */
	attempt("no-base", 0, -access(BASE "/etc/os-release", R_OK) - 1);
	if (*environ)
		attempt("environment", 0, 0);
	find_secret(); /* before there are descriptors of its own */
	change_kernel();
	change(INITRD);
	change_directories();
	enter_first_process();
	dprintf(STDERR_FILENO, "x: breaches:%s\n", *breaches ? breaches : " none");
	return 3;
}
