/* SPDX-License-Identifier: MIT */
/*
 * A disk image of a root directory, written to one file: partition table, boot loader
 * (boot.h has the layout), the tree as ext4. The same directory makes the same bytes:
 * what has to be unique, UUIDs, is made of what the directory holds.
 */
#ifndef VMRUN_ROOTFS_DISK_IMAGE_H
#define VMRUN_ROOTFS_DISK_IMAGE_H

#include <stdint.h>

#include "rootfs-tools/core/losses.h"
#include "rootfs-tools/disk/boot.h"
#include "runner/base/err.h"

#define IMAGE_SIZE_MAX ((uint64_t)16 << 40) /* bytes: all that 2^32 blocks have */

struct image_make {
	int fd;			  /* a new, empty file */
	uint64_t size;		  /* bytes; 0: to fit */
	int64_t epoch;		  /* no time in it is later; INT64_MAX: none is set */
	struct boot_images *boot; /* patched */
	const char *src_path;	  /* as typed, for messages */
};

/** Where all is, in sectors of 512 bytes. */
struct image_layout {
	uint64_t sectors;
	uint64_t esp_first;
	uint64_t esp_sectors;
	uint64_t root_first;
	uint64_t root_sectors; /* whole blocks of ext4 */
};

/**
 * image_lay_out() - sizes and places. Pure.
 * @size: bytes of the whole; 0: as many as the rest needs.
 * @esp_bytes: of files for the ESP.
 * @root_blocks: of ext4, that are needed at least.
 *
 * Return: 0; -ENOSPC: @size is too small; -EFBIG: nothing is as large as that.
 */
int image_lay_out(uint64_t size, uint64_t esp_bytes, uint64_t root_blocks, struct image_layout *ret,
		  struct err *e);

/** image_prepare() - load what is needed, which a jail has not: before enter_run(). */
int image_prepare(struct err *e);

/**
 * image_make() - inside: write it.
 * @root: O_PATH, locked.
 */
int image_make(const struct image_make *make, int root, struct losses *losses, struct err *e);

#endif
