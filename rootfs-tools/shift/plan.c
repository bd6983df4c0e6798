/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/shift/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "runner/base/cleanup.h"

#define MAGIC "vmrun idshift 2\n"
#define ALIGNMENT 8u

static size_t padded(size_t len)
{
	return (len + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

void plan_free(struct plan *plan)
{
	strbuf_free(&plan->bytes);
	free(plan->files);
	free(plan->done);
	*plan = (struct plan){ 0 };
}

const char *plan_attribute_name(enum plan_attribute attribute)
{
	static const char *const names[PLAN_ATTRIBUTES] = {
		[PLAN_ACL] = "system.posix_acl_access",
		[PLAN_DEFAULT_ACL] = "system.posix_acl_default",
		[PLAN_CAPABILITY] = "security.capability",
	};

	return names[attribute];
}

/* --- making one --- */

int plan_begin(struct plan *plan, const struct shift_maps *maps, struct err *e)
{
	struct plan_header *header = calloc(1, sizeof(*header));

	if (!header)
		return err_oom(e);
	memcpy(header->magic, MAGIC, sizeof(header->magic));
	header->maps = *maps;
	*plan = (struct plan){ 0 };
	if (getrandom(&header->nonce, sizeof(header->nonce), 0) == sizeof(header->nonce))
		strbuf_add(&plan->bytes, header, sizeof(*header));
	free(header);
	if (!plan->bytes.data)
		return err_oom(e);
	plan->header = (struct plan_header *)plan->bytes.data;
	return 0;
}

/* The buffer moves as it grows. */
static void add(struct plan *plan, const void *data, size_t len)
{
	static const char zeros[ALIGNMENT];

	strbuf_add(&plan->bytes, data, len);
	strbuf_add(&plan->bytes, zeros, padded(len) - len);
	plan->header = (struct plan_header *)plan->bytes.data;
}

void plan_add(struct plan *plan, const struct plan_file *file)
{
	plan->last = plan->bytes.len;
	add(plan, file, sizeof(*file));
	plan->header->counts.files++;
}

void plan_add_value(struct plan *plan, enum plan_attribute attribute, const void *value, size_t len)
{
	const struct plan_value head = { attribute, (uint32_t)len };
	struct plan_file *file;

	add(plan, &head, sizeof(head));
	add(plan, value, len);
	file = (void *)(plan->bytes.data + plan->last);
	file->values += (uint32_t)(sizeof(head) + padded(len));
}

/* --- reading one --- */

/* Whether a file's values are values. */
static bool check_values(const struct plan_file *file)
{
	const char *values = (const char *)(file + 1);
	size_t at = 0;

	while (at < file->values) {
		struct plan_value head;

		if (file->values - at < sizeof(head))
			return false;
		memcpy(&head, values + at, sizeof(head));
		at += sizeof(head);
		if (head.attribute >= PLAN_ATTRIBUTES || head.len > file->values - at ||
		    padded(head.len) > file->values - at)
			return false;
		at += padded(head.len);
	}
	return true;
}

bool plan_next_value(const struct plan_file *file, uint32_t *at, struct plan_value *ret,
		     const void **ret_value)
{
	const char *values = (const char *)(file + 1);

	if (*at >= file->values)
		return false;
	memcpy(ret, values + *at, sizeof(*ret));
	*ret_value = values + *at + sizeof(*ret);
	*at += (uint32_t)(sizeof(*ret) + padded(ret->len));
	return true;
}

static int by_ino(const void *a, const void *b)
{
	uint64_t x = (*(const struct plan_file *const *)a)->ino;
	uint64_t y = (*(const struct plan_file *const *)b)->ino;

	return (x > y) - (x < y);
}

/* Return: 0, -EBADMSG or -ENOMEM. */
static int index_files(struct plan *plan)
{
	size_t at = sizeof(struct plan_header);
	uint64_t n = plan->header->counts.files;

	if (n > (plan->bytes.len - at) / sizeof(struct plan_file))
		return -EBADMSG;
	plan->files = calloc(n + 1, sizeof(struct plan_file *));
	plan->done = calloc(n + 1, sizeof(bool));
	if (!plan->files || !plan->done)
		return -ENOMEM;
	for (plan->n = 0; plan->n < n; plan->n++) {
		const struct plan_file *file = (const void *)(plan->bytes.data + at);

		if (plan->bytes.len - at < sizeof(*file) ||
		    file->values > plan->bytes.len - at - sizeof(*file) ||
		    file->values % ALIGNMENT || !check_values(file))
			return -EBADMSG;
		plan->files[plan->n] = file;
		at += sizeof(*file) + file->values;
	}
	if (at != plan->bytes.len)
		return -EBADMSG;
	qsort(plan->files, plan->n, sizeof(struct plan_file *), by_ino);
	for (size_t i = 1; i < plan->n; i++)
		if (plan->files[i]->ino == plan->files[i - 1]->ino)
			return -EBADMSG;
	return 0;
}

int plan_complete(struct plan *plan, struct err *e)
{
	int r;

	if (plan->bytes.failed)
		return err_msg(e, E2BIG, "there are too many files, or there is too little memory");
	plan->header->size = plan->bytes.len;
	r = index_files(plan);
	if (r == -EBADMSG)
		return err_msg(e, ESTALE, "the tree changes; end what changes it, and try again");
	return r < 0 ? err_oom(e) : 0;
}

static bool check_map(const struct id_map *map)
{
	struct err ignored;

	return map->n <= ID_MAP_MAX && idmap_check(map, &ignored) == 0;
}

static bool check_ids(const struct shift_ids *ids)
{
	return check_map(&ids->from) && check_map(&ids->to) && check_map(&ids->both);
}

static bool check_header(const struct strbuf *bytes)
{
	const struct plan_header *header = (const void *)bytes->data;

	return bytes->len >= sizeof(*header) &&
	       !memcmp(header->magic, MAGIC, sizeof(header->magic)) && header->size == bytes->len &&
	       check_ids(&header->maps.uids) && check_ids(&header->maps.gids);
}

int plan_parse(struct strbuf *bytes, struct plan *ret)
{
	struct plan plan = { 0 };
	struct losses *losses;
	int r;

	if (!check_header(bytes))
		return -EBADMSG;
	plan.header = (struct plan_header *)bytes->data;
	plan.bytes = *bytes;
	losses = &plan.header->counts.losses;
	for (unsigned int i = 0; i < LOSSES_TEXT_MAX; i++) {
		losses->text[i][ERR_TEXT_MAX - 1] = '\0';
		text_sanitize(losses->text[i]);
	}
	r = index_files(&plan);
	if (r < 0) {
		plan.bytes = (struct strbuf){ 0 };
		plan_free(&plan);
		return r;
	}
	*bytes = (struct strbuf){ 0 };
	*ret = plan;
	return 0;
}

ssize_t plan_find(const struct plan *plan, uint64_t ino)
{
	const struct plan_file key = { .ino = ino }, *wanted = &key;
	const struct plan_file **found;

	if (!plan->n)
		return -ENOENT;
	found = bsearch(&wanted, plan->files, plan->n, sizeof(struct plan_file *), by_ino);
	return found ? found - plan->files : -ENOENT;
}
