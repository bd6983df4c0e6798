/* SPDX-License-Identifier: MIT */
#ifndef VMRUN_ROOTFS_CORE_XATTR_H
#define VMRUN_ROOTFS_CORE_XATTR_H

#include <stdbool.h>

#define XATTR_BYTES_MAX 65536 /* of all names, and of one value: the kernel's own limits */

/**
 * xattr_is_hosts() - whether an extended attribute is the host's matter, never copied:
 * its policy gives new files theirs.
 */
bool xattr_is_hosts(const char *name);

#endif
