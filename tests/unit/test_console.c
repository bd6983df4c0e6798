/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"

#include "runner/base/cleanup.h"
#include "runner/vm/console.h"

static int set_up(void **state)
{
	static struct console c;

	c = (struct console){ 0 };
	*state = &c;
	return 0;
}

static int tear_down(void **state)
{
	console_free(*state);
	console_free(*state);
	return 0;
}

static void feed(struct console *c, const char *text)
{
	console_feed(c, text, strlen(text));
}

static void expect_tail(const struct console *c, unsigned int lines, const char *text)
{
	struct strbuf out = { 0 };

	console_tail(c, lines, &out);
	assert_string_equal(strbuf_str(&out), text);
	strbuf_free(&out);
}

static void expect_line(const struct console *c, const char *what, const char *line)
{
	char buf[64];

	assert_true(console_line(c, what, buf, sizeof(buf)));
	assert_string_equal(buf, line);
}

static void nothing_was_said(void **state)
{
	struct console *c = *state;
	char buf[8] = "before";

	assert_false(console_line(c, "panic", buf, sizeof(buf)));
	assert_string_equal(buf, "before");
	expect_tail(c, 20, "");
	feed(c, "");
	expect_tail(c, 20, "");
	feed(c, "\n\r\n\n");
	expect_tail(c, 20, "");
}

/* However much a guest says and in whatever portions: its end is kept, within the bound. */
static void a_flood_is_bounded(void **state)
{
	static const size_t portions[] = {
		1, 7, 100, 4096, 8192, CONSOLE_KEEP, 100000, 2 * CONSOLE_KEEP, 1000000
	};
	static char data[1000000];
	struct console *c = *state;

	for (size_t i = 0; i < sizeof(portions) / sizeof(portions[0]); i++) {
		size_t size = portions[i], sent = 0;
		uint32_t x = 1;

		console_free(c);
		while (sent < 300000) {
			for (size_t j = 0; j < size; j++)
				data[j] = (char)('a' + (x = x * 1103515245u + 12345) / 65536 % 26);
			console_feed(c, data, size);
			sent += size;
			assert_true(c->tail.len <= 2 * CONSOLE_KEEP);
			assert_true(c->tail.len >= (sent < CONSOLE_KEEP ? sent : CONSOLE_KEEP));
			assert_true(c->tail.cap <= 4 * CONSOLE_KEEP);
			assert_int_equal(c->tail.data[c->tail.len - 1], data[size - 1]);
		}
		/* What is kept is the end, without a gap. */
		x = 1;
		for (size_t j = 0; j < sent; j++) {
			char want = (char)('a' + (x = x * 1103515245u + 12345) / 65536 % 26);

			if (j >= sent - c->tail.len &&
			    c->tail.data[j - (sent - c->tail.len)] != want)
				fail_msg("portions of %zu: byte %zu is lost", size, j);
		}
	}
}

static void the_last_line_counts(void **state)
{
	struct console *c = *state;
	char small[6];

	feed(c, "one\r\n[ 1.0] Oops: first\r\n[ 2.0] Oops: sec");
	feed(c, "ond\r\nlast");
	expect_line(c, "Oops: ", "Oops: second");
	expect_line(c, "one", "one");
	expect_line(c, "last", "last");
	expect_line(c, "2.0] ", "2.0] Oops: second");
	assert_false(console_line(c, "third", small, sizeof(small)));
	assert_false(console_line(c, "last\n", small, sizeof(small)));
	assert_true(console_line(c, "Oops: ", small, sizeof(small)));
	assert_string_equal(small, "Oops:");
}

static void a_line_is_cleaned(void **state)
{
	struct console *c = *state;
	char buf[64];

	feed(c, "Oops: \x1b[31mred\x07\x7f\xc2\x9b tab\there\n");
	expect_line(c, "Oops", "Oops: ?[31mred????\x20tab?here");
	console_feed(c, "Oops: cut\0here\nmore\n", 20);
	expect_line(c, "Oops", "Oops: cut");
	/* An overlap is no second occurrence, and the search does not stop at a NUL. */
	console_feed(c, "\0aaa b", 6);
	assert_true(console_line(c, "aa", buf, sizeof(buf)));
	assert_string_equal(buf, "aaa b");
}

static void the_last_lines(void **state)
{
	struct console *c = *state;

	feed(c, "one\ntwo\r\nthree\nfour");
	expect_tail(c, 1, "  four\n");
	expect_tail(c, 2, "  three\n  four\n");
	expect_tail(c, 4, "  one\n  two\n  three\n  four\n");
	expect_tail(c, 5, "  one\n  two\n  three\n  four\n");
	feed(c, "\n\n");
	expect_tail(c, 2, "  three\n  four\n");
	feed(c, "six\n");
	expect_tail(c, 3, "  four\n  \n  six\n");
}

static void a_tail_is_cleaned(void **state)
{
	struct console *c = *state;

	feed(c, "\x1b[2J\x1b]0;title\x07 a\tb \x7f \302\23331m \xc3\xa4\n\x01\n");
	expect_tail(c, 20, "  ?[2J?]0;title? a\tb ? ??31m \xc3\xa4\n  ?\n");
	console_free(c);
	console_feed(c, "a\0b\nc\0", 6);
	expect_tail(c, 20, "  a?b\n  c?\n");
}

static void a_panic_ends_the_tail(void **state)
{
	struct console *c = *state;

	feed(c, "[ 1.0] one\n[ 1.1] two\n"
		"[ 2.0] Kernel panic - not syncing: Attempted to kill init! exitcode=0x100\r\n"
		"[ 2.0] CPU: 0 PID: 1 Comm: init\n[ 2.0] Call Trace:\n[ 2.0]  dump_stack+0x1\n");
	expect_tail(c, 2,
		    "  [ 1.1] two\n"
		    "  [ 2.0] Kernel panic - not syncing: Attempted to kill init! "
		    "exitcode=0x100\n");
	expect_tail(c, 20,
		    "  [ 1.0] one\n  [ 1.1] two\n"
		    "  [ 2.0] Kernel panic - not syncing: Attempted to kill init! "
		    "exitcode=0x100\n");
	/* One that is still being told. */
	console_free(c);
	feed(c, "one\n" CONSOLE_PANIC);
	expect_tail(c, 20, "  one\n  Kernel panic - not syncing: \n");
}

/* Each byte that is no part of a character that may be shown is one "?". */
static void what_is_clean(void **state)
{
	static const struct {
		const char *raw, *clean;
	} cases[] = {
		{ "plain\ttext\r\n", "plain\ttext\n" },
		{ "\x1b[2J\b\a\v\f\x01\x7f", "?[2J??????" },
		/* Of 2, 3 and 4 bytes; the first and the last of each. */
		{ "\xc2\xa0\xdf\xbf", "\xc2\xa0\xdf\xbf" },
		{ "\xe0\xa0\x80\xef\xbf\xbf", "\xe0\xa0\x80\xef\xbf\xbf" },
		{ "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf" },
		/* C1: in UTF-8, alone, and overlong. */
		{ "\xc2\x80\xc2\x9f", "????" },
		{ "\x9b"
		  "2J\x9d",
		  "?2J?" },
		{ "\xc0\x9b\xc1\x9b\xe0\x82\x9b\xf0\x80\x82\x9b", "???????????" },
		{ "\xe0\x9f\xbf\xf0\x8f\xbf\xbf", "???????" },
		/* A surrogate, and what lies past the last character. */
		{ "\xed\x9f\xbf\xed\xa0\x80", "\xed\x9f\xbf???" },
		{ "\xf4\x90\x80\x80\xf5\x80\x80\x80\xff", "?????????" },
		/* Begun, and not gone on with: what follows is not swallowed. */
		{ "\xe2\x82\x1b[m\xe2\x1b\xf0\x90\x80\nx\xc3", "???[m?????\nx" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_strbuf_ struct strbuf out = { 0 };

		console_clean(cases[i].raw, strlen(cases[i].raw), &out);
		assert_string_equal(strbuf_str(&out), cases[i].clean);
	}
}

/* A guest writes as it likes, and is shown in portions: nothing gets through at a seam. */
static void clean_at_every_seam(void **state)
{
	static const char raw[] = "\x1b[1m\302\233a\302\205z\302\251\r\n\t\b\x7f\xf0\x9f\x98\x80"
				  "\x9b\xe2\x82\xac.";
	static const char clean[] = "?[1m??a??z\302\251\n\t??\xf0\x9f\x98\x80?\xe2\x82\xac.";
	size_t len = sizeof(raw) - 1;

	(void)state;
	for (size_t first = 0; first <= len; first++)
		for (size_t second = first; second <= len; second++) {
			const size_t ends[] = { first, second, len };
			_cleanup_strbuf_ struct strbuf out = { 0 };
			size_t done = 0;

			for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
				done += console_clean(raw + done, ends[i] - done, &out);
				assert_true(ends[i] - done <= 3);
			}
			assert_int_equal(done, len);
			assert_string_equal(strbuf_str(&out), clean);
		}
}

/* A line is as long as a guest likes, and is shown to a person. */
static void a_long_line_is_cut(void **state)
{
	struct console *c = *state;
	char text[CONSOLE_LINE_MAX + 16], want[CONSOLE_LINE_MAX + 16];

	memset(text, 'x', sizeof(text));
	console_feed(c, text, CONSOLE_LINE_MAX);
	snprintf(want, sizeof(want), "  %.*s\n", (int)CONSOLE_LINE_MAX, text);
	expect_tail(c, 1, want);
	feed(c, "x");
	snprintf(want, sizeof(want), "  %.*s...\n", (int)CONSOLE_LINE_MAX, text);
	expect_tail(c, 1, want);
	/* Not within a character. */
	console_free(c);
	console_feed(c, text, CONSOLE_LINE_MAX - 2);
	feed(c, "\xe2\x82\xac");
	snprintf(want, sizeof(want), "  %.*s...\n", (int)CONSOLE_LINE_MAX - 2, text);
	expect_tail(c, 1, want);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_was_said),	     TEST(a_flood_is_bounded), TEST(the_last_line_counts),
		TEST(a_line_is_cleaned),     TEST(the_last_lines),     TEST(a_tail_is_cleaned),
		TEST(a_panic_ends_the_tail), TEST(what_is_clean),      TEST(clean_at_every_seam),
		TEST(a_long_line_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
