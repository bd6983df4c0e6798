/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runner/base/err.h"

static void msg_returns_and_records(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(err_msg(&e, ENOENT, "no %s; make %d", "base", 1), -ENOENT);
	assert_int_equal(e.errnum, ENOENT);
	assert_string_equal(e.text, "no base; make 1");
}

static void errno_appends_the_reason(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(err_errno(&e, EACCES, "cannot open '%s'", "x"), -EACCES);
	assert_string_equal(e.text, "cannot open 'x': Permission denied");
}

static void prefix_keeps_errnum(void **state)
{
	struct err e = { 0 };

	(void)state;
	err_msg(&e, EFBIG, "too large");
	assert_int_equal(err_prefix(&e, "--%s", "env"), -EFBIG);
	assert_int_equal(e.errnum, EFBIG);
	assert_string_equal(e.text, "--env: too large");
}

static void arguments_may_point_into_the_text(void **state)
{
	struct err e = { 0 };

	(void)state;
	err_msg(&e, EINVAL, "inner");
	err_msg(&e, EIO, "outer (%s)", e.text);
	assert_string_equal(e.text, "outer (inner)");
	assert_int_equal(err_prefix(&e, "%s", e.text), -EIO);
	assert_string_equal(e.text, "outer (inner): outer (inner)");
}

static void oom_says_so(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(err_oom(&e), -ENOMEM);
	assert_string_equal(e.text, "out of memory");
}

static void long_text_is_cut(void **state)
{
	struct err e = { 0 };
	char name[3 * ERR_TEXT_MAX];

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(err_errno(&e, EIO, "%s", name), -EIO);
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
	assert_int_equal(err_prefix(&e, "%s", name), -EIO);
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
}

/* A file name must not drive the terminal that the message is shown on. */
static void control_characters_are_replaced(void **state)
{
	struct err e = { 0 };
	char all[256];

	(void)state;
	err_msg(&e, EIO, "a\nb\rc\033[2Jd\177e\tf");
	assert_string_equal(e.text, "a?b?c?[2Jd?e?f");
	err_msg(&e, EIO, "%s", "ok");
	err_prefix(&e, "%s", "\033]0;title\007");
	assert_string_equal(e.text, "?]0;title?: ok");

	for (int i = 0; i < 255; i++)
		all[i] = (char)(i + 1);
	all[255] = '\0';
	text_sanitize(all);
	for (int i = 0; i < 255; i++) {
		unsigned char was = (unsigned char)(i + 1);

		assert_int_equal((unsigned char)all[i], was < 0x20 || was >= 0x7f ? '?' : was);
	}
}

static void utf8_is_kept_but_for_its_controls(void **state)
{
	/* U+00E9, then U+009B (CSI), U+0080 and U+009F, then U+00A0 and U+4E2D. */
	char text[] = "\xc3\xa9\xc2\x9b\xc2\x80\xc2\x9f\xc2\xa0\xe4\xb8\xad";
	char cut[] = "x\xc2";

	(void)state;
	text_sanitize(text);
	assert_string_equal(text, "\xc3\xa9??????\xc2\xa0\xe4\xb8\xad");
	text_sanitize(cut);
	assert_string_equal(cut, "x?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(msg_returns_and_records),
		cmocka_unit_test(errno_appends_the_reason),
		cmocka_unit_test(prefix_keeps_errnum),
		cmocka_unit_test(arguments_may_point_into_the_text),
		cmocka_unit_test(oom_says_so),
		cmocka_unit_test(long_text_is_cut),
		cmocka_unit_test(control_characters_are_replaced),
		cmocka_unit_test(utf8_is_kept_but_for_its_controls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
