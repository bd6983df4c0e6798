/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/edit/locale.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "runner/base/cleanup.h"

#define LOCALE_LEN_MAX 100

static size_t skip_space(const char *p, const char *end)
{
	size_t n = 0;

	while (p + n < end && (p[n] == ' ' || p[n] == '\t'))
		n++;
	return n;
}

static bool begins(const char *p, const char *end, const char *with)
{
	return (size_t)(end - p) >= strlen(with) && !memcmp(p, with, strlen(with));
}

/* Calls @put for each line, less its newline, and adds one. */
static bool each_line(const char *text, size_t len, const char *locale, struct strbuf *out,
		      bool (*put)(const char *line, const char *end, const char *locale,
				  struct strbuf *out))
{
	const char *end = text + len;
	bool found = false;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *line_end = newline ? newline : end;

		if (put(text, line_end, locale, out))
			found = true;
		else
			strbuf_add(out, text, (size_t)(line_end - text));
		strbuf_putc(out, '\n');
		text = newline ? newline + 1 : end;
	}
	return found;
}

static bool put_lang(const char *line, const char *end, const char *locale, struct strbuf *out)
{
	line += skip_space(line, end);
	if (!begins(line, end, "LANG="))
		return false;
	strbuf_printf(out, "LANG=%s", locale);
	return true;
}

void locale_conf_set(const char *text, size_t len, const char *locale, struct strbuf *out)
{
	if (!each_line(text, len, locale, out, put_lang))
		strbuf_printf(out, "LANG=%s\n", locale);
}

/* "# de_DE.UTF-8 UTF-8": the name, then space or nothing. */
static bool put_enabled(const char *line, const char *end, const char *locale, struct strbuf *out)
{
	const char *p = line + skip_space(line, end), *behind;

	if (p < end && *p == '#')
		p++;
	p += skip_space(p, end);
	behind = p + strlen(locale);
	if (!begins(p, end, locale) || (behind < end && *behind != ' ' && *behind != '\t'))
		return false;
	strbuf_add(out, p, (size_t)(end - p));
	return true;
}

void locale_gen_enable(const char *text, size_t len, const char *locale, struct strbuf *out)
{
	struct locale_parts parts;

	if (!each_line(text, len, locale, out, put_enabled) && locale_parse(locale, &parts) == 0)
		strbuf_printf(out, "%s %s\n", locale, parts.charset);
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

int locale_parse(const char *locale, struct locale_parts *ret)
{
	size_t base = strcspn(locale, ".@"), charset = 0;
	const char *rest = locale + base;

	if (!is_alnum(*locale) || strlen(locale) > LOCALE_LEN_MAX)
		return -EINVAL;
	for (const char *p = locale; *p; p++)
		if (!is_alnum(*p) && !strchr("_.@-", *p))
			return -EINVAL;
	if (*rest == '.')
		charset = strcspn(++rest, "@");
	if (charset >= sizeof(ret->charset))
		return -EINVAL;
	/* Where the name says none, glibc's own table has this one for most. */
	snprintf(ret->charset, sizeof(ret->charset), "%.*s", charset ? (int)charset : 10,
		 charset ? rest : "ISO-8859-1");
	snprintf(ret->input, sizeof(ret->input), "%.*s%s", (int)base, locale, rest + charset);
	return 0;
}

bool locale_is_built_in(const char *locale)
{
	return !strcmp(locale, "C") || !strcmp(locale, "POSIX") || !strcasecmp(locale, "C.UTF-8") ||
	       !strcasecmp(locale, "C.utf8");
}
