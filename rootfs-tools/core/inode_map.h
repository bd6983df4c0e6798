/* SPDX-License-Identifier: MIT */
/* Files that have more than one name, by inode: which was seen before, and where. */
#ifndef VMRUN_ROOTFS_CORE_INODE_MAP_H
#define VMRUN_ROOTFS_CORE_INODE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#define INODE_MAP_MAX ((size_t)1 << 23) /* entries; no distribution has a thousandth */

struct inode_map {
	struct inode_entry *slots;
	size_t size; /* a power of two, or 0 */
	size_t used;
};

/**
 * inode_map_add() - remember @st's inode under @name, unless it is there.
 * @name: copied; may be NULL: then only that it was seen is kept.
 * @ret_name: of the entry that was there; owned by @map. May be NULL.
 *
 * Return: 1 if it is new, 0 if it was there, -ENOMEM, or -E2BIG: too many.
 */
int inode_map_add(struct inode_map *map, const struct stat *st, const char *name,
		  const char **ret_name);

/** inode_map_has() - whether @st's inode is there. */
bool inode_map_has(const struct inode_map *map, const struct stat *st);
void inode_map_free(struct inode_map *map);

#endif
