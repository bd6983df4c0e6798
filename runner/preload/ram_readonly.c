/* SPDX-License-Identifier: MIT */
/*
 * Makes a QEMU before 8.2 ask for no more than it needs.
 *
 * A restored guest maps the memory of its template privately: what it writes goes
 * to pages of its own, and for that the file need only be readable. QEMU opens it
 * with O_RDWR nevertheless. The template lies on a read-only mount, so the kernel
 * refuses that with EROFS, whoever in the jail asks: that is what protects the
 * template. This object protects nothing. It turns the access mode of that one
 * open() into O_RDONLY, so that QEMU lives with the refusal. Since 8.2 QEMU does
 * the same by itself ("readonly=on,rom=off").
 *
 * It is its path that tells the open() in question: the descriptor of the memory is
 * at a fixed number. Every other open() goes to the kernel as it came. There is no
 * switch, and nothing is read from the environment.
 *
 * All names are overridden under which a QEMU's build may have come to open():
 * with 64-bit offsets or without, with and without _FORTIFY_SOURCE.
 *
 * Linked against nothing: syscall() is the libc's that QEMU has loaded.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runner/plan/vm_plan.h"

#define EXPORT __attribute__((visibility("default")))

_Static_assert(VM_FD_RAM >= 0 && VM_FD_RAM <= 9, "is_ram() compares one digit");

EXPORT int __open_2(const char *file, int oflag);

static bool is_ram(const char *path)
{
	for (const char *want = "/proc/self/fd/"; *want; want++, path++)
		if (*path != *want)
			return false;
	return path[0] == '0' + VM_FD_RAM && path[1] == '\0';
}

static int do_open(const char *path, int flags, mode_t mode)
{
	if ((flags & O_ACCMODE) == O_RDWR && is_ram(path))
		flags = (flags & ~O_ACCMODE) | O_RDONLY;
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

EXPORT int open(const char *file, int oflag, ...)
{
	mode_t mode = 0;
	va_list ap;

	/* It is there only if a file may be made. */
	if ((oflag & O_CREAT) || (oflag & O_TMPFILE) == O_TMPFILE) {
		va_start(ap, oflag);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	return do_open(file, oflag, mode);
}

EXPORT int __open_2(const char *file, int oflag)
{
	return do_open(file, oflag, 0);
}

EXPORT int open64(const char *file, int oflag, ...) __attribute__((alias("open")));
EXPORT int __open64_2(const char *file, int oflag) __attribute__((alias("__open_2")));
