/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rootfs-tools/disk/guest/reader.h"

#define FSTAB_MAX 65536
#define MOUNTS_MAX 64
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A line; all point into its text. */
struct entry {
	char *source;
	char *dir;
	char *type;
	char *options;
};

/* The image is hostile: no symlink in it leads out of it. */
static int open_below(const char *path, int flags)
{
	struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC),
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	int root = open(ROOT_DIR, O_PATH | O_DIRECTORY | O_CLOEXEC), fd;

	if (root < 0)
		return -1;
	fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	close(root);
	return fd;
}

/* "\040" is a space. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

static bool split(char *line, struct entry *ret)
{
	char *state, *fields[4];

	if (line[strspn(line, " \t")] == '#')
		return false;
	for (size_t i = 0; i < COUNT(fields); i++) {
		fields[i] = strtok_r(i ? NULL : line, " \t\r", &state);
		/* Options may be left out. */
		if (!fields[i] && i < 3)
			return false;
	}
	*ret = (struct entry){ fields[0], fields[1], fields[2], fields[3] ? fields[3] : line + strlen(line) };
	unescape(ret->source);
	unescape(ret->dir);
	return true;
}

/* The value of an option "NAME=VALUE", or NULL; *ret_len bytes. "NAME" alone: "". */
static const char *option(const char *options, const char *name, size_t *ret_len)
{
	size_t len = strlen(name);

	for (const char *p = options; *p; p += strspn(p, ",")) {
		size_t word = strcspn(p, ",");

		if (word >= len && !strncmp(p, name, len) && (word == len || p[len] == '=')) {
			*ret_len = word == len ? 0 : word - len - 1;
			return word == len ? p + len : p + len + 1;
		}
		p += word;
	}
	return NULL;
}

/* The ways to name a partition by what it has, as a tag and as udev's links have it. */
static const struct {
	const char *tag, *link;
	size_t offset;
	bool any_case;
} names[] = {
	{ "UUID=", "/dev/disk/by-uuid/", offsetof(struct part, uuid), true },
	{ "LABEL=", "/dev/disk/by-label/", offsetof(struct part, label), false },
	{ "PARTUUID=", "/dev/disk/by-partuuid/", offsetof(struct part, partuuid), true },
	{ "PARTLABEL=", "/dev/disk/by-partlabel/", offsetof(struct part, partlabel), false },
};

/* The first disk, whatever the machine called it. Return: a partition's number, or 0. */
static unsigned int number_of(const char *source)
{
	static const char *const prefixes[] = { "/dev/vda",  "/dev/sda",     "/dev/hda",
						"/dev/xvda", "/dev/nvme0n1p", "/dev/mmcblk0p" };

	for (size_t i = 0; i < COUNT(prefixes); i++) {
		size_t len = strlen(prefixes[i]);

		if (!strncmp(source, prefixes[i], len) && isdigit((unsigned char)source[len]))
			return (unsigned int)strtoul(source + len, NULL, 10);
	}
	return 0;
}

static bool same(const char *a, const char *b, bool any_case)
{
	return *b && (any_case ? !strcasecmp(a, b) : !strcmp(a, b));
}

static const struct part *find(const struct disk *disk, char *source)
{
	unsigned int number = number_of(source);

	for (unsigned int i = 0; i < disk->n; i++) {
		const struct part *p = &disk->parts[i];

		if (number && p->number == number)
			return p;
		for (size_t n = 0; n < COUNT(names); n++) {
			const char *has = (const char *)p + names[n].offset, *value = NULL;

			if (!strncmp(source, names[n].tag, strlen(names[n].tag)))
				value = source + strlen(names[n].tag);
			else if (!strncmp(source, names[n].link, strlen(names[n].link)))
				value = source + strlen(names[n].link);
			if (value && *value == '"') {
				value++;
				source[strcspn(source, "\"") + 1 + strcspn(value, "\"")] = '\0';
			}
			if (value && same(value, has, names[n].any_case))
				return p;
		}
	}
	return NULL;
}

/* What belongs to the system and holds files of it. */
static bool wanted(const struct entry *e)
{
	size_t ignored;

	if (e->dir[0] != '/' || !e->dir[strspn(e->dir, "/")] || !strcmp(e->type, "swap") ||
	    option(e->options, "bind", &ignored) || option(e->options, "rbind", &ignored) ||
	    option(e->options, "noauto", &ignored))
		return false;
	/* openSUSE: each snapshot is the whole system once more. */
	if (!strcmp(e->dir, "/.snapshots"))
		return false;
	for (size_t i = 0; i < COUNT(names); i++)
		if (!strncmp(e->source, names[i].tag, strlen(names[i].tag)))
			return true;
	return !strncmp(e->source, "/dev/", 5);
}

static int mount_below(const struct part *part, const struct entry *e)
{
	static const char *const subvols[] = { "subvol", "subvolid" };
	char options[512] = "", target[64];
	int dir, r;

	for (size_t i = 0; i < COUNT(subvols) && !*options && !strcmp(part->fs->name, "btrfs"); i++) {
		size_t len;
		const char *value = option(e->options, subvols[i], &len);

		if (value && len && len < 400)
			snprintf(options, sizeof(options), "%s=%.*s", subvols[i], (int)len, value);
	}
	dir = open_below(e->dir, O_PATH | O_DIRECTORY);
	if (dir < 0)
		return -errno;
	snprintf(target, sizeof(target), "/proc/self/fd/%d", dir);
	r = fs_mount(part, *options ? options : NULL, target, false);
	close(dir);
	return r;
}

static int outer_first(const void *a, const void *b)
{
	size_t x = strlen(((const struct entry *)a)->dir), y = strlen(((const struct entry *)b)->dir);

	return (x > y) - (x < y);
}

static size_t parse(char *text, struct entry *ret)
{
	size_t n = 0;
	char *next;

	for (char *line = text; *line; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		if (n < MOUNTS_MAX && split(line, &ret[n]) && wanted(&ret[n]))
			n++;
	}
	qsort(ret, n, sizeof(*ret), outer_first);
	return n;
}

void fstab_mount(const struct disk *disk)
{
	static char text[FSTAB_MAX + 1];
	static struct entry entries[MOUNTS_MAX];
	int fd = open_below("/etc/fstab", O_RDONLY | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	ssize_t len = -1;
	size_t n;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		len = read(fd, text, FSTAB_MAX);
	if (fd >= 0)
		close(fd);
	if (len <= 0)
		return;
	n = parse(text, entries);
	for (size_t i = 0; i < n; i++) {
		const struct part *part = find(disk, entries[i].source);
		int r = part && part->fs ? mount_below(part, &entries[i]) : 0;

		if (!part)
			note("'%.200s' is on '%.200s', which is not in the image: left out",
			     entries[i].dir, entries[i].source);
		else if (!part->fs)
			note("'%.200s' is on /dev/%s, which is %s: left out", entries[i].dir,
			     part->name, part->other ? part->other : "of an unknown kind");
		else if (r < 0)
			note("'%.200s' cannot be mounted from /dev/%s: %s: left out",
			     entries[i].dir, part->name, strerror(-r));
	}
}
