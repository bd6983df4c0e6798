/* SPDX-License-Identifier: MIT */
/* The names of a directory in an order of their own, not the host's file system's. */
#ifndef VMRUN_ROOTFS_DISK_DIR_NAMES_H
#define VMRUN_ROOTFS_DISK_DIR_NAMES_H

#include <dirent.h>

#include "runner/base/err.h"
#include "runner/base/strbuf.h"

/**
 * dir_names() - all but "." and "..", sorted by their bytes.
 * @path: for messages.
 * @ret: strvec_free() it.
 */
int dir_names(DIR *dir, const char *path, struct strvec *ret, struct err *e);

#endif
