/* SPDX-License-Identifier: MIT */
#include "runner/cmd_run.h"

#include <stdio.h>

#include "runner/base/cleanup.h"
#include "runner/cmd_print.h"
#include "runner/spec/spec_check.h"
#include "runner/spec/spec_cli.h"
#include "runner/spec/spec_settings.h"
#include "runner/vm/vm_run.h"

static int print_help(void)
{
	struct strbuf text = { 0 };

	spec_cli_help(&text, cmd_help_columns());
	return cmd_print(&text);
}

static int report(struct vm_result *result)
{
	int code = result->code;

	if (*result->message)
		cmd_say(result->message);
	if (result->console_tail.len) {
		fputs("vmrun: the guest's console ended with:\n", stderr);
		fputs(strbuf_str(&result->console_tail), stderr);
	}
	vm_result_free(result);
	return code;
}

static void print_timing(enum timing_mode mode, const struct timing *t)
{
	_cleanup_strbuf_ struct strbuf text = { 0 };

	if (mode == TIMING_OFF)
		return;
	if (mode == TIMING_JSON)
		timing_print_json(t, &text);
	else
		timing_print(t, &text);
	fputs(strbuf_str(&text), stderr);
}

static int run(const struct vm_spec *spec)
{
	struct strbuf plan = { 0 };
	struct vm_result result;
	struct err e;

	cmd_quiet(spec->quiet);
	if (spec_check(spec, &e) < 0 ||
	    vm_run(spec, &cmd_says, spec->dry_run ? &plan : NULL, &result, &e) < 0) {
		strbuf_free(&plan);
		return cmd_fail(&e);
	}
	if (spec->dry_run && result.outcome != VM_INTERRUPTED)
		return cmd_print(&plan);
	strbuf_free(&plan);
	print_timing(spec->timing, &result.timing);
	return report(&result);
}

int cmd_run(int argc, char *argv[])
{
	_cleanup_(vm_spec_free) struct vm_spec spec;
	struct err e;

	vm_spec_init(&spec);
	if (spec_cli_parse(&spec, SPEC_CLI_USAGE, argc, argv, &e) < 0)
		return cmd_fail(&e);
	if (spec.help)
		return print_help();
	if (spec.version)
		return cmd_print_version();
	if (spec_settings_read(&spec, &e) < 0)
		return cmd_fail(&e);
	return run(&spec);
}
