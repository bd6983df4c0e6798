/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "initramfs/guest/guest.h"
#include "initramfs/guest/report.h"

#define LIST_MAX 32768 /* bytes of /modules */

static void load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
		report_console("cannot load module %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	unlink(path);
}

void modules_load(bool (*enough)(void *arg), void *arg)
{
	static char list[LIST_MAX];
	char *line, *next;
	int fd = open("/modules", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd >= 0 ? read(fd, list, sizeof(list) - 1) : -1;

	if (len < 0)
		report_console("cannot read /modules: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	for (line = list; *line; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		if (enough && enough(arg))
			break;
		if (*line)
			load(line);
	}
	unlink("/modules");
	unlink("/init");
}
