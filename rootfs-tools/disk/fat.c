/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/disk/fat.h"

#include <errno.h>
#include <string.h>

#include "rootfs-tools/disk/put.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/base/strbuf.h"

#define RESERVED 32 /* sectors before the first table */
#define TABLES 2
#define BACKUP_AT 6 /* sector of the boot sector's copy */
#define FIRST_CLUSTER 2
#define ROOT_CLUSTER FIRST_CLUSTER
#define END_OF_CHAIN 0x0fffffffu
#define MEDIA_FIXED 0xf8
#define DIRENT_BYTES 32
#define DIRENTS_MAX (FAT_SECTOR / DIRENT_BYTES)
#define ATTR_LABEL 0x08
#define ATTR_DIR 0x10
#define ATTR_FILE 0x20
#define ENTRIES_MAX 16

/* Where all is: clusters follow each other without gaps. */
struct layout {
	uint32_t table_sectors;
	uint32_t clusters;
	uint32_t first[ENTRIES_MAX]; /* cluster of each entry; 0: an empty file */
	uint32_t used;		     /* clusters, the root's with them */
	uint16_t date;
	uint16_t time;
};

static int write_at(const struct fat *fat, uint64_t sector, const void *data, size_t len,
		    struct err *e)
{
	int r = fs_pwrite_all(fat->fd, data, len, fat->offset + sector * FAT_SECTOR);

	return r < 0 ? err_errno(e, -r, "cannot write the boot loader's file system") : 0;
}

static uint64_t sector_of(const struct layout *l, uint32_t cluster)
{
	return RESERVED + (uint64_t)TABLES * l->table_sectors + (cluster - FIRST_CLUSTER);
}

static uint32_t clusters_of(const struct fat_entry *entry)
{
	if (!entry->data)
		return 1;
	return (uint32_t)((entry->len + FAT_SECTOR - 1) / FAT_SECTOR);
}

static void lay_out_time(time_t when, struct layout *l)
{
	struct tm tm;

	if (!gmtime_r(&when, &tm) || tm.tm_year < 80) {
		l->date = 1 << 5 | 1;
		return;
	}
	if (tm.tm_year > 80 + 127)
		tm.tm_year = 80 + 127;
	l->date = (uint16_t)((tm.tm_year - 80) << 9 | (tm.tm_mon + 1) << 5 | tm.tm_mday);
	l->time = (uint16_t)(tm.tm_hour << 11 | tm.tm_min << 5 | tm.tm_sec / 2);
}

static int lay_out(const struct fat *fat, struct layout *l, struct err *e)
{
	uint64_t used = 1;

	if (fat->sectors < FAT_SECTORS_MIN || fat->sectors > FAT_SECTORS_MAX ||
	    fat->n_entries > ENTRIES_MAX)
		return err_msg(e, EINVAL, "no FAT32 can have %llu sectors or %u files",
			       (unsigned long long)fat->sectors, fat->n_entries);
	/* Room for an entry of four bytes for each cluster, and the two that have none. */
	l->table_sectors = (uint32_t)((fat->sectors - RESERVED + FIRST_CLUSTER) /
					      (FAT_SECTOR / 4 + TABLES) +
				      1);
	l->clusters = (uint32_t)(fat->sectors - RESERVED - (uint64_t)TABLES * l->table_sectors);
	for (unsigned int i = 0; i < fat->n_entries; i++) {
		uint32_t n = fat->entries[i].len > UINT32_MAX ? UINT32_MAX :
								clusters_of(&fat->entries[i]);

		l->first[i] = n ? FIRST_CLUSTER + (uint32_t)used : 0;
		used += n;
		if (used > l->clusters)
			return err_msg(e, ENOSPC,
				       "the boot loader's files do not fit their "
				       "partition");
	}
	l->used = (uint32_t)used;
	lay_out_time(fat->when, l);
	return 0;
}

static int write_boot_sector(const struct fat *fat, const struct layout *l, struct err *e)
{
	/* A jump over all of this, to code that there is none of. */
	static const uint8_t jump[] = { 0xeb, 0x58, 0x90 };
	uint8_t s[2 * FAT_SECTOR] = { 0 }, *info = s + FAT_SECTOR;
	int r;

	memcpy(s, jump, sizeof(jump));
	memcpy(s + 3, "MSWIN4.1", 8);
	put_le16(s + 11, FAT_SECTOR);
	s[13] = 1;
	put_le16(s + 14, RESERVED);
	s[16] = TABLES;
	s[21] = MEDIA_FIXED;
	put_le16(s + 24, 63);
	put_le16(s + 26, 255);
	put_le32(s + 28, (uint32_t)(fat->offset / FAT_SECTOR));
	put_le32(s + 32, (uint32_t)fat->sectors);
	put_le32(s + 36, l->table_sectors);
	put_le32(s + 44, ROOT_CLUSTER);
	put_le16(s + 48, 1);
	put_le16(s + 50, BACKUP_AT);
	s[64] = 0x80;
	s[66] = 0x29;
	put_le32(s + 67, fat->id);
	memcpy(s + 71, fat->label, 11);
	memcpy(s + 82, "FAT32   ", 8);
	put_le16(s + 510, 0xaa55);
	put_le32(info, 0x41615252);
	put_le32(info + 484, 0x61417272);
	put_le32(info + 488, l->clusters - l->used);
	put_le32(info + 492, FIRST_CLUSTER + l->used);
	put_le32(info + 508, 0xaa550000);
	r = write_at(fat, 0, s, sizeof(s), e);
	return r == 0 ? write_at(fat, BACKUP_AT, s, sizeof(s), e) : r;
}

static void put_entry32(struct strbuf *b, uint32_t value)
{
	uint8_t bytes[4];

	put_le32(bytes, value);
	strbuf_add(b, bytes, sizeof(bytes));
}

static void put_chain(struct strbuf *b, uint32_t first, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++)
		put_entry32(b, first + i);
	if (n)
		put_entry32(b, END_OF_CHAIN);
}

static int write_tables(const struct fat *fat, const struct layout *l, struct err *e)
{
	_cleanup_strbuf_ struct strbuf table = { 0 };
	int r = 0;

	put_entry32(&table, 0x0fffff00u | MEDIA_FIXED);
	put_entry32(&table, END_OF_CHAIN);
	put_chain(&table, ROOT_CLUSTER, 1);
	for (unsigned int i = 0; i < fat->n_entries; i++)
		put_chain(&table, l->first[i], clusters_of(&fat->entries[i]));
	if (table.failed)
		return err_oom(e);
	for (uint32_t i = 0; r == 0 && i < TABLES; i++)
		r = write_at(fat, RESERVED + i * l->table_sectors, table.data, table.len, e);
	return r;
}

static void put_dirent(const struct layout *l, uint8_t *d, const char *name, uint8_t attributes,
		       uint32_t cluster, uint32_t len)
{
	memcpy(d, name, 11);
	d[11] = attributes;
	put_le16(d + 14, l->time);
	put_le16(d + 16, l->date);
	put_le16(d + 18, l->date);
	put_le16(d + 20, (uint16_t)(cluster >> 16));
	put_le16(d + 22, l->time);
	put_le16(d + 24, l->date);
	put_le16(d + 26, (uint16_t)cluster);
	put_le32(d + 28, len);
}

/* @dir: an index, or -1. */
static int write_dir(const struct fat *fat, const struct layout *l, int dir, struct err *e)
{
	uint8_t cluster[FAT_SECTOR] = { 0 };
	uint32_t at = dir < 0 ? ROOT_CLUSTER : l->first[dir];
	unsigned int n = 0;

	if (dir < 0) {
		put_dirent(l, cluster + DIRENT_BYTES * n++, fat->label, ATTR_LABEL, 0, 0);
	} else {
		int up = fat->entries[dir].parent;

		/* That of the root is 0 here, whatever it is. */
		put_dirent(l, cluster + DIRENT_BYTES * n++, ".          ", ATTR_DIR, at, 0);
		put_dirent(l, cluster + DIRENT_BYTES * n++, "..         ", ATTR_DIR,
			   up < 0 ? 0 : l->first[up], 0);
	}
	for (unsigned int i = 0; i < fat->n_entries; i++) {
		const struct fat_entry *entry = &fat->entries[i];

		if (entry->parent != dir)
			continue;
		if (n == DIRENTS_MAX)
			return err_msg(e, EINVAL, "too many files for a directory of one cluster");
		put_dirent(l, cluster + DIRENT_BYTES * n++, entry->name,
			   entry->data ? ATTR_FILE : ATTR_DIR, l->first[i], (uint32_t)entry->len);
	}
	return write_at(fat, sector_of(l, at), cluster, sizeof(cluster), e);
}

int fat_make(const struct fat *fat, struct err *e)
{
	struct layout l = { 0 };
	int r = lay_out(fat, &l, e);

	if (r == 0)
		r = write_boot_sector(fat, &l, e);
	if (r == 0)
		r = write_tables(fat, &l, e);
	if (r == 0)
		r = write_dir(fat, &l, -1, e);
	for (unsigned int i = 0; r == 0 && i < fat->n_entries; i++) {
		const struct fat_entry *entry = &fat->entries[i];

		r = entry->data ?
			    write_at(fat, sector_of(&l, l.first[i]), entry->data, entry->len, e) :
			    write_dir(fat, &l, (int)i, e);
	}
	return r;
}
