/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"

#include "initramfs/decompress.h"
#include "runner/base/cleanup.h"

#define CONTENT_LEN ((size_t)300000)
#define MAX ((uint64_t)16 << 20)

static uint8_t content[CONTENT_LEN];

static int setup(void **state)
{
	(void)state;
	/* Half noise, a quarter zeros, a quarter text. */
	fill_noise(content, CONTENT_LEN / 2);
	memset(content + CONTENT_LEN / 4 * 3, 'x', CONTENT_LEN / 4);
	return 0;
}

static int collect(void *ctx, const void *data, size_t len)
{
	strbuf_add(ctx, data, len);
	return 0;
}

static int refuse(void *ctx, const void *data, size_t len)
{
	(void)data;
	(void)len;
	++*(int *)ctx;
	return -ENOSPC;
}

/* The data is put into memory of just its size: a sanitizer sees every byte too far. */
static int unpack(const void *data, size_t len, uint64_t max, struct strbuf *out, struct err *e)
{
	_cleanup_free_ void *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	if (len)
		memcpy(copy, data, len);
	return decompress(copy, len, max, collect, out, e);
}

static void expect(int want, const void *data, size_t len, uint64_t max)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct err e = { 0 };
	int r = unpack(data, len, max, &out, &e);

	if (r != want)
		print_error("%zu bytes: %s\n", len, e.text);
	assert_int_equal(r, want);
	assert_int_equal(e.errnum, -want);
	if (want)
		assert_true(e.text[0] != '\0');
}

static void expect_content(const struct strbuf *packed)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct err e = { 0 };

	assert_int_equal(unpack(packed->data, packed->len, CONTENT_LEN, &out, &e), 0);
	assert_int_equal(out.len, CONTENT_LEN);
	assert_memory_equal(out.data, content, CONTENT_LEN);
}

static void test_formats(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_KERNEL_COMPRESSORS; i++) {
		_cleanup_strbuf_ struct strbuf packed = { 0 };

		compress_with(kernel_compressors[i].name, content, CONTENT_LEN, &packed);
		expect_content(&packed);
	}
}

static void test_lz4_frame(void **state)
{
	const char *const argv[] = { "lz4", "-q", "-", "-", NULL };
	_cleanup_strbuf_ struct strbuf packed = { 0 };

	(void)state;
	run_filter(argv, content, CONTENT_LEN, &packed);
	expect_content(&packed);
}

static void test_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_KERNEL_COMPRESSORS; i++) {
		_cleanup_strbuf_ struct strbuf packed = { 0 };

		compress_with(kernel_compressors[i].name, content, CONTENT_LEN, &packed);
		expect(-EBADMSG, packed.data, packed.len - 1, MAX);
		expect(-EBADMSG, packed.data, packed.len - 5, MAX);
		expect(-EBADMSG, packed.data, packed.len / 2, MAX);
		expect(-EBADMSG, packed.data, 20, MAX);
		expect(-EBADMSG, packed.data, 6, MAX);
	}
}

static void test_corrupt(void **state)
{
	static const char *const checked[] = { "xz", "zstd", "bzip2" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(checked); i++) {
		_cleanup_strbuf_ struct strbuf packed = { 0 };

		compress_with(checked[i], content, CONTENT_LEN, &packed);
		packed.data[packed.len / 2] ^= 0x10;
		expect(-EBADMSG, packed.data, packed.len, MAX);
	}
}

static void test_maximum(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_KERNEL_COMPRESSORS; i++) {
		_cleanup_strbuf_ struct strbuf packed = { 0 };

		compress_with(kernel_compressors[i].name, content, CONTENT_LEN, &packed);
		expect(0, packed.data, packed.len, CONTENT_LEN);
		expect(-EFBIG, packed.data, packed.len, CONTENT_LEN - 1);
		expect(-EFBIG, packed.data, packed.len, 0);
	}
}

/* A bomb stops at the limit, and no more than that was kept. */
static void test_bomb(void **state)
{
	const size_t size = (size_t)64 << 20;
	_cleanup_free_ void *zeros = calloc(1, size);
	_cleanup_strbuf_ struct strbuf packed = { 0 };
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_non_null(zeros);
	compress_with("gzip", zeros, size, &packed);
	assert_true(packed.len < 100000);
	assert_int_equal(unpack(packed.data, packed.len, 1 << 20, &out, &e), -EFBIG);
	assert_true(out.len <= 1 << 20);
}

static void test_sink_stops(void **state)
{
	_cleanup_strbuf_ struct strbuf packed = { 0 };
	struct err e = { 0 };
	int calls = 0;

	(void)state;
	compress_with("gzip", content, CONTENT_LEN, &packed);
	assert_int_equal(decompress(packed.data, packed.len, MAX, refuse, &calls, &e), -ENOSPC);
	assert_int_equal(calls, 1);
	assert_int_equal(e.errnum, 0);
}

static void test_unknown(void **state)
{
	(void)state;
	expect(-ENOTSUP, "", 0, MAX);
	expect(-ENOTSUP, "\x1f", 1, MAX);
	expect(-ENOTSUP, "\177ELF and more", 13, MAX);
	/* lzop, which no supported kernel's build offers */
	expect(-ENOTSUP, "\x89LZO\0\r\n\x1a\n", 9, MAX);
	/* uncompressed tar and cpio, which libarchive would know */
	expect(-ENOTSUP, "070701", 6, MAX);
	expect(-ENOTSUP, content, CONTENT_LEN, MAX);
}

/* Only the outer stream is ours to open. */
static void test_nested(void **state)
{
	_cleanup_strbuf_ struct strbuf once = { 0 };
	_cleanup_strbuf_ struct strbuf twice = { 0 };
	_cleanup_strbuf_ struct strbuf mixed = { 0 };
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct err e = { 0 };

	(void)state;
	compress_with("gzip", content, CONTENT_LEN, &once);
	compress_with("gzip", once.data, once.len, &twice);
	expect(-EBADMSG, twice.data, twice.len, MAX);
	compress_with("xz", once.data, once.len, &mixed);
	assert_int_equal(unpack(mixed.data, mixed.len, MAX, &out, &e), 0);
	assert_int_equal(out.len, once.len);
	assert_memory_equal(out.data, once.data, once.len);
}

static void test_nothing_inside(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_KERNEL_COMPRESSORS; i++) {
		_cleanup_strbuf_ struct strbuf packed = { 0 };

		compress_with(kernel_compressors[i].name, "", 0, &packed);
		expect(-EBADMSG, packed.data, packed.len, MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),	   cmocka_unit_test(test_lz4_frame),
		cmocka_unit_test(test_cut),	   cmocka_unit_test(test_corrupt),
		cmocka_unit_test(test_maximum),	   cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_sink_stops), cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_nested),	   cmocka_unit_test(test_nothing_inside),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
