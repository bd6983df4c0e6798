/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/disk/ext4.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "rootfs-tools/disk/ext2fs_lib.h"
#include "rootfs-tools/disk/ext4_fill.h"
#include "runner/base/cleanup.h"

#define INODE_SIZE 256
#define BYTES_PER_INODE 16384 /* mke2fs's own usual one */
#define LOG_GROUPS_PER_FLEX 4
#define SPARE_INODES 1024

/* Of mke2fs's usual ones none that came after 4.19's kernel or GRUB 2.06. */
#define COMPAT                                                          \
	(EXT2_FEATURE_COMPAT_EXT_ATTR | EXT2_FEATURE_COMPAT_DIR_INDEX | \
	 EXT2_FEATURE_COMPAT_RESIZE_INODE)
#define INCOMPAT                                                          \
	(EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_EXTENTS | \
	 EXT4_FEATURE_INCOMPAT_64BIT | EXT4_FEATURE_INCOMPAT_FLEX_BG)
#define RO_COMPAT                                                                  \
	(EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER | EXT2_FEATURE_RO_COMPAT_LARGE_FILE | \
	 EXT4_FEATURE_RO_COMPAT_HUGE_FILE | EXT4_FEATURE_RO_COMPAT_DIR_NLINK |     \
	 EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE | EXT4_FEATURE_RO_COMPAT_METADATA_CSUM)

static const struct ext2fs_lib *lib;

int ext4_prepare(struct err *e)
{
	lib = ext2fs_lib_load(e);
	return lib ? 0 : -e->errnum;
}

static uint64_t inodes_for(uint64_t blocks, uint64_t inodes)
{
	uint64_t usual = blocks * EXT4_BLOCK / BYTES_PER_INODE;

	return inodes > usual ? inodes : usual;
}

uint64_t ext4_inodes(const struct ext4_need *need)
{
	return need->inodes + need->inodes / 10 + SPARE_INODES;
}

uint64_t ext4_size(const struct ext4_need *need)
{
	uint64_t inodes = ext4_inodes(need);
	/* Extents, bitmaps, descriptors and their copies: less than a hundredth. */
	uint64_t used = need->blocks + need->blocks / 64 + inodes * INODE_SIZE / EXT4_BLOCK + 2048;
	/* The journal is an eighth of a small one, and then less and less. */
	uint64_t journal = used / 8 < 16384 ? used / 8 : 16384;
	uint64_t total = used + journal;

	return total + total / 9 + 8192;
}

static int failed(struct err *e, const char *what, errcode_t code)
{
	return err_msg(e, code < 256 ? (int)code : EIO, "cannot %s: %s", what,
		       lib->error_message(code));
}

static void describe(const struct ext4_make *make, struct ext2_super_block *ret)
{
	*ret = (struct ext2_super_block){
		.s_rev_level = EXT2_DYNAMIC_REV,
		.s_log_block_size = 2,
		.s_log_cluster_size = 2,
		.s_inode_size = INODE_SIZE,
		.s_inodes_count = (__u32)inodes_for(make->blocks, make->inodes),
		.s_blocks_count = (__u32)make->blocks,
		.s_blocks_count_hi = (__u32)(make->blocks >> 32),
		.s_log_groups_per_flex = LOG_GROUPS_PER_FLEX,
		.s_feature_compat = COMPAT,
		.s_feature_incompat = INCOMPAT,
		.s_feature_ro_compat = RO_COMPAT,
		.s_min_extra_isize = sizeof(struct ext2_inode_large) - EXT2_GOOD_OLD_INODE_SIZE,
		.s_want_extra_isize = sizeof(struct ext2_inode_large) - EXT2_GOOD_OLD_INODE_SIZE,
	};
}

/* What mke2fs sets in the superblock, and the library does not. */
static void identify(ext2_filsys fs, const struct ext4_make *make)
{
	struct ext2_super_block *super = fs->super;

	fs->now = make->when;
	super->s_mkfs_time = super->s_lastcheck = super->s_wtime = (__u32)make->when;
	memcpy(super->s_uuid, make->id, EXT4_ID_BYTES);
	memcpy(super->s_hash_seed, make->id, EXT4_ID_BYTES);
	super->s_def_hash_version = EXT2_HASH_HALF_MD4;
	super->s_flags |= EXT2_FLAGS_SIGNED_HASH;
	super->s_default_mount_opts = EXT2_DEFM_XATTR_USER | EXT2_DEFM_ACL;
	super->s_errors = EXT2_ERRORS_DEFAULT;
	super->s_max_mnt_count = -1;
	super->s_checkinterval = 0;
	super->s_checksum_type = EXT2_CRC32C_CHKSUM;
	lib->ext2fs_init_csum_seed(fs);
	/* The file is new: all is zero that nobody wrote. */
	for (dgrp_t i = 0; i < fs->group_desc_count; i++)
		lib->ext2fs_bg_flags_set(fs, i, EXT2_BG_INODE_ZEROED);
}

static errcode_t make_own_inodes(ext2_filsys fs)
{
	errcode_t r = lib->ext2fs_allocate_tables(fs);

	if (r == 0)
		r = lib->ext2fs_mkdir(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, NULL);
	for (ext2_ino_t i = EXT2_ROOT_INO + 1; r == 0 && i < EXT2_FIRST_INODE(fs->super); i++)
		lib->ext2fs_inode_alloc_stats2(fs, i, 1, 0);
	if (r == 0) {
		lib->ext2fs_inode_alloc_stats2(fs, EXT2_BAD_INO, 1, 0);
		r = lib->ext2fs_update_bb_inode(fs, NULL);
	}
	if (r == 0)
		r = lib->ext2fs_create_resize_inode(fs);
	return r;
}

static int make_empty(ext2_filsys fs, const struct ext4_make *make, struct err *e)
{
	int journal = lib->ext2fs_default_journal_size(make->blocks);
	errcode_t r;

	identify(fs, make);
	r = make_own_inodes(fs);
	if (r == 0 && journal > 0)
		r = lib->ext2fs_add_journal_inode(fs, (blk_t)journal,
						  EXT2_MKJOURNAL_NO_MNT_CHECK |
							  EXT2_MKJOURNAL_LAZYINIT);
	return r ? failed(e, "make an ext4 file system", r) : 0;
}

static int open_new(const struct ext4_make *make, ext2_filsys *ret, struct err *e)
{
	/* Closed by the library, with the file system or when it cannot be begun. */
	int fd = fcntl(make->fd, F_DUPFD_CLOEXEC, 3);
	struct ext2_super_block super;
	char name[16], offset[24];
	ext2_filsys fs;
	errcode_t r;

	if (fd < 0)
		return err_errno(e, errno, "cannot write an ext4 file system");
	describe(make, &super);
	snprintf(name, sizeof(name), "%d", fd);
	snprintf(offset, sizeof(offset), "%" PRIu64, make->offset);
	r = lib->ext2fs_initialize(name, EXT2_FLAG_64BITS | EXT2_FLAG_RW, &super,
				   *lib->unixfd_io_manager, &fs);
	if (r)
		return failed(e, "begin an ext4 file system", r);
	r = fs->io->manager->set_option(fs->io, "offset", offset);
	if (r) {
		lib->ext2fs_free(fs);
		return failed(e, "place an ext4 file system", r);
	}
	*ret = fs;
	return 0;
}

int ext4_make(const struct ext4_make *make, int root, struct losses *losses, struct err *e)
{
	ext2_filsys fs;
	errcode_t closed;
	int r = open_new(make, &fs, e);

	if (r < 0)
		return r;
	r = make_empty(fs, make, e);
	if (r == 0)
		r = ext4_fill(lib, fs, make->epoch, root, losses, e);
	if (r < 0) {
		lib->ext2fs_free(fs);
		return r;
	}
	closed = lib->ext2fs_close_free(&fs);
	return closed ? failed(e, "write an ext4 file system", closed) : 0;
}
