/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * The format is told from the first bytes, and only that one filter of
 * libarchive is switched on. Left to choose among all, libarchive would
 *
 *  - run an external program for a format it was built without (it says so by
 *    answering ARCHIVE_WARN, which is "not supported" here), and
 *  - go on peeling: a stream inside a stream, up to 25 deep.
 *
 * With one filter only the same format nested in itself could be peeled; what
 * libarchive made of the stream is checked before a byte is passed on.
 */
#include "initramfs/decompress.h"

#include <errno.h>
#include <string.h>

#include "runner/base/cleanup.h"
#include "runner/host/archive_lib.h"

typedef int (*enable_filter)(struct archive *);

struct format {
	const char *name;
	const char *magic;
	size_t magic_len;
	const char *enable; /* libarchive's function of type enable_filter */
	int code;
};

#define MAGIC(s) s, sizeof(s) - 1

static const struct format formats[] = {
	{ "gzip", MAGIC("\x1f\x8b\x08"), "archive_read_support_filter_gzip", ARCHIVE_FILTER_GZIP },
	{ "xz", MAGIC("\3757zXZ\0"), "archive_read_support_filter_xz", ARCHIVE_FILTER_XZ },
	{ "zstd", MAGIC("\x28\xb5\x2f\xfd"), "archive_read_support_filter_zstd",
	  ARCHIVE_FILTER_ZSTD },
	{ "lz4", MAGIC("\x04\x22\x4d\x18"), "archive_read_support_filter_lz4", ARCHIVE_FILTER_LZ4 },
	/* The older framing, which "lz4 -l" writes and kernels are made with. */
	{ "lz4", MAGIC("\x02\x21\x4c\x18"), "archive_read_support_filter_lz4", ARCHIVE_FILTER_LZ4 },
	{ "bzip2", MAGIC("BZh"), "archive_read_support_filter_bzip2", ARCHIVE_FILTER_BZIP2 },
	/* No magic proper: the usual properties byte and a dictionary of a 64 KiB multiple. */
	{ "lzma", MAGIC("\x5d\0\0"), "archive_read_support_filter_lzma", ARCHIVE_FILTER_LZMA },
};

static const struct format *format_of(const void *data, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (len >= formats[i].magic_len &&
		    memcmp(data, formats[i].magic, formats[i].magic_len) == 0)
			return &formats[i];
	return NULL;
}

void decompress_prepare(void)
{
	struct err ignored;

	(void)!archive_lib_load(&ignored);
}

struct reader {
	const struct archive_lib *lib;
	struct archive *a;
};

static void reader_free(struct reader *r)
{
	if (r->a)
		r->lib->archive_read_free(r->a);
}

static int corrupt(const struct reader *r, const struct format *f, struct err *e)
{
	const char *why = r->lib->archive_error_string(r->a);

	return err_msg(e, EBADMSG, "the %s data is corrupt or cut short: %s", f->name,
		       why ? why : "no reason given");
}

/* From the bytes to the point where the first block can be read. */
static int reader_open(struct reader *r, const struct format *f, const void *data, size_t len,
		       struct err *e)
{
	struct archive_entry *entry;
	enable_filter enable;

	if (!archive_lib_find(r->lib, f->enable, &enable) || enable(r->a) != ARCHIVE_OK)
		return err_msg(e, ENOTSUP, "%s on this host cannot read %s", ARCHIVE_LIB_NAME, f->name);
	if (r->lib->archive_read_support_format_raw(r->a) != ARCHIVE_OK)
		return err_oom(e);
	if (r->lib->archive_read_open_memory(r->a, data, len) != ARCHIVE_OK ||
	    r->lib->archive_read_next_header(r->a, &entry) != ARCHIVE_OK)
		return corrupt(r, f, e);
	/* Two: the filter, and libarchive's own reader of memory below it. */
	if (r->lib->archive_filter_count(r->a) != 2 ||
	    r->lib->archive_filter_code(r->a, 0) != f->code)
		return err_msg(e, EBADMSG, "the data is not one %s stream", f->name);
	return 0;
}

int decompress(const void *data, size_t len, uint64_t max, decompress_sink sink, void *ctx,
	       struct err *e)
{
	_cleanup_(reader_free) struct reader r = { 0 };
	const struct format *f = format_of(data, len);
	uint64_t total = 0;
	int ret;

	if (!f)
		return err_msg(e, ENOTSUP, "the data is in no compression format that is known");
	r.lib = archive_lib_load(e);
	if (!r.lib)
		return -e->errnum;
	r.a = r.lib->archive_read_new();
	if (!r.a)
		return err_oom(e);
	ret = reader_open(&r, f, data, len, e);
	if (ret < 0)
		return ret;
	for (;;) {
		const void *block;
		size_t size;
		la_int64_t offset;

		ret = r.lib->archive_read_data_block(r.a, &block, &size, &offset);
		if (ret == ARCHIVE_EOF)
			return 0;
		if (ret != ARCHIVE_OK)
			return corrupt(&r, f, e);
		if (size > max - total)
			return err_msg(e, EFBIG, "the %s data unpacks to more than %llu MiB",
				       f->name, (unsigned long long)(max >> 20));
		total += size;
		ret = sink(ctx, block, size);
		if (ret < 0)
			return ret;
	}
}
