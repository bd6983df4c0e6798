/* SPDX-License-Identifier: MIT */
/*
 * Formats of an export that are file systems or disks. Each is a row of the command's
 * table (archive/export.h), and returns as that says.
 */
#ifndef VMRUN_ROOTFS_DISK_EXPORT_DISK_H
#define VMRUN_ROOTFS_DISK_EXPORT_DISK_H

#include "rootfs-tools/archive/export.h"

/**
 * export_squashfs(), export_erofs() - by the host's mksquashfs and mkfs.erofs.
 *
 * They read the directory themselves, as its root and in a jail (core/tool.h), and hold
 * the lock that guests take. What they say of what they cannot keep is in the losses.
 */
int export_squashfs(const struct export *x, int *ret_signal, struct err *e);
int export_erofs(const struct export *x, int *ret_signal, struct err *e);

/**
 * export_raw(), export_qcow2() - a disk that boots (image.h). .size of the options counts.
 */
int export_raw(const struct export *x, int *ret_signal, struct err *e);
int export_qcow2(const struct export *x, int *ret_signal, struct err *e);

#endif
