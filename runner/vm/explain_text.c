/* SPDX-License-Identifier: MIT */
#include "runner/vm/explain_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mount.h>

#include "runner/base/cleanup.h"
#include "runner/base/err.h"
#include "runner/spec/help_text.h"

#define INDENT 2u

void explain_heading(struct strbuf *out, const char *title)
{
	if (out->len)
		strbuf_putc(out, '\n');
	strbuf_printf(out, "%s\n", title);
}

/* @text without control characters, and without a word that no line has room for. */
static void soften(struct strbuf *out, const char *text, unsigned int longest)
{
	unsigned int word = 0;

	for (const char *p = text; *p; p++) {
		unsigned int len = text_is_control(p, text) ? 4 : 1;

		/* Not within a character of UTF-8, unless it is not shown as one. */
		if (word + len > longest && (len > 1 || ((unsigned char)*p & 0xc0) != 0x80)) {
			strbuf_putc(out, ' ');
			word = 0;
		}
		word = *p == ' ' ? 0 : word + len;
		if (len == 1)
			strbuf_putc(out, *p);
		else
			strbuf_printf(out, "\\%03o", (unsigned char)*p);
	}
}

void explain_paragraph(struct strbuf *out, const char *text)
{
	strbuf_printf(out, "%*s", (int)INDENT, "");
	help_text_wrap(out, text, INDENT, INDENT, EXPLAIN_COLUMNS);
}

void explain_item(struct strbuf *out, const char *label, const char *fmt, ...)
{
	_cleanup_strbuf_ struct strbuf name = { 0 }, text = { 0 };
	_cleanup_free_ char *raw = NULL;
	size_t at;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&raw, fmt, ap);
	va_end(ap);
	if (len < 0) {
		raw = NULL;
		out->failed = true;
		return;
	}
	soften(&name, label, EXPLAIN_COLUMNS - INDENT);
	soften(&text, raw, EXPLAIN_COLUMNS - EXPLAIN_COLUMN);
	strbuf_printf(out, "%*s", (int)INDENT, "");
	at = out->len;
	help_text_wrap(out, strbuf_str(&name), INDENT, INDENT, EXPLAIN_COLUMNS);
	if (out->failed)
		return;
	/* Beside the label, if that has left the room. */
	at = out->len - at - 1 + INDENT;
	if (at + 2 <= EXPLAIN_COLUMN) {
		out->data[--out->len] = '\0';
		strbuf_printf(out, "%*s", (int)(EXPLAIN_COLUMN - at), "");
	} else {
		strbuf_printf(out, "%*s", (int)EXPLAIN_COLUMN, "");
	}
	help_text_wrap(out, strbuf_str(&text), EXPLAIN_COLUMN, EXPLAIN_COLUMN, EXPLAIN_COLUMNS);
}

void explain_list(struct strbuf *list, const char *word)
{
	if (list->len)
		strbuf_puts(list, ", ");
	strbuf_puts(list, word);
}

void explain_capabilities(uint64_t mask, struct strbuf *out)
{
	_cleanup_strbuf_ struct strbuf list = { 0 };

	for (int cap = 0; cap < 64; cap++) {
		char *name;

		if (!(mask >> cap & 1))
			continue;
		name = cap_to_name(cap);
		if (name)
			explain_list(&list, strncmp(name, "cap_", 4) ? name : name + 4);
		else
			out->failed = true;
		cap_free(name);
	}
	strbuf_puts(out, list.len ? strbuf_str(&list) : "none");
}

const char *explain_attribute(uint64_t *attrs)
{
	static const struct {
		uint64_t bit;
		const char *name;
	} names[] = {
		{ MOUNT_ATTR_RDONLY, "ro" },
		{ MOUNT_ATTR_NOSUID, "nosuid" },
		{ MOUNT_ATTR_NODEV, "nodev" },
		{ MOUNT_ATTR_NOEXEC, "noexec" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (*attrs & names[i].bit) {
			*attrs &= ~names[i].bit;
			return names[i].name;
		}
	}
	return NULL;
}

void explain_attributes(uint64_t attrs, struct strbuf *out)
{
	_cleanup_strbuf_ struct strbuf list = { 0 };
	const char *name;

	while ((name = explain_attribute(&attrs)))
		explain_list(&list, name);
	strbuf_puts(out, strbuf_str(&list));
}
