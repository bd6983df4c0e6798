/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "runner/base/cleanup.h"
#include "runner/base/strbuf.h"
#include "runner/host/subid.h"

static struct subids parse(const char *text, const char *name, uint32_t id)
{
	struct subids s = { .n = 99 };

	subid_parse(text, strlen(text), name, id, &s);
	return s;
}

static void by_name_and_by_number(void **state)
{
	struct subids s = parse("ann:100000:65536\nbob:165536:65536\n1000:300000:10\n", "ann",
				1000);

	(void)state;
	assert_int_equal(s.n, 2);
	assert_int_equal(s.r[0].first, 100000);
	assert_int_equal(s.r[0].count, 65536);
	assert_int_equal(s.r[1].first, 300000);
	assert_int_equal(s.r[1].count, 10);
}

static void file_order_is_kept(void **state)
{
	struct subids s = parse("u:900000:5\nu:200000:7\nu:500000:1\n", "u", 1);

	(void)state;
	assert_int_equal(s.n, 3);
	assert_int_equal(s.r[0].first, 900000);
	assert_int_equal(s.r[1].first, 200000);
	assert_int_equal(s.r[2].first, 500000);
}

static void only_the_whole_name_counts(void **state)
{
	static const char text[] = "an:100000:1\nanne:200000:1\nANN:300000:1\n ann:400000:1\n"
				   "ann :500000:1\n:600000:1\n";

	(void)state;
	assert_int_equal(parse(text, "ann", 1000).n, 0);
	assert_int_equal(parse(text, "", 1000).n, 0);
	assert_int_equal(parse(text, NULL, 1000).n, 0);
}

static void last_line_needs_no_newline(void **state)
{
	(void)state;
	assert_int_equal(parse("u:100000:65536", "u", 1).n, 1);
	assert_int_equal(parse("\n\n\nu:100000:65536", "u", 1).n, 1);
	assert_int_equal(parse("", "u", 1).n, 0);
	assert_int_equal(parse("\n", "u", 1).n, 0);
}

static void malformed_lines_are_passed_over(void **state)
{
	static const char *const bad[] = {
		"u",
		"u:",
		"u:100000",
		"u:100000:",
		"u::65536",
		"u:x:65536",
		"u:100000:x",
		"u:100000:65536:1",
		"u:100000:65536 ",
		"u: 100000:65536",
		"u:-1:65536",
		"u:+100000:65536",
		"u:0x100:65536",
		"u:100000:65536\r",
		"#u:100000:65536",
		"u:18446744073709551616:1",
		"u:100000:18446744073709551616",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char text[128];
		struct subids s;

		snprintf(text, sizeof(text), "%s\nu:200000:3\n", bad[i]);
		s = parse(text, "u", 1);
		if (s.n != 1 || s.r[0].first != 200000)
			fail_msg("'%s': %u ranges", bad[i], s.n);
	}
}

static void dangerous_ranges_are_passed_over(void **state)
{
	static const char *const bad[] = {
		"u:100000:0", /* empty */
		"u:0:65536",  /* the host's root */
		"u:0:1",
		"u:1:65535", /* (uid_t)-1 of 16 bits */
		"u:65535:1",
		"u:1000:100000",
		"u:4294967295:1", /* (uid_t)-1 */
		"u:4294967290:6",
		"u:4294967290:100", /* goes past 32 bits */
		"u:100000:4294967295",
		"u:4294967296:1",
		"u:100000:4294967296",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (parse(bad[i], "u", 1).n != 0)
			fail_msg("'%s' was taken", bad[i]);
	assert_int_equal(parse("u:4294967290:5", "u", 1).n, 1);
	assert_int_equal(parse("u:65536:4294901759", "u", 1).n, 1);
	assert_int_equal(parse("u:1:65534", "u", 1).n, 1);
}

static void nul_and_endless_lines_are_passed_over(void **state)
{
	static const char text[] = "u\0:100000:1\nu:200000:1\0\nu:300000:1\n";
	_cleanup_strbuf_ struct strbuf b = { 0 };
	struct subids s;

	(void)state;
	subid_parse(text, sizeof(text) - 1, "u", 1, &s);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.r[0].first, 300000);

	strbuf_puts(&b, "u:");
	for (int i = 0; i < 100000; i++)
		strbuf_putc(&b, '0');
	strbuf_puts(&b, "100000:1\nu:200000:1\n");
	subid_parse(b.data, b.len, "u", 1, &s);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.r[0].first, 200000);
}

static void ranges_are_bounded(void **state)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };
	struct subids s;

	(void)state;
	for (int i = 0; i < 1000; i++)
		strbuf_printf(&b, "u:%d:1\n", 100000 + i);
	subid_parse(b.data, b.len, "u", 1, &s);
	assert_int_equal(s.n, SUBID_MAX);
	assert_int_equal(s.r[SUBID_MAX - 1].first, 100000 + SUBID_MAX - 1);
}

/* Cut anywhere, the text yields no range that the whole does not hold the start of. */
static void cut_at_every_byte(void **state)
{
	static const char text[] = "u:100000:65536\nv:1:1\n1:200000:65536\n";

	(void)state;
	for (size_t len = 0; len < sizeof(text); len++) {
		char *exact = malloc(len + 1); /* so that a sanitizer sees an overrun */
		struct subids s;

		assert_non_null(exact);
		memcpy(exact, text, len);
		subid_parse(exact, len, "u", 1, &s);
		assert_true(s.n <= 2);
		for (unsigned int i = 0; i < s.n; i++)
			assert_true(s.r[i].count <= 65536);
		free(exact);
	}
}

static void system_files_can_be_read(void **state)
{
	struct subids uids, gids;
	struct err e = { 0 };

	(void)state;
	if (subid_load(getuid(), &uids, &gids, &e) < 0)
		fail_msg("%s", e.text);
	/* An id that nobody has. */
	assert_int_equal(subid_load(4000000001u, &uids, &gids, &e), 0);
	assert_int_equal(uids.n, 0);
	assert_int_equal(gids.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_name_and_by_number),
		cmocka_unit_test(file_order_is_kept),
		cmocka_unit_test(only_the_whole_name_counts),
		cmocka_unit_test(last_line_needs_no_newline),
		cmocka_unit_test(malformed_lines_are_passed_over),
		cmocka_unit_test(dangerous_ranges_are_passed_over),
		cmocka_unit_test(nul_and_endless_lines_are_passed_over),
		cmocka_unit_test(ranges_are_bounded),
		cmocka_unit_test(cut_at_every_byte),
		cmocka_unit_test(system_files_can_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
