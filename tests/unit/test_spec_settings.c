/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runner/spec/spec_settings.h"

#define UNTOUCHED UINT64_C(123456789000)

struct world {
	struct vm_spec spec;
	struct err e;
};

static void set(const char *name, const char *value)
{
	assert_int_equal(value ? setenv(name, value, 1) : unsetenv(name), 0);
}

static int set_up(void **state)
{
	static struct world w;

	w = (struct world){
		.spec = { .template_max_age_ms = UNTOUCHED, .template_budget = UNTOUCHED },
	};
	set("VMRUN_TEMPLATE_MAX_AGE", NULL);
	set("VMRUN_TEMPLATE_BUDGET", NULL);
	*state = &w;
	return 0;
}

static void expect(struct world *w, uint64_t max_age_ms, uint64_t budget)
{
	if (spec_settings_read(&w->spec, &w->e) != 0)
		fail_msg("%s", w->e.text);
	assert_int_equal(w->spec.template_max_age_ms, max_age_ms);
	assert_int_equal(w->spec.template_budget, budget);
}

static void expect_bad(struct world *w, const char *name, const char *value, const char *accepted)
{
	char quoted[64];

	snprintf(quoted, sizeof(quoted), ": '%.40s", value);
	text_sanitize(quoted);
	set(name, value);
	assert_int_equal(spec_settings_read(&w->spec, &w->e), -EINVAL);
	assert_int_equal(w->e.errnum, EINVAL);
	assert_memory_equal(w->e.text, name, strlen(name));
	assert_non_null(strstr(w->e.text, quoted));
	assert_non_null(strstr(w->e.text, accepted));
	assert_null(strpbrk(w->e.text, "\n\033"));
	set(name, NULL);
	assert_int_equal(w->spec.template_max_age_ms, UNTOUCHED);
	assert_int_equal(w->spec.template_budget, UNTOUCHED);
}

static void unset_or_empty_leaves_the_defaults(void **state)
{
	struct world *w = *state;

	expect(w, UNTOUCHED, UNTOUCHED);
	set("VMRUN_TEMPLATE_MAX_AGE", "");
	set("VMRUN_TEMPLATE_BUDGET", "");
	expect(w, UNTOUCHED, UNTOUCHED);
}

static void values(void **state)
{
	struct world *w = *state;

	set("VMRUN_TEMPLATE_MAX_AGE", "7d");
	expect(w, UINT64_C(604800000), UNTOUCHED);
	set("VMRUN_TEMPLATE_MAX_AGE", "90");
	set("VMRUN_TEMPLATE_BUDGET", "512m");
	expect(w, 90000, UINT64_C(512) << 20);
	set("VMRUN_TEMPLATE_MAX_AGE", "1ms");
	expect(w, 1000, UINT64_C(512) << 20);
	set("VMRUN_TEMPLATE_MAX_AGE", "1.5s");
	expect(w, 2000, UINT64_C(512) << 20);
	set("VMRUN_TEMPLATE_BUDGET", "16777215t");
	expect(w, 2000, UINT64_C(16777215) << 40);
}

static void zero_is_no_limit_of_age_and_no_room(void **state)
{
	struct world *w = *state;

	set("VMRUN_TEMPLATE_MAX_AGE", "0");
	set("VMRUN_TEMPLATE_BUDGET", "0");
	expect(w, 0, 0);
	set("VMRUN_TEMPLATE_BUDGET", "0k");
	expect(w, 0, 0);
}

static void errors_say_what_would_be_accepted(void **state)
{
	static const char *const ages[] = { "x", "-1", "0s", "00", "1001d", "30 d", " ", "1\033" };
	static const char *const sizes[] = { "x", "-1", "2", "00", "2p", "1.5g", " ", "2g\033" };
	char endless[5000];

	for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++)
		expect_bad(*state, "VMRUN_TEMPLATE_MAX_AGE", ages[i],
			   "such as 30d, or 0 for any age");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		expect_bad(*state, "VMRUN_TEMPLATE_BUDGET", sizes[i],
			   "such as 2g, or 0 to keep no templates");
	memset(endless, '9', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	expect_bad(*state, "VMRUN_TEMPLATE_MAX_AGE", endless, "or 0 for any age");
	expect_bad(*state, "VMRUN_TEMPLATE_BUDGET", endless, "or 0 to keep no templates");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(unset_or_empty_leaves_the_defaults, set_up),
		cmocka_unit_test_setup(values, set_up),
		cmocka_unit_test_setup(zero_is_no_limit_of_age_and_no_room, set_up),
		cmocka_unit_test_setup(errors_say_what_would_be_accepted, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
