/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs-tools/disk/guest/reader.h"

#define SECTOR 512 /* of the disks that QEMU gives */
#define GPT_ENTRY_MIN 128
#define GPT_ENTRY_MAX 4096

static uint64_t le(const uint8_t *p, size_t bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | p[bytes];
	return v;
}

/* The number of a partition, or -1 where that is something else of the disk's. */
static long read_number(const char *part)
{
	char path[512], text[32];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/sys/class/block/" DISK_NAME "/%s/partition", part);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	return strtol(text, NULL, 10);
}

/* The first three fields are little-endian. */
static void format_guid(const uint8_t *g, char *ret, size_t size)
{
	snprintf(ret, size, "%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 (unsigned int)le(g, 4), (unsigned int)le(g + 4, 2), (unsigned int)le(g + 6, 2),
		 g[8], g[9], g[10], g[11], g[12], g[13], g[14], g[15]);
}

/* The names that the partition table itself has for the partition. */
static void read_table(int disk, struct part *part)
{
	uint8_t head[2 * SECTOR], entry[GPT_ENTRY_MIN];
	const uint8_t *gpt = head + SECTOR;
	uint64_t size;

	if (pread(disk, head, sizeof(head), 0) != (ssize_t)sizeof(head))
		return;
	if (memcmp(gpt, "EFI PART", 8) != 0) {
		snprintf(part->partuuid, sizeof(part->partuuid), "%08x-%02x",
			 (unsigned int)le(head + 440, 4), part->number);
		return;
	}
	size = le(gpt + 84, 4);
	if (size < GPT_ENTRY_MIN || size > GPT_ENTRY_MAX ||
	    le(gpt + 72, 8) > INT64_MAX / SECTOR / 2)
		return;
	if (pread(disk, entry, sizeof(entry),
		  (off_t)(le(gpt + 72, 8) * SECTOR + (part->number - 1) * size)) !=
	    (ssize_t)sizeof(entry))
		return;
	format_guid(entry + 16, part->partuuid, sizeof(part->partuuid));
	for (size_t i = 0; i < 36; i++) {
		uint64_t c = le(entry + 56 + 2 * i, 2);

		part->partlabel[i] = (char)(c < 0x80 ? c : '?');
	}
}

static void look(struct part *part)
{
	static uint8_t head[HEAD_SIZE];
	char path[64];
	int fd;

	memset(head, 0, sizeof(head));
	snprintf(path, sizeof(path), "/dev/%s", part->name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die("cannot open /dev/%s: %s", part->name, strerror(errno));
	for (size_t at = 0; at < sizeof(head);) {
		ssize_t n = pread(fd, head + at, sizeof(head) - at, (off_t)at);

		if (n <= 0)
			break;
		at += (size_t)n;
	}
	close(fd);
	fs_probe(head, part);
}

static int by_number(const void *a, const void *b)
{
	const struct part *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

void disk_scan(struct disk *ret)
{
	DIR *dir = opendir("/sys/class/block/" DISK_NAME);
	int disk = open("/dev/" DISK_NAME, O_RDONLY | O_CLOEXEC);
	struct dirent *de;

	if (!dir || disk < 0)
		die("there is no disk: %s", strerror(errno));
	while ((de = readdir(dir))) {
		struct part *part = &ret->parts[ret->n];
		long number;

		if (strncmp(de->d_name, DISK_NAME, strlen(DISK_NAME)) != 0)
			continue;
		number = read_number(de->d_name);
		if (number <= 0)
			continue;
		if (ret->n == PARTS_MAX)
			die("the disk has more than %d partitions", PARTS_MAX);
		part->number = (unsigned int)number;
		snprintf(part->name, sizeof(part->name), DISK_NAME "%u", part->number);
		read_table(disk, part);
		look(part);
		ret->n++;
	}
	closedir(dir);
	close(disk);
	qsort(ret->parts, ret->n, sizeof(ret->parts[0]), by_number);
	if (ret->n)
		return;
	snprintf(ret->parts[0].name, sizeof(ret->parts[0].name), DISK_NAME);
	look(&ret->parts[0]);
	ret->n = 1;
}
