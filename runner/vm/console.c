/* SPDX-License-Identifier: MIT */
#include "runner/vm/console.h"

#include <stdio.h>
#include <string.h>

#include "runner/base/err.h"

void console_free(struct console *c)
{
	strbuf_free(&c->tail);
}

void console_feed(struct console *c, const char *data, size_t len)
{
	if (len > CONSOLE_KEEP) {
		strbuf_consume(&c->tail, c->tail.len);
		data += len - CONSOLE_KEEP;
		len = CONSOLE_KEEP;
	}
	/* Cut in bulk, not at every byte: a flooding guest must not cost much. */
	if (c->tail.len + len > 2 * CONSOLE_KEEP)
		strbuf_consume(&c->tail, c->tail.len - CONSOLE_KEEP);
	strbuf_add(&c->tail, data, len);
}

/* Where @what begins for the last time; NULL if it does not. */
static const char *find_last(const struct console *c, const char *what)
{
	const char *p = strbuf_str(&c->tail), *end = p + c->tail.len, *found = NULL;

	while ((p = memmem(p, (size_t)(end - p), what, strlen(what)))) {
		found = p;
		p += strlen(what);
	}
	return found;
}

static size_t line_len(const struct console *c, const char *p)
{
	const char *end = c->tail.data + c->tail.len, *start = p;

	while (p < end && *p && *p != '\n' && *p != '\r')
		p++;
	return (size_t)(p - start);
}

bool console_line(const struct console *c, const char *what, char *buf, size_t size)
{
	const char *found = find_last(c, what);

	if (!found)
		return false;
	snprintf(buf, size, "%.*s", (int)line_len(c, found), found);
	text_sanitize(buf);
	return true;
}

size_t console_clean(const char *data, size_t len, struct strbuf *out)
{
	size_t i = 0;

	while (i < len) {
		size_t n = text_char_len(data + i, len - i);

		if (n > len - i)
			break;
		if (n == 0 && (data[i] == '\n' || data[i] == '\t'))
			n = 1;
		if (n)
			strbuf_add(out, data + i, n);
		else if (data[i] != '\r')
			strbuf_putc(out, '?');
		i += n ? n : 1;
	}
	return i;
}

/* A line of a guest's may be as long as all that is kept. */
static void add_line(const char *line, size_t len, struct strbuf *out)
{
	size_t shown = len;

	if (len > CONSOLE_LINE_MAX) {
		shown = CONSOLE_LINE_MAX;
		while (((unsigned char)line[shown] & 0xc0) == 0x80)
			shown--;
	}
	strbuf_printf(out, "  %.*s%s\n", (int)shown, line, shown < len ? "..." : "");
}

void console_tail(const struct console *c, unsigned int lines, struct strbuf *out)
{
	const char *panic = find_last(c, CONSOLE_PANIC), *start, *p;
	struct strbuf clean = { 0 };
	size_t len = c->tail.len;

	if (panic)
		len = (size_t)(panic - c->tail.data) + line_len(c, panic);
	if (console_clean(strbuf_str(&c->tail), len, &clean) < len)
		strbuf_putc(&clean, '?');
	while (clean.len && clean.data[clean.len - 1] == '\n')
		clean.data[--clean.len] = '\0';
	start = strbuf_str(&clean);
	for (p = start + clean.len; p > start; p--)
		if (p[-1] == '\n' && --lines == 0)
			break;
	for (; *p; p += len) {
		len = strcspn(p, "\n");
		add_line(p, len, out);
		if (p[len] == '\n')
			len++;
	}
	strbuf_free(&clean);
}
