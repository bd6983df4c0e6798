/* SPDX-License-Identifier: MIT */
/*
 * Unpacked kernels, by the SHA-256 of the image that they came from, in
 * CACHE_DIR/kernels/HEX.vmlinux. An entry appears whole or not at all. Safe to
 * delete at any time. A guest boots from it through a read-only mount, so that
 * no QEMU can change what a later run boots.
 */
#ifndef VMRUN_VM_KCACHE_H
#define VMRUN_VM_KCACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KCACHE_NAME_SIZE (64 + sizeof(".vmlinux"))

/**
 * kcache_open() - the directory of the entries, made if need be.
 * @ret_fd: O_PATH; owned.
 *
 * Return: 0 or -errno: then there is no cache, and kernels are unpacked for one run.
 */
int kcache_open(const char *cache_dir, int *ret_fd);

/** kcache_name() - the name of an entry in that directory. */
void kcache_name(const uint8_t digest[32], char ret[KCACHE_NAME_SIZE]);

bool kcache_has(int kernels_fd, const uint8_t digest[32]);

/** kcache_begin() - an unnamed file in the cache to unpack a kernel to. */
int kcache_begin(int kernels_fd, int *ret_fd);

/**
 * kcache_publish() - give what was unpacked to @fd its name.
 *
 * That another run was faster is success. Return: 0 or -errno.
 */
int kcache_publish(int kernels_fd, const uint8_t digest[32], int fd);

#endif
