/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Two guests that write to one image destroy it. QEMU would lock its images, but its
 * filter allows no locks: with them a QEMU that was taken over could keep the caller's
 * programs waiting. So the first process of the jail takes the very locks that QEMU
 * would: they keep out other guests of vmrun's, and of whoever runs QEMU, qemu-img or
 * qemu-nbd on the image by other ways. They end with that process.
 *
 * QEMU's locks are on bytes of the file (block/file-posix.c there): byte 100 + N is
 * locked, for reading, by who uses the image in way N, byte 200 + N by who does not
 * allow others to. Who locked its bytes looks whether anybody has the other one.
 */
#ifndef VMRUN_VM_DISK_LOCK_H
#define VMRUN_VM_DISK_LOCK_H

#include <stdbool.h>

#include "runner/base/err.h"

/**
 * disk_lock() - lock an image for as long as @fd, and what was duplicated of it, is open.
 * @fd: readable.
 *
 * Return: 0, also where the file system has no locks; -EBUSY or another -errno.
 */
int disk_lock(int fd, bool read_only, struct err *e);

#endif
