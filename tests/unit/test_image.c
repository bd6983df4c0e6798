/* SPDX-License-Identifier: MIT */
#include "tests/unit/cpio_reader.h"

#include "initramfs/image.h"

/* clang-format off */
static const char golden[] =
	"070701" "00000001" "000041ED" "00000000" "00000000" "00000002" "00000000" "00000000"
	"00000000" "00000000" "00000000" "00000000" "00000004" "00000000" "dev\0" "\0\0"
	"070701" "00000002" "00002180" "00000000" "00000000" "00000001" "00000000" "00000000"
	"00000000" "00000000" "00000005" "00000001" "0000000C" "00000000" "dev/console\0" "\0\0"
	"070701" "00000003" "000081ED" "00000000" "00000000" "00000001" "00000000" "00000005"
	"00000000" "00000000" "00000000" "00000000" "00000005" "00000000" "init\0" "\0" "hello"
	"\0\0\0"
	"070701" "00000000" "00000000" "00000000" "00000000" "00000001" "00000000" "00000000"
	"00000000" "00000000" "00000000" "00000000" "0000000B" "00000000" "TRAILER!!!\0" "\0\0\0";
/* clang-format on */

static void add_small(struct image *img)
{
	image_add(img, "dev", S_IFDIR | 0755, NULL, 0);
	image_add_node(img, "dev/console", S_IFCHR | 0600, 5, 1);
	image_add(img, "init", S_IFREG | 0755, "hello", 5);
	image_finish(img);
}

static void test_golden(void **state)
{
	struct image img = { 0 };

	(void)state;
	add_small(&img);
	assert_false(img.out.failed);
	assert_int_equal(img.out.len, sizeof(golden) - 1);
	assert_memory_equal(img.out.data, golden, sizeof(golden) - 1);
	strbuf_free(&img.out);
}

/* Every length of name and data modulo four comes back as it went in. */
static void test_alignment(void **state)
{
	static const char name[] = "abcdefgh", data[] = "12345678";
	struct cpio_archive ar;
	struct image img = { 0 };
	char part[9];

	(void)state;
	for (size_t n = 1; n <= 8; n++) {
		snprintf(part, sizeof(part), "%.*s", (int)n, name);
		image_add(&img, part, S_IFREG | 0644, data, 8 - n);
	}
	image_finish(&img);
	assert_false(img.out.failed);
	cpio_read(img.out.data, img.out.len, &ar);
	assert_int_equal(ar.n, 8);
	for (size_t n = 1; n <= 8; n++) {
		const struct cpio_entry *en = &ar.v[n - 1];

		assert_int_equal(strlen(en->name), n);
		assert_memory_equal(en->name, name, n);
		assert_int_equal(en->size, 8 - n);
		assert_memory_equal(en->data, data, 8 - n);
		assert_int_equal(en->ino, n);
		assert_int_equal(en->mode, S_IFREG | 0644);
		assert_int_equal(en->uid + en->gid + en->mtime, 0);
		assert_int_equal(en->nlink, 1);
	}
	strbuf_free(&img.out);
}

static void test_node(void **state)
{
	struct cpio_archive ar;
	struct image img = { 0 };
	const struct cpio_entry *en;

	(void)state;
	image_add_node(&img, "console", S_IFCHR | 0600, 5, 1);
	image_finish(&img);
	cpio_read(img.out.data, img.out.len, &ar);
	en = cpio_find(&ar, "console");
	assert_int_equal(en->mode, S_IFCHR | 0600);
	assert_int_equal(en->rmajor, 5);
	assert_int_equal(en->rminor, 1);
	assert_int_equal(en->size, 0);
	strbuf_free(&img.out);
}

static void test_too_large(void **state)
{
	struct image img = { 0 };

	(void)state;
	image_add(&img, "x", S_IFREG | 0644, "x", STRBUF_MAX + 1);
	assert_true(img.out.failed);
	image_add(&img, "y", S_IFREG | 0644, "y", 1);
	image_finish(&img);
	assert_true(img.out.failed);
	strbuf_free(&img.out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_alignment),
		cmocka_unit_test(test_node),
		cmocka_unit_test(test_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
