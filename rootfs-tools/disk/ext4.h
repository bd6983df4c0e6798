/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A tree becomes an ext4 file system in a file, without root, mounts or a loop device:
 * libext2fs makes an empty one and puts each file in. Both run inside (enter.h), where
 * owners are the guest's.
 *
 * mke2fs -d does nearly the same, and is not used: that of e2fsprogs 1.47.0 leaves out
 * sockets and the nanoseconds of times, makes copies of symlinks with several names, ends
 * at the first extended attribute that is too large, takes directories in the order that
 * the host's file system has them, and adds a /lost+found.
 *
 * Kept: types, owners, modes, mtimes to the nanosecond, hard links, holes, extended
 * attributes with ACLs and capabilities, device nodes. The other times become the mtime:
 * reading a tree changes its atimes, and copying it its ctimes. What does not fit ext4
 * (attributes of more than a block) is listed in the losses.
 *
 * The same tree, size, identity and time make the same bytes: names are taken in the
 * order of their bytes, each directory's files before what is in its directories.
 *
 * The features are those that GRUB 2.06 and kernels since 4.19 read.
 */
#ifndef VMRUN_ROOTFS_DISK_EXT4_H
#define VMRUN_ROOTFS_DISK_EXT4_H

#include <stdint.h>
#include <time.h>

#include "rootfs-tools/core/losses.h"
#include "runner/base/err.h"

#define EXT4_BLOCK 4096
#define EXT4_ID_BYTES 16

/* What a tree needs. */
struct ext4_need {
	uint64_t inodes;
	uint64_t blocks; /* of content, directories, attributes; none of the file system's own */
	int64_t newest;	 /* the latest mtime */
};

/* A file system that is to be made. */
struct ext4_make {
	int fd;			   /* of a file: zeroes in all of the range */
	uint64_t offset;	   /* bytes */
	uint64_t blocks;	   /* of EXT4_BLOCK bytes */
	uint64_t inodes;	   /* at least; 0: as many as usual for that size */
	uint8_t id[EXT4_ID_BYTES]; /* its UUID */
	time_t when;		   /* that it is made, greater than 0 */
	int64_t epoch;		   /* no file's time is later */
};

#define EXT4_DIGEST_BYTES 32

/**
 * ext4_measure() - inside: what all that is below @root needs.
 * @ret_digest: SHA-256 of the names, owners, modes, sizes and mtimes: what tells this
 *	tree from others, and is the same each time.
 */
int ext4_measure(int root, struct ext4_need *ret, uint8_t ret_digest[EXT4_DIGEST_BYTES],
		 struct err *e);

/** ext4_inodes() - for a file system that holds @need, and then some. */
uint64_t ext4_inodes(const struct ext4_need *need);

/**
 * ext4_size() - blocks for a file system that holds @need, and is then a tenth empty.
 */
uint64_t ext4_size(const struct ext4_need *need);

/**
 * ext4_prepare() - load what is needed, which a jail has not: before enter_run().
 */
int ext4_prepare(struct err *e);

/**
 * ext4_make() - inside: make it, and put in all that is below @root, and @root's own owner.
 * @root: O_PATH, read-only.
 *
 * Return: -ENOSPC if it does not fit, or another -errno. What was written stays.
 */
int ext4_make(const struct ext4_make *make, int root, struct losses *losses, struct err *e);

#endif
