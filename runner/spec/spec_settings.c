/* SPDX-License-Identifier: MIT */
#include "runner/spec/spec_settings.h"

#include <stdlib.h>
#include <string.h>

#include "runner/base/parse.h"
#include "runner/spec/spec_value.h"

/* @parse: of what is not "0". */
static int read_setting(const char *name, int (*parse)(const char *, uint64_t *),
			const char *reason, uint64_t *ret, struct err *e)
{
	const char *value = getenv(name);

	if (!value || !*value)
		return 0;
	if (!strcmp(value, "0")) {
		*ret = 0;
		return 0;
	}
	if (parse(value, ret) == 0)
		return 0;
	spec_value_bad(value, reason, e);
	return err_prefix(e, "%s", name);
}

int spec_settings_read(struct vm_spec *spec, struct err *e)
{
	uint64_t max_age = spec->template_max_age_ms;
	int r;

	r = read_setting(SETTING_TEMPLATE_MAX_AGE, parse_duration,
			 "is no duration from 1ms to 1000 days; give seconds or a number with ms, "
			 "s, m, h or d, such as 30d, or 0 for any age",
			 &max_age, e);
	if (r < 0)
		return r;
	/* Files have their age in seconds, and less than one must not become "any". */
	spec->template_max_age_ms = (max_age + 999) / 1000 * 1000;
	return read_setting(SETTING_TEMPLATE_BUDGET, parse_size,
			    "is no size; give a number with k, m, g or t, such as 2g, or 0 to keep "
			    "no templates",
			    &spec->template_budget, e);
}
