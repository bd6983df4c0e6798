/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/archive/acl.h"

#include <endian.h>
#include <errno.h>
#include <linux/posix_acl_xattr.h>
#include <stdlib.h>
#include <string.h>

#include "runner/base/cleanup.h"

#define ITEMS_MAX 8192 /* of which the kernel takes no value any more */

/* In the order that the kernel wants. Those with an id may come any number of times. */
static const struct tag {
	uint16_t kernel;
	int archive;
	bool has_id;
} tags[] = {
	{ 0x01, ARCHIVE_ENTRY_ACL_USER_OBJ, false },  { 0x02, ARCHIVE_ENTRY_ACL_USER, true },
	{ 0x04, ARCHIVE_ENTRY_ACL_GROUP_OBJ, false }, { 0x08, ARCHIVE_ENTRY_ACL_GROUP, true },
	{ 0x10, ARCHIVE_ENTRY_ACL_MASK, false },      { 0x20, ARCHIVE_ENTRY_ACL_OTHER, false },
};

#define TAG_MASK 0x10
#define NO_ID UINT32_MAX

struct item {
	uint16_t tag;
	uint16_t perm;
	uint32_t id;
};

struct items {
	struct item v[ITEMS_MAX];
	size_t n;
	bool has_ids;
	bool has_mask;
	uint16_t group_perms; /* of all that a mask is about */
};

static int compare(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->tag != y->tag)
		return x->tag < y->tag ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int add(struct items *items, int archive_tag, int permset, int id)
{
	for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
		const struct tag *t = &tags[i];

		if (t->archive != archive_tag)
			continue;
		if ((t->has_id && id < 0) || items->n == ITEMS_MAX)
			return -ENOTSUP;
		items->v[items->n++] = (struct item){ t->kernel, (uint16_t)(permset & 7),
						      t->has_id ? (uint32_t)id : NO_ID };
		items->has_ids |= t->has_id;
		items->has_mask |= t->kernel == TAG_MASK;
		if (t->has_id || t->archive == ARCHIVE_ENTRY_ACL_GROUP_OBJ)
			items->group_perms |= (uint16_t)(permset & 7);
		return 0;
	}
	return -ENOTSUP;
}

static void encode(const struct items *items, struct strbuf *ret)
{
	const struct posix_acl_xattr_header head = { htole32(POSIX_ACL_XATTR_VERSION) };

	strbuf_add(ret, &head, sizeof(head));
	for (size_t i = 0; i < items->n; i++) {
		const struct posix_acl_xattr_entry en = {
			.e_tag = htole16(items->v[i].tag),
			.e_perm = htole16(items->v[i].perm),
			.e_id = htole32(items->v[i].id),
		};

		strbuf_add(ret, &en, sizeof(en));
	}
}

int acl_from_entry(const struct archive_lib *lib, struct archive_entry *entry, int type,
		   struct strbuf *ret)
{
	_cleanup_free_ struct items *items = NULL;
	int got, permset, tag, id, r = 0;
	const char *name;

	if (!(lib->archive_entry_acl_types(entry) & type) ||
	    lib->archive_entry_acl_reset(entry, type) == 0)
		return 0;
	items = calloc(1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	while (r == 0 && lib->archive_entry_acl_next(entry, type, &got, &permset, &tag, &id,
						     &name) == ARCHIVE_OK)
		r = add(items, tag, permset, id);
	if (r < 0)
		return r;
	/* As libacl has it for who leaves it out. */
	if (items->has_ids && !items->has_mask)
		r = add(items, ARCHIVE_ENTRY_ACL_MASK, items->group_perms, -1);
	if (r < 0)
		return r;
	qsort(items->v, items->n, sizeof(items->v[0]), compare);
	encode(items, ret);
	return ret->failed ? -ENOMEM : 1;
}

static const struct tag *tag_of(uint16_t kernel)
{
	for (size_t i = 0; i < ARRAY_SIZE(tags); i++)
		if (tags[i].kernel == kernel)
			return &tags[i];
	return NULL;
}

int acl_to_entry(const struct archive_lib *lib, struct archive_entry *entry, int type,
		 const void *value, size_t len)
{
	struct posix_acl_xattr_header head;
	struct posix_acl_xattr_entry en;
	const char *at = value;

	if (len < sizeof(head) || (len - sizeof(head)) % sizeof(en))
		return -EINVAL;
	memcpy(&head, at, sizeof(head));
	if (head.a_version != htole32(POSIX_ACL_XATTR_VERSION))
		return -EINVAL;
	for (at += sizeof(head); at < (const char *)value + len; at += sizeof(en)) {
		const struct tag *t;
		uint32_t id;

		memcpy(&en, at, sizeof(en));
		t = tag_of(le16toh(en.e_tag));
		id = le32toh(en.e_id);
		if (!t || le16toh(en.e_perm) > 7 || (t->has_id && id > INT32_MAX))
			return -EINVAL;
		if (lib->archive_entry_acl_add_entry(entry, type, le16toh(en.e_perm), t->archive,
						     t->has_id ? (int)id : -1, NULL) != ARCHIVE_OK)
			return -ENOMEM;
	}
	return 0;
}
