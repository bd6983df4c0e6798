/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runner/base/cleanup.h"
#include "runner/base/parse.h"

#define UNTOUCHED UINT64_C(0x5eedf00d)

struct good {
	const char *text;
	uint64_t value;
};

struct bad {
	const char *text;
	int error;
};

static void check_good(int (*parse)(const char *, uint64_t *), const struct good *g, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t value = UNTOUCHED;
		int r = parse(g[i].text, &value);

		if (r != 0 || value != g[i].value)
			fail_msg("'%s': %d, value %llu", g[i].text, r, (unsigned long long)value);
	}
}

static void check_bad(int (*parse)(const char *, uint64_t *), const struct bad *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t value = UNTOUCHED;
		int r = parse(b[i].text, &value);

		if (r != b[i].error || value != UNTOUCHED)
			fail_msg("'%s': %d, value %llu", b[i].text, r, (unsigned long long)value);
	}
}

static int parse_any(const char *s, uint64_t *ret)
{
	return parse_uint(s, 0, UINT64_MAX, ret);
}

static void uint_good(void **state)
{
	static const struct good good[] = {
		{ "0", 0 },
		{ "1", 1 },
		{ "007", 7 },
		{ "65535", 65535 },
		{ "18446744073709551615", UINT64_MAX },
		{ "00000000000000000000000000000000000001", 1 },
	};

	(void)state;
	check_good(parse_any, good, ARRAY_SIZE(good));
}

static void uint_bad(void **state)
{
	static const struct bad bad[] = {
		{ "", -EINVAL },
		{ "-1", -EINVAL },
		{ "+1", -EINVAL },
		{ " 1", -EINVAL },
		{ "1 ", -EINVAL },
		{ "1\n", -EINVAL },
		{ "0x10", -EINVAL },
		{ "1e3", -EINVAL },
		{ "1.0", -EINVAL },
		{ "one", -EINVAL },
		{ "\xd9\xa1", -EINVAL }, /* an Arabic digit */
		{ "18446744073709551616", -ERANGE },
		{ "99999999999999999999999999999999", -ERANGE },
	};

	(void)state;
	check_bad(parse_any, bad, ARRAY_SIZE(bad));
}

static void uint_bounds(void **state)
{
	uint64_t value = UNTOUCHED;

	(void)state;
	assert_int_equal(parse_uint("4", 5, 10, &value), -ERANGE);
	assert_int_equal(parse_uint("11", 5, 10, &value), -ERANGE);
	assert_int_equal(value, UNTOUCHED);
	assert_int_equal(parse_uint("5", 5, 10, &value), 0);
	assert_int_equal(value, 5);
	assert_int_equal(parse_uint("10", 5, 10, &value), 0);
	assert_int_equal(value, 10);
}

static void size_good(void **state)
{
	static const struct good good[] = {
		{ "1k", 1024 },
		{ "1K", 1024 },
		{ "0m", 0 },
		{ "512m", UINT64_C(512) << 20 },
		{ "512M", UINT64_C(512) << 20 },
		{ "512mb", UINT64_C(512) << 20 },
		{ "512MB", UINT64_C(512) << 20 },
		{ "512MiB", UINT64_C(512) << 20 },
		{ "2g", UINT64_C(2) << 30 },
		{ "2GiB", UINT64_C(2) << 30 },
		{ "16777215t", UINT64_C(16777215) << 40 },
	};

	(void)state;
	check_good(parse_size, good, ARRAY_SIZE(good));
}

static void size_bad(void **state)
{
	static const struct bad bad[] = {
		{ "", -EINVAL },
		{ "512", -EINVAL }, /* bytes or MiB: nobody knows */
		{ "m", -EINVAL },
		{ "-1m", -EINVAL },
		{ "1.5g", -EINVAL },
		{ "1 g", -EINVAL },
		{ "1gg", -EINVAL },
		{ "1gi", -EINVAL },
		{ "1gbx", -EINVAL },
		{ "1b", -EINVAL },
		{ "1p", -EINVAL },
		{ "1\xeb", -EINVAL },
		{ "16777216t", -ERANGE },
		{ "18446744073709551615k", -ERANGE },
		{ "99999999999999999999k", -ERANGE },
	};

	(void)state;
	check_bad(parse_size, bad, ARRAY_SIZE(bad));
}

static void duration_good(void **state)
{
	static const struct good good[] = {
		{ "1", 1000 },
		{ "90", 90000 },
		{ "90s", 90000 },
		{ "1.5", 1500 },
		{ "1.5s", 1500 },
		{ "0.001s", 1 },
		{ "0.0019s", 1 },
		{ "1.0000000000000000000000000009s", 1000 },
		{ "500ms", 500 },
		{ "1.9ms", 1 },
		{ "10m", 600000 },
		{ "0.5m", 30000 },
		{ "2h", 7200000 },
		{ "24000h", UINT64_C(86400000000) },
		{ "1d", 86400000 },
		{ "1.5d", 129600000 },
		{ "1000d", UINT64_C(86400000000) },
	};

	(void)state;
	check_good(parse_duration, good, ARRAY_SIZE(good));
}

static void duration_bad(void **state)
{
	static const struct bad bad[] = {
		{ "", -EINVAL },
		{ "s", -EINVAL },
		{ ".5s", -EINVAL },
		{ "1.", -EINVAL },
		{ "1.s", -EINVAL },
		{ "1..5s", -EINVAL },
		{ "-1s", -EINVAL },
		{ "1 s", -EINVAL },
		{ "1S", -EINVAL },
		{ "1D", -EINVAL },
		{ "1days", -EINVAL },
		{ "1sec", -EINVAL },
		{ "1h30m", -EINVAL },
		{ "inf", -EINVAL },
		{ "0", -ERANGE },
		{ "0s", -ERANGE },
		{ "0.0001s", -ERANGE },
		{ "0.9ms", -ERANGE },
		{ "24001h", -ERANGE },
		{ "24000.001h", -ERANGE },
		{ "0d", -ERANGE },
		{ "0.0009d", -ERANGE },
		{ "1001d", -ERANGE },
		{ "1000.001d", -ERANGE },
		{ "213503982335d", -ERANGE },
		{ "18446744073709551615h", -ERANGE },
		{ "99999999999999999999", -ERANGE },
	};

	(void)state;
	check_bad(parse_duration, bad, ARRAY_SIZE(bad));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uint_good),	cmocka_unit_test(uint_bad),
		cmocka_unit_test(uint_bounds),	cmocka_unit_test(size_good),
		cmocka_unit_test(size_bad),	cmocka_unit_test(duration_good),
		cmocka_unit_test(duration_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
