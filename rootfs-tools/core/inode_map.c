/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/core/inode_map.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runner/base/cleanup.h"

struct inode_entry {
	bool used;
	dev_t dev;
	ino_t ino;
	char *name;
};

/* The slot of an inode: its own, or the free one where it belongs. */
static struct inode_entry *slot_of(const struct inode_map *map, dev_t dev, ino_t ino)
{
	/* Neighbours are numbered in a row: spread them by the golden ratio. */
	uint64_t hash = ((uint64_t)ino ^ (uint64_t)dev << 40) * UINT64_C(0x9e3779b97f4a7c15);
	size_t i = (size_t)(hash >> 20) & (map->size - 1);

	while (map->slots[i].used && (map->slots[i].ino != ino || map->slots[i].dev != dev))
		i = (i + 1) & (map->size - 1);
	return &map->slots[i];
}

static int grow(struct inode_map *map)
{
	struct inode_map bigger = { .size = map->size ? map->size * 2 : 1024, .used = map->used };

	if (map->used >= INODE_MAP_MAX)
		return -E2BIG;
	bigger.slots = calloc(bigger.size, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < map->size; i++)
		if (map->slots[i].used)
			*slot_of(&bigger, map->slots[i].dev, map->slots[i].ino) = map->slots[i];
	free(map->slots);
	*map = bigger;
	return 0;
}

int inode_map_add(struct inode_map *map, const struct stat *st, const char *name,
		  const char **ret_name)
{
	_cleanup_free_ char *copy = NULL;
	struct inode_entry *slot;
	int r;

	/* Half full at most. */
	if (map->used * 2 >= map->size) {
		r = grow(map);
		if (r < 0)
			return r;
	}
	slot = slot_of(map, st->st_dev, st->st_ino);
	if (slot->used) {
		if (ret_name)
			*ret_name = slot->name;
		return 0;
	}
	if (name) {
		copy = strdup(name);
		if (!copy)
			return -ENOMEM;
	}
	*slot = (struct inode_entry){ true, st->st_dev, st->st_ino, steal_ptr(copy) };
	map->used++;
	return 1;
}

bool inode_map_has(const struct inode_map *map, const struct stat *st)
{
	return map->size && slot_of(map, st->st_dev, st->st_ino)->used;
}

void inode_map_free(struct inode_map *map)
{
	for (size_t i = 0; i < map->size; i++)
		free(map->slots[i].name);
	free(map->slots);
	*map = (struct inode_map){ 0 };
}
