/* SPDX-License-Identifier: MIT */
/* A strict reader of "newc" archives, for tests of what writes them. */
#ifndef VMRUN_TESTS_CPIO_READER_H
#define VMRUN_TESTS_CPIO_READER_H

#include "tests/unit/fixture.h"

struct cpio_entry {
	uint32_t ino, mode, uid, gid, nlink, mtime, size, rmajor, rminor;
	const char *name;
	const uint8_t *data;
};

struct cpio_archive {
	struct cpio_entry v[64]; /* without the trailer */
	size_t n;
};

static inline uint32_t cpio_field(const uint8_t *header, unsigned int i)
{
	uint32_t v = 0;

	for (const uint8_t *p = header + 6 + i * 8; p < header + 14 + i * 8; p++) {
		assert_non_null(memchr("0123456789ABCDEF", *p, 16));
		v = v << 4 | (uint32_t)(*p <= '9' ? *p - '0' : *p - 'A' + 10);
	}
	return v;
}

/* Moves to the next multiple of four; what lies between must be zeros. */
static inline size_t cpio_align(const uint8_t *data, size_t len, size_t at)
{
	for (; at % 4; at++) {
		assert_true(at < len);
		assert_int_equal(data[at], 0);
	}
	return at;
}

/* The strings and data of @ret point into @data. */
static inline void cpio_read(const void *archive, size_t len, struct cpio_archive *ret)
{
	const uint8_t *data = archive;
	size_t at = 0;

	ret->n = 0;
	for (;;) {
		const uint8_t *h = data + at;
		struct cpio_entry en;
		uint32_t name_size;

		assert_true(len - at >= 110);
		assert_memory_equal(h, "070701", 6);
		en = (struct cpio_entry){
			.ino = cpio_field(h, 0),
			.mode = cpio_field(h, 1),
			.uid = cpio_field(h, 2),
			.gid = cpio_field(h, 3),
			.nlink = cpio_field(h, 4),
			.mtime = cpio_field(h, 5),
			.size = cpio_field(h, 6),
			.rmajor = cpio_field(h, 9),
			.rminor = cpio_field(h, 10),
			.name = (const char *)h + 110,
		};
		name_size = cpio_field(h, 11);
		assert_int_equal(cpio_field(h, 7) + cpio_field(h, 8) + cpio_field(h, 12), 0);
		at += 110;
		assert_true(name_size >= 2 && name_size <= len - at);
		assert_int_equal(strnlen(en.name, name_size), name_size - 1);
		at = cpio_align(data, len, at + name_size);
		en.data = data + at;
		assert_true(en.size <= len - at);
		at = cpio_align(data, len, at + en.size);
		if (strcmp(en.name, "TRAILER!!!") == 0)
			break;
		assert_true(ret->n < sizeof(ret->v) / sizeof(ret->v[0]));
		ret->v[ret->n++] = en;
	}
	assert_int_equal(at, len);
}

static inline const struct cpio_entry *cpio_find(const struct cpio_archive *ar, const char *name)
{
	for (size_t i = 0; i < ar->n; i++)
		if (strcmp(ar->v[i].name, name) == 0)
			return &ar->v[i];
	fail_msg("no %s in the archive", name);
	return NULL;
}

#endif
