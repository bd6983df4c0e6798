/* SPDX-License-Identifier: MIT */
/*
 * A FAT32 file system with a few files in it, for firmware and boot loaders: made, not
 * read, after Microsoft's "FAT32 File System Specification" 1.03. Sectors and clusters of
 * 512 bytes; names of eight and three characters; each directory is one cluster.
 */
#ifndef VMRUN_ROOTFS_DISK_FAT_H
#define VMRUN_ROOTFS_DISK_FAT_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "runner/base/err.h"

#define FAT_SECTOR 512
#define FAT_SECTORS_MIN 67200 /* less than 65525 clusters would be FAT16, by definition */
#define FAT_SECTORS_MAX ((uint64_t)1 << 27) /* 64 GiB */

/* A file or, without data, a directory; directories come before what is in them. */
struct fat_entry {
	int parent;	  /* index of its directory among the entries; -1: the root */
	const char *name; /* 11 characters, padded with spaces: "BOOTX64 EFI" */
	const void *data; /* NULL: a directory */
	size_t len;
};

struct fat {
	int fd;		 /* of a file: zeroes in all of the range */
	uint64_t offset; /* bytes */
	uint64_t sectors;
	uint32_t id;
	const char *label; /* 11 characters, padded */
	time_t when;	   /* before 1980 is 1980 */
	const struct fat_entry *entries;
	unsigned int n_entries; /* up to 14 in one directory */
};

/**
 * fat_make() - write it.
 * Return: -ENOSPC if the files do not fit, -EINVAL for what FAT32 cannot be, or -errno.
 */
int fat_make(const struct fat *fat, struct err *e);

#endif
