/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * vmrun-disk-init is the kernel's first program on a machine that boots an exported disk
 * image whose system has no initramfs of its own. From an initramfs that holds nothing
 * but it and modules, it
 *
 *  1. loads the modules that /modules lists, drivers of the disks that machines have, one
 *     after the other, until there is
 *  2. a disk with the ext4 file system that the kernel's command line names by
 *     root=UUID=...; the partition table is the kernel's business. It may show up later
 *  3. mounts it in the place of the initramfs, read-only unless "rw" is said
 *  4. becomes the system's own first program: init=, or the usual ones
 *
 * What it cannot do it says on the console, and ends: the kernel panics, and does then
 * what panic= tells it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "initramfs/guest/guest.h"
#include "initramfs/guest/report.h"

#define WAIT_MS 60000 /* for disks to show up */
#define LOOK_MS 20    /* between two looks */
#define ID_BYTES 16
#define ROOT "/root"

/* Of ext4's superblock, from the start of the file system. */
#define SUPERBLOCK 1024
#define MAGIC_AT (SUPERBLOCK + 0x38)
#define ID_AT (SUPERBLOCK + 0x68)

struct options {
	uint8_t id[ID_BYTES];
	bool has_id;
	bool writable;
	char init[256];	  /* "": the usual ones */
	char device[300]; /* "": not found yet */
};

/* --- the kernel's command line --- */

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool parse_id(const char *text, uint8_t ret[ID_BYTES])
{
	for (int i = 0; i < ID_BYTES; i++) {
		text += *text == '-';
		if (digit(text[0]) < 0 || digit(text[1]) < 0)
			return false;
		ret[i] = (uint8_t)(digit(text[0]) << 4 | digit(text[1]));
		text += 2;
	}
	return !*text;
}

static void take_word(const char *word, struct options *o)
{
	if (!strcmp(word, "rw"))
		o->writable = true;
	else if (!strcmp(word, "ro"))
		o->writable = false;
	else if (!strncmp(word, "init=", 5))
		snprintf(o->init, sizeof(o->init), "%s", word + 5);
	else if (!strncmp(word, "root=UUID=", 10))
		o->has_id = parse_id(word + 10, o->id);
}

static void read_options(struct options *o)
{
	static char line[8192];
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, line, sizeof(line) - 1) : -1;

	if (fd >= 0)
		close(fd);
	line[n < 0 ? 0 : n] = '\0';
	for (char *word = strtok(line, " \t\n"); word; word = strtok(NULL, " \t\n"))
		take_word(word, o);
}

/* --- the disk --- */

static bool is_it(const char *device, const uint8_t id[ID_BYTES])
{
	uint8_t head[ID_AT + ID_BYTES];
	int fd = open(device, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd >= 0 ? pread(fd, head, sizeof(head), 0) : -1;

	if (fd >= 0)
		close(fd);
	return n == (ssize_t)sizeof(head) && head[MAGIC_AT] == 0x53 && head[MAGIC_AT + 1] == 0xef &&
	       !memcmp(head + ID_AT, id, ID_BYTES);
}

static bool look(const uint8_t id[ID_BYTES], char *ret, size_t size)
{
	DIR *dir = opendir("/sys/class/block");
	struct dirent *de;
	bool found = false;

	while (dir && !found && (de = readdir(dir))) {
		/* No disk of a machine: nothing that could be waited for. */
		if (*de->d_name == '.' || !strncmp(de->d_name, "ram", 3) ||
		    !strncmp(de->d_name, "loop", 4))
			continue;
		snprintf(ret, size, "/dev/%s", de->d_name);
		for (char *c = ret + 5; *c; c++)
			if (*c == '!')
				*c = '/';
		found = is_it(ret, id);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* For modules_load(). */
static bool is_there(void *arg)
{
	struct options *o = arg;

	if (!*o->device && o->has_id && !look(o->id, o->device, sizeof(o->device)))
		*o->device = '\0';
	return *o->device;
}

static bool await_root(struct options *o)
{
	const struct timespec pause = { 0, LOOK_MS * 1000000L };

	for (int waited = 0; !is_there(o) && waited < WAIT_MS; waited += LOOK_MS)
		nanosleep(&pause, NULL);
	return *o->device;
}

/* --- what comes after --- */

static bool take_root(const char *device, bool writable)
{
	static const char *const moved[] = { "/dev", "/proc", "/sys" };

	if (mount(device, ROOT, "ext4", writable ? 0 : MS_RDONLY, "") < 0) {
		report_console("cannot mount %s: %s", device, strerror(errno));
		return false;
	}
	/* One whose directory the system has not is left behind. */
	for (size_t i = 0; i < sizeof(moved) / sizeof(*moved); i++) {
		char to[32];

		snprintf(to, sizeof(to), ROOT "%s", moved[i]);
		if (mount(moved[i], to, NULL, MS_MOVE, NULL) < 0)
			report_console("cannot move %s: %s", moved[i], strerror(errno));
	}
	if (chdir(ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
	    chdir("/") < 0) {
		report_console("cannot make %s the root: %s", device, strerror(errno));
		return false;
	}
	return true;
}

static void start(const char *init)
{
	/* Where the kernel looks, too. */
	static const char *const usual[] = { "/sbin/init", "/etc/init", "/bin/init", "/bin/sh" };
	static char *const env[] = { "HOME=/", "TERM=linux", NULL };

	for (size_t i = 0; i < (*init ? 1 : sizeof(usual) / sizeof(*usual)); i++) {
		const char *path = *init ? init : usual[i];
		char *argv[] = { (char *)path, NULL };

		execve(path, argv, env);
		if (errno != ENOENT || *init)
			report_console("cannot start %s: %s", path, strerror(errno));
	}
	report_console("the system has no init: none of /sbin/init, /etc/init, /bin/init, /bin/sh");
}

static void mount_own(const char *type, const char *where)
{
	mkdir(where, 0755);
	if (mount(type, where, type, MS_NOSUID, "") < 0)
		report_console("cannot mount %s: %s", where, strerror(errno));
}

int main(void)
{
	struct options o = { .has_id = false };

	mount_own("devtmpfs", "/dev");
	mount_own("proc", "/proc");
	mount_own("sysfs", "/sys");
	mkdir(ROOT, 0755);
	read_options(&o);
	modules_load(is_there, &o);
	if (!o.has_id)
		report_console("the kernel's command line has no root=UUID=...");
	else if (!await_root(&o))
		report_console("no disk has the file system of root=UUID=... after %d s; is its "
			       "driver missing?",
			       WAIT_MS / 1000);
	else if (take_root(o.device, o.writable))
		start(o.init);
	return 1;
}
