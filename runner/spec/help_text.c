/* SPDX-License-Identifier: MIT */
#include "runner/spec/help_text.h"

#include <string.h>

#define COLUMNS_MIN 40u
#define COLUMNS_MAX 100u /* longer lines are hard to read */
#define COLUMNS_SIDE_BY_SIDE 72u
#define HELP_COLUMN 32u	      /* of the help, side by side with the option */
#define HELP_COLUMN_BELOW 10u /* of the help, below the option */

unsigned int help_text_columns(unsigned int columns)
{
	return columns < COLUMNS_MIN ? COLUMNS_MIN : columns > COLUMNS_MAX ? COLUMNS_MAX : columns;
}

static void pad(struct strbuf *out, unsigned int n)
{
	while (n--)
		strbuf_putc(out, ' ');
}

void help_text_wrap(struct strbuf *out, const char *text, unsigned int at, unsigned int indent,
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

void help_text_item(struct strbuf *out, const char *spelling, const char *help,
		    unsigned int columns)
{
	bool beside = columns >= COLUMNS_SIDE_BY_SIDE;
	unsigned int column = beside ? HELP_COLUMN : HELP_COLUMN_BELOW;
	size_t at = strlen(spelling);

	strbuf_puts(out, spelling);
	if (beside && at + 2 <= column) {
		pad(out, column - (unsigned int)at);
	} else {
		strbuf_putc(out, '\n');
		pad(out, column);
	}
	help_text_wrap(out, help, column, column, columns);
}
