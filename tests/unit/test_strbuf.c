/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runner/base/strbuf.h"

static void empty_is_an_empty_string(void **state)
{
	struct strbuf b = { 0 };
	char *s;

	(void)state;
	assert_string_equal(strbuf_str(&b), "");
	strbuf_consume(&b, 10);
	s = strbuf_steal(&b);
	assert_non_null(s);
	assert_string_equal(s, "");
	free(s);
	strbuf_free(&b);
	strbuf_free(&b);
}

static void everything_is_appended(void **state)
{
	struct strbuf b = { 0 };

	(void)state;
	strbuf_printf(&b, "%s", "");
	strbuf_puts(&b, "ab");
	strbuf_putc(&b, 'c');
	strbuf_printf(&b, "%d-%s", 42, "x");
	strbuf_add(&b, NULL, 0);
	assert_string_equal(strbuf_str(&b), "abc42-x");
	assert_int_equal(b.len, 7);
	assert_false(b.failed);
	strbuf_free(&b);
}

static void bytes_may_be_nul(void **state)
{
	struct strbuf b = { 0 };

	(void)state;
	strbuf_add(&b, "a\0b", 3);
	strbuf_putc(&b, '\0');
	assert_int_equal(b.len, 4);
	assert_memory_equal(b.data, "a\0b\0", 5);
	strbuf_free(&b);
}

static void it_grows_byte_by_byte(void **state)
{
	struct strbuf b = { 0 };

	(void)state;
	for (size_t i = 0; i < 100000; i++) {
		strbuf_putc(&b, (char)('a' + i % 26));
		assert_int_equal(b.data[b.len], '\0');
	}
	assert_int_equal(b.len, 100000);
	for (size_t i = 0; i < b.len; i++)
		assert_int_equal(b.data[i], 'a' + i % 26);
	strbuf_free(&b);
}

static void consume_drops_from_the_front(void **state)
{
	struct strbuf b = { 0 };

	(void)state;
	strbuf_puts(&b, "0123456789");
	strbuf_consume(&b, 3);
	assert_string_equal(strbuf_str(&b), "3456789");
	strbuf_consume(&b, 0);
	assert_int_equal(b.len, 7);
	strbuf_puts(&b, "ab");
	assert_string_equal(strbuf_str(&b), "3456789ab");
	strbuf_consume(&b, SIZE_MAX);
	assert_int_equal(b.len, 0);
	assert_string_equal(strbuf_str(&b), "");
	strbuf_free(&b);
}

static void failure_is_sticky(void **state)
{
	struct strbuf b = { 0 };

	(void)state;
	strbuf_puts(&b, "ab");
	strbuf_add(&b, "x", STRBUF_MAX); /* refused before a byte is read */
	assert_true(b.failed);
	assert_int_equal(b.len, 2);
	strbuf_puts(&b, "cd");
	assert_string_equal(strbuf_str(&b), "ab");
	assert_null(strbuf_steal(&b));
	assert_int_equal(b.len, 0);

	strbuf_add(&b, "x", SIZE_MAX);
	assert_true(b.failed);
	strbuf_free(&b);
}

static void steal_leaves_an_empty_one(void **state)
{
	struct strbuf b = { 0 };
	char *s;

	(void)state;
	strbuf_puts(&b, "mine");
	s = strbuf_steal(&b);
	assert_string_equal(s, "mine");
	assert_null(b.data);
	strbuf_puts(&b, "next");
	assert_string_equal(strbuf_str(&b), "next");
	strbuf_free(&b);
	free(s);
}

static void vector_is_null_terminated(void **state)
{
	struct strvec v = { 0 };
	char number[16];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(number, sizeof(number), "n%d", i);
		if (i % 2)
			strvec_add(&v, number);
		else
			strvec_addf(&v, "n%d", i);
		assert_null(v.v[v.n]);
	}
	assert_false(v.failed);
	assert_int_equal(v.n, 1000);
	assert_string_equal(v.v[0], "n0");
	assert_string_equal(v.v[999], "n999");
	strvec_free(&v);
	assert_null(v.v);
	strvec_free(&v);
}

static void vector_takes_an_empty_string(void **state)
{
	struct strvec v = { 0 };

	(void)state;
	strvec_add(&v, "");
	strvec_addf(&v, "%s", "");
	assert_int_equal(v.n, 2);
	assert_string_equal(v.v[0], "");
	assert_string_equal(v.v[1], "");
	strvec_free(&v);
}

static void vector_failure_is_sticky(void **state)
{
	struct strvec v = { 0 };

	(void)state;
	strvec_add(&v, "kept");
	v.failed = true;
	strvec_add(&v, "lost");
	strvec_addf(&v, "%s", "lost too");
	assert_true(v.failed);
	assert_int_equal(v.n, 1);
	strvec_free(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_is_an_empty_string),
		cmocka_unit_test(everything_is_appended),
		cmocka_unit_test(bytes_may_be_nul),
		cmocka_unit_test(it_grows_byte_by_byte),
		cmocka_unit_test(consume_drops_from_the_front),
		cmocka_unit_test(failure_is_sticky),
		cmocka_unit_test(steal_leaves_an_empty_one),
		cmocka_unit_test(vector_is_null_terminated),
		cmocka_unit_test(vector_takes_an_empty_string),
		cmocka_unit_test(vector_failure_is_sticky),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
