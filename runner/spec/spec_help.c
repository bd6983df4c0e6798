/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "runner/spec/spec_cli.h"
#include "runner/spec/spec_option.h"

#define COLUMNS_MIN 40u
#define COLUMNS_MAX 100u /* longer lines are hard to read */
#define COLUMNS_SIDE_BY_SIDE 72u
#define HELP_COLUMN 32u	      /* of the help, side by side with the option */
#define HELP_COLUMN_BELOW 10u /* of the help, below the option */

static const char *const section_titles[SECTION_COUNT] = {
	[SECTION_ROOT] = "Root file system and volumes",
	[SECTION_COMMAND] = "Command",
	[SECTION_MACHINE] = "Machine",
	[SECTION_NETWORK] = "Network",
	[SECTION_GENERAL] = "General",
};

static void pad(struct strbuf *out, unsigned int n)
{
	while (n--)
		strbuf_putc(out, ' ');
}

/*
 * Words of @text, no line longer than @columns, each line but the first indented.
 * @at: column where the text begins. Ends the line.
 */
static void wrap(struct strbuf *out, const char *text, unsigned int at, unsigned int indent,
		 unsigned int columns)
{
	bool first = true;

	while (*text) {
		unsigned int len = (unsigned int)strcspn(text, " ");

		if (first) {
			first = false;
		} else if (at + 1 + len > columns) {
			strbuf_putc(out, '\n');
			pad(out, indent);
			at = indent;
		} else {
			strbuf_putc(out, ' ');
			at++;
		}
		strbuf_add(out, text, len);
		at += len;
		text += len;
		text += strspn(text, " ");
	}
	strbuf_putc(out, '\n');
}

/* "  -m, --memory SIZE" */
static void print_spelling(struct strbuf *out, const struct spec_option *o)
{
	if (o->letter)
		strbuf_printf(out, "  -%c, --%s", o->letter, o->name);
	else
		strbuf_printf(out, "      --%s", o->name);
	if (o->metavar) {
		strbuf_printf(out, " %s", o->metavar);
	} else if (o->type == OPTION_CHOICE) {
		for (const struct option_choice *c = o->choices; c->word; c++)
			strbuf_printf(out, "%s%s", c == o->choices ? " " : "|", c->word);
	}
}

static void print_option(struct strbuf *out, const struct spec_option *o, unsigned int columns)
{
	bool beside = columns >= COLUMNS_SIDE_BY_SIDE;
	unsigned int column = beside ? HELP_COLUMN : HELP_COLUMN_BELOW;
	size_t before = out->len, at;

	print_spelling(out, o);
	at = out->len - before;
	if (beside && at + 2 <= column) {
		pad(out, column - (unsigned int)at);
	} else {
		strbuf_putc(out, '\n');
		pad(out, column);
	}
	wrap(out, o->help, column, column, columns);
}

void spec_cli_help(struct strbuf *out, unsigned int columns)
{
	if (columns < COLUMNS_MIN)
		columns = COLUMNS_MIN;
	if (columns > COLUMNS_MAX)
		columns = COLUMNS_MAX;
	strbuf_puts(out, "Usage: ");
	wrap(out, SPEC_USAGE, 7, 7, columns);
	strbuf_putc(out, '\n');
	wrap(out,
	     "Runs COMMAND, or else a login shell, in a virtual machine whose root file system is "
	     "the directory ROOT. Options end at ROOT.",
	     0, 0, columns);
	for (unsigned int section = 0; section < SECTION_COUNT; section++) {
		strbuf_printf(out, "\n%s:\n", section_titles[section]);
		for (unsigned int i = 0; i < spec_n_options; i++)
			if (spec_options[i].section == section)
				print_option(out, &spec_options[i], columns);
	}
	strbuf_putc(out, '\n');
	wrap(out,
	     "Exits with the command's own code; 128+N if signal N ended it; 127 if it was not "
	     "found, 126 if it could not be run; 124 on --timeout; 125 if vmrun itself failed.",
	     0, 0, columns);
}
