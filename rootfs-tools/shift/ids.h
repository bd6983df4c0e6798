/* SPDX-License-Identifier: MIT */
/*
 * Ids, and what holds ids, from one id map to another. Pure.
 *
 * All is seen from a user namespace that has both maps' host ids at once, each of them a
 * single time, as the kernel wants it: guest ids of the old map as they are, and behind
 * the last of them what host ids only the new map has. An id of this namespace is called
 * an id here, without more.
 */
#ifndef VMRUN_ROOTFS_SHIFT_IDS_H
#define VMRUN_ROOTFS_SHIFT_IDS_H

#include <stddef.h>
#include <stdint.h>

#include "runner/base/err.h"
#include "runner/plan/idmap.h"

#define SHIFT_NOBODY 65534u	 /* what the kernel shows for a host id outside the namespace */
#define SHIFT_CAPABILITY_SIZE 24 /* of security.capability with a root id, version 3 */

/* Of uids, or of gids. */
struct shift_ids {
	struct id_map from;
	struct id_map to;
	struct id_map both; /* the namespace's */
};

struct shift_maps {
	struct shift_ids uids;
	struct shift_ids gids;
};

enum shift_fate {
	SHIFT_MOVED,
	SHIFT_NO_PLACE, /* the new map lacks that guest id: it becomes guest id 0 */
	SHIFT_FOREIGN,	/* the old map does not have it: it stays */
};

/** shift_ids_make() - Return: 0, or -E2BIG if the two do not fit into one namespace. */
int shift_ids_make(const struct id_map *from, const struct id_map *to, struct shift_ids *ret,
		   struct err *e);

/** shift_id() - the id that stands for the same guest id in the new map. */
enum shift_fate shift_id(const struct shift_ids *ids, uint32_t id, uint32_t *ret);

/**
 * shift_acl() - the value of system.posix_acl_access or _default, in place.
 * @len: in and out: entries of users and groups that are not in both maps are removed.
 * @ret_dropped: how many.
 *
 * Return: 0, or -EINVAL for what is no ACL (linux/posix_acl_xattr.h).
 */
int shift_acl(const struct shift_maps *maps, void *value, size_t *len, unsigned int *ret_dropped);

/**
 * shift_capability() - the value of security.capability, as version 3 with a root id.
 *
 * Version 2 is what a namespace sees of its own root's, id 0. Return: 0; -ENOENT: the root
 * id is not in both maps; -EINVAL for what is no such value (linux/capability.h).
 */
int shift_capability(const struct shift_maps *maps, const void *value, size_t len,
		     uint8_t ret[SHIFT_CAPABILITY_SIZE]);

#endif
