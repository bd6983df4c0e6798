/* SPDX-License-Identifier: MIT */
/*
 * Unpacked kernels, by the SHA-256 of the image that they came from, in
 * CACHE_DIR/kernels/HEX.vmlinux. An entry appears whole or not at all. Safe to
 * delete at any time.
 */
#ifndef VMRUN_VM_KCACHE_H
#define VMRUN_VM_KCACHE_H

#include <stdint.h>

/**
 * kcache_open() - Return: 0 and a read-only descriptor, or -errno (-ENOENT: not there).
 */
int kcache_open(const char *cache_dir, const uint8_t digest[32], int *ret_fd);

/**
 * kcache_begin() - an unnamed file to unpack a kernel to.
 *
 * Where there is no cache directory, or none can be made, it lives in memory:
 * then kcache_publish() keeps it for this run only.
 */
int kcache_begin(const char *cache_dir, int *ret_fd);

/**
 * kcache_publish() - give what was unpacked to @fd its name.
 *
 * @ret_fd: the same file, read-only. A full disk is no failure here: the file
 * then serves this run. Return: 0 or -errno.
 */
int kcache_publish(const char *cache_dir, const uint8_t digest[32], int fd, int *ret_fd);

#endif
