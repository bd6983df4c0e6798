/* SPDX-License-Identifier: MIT */
#include "runner/base/cleanup.h"
#include "runner/spec/help_text.h"
#include "runner/spec/spec_cli.h"
#include "runner/spec/spec_option.h"

static const char *const section_titles[SECTION_COUNT] = {
	[SECTION_ROOT] = "Root file system and volumes",
	[SECTION_COMMAND] = "Command",
	[SECTION_MACHINE] = "Machine",
	[SECTION_NETWORK] = "Network",
	[SECTION_GENERAL] = "General",
};

/* " auto|none", "[=text|json]" */
static void print_choices(struct strbuf *out, const struct spec_option *o)
{
	bool optional = o->type == OPTION_OPTIONAL_CHOICE;

	for (const struct option_choice *c = o->choices; c->word; c++)
		strbuf_printf(out, "%s%s", c != o->choices ? "|" : optional ? "[=" : " ", c->word);
	if (optional)
		strbuf_putc(out, ']');
}

static void print_option(struct strbuf *out, const struct spec_option *o, unsigned int columns)
{
	_cleanup_strbuf_ struct strbuf spelling = { 0 };

	if (o->letter)
		strbuf_printf(&spelling, "  -%c, --%s", o->letter, o->name);
	else
		strbuf_printf(&spelling, "      --%s", o->name);
	if (o->metavar)
		strbuf_printf(&spelling, " %s", o->metavar);
	else if (o->type == OPTION_CHOICE || o->type == OPTION_OPTIONAL_CHOICE)
		print_choices(&spelling, o);
	out->failed |= spelling.failed;
	help_text_item(out, strbuf_str(&spelling), o->help, columns);
}

void spec_cli_help(struct strbuf *out, unsigned int columns)
{
	columns = help_text_columns(columns);
	strbuf_puts(out, "Usage: ");
	help_text_wrap(out, SPEC_CLI_USAGE, 7, 7, columns);
	strbuf_puts(out, "       ");
	help_text_wrap(out, "vmrun template ls|create|rm|prune [ARG...]", 7, 7, columns);
	strbuf_puts(out, "       ");
	help_text_wrap(out, "vmrun rootfs info|clone [ARG...]", 7, 7, columns);
	strbuf_puts(out, "       ");
	help_text_wrap(out, "vmrun sandbox --explain|--self-test [ARG...]", 7, 7, columns);
	strbuf_putc(out, '\n');
	help_text_wrap(out,
		       "Runs COMMAND, or else a login shell, in a virtual machine whose root file "
		       "system is the directory ROOT. Options end at ROOT.",
		       0, 0, columns);
	for (unsigned int section = 0; section < SECTION_COUNT; section++) {
		strbuf_printf(out, "\n%s:\n", section_titles[section]);
		for (unsigned int i = 0; i < spec_n_options; i++)
			if (spec_options[i].section == section)
				print_option(out, &spec_options[i], columns);
	}
	strbuf_putc(out, '\n');
	help_text_wrap(out,
		       "Exits with the command's own code; 128+N if signal N ended it; 127 if it "
		       "was not found, 126 if it could not be run; 124 on --timeout; 125 if vmrun "
		       "itself failed.",
		       0, 0, columns);
}
