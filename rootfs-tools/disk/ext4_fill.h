/* SPDX-License-Identifier: MIT */
/* The part of ext4.c that copies a tree into a file system that is open; not for use elsewhere. */
#ifndef VMRUN_ROOTFS_DISK_EXT4_FILL_H
#define VMRUN_ROOTFS_DISK_EXT4_FILL_H

#include <stdint.h>

#include "rootfs-tools/core/losses.h"
#include "rootfs-tools/disk/ext2fs_lib.h"
#include "runner/base/err.h"

/**
 * ext4_fill() - all that is below @root, and its own owner, mode, time and attributes.
 * @fs: new, with nothing in its root directory. Stays open.
 * @epoch: no time is later.
 * @root: O_PATH.
 */
int ext4_fill(const struct ext2fs_lib *lib, ext2_filsys fs, int64_t epoch, int root,
	      struct losses *losses, struct err *e);

#endif
