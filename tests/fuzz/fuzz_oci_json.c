/* SPDX-License-Identifier: MIT */
/*
 * The documents of an image, and how a base's image is run. What is taken for good is
 * within bounds, and no digest can lead out of a directory.
 *
 * Input: a byte that says which document, and its text.
 */
#include <stdlib.h>
#include <string.h>

#include "rootfs-tools/archive/oci_json.h"
#include "runner/host/image_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_digest(const char *digest)
{
	struct err e;

	if (oci_digest_check(digest, &e) < 0 || strchr(digest, '/') || strchr(digest, '.'))
		abort();
}

static void check_descriptor(const struct oci_descriptor *d)
{
	check_digest(d->digest);
	if (d->size > OCI_BLOB_MAX)
		abort();
}

static void check_error(int r, const struct err *e)
{
	if (r != -e->errnum || !*e->text)
		abort();
}

static int fuzz_index(const char *text, size_t len, struct err *e)
{
	const struct oci_descriptor *chosen;
	struct oci_index index;
	int r = oci_index_parse(text, len, &index, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < index.n; i++)
		check_descriptor(&index.list[i]);
	r = oci_index_choose(&index, "a", false, &chosen, e);
	if (r == 0 && chosen->kind != OCI_INDEX && chosen->kind != OCI_MANIFEST)
		abort();
	oci_index_free(&index);
	return r;
}

static int fuzz_manifest(const char *text, size_t len, struct err *e)
{
	struct oci_manifest m;
	int r = oci_manifest_parse(text, len, &m, e);

	if (r < 0)
		return r;
	check_descriptor(&m.config);
	for (size_t i = 0; i < m.n; i++)
		check_descriptor(&m.layers[i]);
	oci_manifest_free(&m);
	return 0;
}

static int fuzz_config(const char *text, size_t len, struct err *e)
{
	struct oci_config c;
	int r = oci_config_parse(text, len, &c, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < c.n; i++)
		check_digest(c.diff_ids[i]);
	oci_config_free(&c);
	return 0;
}

/* What one process packs another takes, and takes for the same. */
static int fuzz_image_config(const char *text, size_t len, struct err *e)
{
	struct strbuf once = { 0 }, twice = { 0 };
	struct image_config c, copy;
	int r = image_config_parse(text, len, &c, e);

	if (r < 0)
		return r;
	image_config_pack(&c, &once);
	if (image_config_unpack(once.data, once.len, &copy, e) < 0)
		abort();
	image_config_pack(&copy, &twice);
	if (once.len != twice.len || (once.len && memcmp(once.data, twice.data, once.len)))
		abort();
	strbuf_free(&once);
	strbuf_free(&twice);
	image_config_free(&c);
	image_config_free(&copy);
	return 0;
}

static int fuzz_packed(const char *text, size_t len, struct err *e)
{
	struct image_config c;
	int r = image_config_unpack(text, len, &c, e);

	if (r == 0)
		image_config_free(&c);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int (*const documents[])(const char *, size_t, struct err *) = {
		fuzz_index,	   fuzz_manifest, fuzz_config,
		fuzz_image_config, fuzz_packed,	  oci_layout_parse,
	};
	struct err e = { 0 };
	int r;

	if (!size)
		return 0;
	r = documents[data[0] % (sizeof(documents) / sizeof(documents[0]))]((const char *)data + 1,
									    size - 1, &e);
	if (r < 0)
		check_error(r, &e);
	return 0;
}
