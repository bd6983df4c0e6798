/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runner/base/cleanup.h"
#include "runner/vm/timing.h"

#define MS UINT64_C(1000000)
#define START (UINT64_C(86400) * 1000 * MS) /* a host that is up for a day */

/* A run with a template: every moment is there. */
static const struct timing usual = {
	.at = {
		[TIMING_BEGIN] = START,
		[TIMING_HOST] = START + 1250000,
		[TIMING_NAMESPACE] = START + 9 * MS,
		[TIMING_JAIL] = START + 21 * MS,
		[TIMING_PREPARE] = START + 23 * MS,
		[TIMING_EXEC] = START + 26 * MS,
		[TIMING_QEMU] = START + 60 * MS,
		[TIMING_BOOT] = START + 160 * MS,
		[TIMING_MOUNT] = START + 180 * MS,
		[TIMING_COMMAND] = START + 190 * MS,
		[TIMING_END] = START + 195 * MS,
	},
	.restored = true,
};

static void expect_text(const struct timing *t, const char *expected)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };

	timing_print(t, &out);
	assert_false(out.failed);
	assert_string_equal(strbuf_str(&out), expected);
}

static void expect_json(const struct timing *t, const char *expected)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };

	timing_print_json(t, &out);
	assert_false(out.failed);
	assert_string_equal(strbuf_str(&out), expected);
}

static void a_usual_run(void **state)
{
	(void)state;
	expect_text(&usual, "phase           ms\n"
			    "host           1.3\n"
			    "namespace      7.7 ##\n"
			    "jail          12.0 ##\n"
			    "prepare        2.0\n"
			    "exec           3.0 #\n"
			    "qemu          34.0 #######\n"
			    "restore      100.0 ####################\n"
			    "mount         20.0 ####\n"
			    "command       10.0 ##\n"
			    "end            5.0 #\n"
			    "total        195.0\n");
	expect_json(&usual,
		    "{\"restored\":true,\"total_ms\":195.000,\"phases\":["
		    "{\"name\":\"host\",\"ms\":1.250},{\"name\":\"namespace\",\"ms\":7.750},"
		    "{\"name\":\"jail\",\"ms\":12.000},{\"name\":\"prepare\",\"ms\":2.000},"
		    "{\"name\":\"exec\",\"ms\":3.000},{\"name\":\"qemu\",\"ms\":34.000},{\"name\":\"restore\",\"ms\":100.000},"
		    "{\"name\":\"mount\",\"ms\":20.000},{\"name\":\"command\",\"ms\":10.000},"
		    "{\"name\":\"end\",\"ms\":5.000}]}\n");
}

/* Its time counts for the next one. */
static void what_was_not_reached_is_left_out(void **state)
{
	const struct timing t = {
		.at = {
			[TIMING_BEGIN] = START,
			[TIMING_HOST] = START + 10 * MS,
			[TIMING_QEMU] = START + 30 * MS,
			[TIMING_END] = START + 40 * MS,
		},
	};

	(void)state;
	expect_text(&t, "phase           ms\n"
			"host          10.0 ##########\n"
			"qemu          20.0 ####################\n"
			"end           10.0 ##########\n"
			"total         40.0\n");
	expect_json(&t, "{\"restored\":false,\"total_ms\":40.000,\"phases\":["
			"{\"name\":\"host\",\"ms\":10.000},{\"name\":\"qemu\",\"ms\":20.000},"
			"{\"name\":\"end\",\"ms\":10.000}]}\n");
}

static void time_that_goes_backwards(void **state)
{
	const struct timing t = {
		.at = {
			[TIMING_BEGIN] = START,
			[TIMING_HOST] = START - 5 * MS,
			[TIMING_JAIL] = START + 20 * MS,
			[TIMING_QEMU] = START + 10 * MS,
			[TIMING_BOOT] = START + 15 * MS,
			[TIMING_END] = START + 25 * MS,
		},
	};

	(void)state;
	expect_text(&t, "phase           ms\n"
			"host           0.0\n"
			"jail          20.0 ####################\n"
			"qemu           0.0\n"
			"boot           0.0\n"
			"end            5.0 #####\n"
			"total         25.0\n");
}

static void nothing_is_known(void **state)
{
	const struct timing nothing = { 0 };
	const struct timing begun = { .at = { [TIMING_BEGIN] = START } };
	const struct timing no_begin = {
		.at = { [TIMING_JAIL] = START, [TIMING_END] = START + 2 * MS },
	};

	(void)state;
	expect_text(&nothing, "phase           ms\ntotal          0.0\n");
	expect_json(&nothing, "{\"restored\":false,\"total_ms\":0.000,\"phases\":[]}\n");
	expect_text(&begun, "phase           ms\ntotal          0.0\n");
	/* How long the jail took nobody knows; surely not since the host was booted. */
	expect_text(&no_begin, "phase           ms\n"
			       "end            2.0 ####################\n"
			       "total          2.0\n");
}

/* 0.04 ms each would be 0.0; the last moment is at 0.36. */
static void phases_add_up(void **state)
{
	struct timing t = { .at = { [TIMING_BEGIN] = START } };

	(void)state;
	for (unsigned int i = TIMING_HOST; i < TIMING_COUNT; i++)
		t.at[i] = START + i * UINT64_C(40000);
	expect_text(&t, "phase           ms\n"
			"host           0.0\n"
			"namespace      0.1 ####################\n"
			"jail           0.0\n"
			"prepare        0.1 ####################\n"
			"exec           0.0\n"
			"qemu           0.0\n"
			"boot           0.1 ####################\n"
			"mount          0.0\n"
			"command        0.1 ####################\n"
			"end            0.0\n"
			"total          0.4\n");
}

/* Whatever the marks hold. */
static void fits_forty_columns(void **state)
{
	static const uint64_t ends[] = {
		START + 1,
		START + UINT64_C(3600000) * MS,
		START + UINT64_C(400) * 86400000 * MS,
		UINT64_MAX,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		_cleanup_strbuf_ struct strbuf out = { 0 };
		struct timing t = usual;
		char *rest, *line;

		t.at[TIMING_BEGIN] = 1;
		t.at[TIMING_COMMAND] = ends[i];
		timing_print(&t, &out);
		assert_non_null(strstr(strbuf_str(&out), " #############"));
		rest = out.data;
		while ((line = strsep(&rest, "\n"))) {
			size_t len = strlen(line);

			if (len > 40 || (len && line[len - 1] == ' '))
				fail_msg("%zu columns: '%s'", len, line);
		}
	}
}

static void marks_are_in_order(void **state)
{
	struct timing t = { 0 };
	uint64_t before = timing_now();

	(void)state;
	assert_true(before > 0);
	timing_mark(&t, TIMING_BEGIN);
	timing_mark(&t, TIMING_END);
	assert_true(t.at[TIMING_BEGIN] >= before);
	assert_true(t.at[TIMING_END] >= t.at[TIMING_BEGIN]);
	assert_true(timing_now() >= t.at[TIMING_END]);
	assert_true(t.at[TIMING_HOST] == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_usual_run),
		cmocka_unit_test(what_was_not_reached_is_left_out),
		cmocka_unit_test(time_that_goes_backwards),
		cmocka_unit_test(nothing_is_known),
		cmocka_unit_test(phases_add_up),
		cmocka_unit_test(fits_forty_columns),
		cmocka_unit_test(marks_are_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
