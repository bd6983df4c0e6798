/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"

#include <signal.h>

#include "runner/base/cleanup.h"
#include "runner/vm/self_test.h"

#define EXITED(code) ((code) << 8)

static void expect(const char *said, int status, const char *verdict, const char *detail)
{
	char got[64];

	assert_string_equal(self_test_verdict("fork", said, status, got, sizeof(got)), verdict);
	assert_string_equal(got, detail);
}

static void what_it_says_counts(void **state)
{
	(void)state;
	expect("fork\theld\tfork: refused\n", EXITED(0), "held", "fork: refused");
	expect("fork\tout\tfork succeeded\n", EXITED(0), "out", "fork succeeded");
	/* A program that it executed ends the line, and then itself in any way. */
	expect("fork\tout\ta shell\n", EXITED(3), "out", "a shell");
	expect("fork\tout\t", EXITED(0), "out", "");
	/* It was out before it was killed, or did not end. */
	expect("fork\tout\tx\n", SIGSYS, "out", "x");
	expect("fork\tout\tx\n", -1, "out", "x");
}

static void a_filter_says_it_by_a_signal(void **state)
{
	(void)state;
	expect("fork\t", SIGSYS, "held", "killed for the system call");
	expect("fork\t", SIGSYS | 0x80, "held", "killed for the system call");
}

/* Nothing is held that was not tried. */
static void all_else_is_unknown(void **state)
{
	static const char *const texts[] = { "",
					     "fork",
					     "fork\t",
					     "fork\theldout\t",
					     "fork\theld\n",
					     "spoon\theld\tx\n",
					     "forks\theld\tx\n",
					     "held\tx\n",
					     "\theld\tx\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		expect(texts[i], -1, "unknown", "it came to no end");
		expect(texts[i], EXITED(0), "unknown", "it ended with status 0 and said nothing");
		expect(texts[i], SIGSEGV, "unknown", "it was killed by signal 11");
		expect(texts[i], SIGKILL, "unknown", "it was killed by signal 9");
	}
	/* Killed before the attempt began: by the filter, but for something else. */
	expect("", SIGSYS, "unknown", "it was killed by signal 31");
	expect("fork", SIGSYS, "unknown", "it was killed by signal 31");
}

static void details_are_safe_to_print(void **state)
{
	char small[8];

	(void)state;
	expect("fork\tout\t\033[2Ja\x7f\tb\nfork\theld\tx\n", 0, "out", "?[2Ja??b");
	assert_string_equal(self_test_verdict("fork", "fork\theld\t0123456789\n", 0, small,
					      sizeof(small)),
			    "held");
	assert_string_equal(small, "0123456");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_says_counts),
		cmocka_unit_test(a_filter_says_it_by_a_signal),
		cmocka_unit_test(all_else_is_unknown),
		cmocka_unit_test(details_are_safe_to_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
