/* SPDX-License-Identifier: MIT */
/*
 * libarchive, loaded when first needed: linked, it and its dependencies (libxml2, ICU)
 * cost every start of vmrun 2 ms, and only few things that it does need it. Called by
 * way of these pointers; <archive.h> says what they do.
 */
#ifndef VMRUN_HOST_ARCHIVE_LIB_H
#define VMRUN_HOST_ARCHIVE_LIB_H

#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>

#include "runner/base/err.h"

#define ARCHIVE_LIB_NAME "libarchive.so.13"

/* All of them are in 3.4. */
#define ARCHIVE_LIB_FUNCTIONS(X)                 \
	X(archive_error_string)                  \
	X(archive_filter_bytes)                  \
	X(archive_filter_code)                   \
	X(archive_filter_count)                  \
	X(archive_format)                        \
	X(archive_read_data_block)               \
	X(archive_read_free)                     \
	X(archive_read_header_position)          \
	X(archive_read_new)                      \
	X(archive_read_next_header)              \
	X(archive_read_open)                     \
	X(archive_read_open_memory)              \
	X(archive_read_set_format_option)        \
	X(archive_read_support_format_cpio)      \
	X(archive_read_support_format_raw)       \
	X(archive_read_support_format_tar)       \
	X(archive_write_add_filter)              \
	X(archive_write_close)                   \
	X(archive_write_data)                    \
	X(archive_write_fail)                    \
	X(archive_write_free)                    \
	X(archive_write_header)                  \
	X(archive_write_new)                     \
	X(archive_write_open)                    \
	X(archive_write_set_bytes_in_last_block) \
	X(archive_write_set_bytes_per_block)     \
	X(archive_write_set_filter_option)       \
	X(archive_write_set_format_option)       \
	X(archive_write_set_format_pax)          \
	X(archive_entry_acl_add_entry)           \
	X(archive_entry_acl_next)                \
	X(archive_entry_acl_reset)               \
	X(archive_entry_acl_types)               \
	X(archive_entry_atime)                   \
	X(archive_entry_atime_is_set)            \
	X(archive_entry_atime_nsec)              \
	X(archive_entry_clear)                   \
	X(archive_entry_filetype)                \
	X(archive_entry_free)                    \
	X(archive_entry_gid)                     \
	X(archive_entry_hardlink)                \
	X(archive_entry_mode)                    \
	X(archive_entry_mtime)                   \
	X(archive_entry_mtime_is_set)            \
	X(archive_entry_mtime_nsec)              \
	X(archive_entry_new)                     \
	X(archive_entry_pathname)                \
	X(archive_entry_rdev)                    \
	X(archive_entry_set_filetype)            \
	X(archive_entry_set_gid)                 \
	X(archive_entry_set_hardlink)            \
	X(archive_entry_set_mode)                \
	X(archive_entry_set_mtime)               \
	X(archive_entry_set_pathname)            \
	X(archive_entry_set_rdev)                \
	X(archive_entry_set_size)                \
	X(archive_entry_set_symlink)             \
	X(archive_entry_set_uid)                 \
	X(archive_entry_size)                    \
	X(archive_entry_size_is_set)             \
	X(archive_entry_sparse_add_entry)        \
	X(archive_entry_symlink)                 \
	X(archive_entry_uid)                     \
	X(archive_entry_xattr_add_entry)         \
	X(archive_entry_xattr_next)              \
	X(archive_entry_xattr_reset)

struct archive_lib {
	void *handle;
#define ARCHIVE_LIB_DECLARE(f) __typeof__(f) *(f);
	ARCHIVE_LIB_FUNCTIONS(ARCHIVE_LIB_DECLARE)
#undef ARCHIVE_LIB_DECLARE
};

/**
 * archive_lib_load() - load it, once for the life of the process.
 *
 * Where an archive is read or written its files may be out of reach: so it is also called
 * before, by who sets that up. Return: NULL with @e, of -ELIBACC.
 */
const struct archive_lib *archive_lib_load(struct err *e);

/**
 * archive_lib_find() - one of libarchive's functions that only some builds of it have.
 * @ret: a pointer to a pointer to such a function.
 */
bool archive_lib_find(const struct archive_lib *lib, const char *name, void *ret);

#endif
