/* SPDX-License-Identifier: MIT */
/* The terminal that vmrun was started from, and the processes that it belongs to. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "tests/escape/escape.h"

#define FDS_TRIED 16

static enum verdict controlling(void)
{
	return judge(open("/dev/tty", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC), "/dev/tty");
}

static enum verdict on_each(unsigned long request, void *arg, const char *what)
{
	int error = EBADF;

	for (int fd = 0; fd < FDS_TRIED; fd++) {
		if (ioctl(fd, (int)request, arg) == 0)
			return out("%s succeeded on descriptor %d", what, fd);
		error = errno == EBADF ? error : errno;
	}
	errno = error;
	return refused(what);
}

static enum verdict type_into(void)
{
	char byte = '\0';

	return on_each(TIOCSTI, &byte, "ioctl(TIOCSTI)");
}

static enum verdict console_menu(void)
{
	char subcode = 6; /* TIOCL_GETSHIFTSTATE: harmless; 3 would paste */

	return on_each(TIOCLINUX, &subcode, "ioctl(TIOCLINUX)");
}

static enum verdict attributes(void)
{
	struct termios t;

	return on_each(TCGETS, &t, "ioctl(TCGETS)");
}

static enum verdict take(void)
{
	return on_each(TIOCSCTTY, NULL, "ioctl(TIOCSCTTY)");
}

static enum verdict multiplexer(void)
{
	static const char *const paths[] = { "/dev/ptmx", "/dev/pts/ptmx" };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (open(paths[i], O_RDWR | O_NOCTTY | O_CLOEXEC) >= 0)
			return out("opened %s", paths[i]);
	return refused("/dev/ptmx");
}

static enum verdict terminals(void)
{
	char path[64];

	for (int i = 0; i < 64; i++) {
		snprintf(path, sizeof(path), "/dev/pts/%d", i);
		if (open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC) >= 0)
			return out("opened %s", path);
	}
	return refused("/dev/pts/N");
}

static enum verdict consoles(void)
{
	static const char *const paths[] = { "/dev/console", "/dev/tty0",  "/dev/tty1",
					     "/dev/vcs",     "/dev/vcsa1", "/dev/ttyS0" };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (open(paths[i], O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC) >= 0)
			return out("opened %s", paths[i]);
	return refused(paths[0]);
}

static enum verdict terminal_of_session(void)
{
	long tty = own_stat(7);

	return tty > 0 ? out("the controlling terminal is %ld:%ld", tty >> 8, tty & 255) :
			 held("there is no controlling terminal");
}

/* The first process of the jail leads a session of its own, and is the parent of this. */
static enum verdict of_jail(long leader, const char *what)
{
	if (leader < 0)
		return refused("/proc/self/stat");
	return leader == first_pid() ? held("the %s is the jail's own", what) :
				       out("the %s is one of the host's (%ld)", what, leader);
}

static enum verdict session(void)
{
	return of_jail(own_stat(6), "session");
}

static enum verdict group(void)
{
	return of_jail(own_stat(5), "process group");
}

static const struct attempt attempts[] = {
	{ "tty", "open the terminal", controlling },
	{ "tty-tiocsti", "type into it", type_into },
	{ "tty-tioclinux", "paste into a console", console_menu },
	{ "tty-attributes", "have one among the descriptors", attributes },
	{ "tty-take", "make one its own", take },
	{ "tty-ptmx", "make one", multiplexer },
	{ "tty-pts", "open another's", terminals },
	{ "tty-console", "open a console", consoles },
	{ "tty-session", "have one by the session", terminal_of_session },
	{ "session", "belong to a session of the host's", session },
	{ "process-group", "signal the group that vmrun is in", group },
};

GROUP(terminal, attempts);
