/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"

#include <stdlib.h>

#include "rootfs-tools/disk/import_disk.h"
#include "runner/base/cleanup.h"

/* --- what is a disk --- */

static void expect_detected(size_t offset, const char *magic, size_t len, size_t head_len, bool is)
{
	uint8_t *head = calloc(1, IMPORT_HEAD_MAX);
	struct import_source src = { .fd = -1, .head = head, .head_len = head_len };

	assert_non_null(head);
	memcpy(head + offset, magic, len);
	assert_int_equal(import_disk_detect(&src), is);
	/* A tar whose first file has such a name, or such a content. */
	memcpy(head + 257, "ustar", 5);
	if (head_len > 512)
		assert_false(import_disk_detect(&src));
	free(head);
}

static void disks_are_detected(void **state)
{
	(void)state;
	expect_detected(0, "QFI\xfb", 4, IMPORT_HEAD_MAX, true);
	expect_detected(0, "QFI\xfb", 4, 3, false);
	expect_detected(510, "\x55\xaa", 2, 512, true);
	expect_detected(510, "\x55\xaa", 2, 511, false);
	expect_detected(512, "EFI PART", 8, IMPORT_HEAD_MAX, true);
	expect_detected(1080, "\x53\xef", 2, IMPORT_HEAD_MAX, true);
	expect_detected(0, "XFSB", 4, IMPORT_HEAD_MAX, true);
	expect_detected(65600, "_BHRfS_M", 8, IMPORT_HEAD_MAX, true);
	expect_detected(65600, "_BHRfS_M", 8, 65607, false);
	expect_detected(0, "", 0, IMPORT_HEAD_MAX, false);
	expect_detected(0, "", 0, 0, false);
	expect_detected(0, "\x1f\x8b", 2, IMPORT_HEAD_MAX, false);
}

/* --- what the guest says --- */

struct said {
	uint64_t entries;
	struct losses losses;
	char error[ERR_TEXT_MAX];
};

static struct said say(const char *text)
{
	struct said s = { .entries = 7 };
	char *copy = strdup(text);

	assert_non_null(copy);
	import_disk_words(copy, &s.entries, &s.losses, s.error);
	free(copy);
	return s;
}

static void words(void **state)
{
	struct said s = say("note: one\nnote: two\nend: 12\n");

	(void)state;
	assert_int_equal(s.entries, 12);
	assert_int_equal(s.losses.n, 2);
	assert_string_equal(s.losses.text[1], "two");
	assert_string_equal(s.error, "");

	s = say("error: first\nvmrun: second\n");
	assert_string_equal(s.error, "first");
	s = say("vmrun: --disk: 'x' is empty");
	assert_string_equal(s.error, "--disk: 'x' is empty");
	assert_int_equal(s.entries, 7);
}

static void hostile_words(void **state)
{
	static const char *const bad_ends[] = { "end: ", "end: -1", "end: 1x", "end: 99999999999999999999",
						" end: 1", "end:1", "ending", "" };
	char *many = malloc(65537);
	struct said s;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_ends); i++)
		assert_int_equal(say(bad_ends[i]).entries, 7);
	s = say("note: \033[2Jgone\nerror: \033]0;title\007");
	assert_null(strchr(s.losses.text[0], '\033'));
	assert_non_null(many);
	memset(many, 'x', 65536);
	memcpy(many, "error: ", 7);
	many[65536] = '\0';
	assert_int_equal(strlen(say(many).error), ERR_TEXT_MAX - 1);
	memcpy(many, "note: \n", 7);
	for (size_t i = 7; i + 7 <= 65536; i += 7)
		memcpy(many + i, "note: \n", 7);
	assert_int_equal(say(many).losses.n, 65536 / 7);
	free(many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(disks_are_detected),
		cmocka_unit_test(words),
		cmocka_unit_test(hostile_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
