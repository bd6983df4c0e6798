/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "initramfs/guest/environ.h"

static const struct user ann = { .name = "ann", .home = "/home/ann", .shell = "/bin/zsh" };

static size_t count(char *const *v)
{
	size_t n = 0;

	while (v[n])
		n++;
	return n;
}

static void defaults(void **state)
{
	struct environ e;

	(void)state;
	assert_int_equal(environ_build(&ann, NULL, 0, &e), 0);
	assert_int_equal(count(e.v), 5);
	assert_string_equal(environ_get(e.v, "PATH"),
			    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	assert_string_equal(environ_get(e.v, "HOME"), "/home/ann");
	assert_string_equal(environ_get(e.v, "USER"), "ann");
	assert_string_equal(environ_get(e.v, "LOGNAME"), "ann");
	assert_string_equal(environ_get(e.v, "SHELL"), "/bin/zsh");
	environ_free(&e);
	environ_free(&e);
}

static void the_last_wins(void **state)
{
	char *extra[] = { "A=1", "HOME=/x", "A=2", "AB=3", "A=", "EMPTY=", "EQ=a=b" };
	struct environ e;

	(void)state;
	assert_int_equal(environ_build(&ann, extra, 7, &e), 0);
	assert_int_equal(count(e.v), 5 + 4);
	assert_string_equal(environ_get(e.v, "A"), "");
	assert_string_equal(environ_get(e.v, "AB"), "3");
	assert_string_equal(environ_get(e.v, "HOME"), "/x");
	assert_string_equal(environ_get(e.v, "EMPTY"), "");
	assert_string_equal(environ_get(e.v, "EQ"), "a=b");
	environ_free(&e);
}

static void get_wants_the_whole_key(void **state)
{
	char *env[] = { "PATHS=/no", "PAT=/no", "PATH", "PATH=/yes", NULL };

	(void)state;
	assert_string_equal(environ_get(env, "PATH"), "/yes");
	assert_null(environ_get(env, "HOME"));
	assert_null(environ_get(env + 4, "PATH"));
}

static void expect_places(const char *path, size_t size, const char *const *places)
{
	char buf[64];

	for (; *places; places++) {
		assert_true(path_next(&path, "sh", buf, size));
		assert_string_equal(buf, *places);
	}
	assert_false(path_next(&path, "sh", buf, size));
	assert_false(path_next(&path, "sh", buf, size));
}

static void search_path(void **state)
{
	(void)state;
	expect_places("/bin", 64, (const char *[]){ "/bin/sh", NULL });
	expect_places("/a:b:/c/", 64, (const char *[]){ "/a/sh", "b/sh", "/c//sh", NULL });
	expect_places("", 64, (const char *[]){ "./sh", NULL });
	expect_places(":/bin:", 64, (const char *[]){ "./sh", "/bin/sh", "./sh", NULL });
}

static void places_that_do_not_fit_are_passed_over(void **state)
{
	(void)state;
	expect_places("/long:/bin:/longer/than/that", 8, (const char *[]){ "/bin/sh", NULL });
	expect_places("/bin", 7, (const char *[]){ NULL });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(the_last_wins),
		cmocka_unit_test(get_wants_the_whole_key),
		cmocka_unit_test(search_path),
		cmocka_unit_test(places_that_do_not_fit_are_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
