/* SPDX-License-Identifier: MIT */
/*
 * libext2fs, the library behind mke2fs, loaded when it is needed: no other command than
 * an export to a disk image has a use for it. Whoever has e2fsprogs has it.
 */
#ifndef VMRUN_ROOTFS_DISK_EXT2FS_LIB_H
#define VMRUN_ROOTFS_DISK_EXT2FS_LIB_H

#include <ext2fs/ext2fs.h>

#include "runner/base/err.h"

/* The functions that are used, each with the type that its header gives it. */
#define EXT2FS_FUNCTIONS(_)            \
	_(ext2fs_add_journal_inode)    \
	_(ext2fs_allocate_tables)      \
	_(ext2fs_bg_flags_set)         \
	_(ext2fs_close_free)           \
	_(ext2fs_create_resize_inode)  \
	_(ext2fs_default_journal_size) \
	_(ext2fs_expand_dir)           \
	_(ext2fs_extent_free)          \
	_(ext2fs_extent_open2)         \
	_(ext2fs_file_close)           \
	_(ext2fs_file_llseek)          \
	_(ext2fs_file_open)            \
	_(ext2fs_file_set_size2)       \
	_(ext2fs_file_write)           \
	_(ext2fs_free)                 \
	_(ext2fs_init_csum_seed)       \
	_(ext2fs_initialize)           \
	_(ext2fs_inode_alloc_stats2)   \
	_(ext2fs_link)                 \
	_(ext2fs_mkdir)                \
	_(ext2fs_new_inode)            \
	_(ext2fs_read_inode_full)      \
	_(ext2fs_symlink)              \
	_(ext2fs_update_bb_inode)      \
	_(ext2fs_write_inode_full)     \
	_(ext2fs_write_new_inode)      \
	_(ext2fs_xattr_set)            \
	_(ext2fs_xattrs_close)         \
	_(ext2fs_xattrs_open)          \
	_(ext2fs_xattrs_read)          \
	_(initialize_ext2_error_table) \
	_(unixfd_io_manager)           \
	_(error_message)

#define EXT2FS_MEMBER(name) __typeof__(name) *(name);

struct ext2fs_lib {
	EXT2FS_FUNCTIONS(EXT2FS_MEMBER)
};

/**
 * ext2fs_lib_load() - load it, once: a jail has none of its files.
 * Return: NULL, and an error that names the package, where the host lacks it.
 */
const struct ext2fs_lib *ext2fs_lib_load(struct err *e);

#endif
