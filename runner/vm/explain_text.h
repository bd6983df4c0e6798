/* SPDX-License-Identifier: MIT */
/* How explanations are laid out: headings, and below them what, and what of it. */
#ifndef VMRUN_VM_EXPLAIN_TEXT_H
#define VMRUN_VM_EXPLAIN_TEXT_H

#include <stddef.h>

#include "runner/base/strbuf.h"
#include "runner/spec/vm_spec.h"

#define EXPLAIN_COLUMNS 80u
#define EXPLAIN_COLUMN 25u /* of the text beside a label */

/** explain_heading() - an empty line, unless it is the first, and @title. */
void explain_heading(struct strbuf *out, const char *title);

/** explain_paragraph() - @text, indented by two and wrapped. */
void explain_paragraph(struct strbuf *out, const char *text);

/**
 * explain_item() - @label, and beside it (below it, if it is long) a text that is
 * wrapped. Words that are longer than a line are broken; control characters in either
 * become \ooo.
 */
void explain_item(struct strbuf *out, const char *label, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** explain_list() - append ", @word", or only @word to what is empty. */
void explain_list(struct strbuf *list, const char *word);

/** explain_capabilities() - "chown, fowner" of a mask, or "none". */
void explain_capabilities(uint64_t mask, struct strbuf *out);

/** explain_attributes() - "ro, nosuid" of MOUNT_ATTR_*. */
void explain_attributes(uint64_t attrs, struct strbuf *out);

/** explain_attribute() - "nosuid" of the lowest of @attrs, which is taken off; or NULL. */
const char *explain_attribute(uint64_t *attrs);

#endif
