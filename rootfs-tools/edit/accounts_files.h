/* SPDX-License-Identifier: MIT */
/* The files of accounts.h in /etc of a root directory, which may be hostile: as its root (enter.h). */
#ifndef VMRUN_ROOTFS_EDIT_ACCOUNTS_FILES_H
#define VMRUN_ROOTFS_EDIT_ACCOUNTS_FILES_H

#include <sys/stat.h>

#include "rootfs-tools/edit/accounts.h"

#define ACCOUNTS_FILE_MAX ((size_t)16 << 20) /* bytes of one of them */

struct accounts_files {
	struct accounts_texts texts; /* owned, though they are const */
	struct stat st[ACCOUNTS_FILES];
};

/**
 * accounts_read() - read all that there are.
 *
 * Symlinks are followed within the root. Return: -ENOENT if there is no passwd(5); or
 * -errno: one is no regular file, or larger than ACCOUNTS_FILE_MAX.
 */
int accounts_read(int root, struct accounts_files *ret, struct err *e);
void accounts_files_free(struct accounts_files *files);
#define _cleanup_accounts_files_ _cleanup_(accounts_files_free)

/**
 * accounts_write() - put those of @changed that have become different in their place, with
 * the owner and mode that they had; shadow(5) first, so that nobody is in passwd(5) who
 * is not locked or has no hash.
 *
 * A new shadow(5) or gshadow(5) is root's alone, any other readable by all.
 */
int accounts_write(int root, const struct accounts_files *was,
		   const struct accounts_changed *changed, struct err *e);

#endif
