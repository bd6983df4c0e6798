/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include <cmocka.h>

#include "rootfs-tools/bootstrap/driver.h"
#include "rootfs-tools/bootstrap/watch.h"
#include "runner/base/cleanup.h"

/* --- output --- */

static char shown[1024];

static void show(const char *line)
{
	snprintf(shown, sizeof(shown), "%s", line);
}

static void say(struct watch *w, const char *text)
{
	watch_add(w, text, strlen(text));
}

static void the_last_whole_line_is_shown(void **state)
{
	struct watch w = { .status = show };

	(void)state;
	*shown = '\0';
	say(&w, "beg");
	assert_string_equal(shown, "");
	say(&w, "in\n");
	assert_string_equal(shown, "begin");
	say(&w, "10%\r20%\r30");
	assert_string_equal(shown, "20%");
	say(&w, "\n\n\r\n");
	assert_string_equal(shown, "30");
	say(&w, "\033]0;x\007 \302\233 \377\n");
	assert_string_equal(shown, "?]0;x? ?? ?");
	strbuf_free(&w.said);
}

static void only_the_end_is_kept(void **state)
{
	static char line[1000];
	_cleanup_strbuf_ struct strbuf tail = { 0 };
	struct watch w = { .status = show };
	char found[64];

	(void)state;
	memset(line, 'x', sizeof(line));
	line[0] = '\0';
	say(&w, "E: early\n");
	for (int i = 0; i < 200; i++)
		watch_add(&w, line, sizeof(line));
	assert_int_equal(w.said.len, WATCH_KEPT);
	assert_false(watch_find(&w, "E: early", found, sizeof(found)));
	say(&w, "\nE: one\n\n\nW: two\rE: three\nfour");
	watch_tail(&w, 3, &tail);
	assert_string_equal(strbuf_str(&tail), "W: two\nE: three\nfour\n");
	assert_true(watch_find(&w, "E: ", found, sizeof(found)));
	assert_string_equal(found, "E: three");
	assert_true(watch_find(&w, "xxx", found, sizeof(found)));
	assert_int_equal(strlen(found), sizeof(found) - 1);
	strbuf_free(&w.said);
}

static void nothing_was_said(void **state)
{
	_cleanup_strbuf_ struct strbuf tail = { 0 };
	struct watch w = { 0 };
	char found[8];

	(void)state;
	watch_tail(&w, 5, &tail);
	assert_string_equal(strbuf_str(&tail), "");
	assert_false(watch_find(&w, "E", found, sizeof(found)));
	say(&w, "\n\r\n");
	watch_tail(&w, 5, &tail);
	assert_string_equal(strbuf_str(&tail), "");
	say(&w, "a");
	watch_tail(&w, 5, &tail);
	assert_string_equal(strbuf_str(&tail), "a\n");
	strbuf_free(&w.said);
}

/* --- words --- */

/* What is said of them, "" if nothing. */
static const char *refused(const char *distro, const struct bootstrap_options *options)
{
	static struct err e;
	struct making m = { .options = options, .keyring = -1 };

	e.text[0] = '\0';
	m.driver = driver_find(distro, &e);
	assert_non_null(m.driver);
	return driver_choose(&m, &e) < 0 ? e.text : "";
}

static void expect_refused(const char *distro, struct bootstrap_options options, const char *words)
{
	const char *text = refused(distro, &options);

	if (!strstr(text, words) || !*text)
		fail_msg("'%s' does not say '%s'", text, words);
}

static void words_that_are_more_than_that(void **state)
{
	static const char *const suites[] = {
		"", "-x", "a b", "a;b", "$(a)", "a\nb", "a'b", "a\""
	};
	static const char *const packages[] = { "",    ",",    "a,",  ",a",  "a,,b",   "-a",
						"a b", "a,-b", "a;b", "`a`", "a\n[x]", "$a" };
	static const char *const urls[] = {
		"",	     "x",	    "file:///etc", "-http://a",	  "http://a b",
		"http://a'", "http://a\nx", "http://a;b",  "http://a`b`", "http://\"",
		"copy:///",  "ftp://a"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(suites); i++)
		expect_refused("debian", (struct bootstrap_options){ .suite = suites[i] },
			       "--suite");
	for (size_t i = 0; i < ARRAY_SIZE(packages); i++)
		expect_refused("arch", (struct bootstrap_options){ .include = packages[i] },
			       "--include");
	for (size_t i = 0; i < ARRAY_SIZE(urls); i++)
		expect_refused("fedora", (struct bootstrap_options){ .mirror = urls[i] },
			       "--mirror");
}

static void options_of_others(void **state)
{
	(void)state;
	expect_refused("arch", (struct bootstrap_options){ .suite = "x" }, "no meaning for arch");
	expect_refused("arch", (struct bootstrap_options){ .variant = "x" }, "no meaning for arch");
	expect_refused("debian", (struct bootstrap_options){ .archive = "x" }, "no meaning");
	expect_refused("alpine", (struct bootstrap_options){ .mirror = "http://x" }, "no meaning");
	expect_refused("alpine", (struct bootstrap_options){ .keyring = "x" }, "no meaning");
	expect_refused("debian", (struct bootstrap_options){ .variant = "core" }, "minbase");
	expect_refused("fedora", (struct bootstrap_options){ .variant = "minbase" }, "core");
	expect_refused("debian", (struct bootstrap_options){ .kernel = true, .no_kernel = true },
		       "exclude");
	expect_refused("debian", (struct bootstrap_options){ .arch = "z80" }, "z80");
}

static void names(void **state)
{
	struct err e;

	(void)state;
	assert_string_equal(driver_find("fedora", &e)->distro, "fedora");
	assert_null(driver_find("fedoro", &e));
	assert_non_null(strstr(e.text, "did you mean fedora"));
	assert_null(driver_find("plan9", &e));
	assert_non_null(strstr(e.text, BOOTSTRAP_DISTROS));
	assert_null(driver_find("", &e));
}

static void what_follows(void **state)
{
	const struct bootstrap_options options = { .arch = "amd64", .include = "a,b+c,d" };
	struct making m = { .options = &options, .keyring = -1 };
	_cleanup_strvec_ struct strvec words = { 0 };
	struct utsname host;
	struct err e;

	(void)state;
	assert_int_equal(uname(&host), 0);
	m.driver = driver_find("alpine", &e);
	if (!strcmp(host.machine, "x86_64"))
		assert_int_equal(driver_choose(&m, &e), 0);
	assert_null(m.tool);
	assert_null(m.suite);
	driver_add_packages(&m, &words);
	assert_int_equal(words.n, 3);
	assert_string_equal(words.v[1], "b+c");
	assert_string_equal(words.v[2], "d");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_whole_line_is_shown),
		cmocka_unit_test(only_the_end_is_kept),
		cmocka_unit_test(nothing_was_said),
		cmocka_unit_test(words_that_are_more_than_that),
		cmocka_unit_test(options_of_others),
		cmocka_unit_test(names),
		cmocka_unit_test(what_follows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
