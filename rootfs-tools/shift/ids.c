/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/shift/ids.h"

#include <endian.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <string.h>

int shift_ids_make(const struct id_map *from, const struct id_map *to, struct shift_ids *ret,
		   struct err *e)
{
	struct shift_ids ids = { .from = *from, .to = *to, .both = *from };
	uint64_t next = 0, count = 0;

	for (unsigned int i = 0; i < from->n; i++) {
		uint64_t past = (uint64_t)from->e[i].inside + from->e[i].count;

		next = past > next ? past : next;
	}
	for (unsigned int i = 0; i < to->n; i++)
		count += to->e[i].count;
	for (unsigned int i = 0; i < to->n && next + count < UINT32_MAX; i++) {
		const struct subid_range range = { to->e[i].outside, to->e[i].count };

		next = idmap_append(&ids.both, (uint32_t)next, &range);
	}
	if (next + count >= UINT32_MAX || ids.both.n == ID_MAP_MAX)
		return err_msg(e, E2BIG,
			       "the two id maps do not fit into one namespace; use ones of fewer "
			       "parts, or of lower ids");
	*ret = ids;
	return 0;
}

static bool inside(const struct id_map *map, uint32_t outside, uint32_t *ret)
{
	for (unsigned int i = 0; i < map->n; i++) {
		const struct id_extent *x = &map->e[i];

		if (outside >= x->outside && outside - x->outside < x->count) {
			*ret = x->inside + (outside - x->outside);
			return true;
		}
	}
	return false;
}

enum shift_fate shift_id(const struct shift_ids *ids, uint32_t id, uint32_t *ret)
{
	uint32_t host;

	if (!idmap_outside(&ids->from, id, &host))
		return SHIFT_FOREIGN;
	if (idmap_outside(&ids->to, id, &host))
		return inside(&ids->both, host, ret) ? SHIFT_MOVED : SHIFT_FOREIGN;
	return idmap_outside(&ids->to, 0, &host) && inside(&ids->both, host, ret) ? SHIFT_NO_PLACE :
										    SHIFT_FOREIGN;
}

int shift_acl(const struct shift_maps *maps, void *value, size_t *len, unsigned int *ret_dropped)
{
	struct posix_acl_xattr_header header;
	struct posix_acl_xattr_entry entry;
	size_t out = sizeof(header);
	unsigned int dropped = 0;
	char *bytes = value;

	if (*len < sizeof(header) || (*len - sizeof(header)) % sizeof(entry))
		return -EINVAL;
	memcpy(&header, bytes, sizeof(header));
	if (le32toh(header.a_version) != POSIX_ACL_XATTR_VERSION)
		return -EINVAL;
	for (size_t at = out; at < *len; at += sizeof(entry)) {
		uint32_t id;

		memcpy(&entry, bytes + at, sizeof(entry));
		switch (le16toh(entry.e_tag)) {
		case ACL_USER:
		case ACL_GROUP:
			if (shift_id(le16toh(entry.e_tag) == ACL_USER ? &maps->uids : &maps->gids,
				     le32toh(entry.e_id), &id) != SHIFT_MOVED) {
				dropped++;
				continue;
			}
			entry.e_id = htole32(id);
		}
		memcpy(bytes + out, &entry, sizeof(entry));
		out += sizeof(entry);
	}
	*len = out;
	*ret_dropped = dropped;
	return 0;
}

int shift_capability(const struct shift_maps *maps, const void *value, size_t len,
		     uint8_t ret[SHIFT_CAPABILITY_SIZE])
{
	struct vfs_ns_cap_data cap = { 0 };
	uint32_t magic, root;

	_Static_assert(sizeof(cap) == SHIFT_CAPABILITY_SIZE, "as the kernel has it");
	if (len > sizeof(cap) || len < sizeof(magic))
		return -EINVAL;
	memcpy(&cap, value, len);
	magic = le32toh(cap.magic_etc);
	if (!((magic & VFS_CAP_REVISION_MASK) == VFS_CAP_REVISION_2 && len == XATTR_CAPS_SZ_2) &&
	    !((magic & VFS_CAP_REVISION_MASK) == VFS_CAP_REVISION_3 && len == XATTR_CAPS_SZ_3))
		return -EINVAL;
	if (shift_id(&maps->uids, le32toh(cap.rootid), &root) != SHIFT_MOVED)
		return -ENOENT;
	cap.magic_etc = htole32((magic & ~VFS_CAP_REVISION_MASK) | VFS_CAP_REVISION_3);
	cap.rootid = htole32(root);
	memcpy(ret, &cap, sizeof(cap));
	return 0;
}
