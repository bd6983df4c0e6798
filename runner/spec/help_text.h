/* SPDX-License-Identifier: MIT */
/* How the texts of --help are laid out. */
#ifndef VMRUN_SPEC_HELP_TEXT_H
#define VMRUN_SPEC_HELP_TEXT_H

#include "runner/base/strbuf.h"

/** help_text_columns() - @columns, within what help is laid out for: 40 to 100. */
unsigned int help_text_columns(unsigned int columns);

/**
 * help_text_wrap() - words of @text and a newline, no line longer than @columns,
 * each line but the first indented.
 * @at: column where the text begins.
 */
void help_text_wrap(struct strbuf *out, const char *text, unsigned int at, unsigned int indent,
		    unsigned int columns);

/** help_text_item() - "  -m, --memory SIZE" and beside it, or below, what that is. */
void help_text_item(struct strbuf *out, const char *spelling, const char *help,
		    unsigned int columns);

#endif
