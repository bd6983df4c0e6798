/* SPDX-License-Identifier: MIT */
#include "runner/cmd_run.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/spec/spec_check.h"
#include "runner/spec/spec_cli.h"
#include "runner/vm/term.h"
#include "runner/vm/vm_run.h"

#define EXIT_VMRUN 125 /* vmrun itself failed */

static bool quiet;

/* The terminal may be raw: a bare newline would leave a staircase. */
static void say(const char *text)
{
	fprintf(stderr, isatty(STDERR_FILENO) ? "vmrun: %s\r\n" : "vmrun: %s\n", text);
}

static void warn(const char *text)
{
	if (!quiet)
		say(text);
}

static int print_out(struct strbuf *text)
{
	bool failed = text->failed || fputs(strbuf_str(text), stdout) == EOF || fflush(stdout);

	strbuf_free(text);
	if (failed)
		say("cannot write standard output");
	return failed ? EXIT_VMRUN : 0;
}

static int print_help(void)
{
	struct strbuf text = { 0 };
	struct winsize size = { .ws_col = 80 };

	if (isatty(STDOUT_FILENO))
		term_size(STDOUT_FILENO, &size);
	spec_cli_help(&text, size.ws_col < 40 ? 40 : size.ws_col > 100 ? 100 : size.ws_col);
	return print_out(&text);
}

static int print_version(void)
{
	struct strbuf text = { 0 };

	strbuf_puts(&text, "vmrun " VMRUN_VERSION "\n");
	return print_out(&text);
}

static int report(struct vm_result *result)
{
	int code = result->code;

	if (*result->message)
		say(result->message);
	if (result->console_tail.len) {
		fputs("vmrun: the guest's console ended with:\n", stderr);
		fputs(strbuf_str(&result->console_tail), stderr);
	}
	vm_result_free(result);
	return code;
}

static int run(const struct vm_spec *spec)
{
	struct strbuf plan = { 0 };
	struct vm_result result;
	struct err e;

	quiet = spec->quiet;
	if (spec_check(spec, &e) < 0 ||
	    vm_run(spec, warn, spec->dry_run ? &plan : NULL, &result, &e) < 0) {
		strbuf_free(&plan);
		say(e.text);
		return EXIT_VMRUN;
	}
	if (spec->dry_run && result.outcome != VM_INTERRUPTED)
		return print_out(&plan);
	strbuf_free(&plan);
	return report(&result);
}

int cmd_run(int argc, char *argv[])
{
	_cleanup_(vm_spec_free) struct vm_spec spec;
	struct err e;

	vm_spec_init(&spec);
	if (spec_cli_parse(&spec, argc, argv, &e) < 0) {
		say(e.text);
		return EXIT_VMRUN;
	}
	if (spec.help)
		return print_help();
	if (spec.version)
		return print_version();
	return run(&spec);
}
