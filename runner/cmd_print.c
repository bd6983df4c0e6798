/* SPDX-License-Identifier: MIT */
#include "runner/cmd_print.h"

#include <stdio.h>
#include <unistd.h>

#include "runner/spec/help_text.h"
#include "runner/host/term.h"

static bool is_quiet;

void cmd_quiet(bool quiet)
{
	is_quiet = quiet;
}

/* The terminal may be raw: a bare newline would leave a staircase. */
void cmd_say(const char *text)
{
	fprintf(stderr, isatty(STDERR_FILENO) ? "vmrun: %s\r\n" : "vmrun: %s\n", text);
}

void cmd_warn(const char *text)
{
	if (!is_quiet)
		cmd_say(text);
}

void cmd_note(const char *text)
{
	if (isatty(STDERR_FILENO))
		cmd_warn(text);
}

const struct start_say cmd_says = { .warn = cmd_warn, .note = cmd_note };

int cmd_fail(const struct err *e)
{
	cmd_say(e->text);
	return EXIT_VMRUN;
}

int cmd_print(struct strbuf *text)
{
	bool failed = text->failed || fputs(strbuf_str(text), stdout) == EOF || fflush(stdout);

	strbuf_free(text);
	if (failed)
		cmd_say("cannot write standard output");
	return failed ? EXIT_VMRUN : 0;
}

int cmd_print_version(void)
{
	struct strbuf text = { 0 };

	strbuf_puts(&text, "vmrun " VMRUN_VERSION "\n");
	return cmd_print(&text);
}

unsigned int cmd_help_columns(void)
{
	struct winsize size = { .ws_col = 80 };

	if (isatty(STDOUT_FILENO))
		term_size(STDOUT_FILENO, &size);
	return help_text_columns(size.ws_col);
}
