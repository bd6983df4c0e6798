/* SPDX-License-Identifier: MIT */
/*
 * POSIX ACLs: the kernel has them as the values of two extended attributes, archives as
 * a list of their own. Ids are numbers, those of the user namespace that this runs in.
 */
#ifndef VMRUN_ROOTFS_ARCHIVE_ACL_H
#define VMRUN_ROOTFS_ARCHIVE_ACL_H

#include <stddef.h>

#include "runner/base/strbuf.h"
#include "runner/host/archive_lib.h"

#define ACL_ACCESS_XATTR "system.posix_acl_access"
#define ACL_DEFAULT_XATTR "system.posix_acl_default"

/**
 * acl_from_entry() - an ACL of @entry's as the kernel has it.
 * @type: ARCHIVE_ENTRY_ACL_TYPE_ACCESS or _DEFAULT.
 * @ret: the value is appended.
 *
 * Return: 1; 0: it has none; -ENOTSUP: it names users that it gives no number for, or is
 * of another kind; -ENOMEM.
 */
int acl_from_entry(const struct archive_lib *lib, struct archive_entry *entry, int type,
		   struct strbuf *ret);

/**
 * acl_to_entry() - the other way round.
 * @value: as the kernel gave it; hostile all the same.
 *
 * The mode of @entry has to be set before. Return: 0, -EINVAL: it is no ACL, or -ENOMEM.
 */
int acl_to_entry(const struct archive_lib *lib, struct archive_entry *entry, int type,
		 const void *value, size_t len);

#endif
