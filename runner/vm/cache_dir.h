/* SPDX-License-Identifier: MIT */
#ifndef VMRUN_VM_CACHE_DIR_H
#define VMRUN_VM_CACHE_DIR_H

/**
 * cache_dir_open() - a directory of the cache, made if need be.
 * @cache_dir: "" where there is no cache.
 * @name: of the directory in it.
 * @flags: for open(2); O_DIRECTORY and O_CLOEXEC are added.
 *
 * Return: 0; -ENOENT where there is no cache; other -errno.
 */
int cache_dir_open(const char *cache_dir, const char *name, int flags, int *ret_fd);

#endif
