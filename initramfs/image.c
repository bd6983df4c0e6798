/* SPDX-License-Identifier: MIT */
#include "initramfs/image.h"

#include <string.h>
#include <sys/stat.h>

#define TRAILER_NAME "TRAILER!!!"

struct entry {
	const char *name;
	uint32_t ino;
	mode_t mode;
	unsigned int nlink;
	uint32_t len;
	unsigned int rmajor;
	unsigned int rminor;
};

/* Names and data both end on a multiple of four bytes of the archive. */
static void pad(struct strbuf *out)
{
	while (out->len % 4 && !out->failed)
		strbuf_putc(out, '\0');
}

static void put_entry(struct strbuf *out, const struct entry *en, const void *data)
{
	size_t name_size = strlen(en->name) + 1;

	/* magic ino mode uid gid nlink mtime size maj min rmaj rmin namesize check */
	strbuf_printf(out, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", en->ino,
		      (unsigned int)en->mode, 0u, 0u, en->nlink, 0u, en->len, 0u, 0u, en->rmajor,
		      en->rminor, (unsigned int)name_size, 0u);
	strbuf_add(out, en->name, name_size);
	pad(out);
	strbuf_add(out, data, en->len);
	pad(out);
}

void image_add(struct image *img, const char *name, mode_t mode, const void *data, size_t len)
{
	struct entry en = {
		.name = name,
		.mode = mode,
		.nlink = S_ISDIR(mode) ? 2 : 1,
		.len = (uint32_t)len,
	};

	/* The size field has 32 bits; STRBUF_MAX is below that. */
	if (len > STRBUF_MAX) {
		img->out.failed = true;
		return;
	}
	en.ino = ++img->next_ino;
	put_entry(&img->out, &en, data);
}

void image_add_node(struct image *img, const char *name, mode_t mode, unsigned int major,
		    unsigned int minor)
{
	struct entry en = {
		.name = name,
		.ino = ++img->next_ino,
		.mode = mode,
		.nlink = 1,
		.rmajor = major,
		.rminor = minor,
	};

	put_entry(&img->out, &en, NULL);
}

void image_finish(struct image *img)
{
	const struct entry en = { .name = TRAILER_NAME, .nlink = 1 };

	put_entry(&img->out, &en, NULL);
}
