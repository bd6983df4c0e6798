/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rootfs-tools/disk/guest/reader.h"

#define MODULES_DIR "/modules"
#define LIST_MAX 32768
#define OPTIONS_MAX 1024

static void format_uuid(const uint8_t *u, struct part *part)
{
	char *p = part->uuid;

	for (size_t i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		p += snprintf(p, 3, "%02x", u[i]);
	}
}

/* @max: bytes of the field, which may have no NUL. */
static void take_label(const uint8_t *label, size_t max, struct part *part)
{
	snprintf(part->label, sizeof(part->label), "%.*s", (int)max, (const char *)label);
}

static bool probe_ext(const uint8_t *head, struct part *part)
{
	const uint8_t *sb = head + 1024;

	if (sb[56] != 0x53 || sb[57] != 0xef)
		return false;
	format_uuid(sb + 104, part);
	take_label(sb + 120, 16, part);
	return true;
}

static bool probe_xfs(const uint8_t *head, struct part *part)
{
	if (memcmp(head, "XFSB", 4) != 0)
		return false;
	format_uuid(head + 32, part);
	take_label(head + 108, 12, part);
	return true;
}

static bool probe_btrfs(const uint8_t *head, struct part *part)
{
	const uint8_t *sb = head + 65536;

	if (memcmp(sb + 64, "_BHRfS_M", 8) != 0)
		return false;
	format_uuid(sb + 32, part);
	take_label(sb + 299, 255, part);
	return true;
}

static bool probe_vfat(const uint8_t *head, struct part *part)
{
	bool fat32 = memcmp(head + 82, "FAT32   ", 8) == 0;
	const uint8_t *id = head + (fat32 ? 67 : 39);
	size_t len = 11;

	if (head[510] != 0x55 || head[511] != 0xaa ||
	    (!fat32 && memcmp(head + 54, "FAT1", 4) != 0))
		return false;
	snprintf(part->uuid, sizeof(part->uuid), "%02X%02X-%02X%02X", id[3], id[2], id[1], id[0]);
	while (len && id[4 + len - 1] == ' ')
		len--;
	take_label(id + 4, len, part);
	return true;
}

static const struct fs_type types[] = {
	/* Which mounts ext2 and ext3, too. */
	{ "ext4", probe_ext, "", "noload" },
	{ "xfs", probe_xfs, "nouuid", "nouuid,norecovery" },
	{ "btrfs", probe_btrfs, "", "rescue=nologreplay" },
	/* Last: a boot sector may be before another one's superblock. */
	{ "vfat", probe_vfat, "codepage=437,iocharset=ascii,utf8=1", NULL },
};

/* What may hold a root, but not for us; and NULL for what never does. */
static const struct {
	const char *magic;
	size_t len;
	size_t offset;
	const char *what;
} others[] = {
	{ "LVM2 001", 8, 512 + 24, "a physical volume of LVM" },
	{ "LUKS\xba\xbe", 6, 0, "an encrypted volume (LUKS)" },
	{ "\xfc\x4e\x2b\xa9", 4, 4096, "a member of a RAID" },
	{ "\x10\x20\xf5\xf2", 4, 1024, "F2FS" },
	{ "hsqs", 4, 0, "squashfs" },
	{ "\xe2\xe1\xf5\xe0", 4, 1024, "erofs" },
	{ "CD001", 5, 32769, "ISO 9660" },
	{ "NTFS    ", 8, 3, "NTFS" },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

void fs_probe(const uint8_t *head, struct part *part)
{
	for (size_t i = 0; i < COUNT(others); i++)
		if (memcmp(head + others[i].offset, others[i].magic, others[i].len) == 0) {
			part->other = others[i].what;
			return;
		}
	for (size_t i = 0; i < COUNT(types); i++)
		if (types[i].probe(head, part)) {
			part->fs = &types[i];
			return;
		}
}

static void load_module(const char *name)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), MODULES_DIR "/%.255s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
		note("cannot load the kernel's module %s: %s", name, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* Those of one file system, in the order in which they are listed. Only when one of its
 * kind is met: btrfs's measure the CPU for a while. */
static void load_modules(const char *fs)
{
	static char list[LIST_MAX];
	char path[64], *next;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), MODULES_DIR "/%s.list", fs);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, list, sizeof(list) - 1);
	if (fd >= 0)
		close(fd);
	/* Built in, or there is none: the mount will tell. */
	if (n < 0)
		return;
	list[n] = '\0';
	for (char *line = list; *line; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		load_module(line);
	}
	/* Once is enough. */
	unlink(path);
}

static int try_mount(const struct part *part, const char *options, const char *subvol,
		     const char *target)
{
	char device[64], all[OPTIONS_MAX];

	snprintf(device, sizeof(device), "/dev/%s", part->name);
	if ((size_t)snprintf(all, sizeof(all), "%s%s%s", options, subvol && *options ? "," : "",
			     subvol ? subvol : "") >= sizeof(all))
		return -ENAMETOOLONG;
	return mount(device, target, part->fs->name,
		     MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, all) < 0 ?
		       -errno :
		       0;
}

int fs_mount(const struct part *part, const char *subvol, const char *target, bool probing)
{
	const struct fs_type *fs = part->fs;
	int r;

	load_modules(fs->name);
	r = try_mount(part, fs->options, subvol, target);
	if (r == -ENODEV)
		die("the helper guest's kernel has no %s; name another with --kernel", fs->name);
	/* The disk is read-only, and who would replay a journal says so in various ways. */
	if (r == 0 || !fs->unclean || r == -ENOENT || try_mount(part, fs->unclean, subvol, target))
		return r;
	if (!probing)
		note("the %s on /dev/%s was not unmounted: what only its journal has is left out",
		     fs->name, part->name);
	return 0;
}
