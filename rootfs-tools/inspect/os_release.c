/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/inspect/os_release.h"

#include <stdbool.h>
#include <string.h>

#include "runner/base/cleanup.h"
#include "runner/base/err.h"

static const struct {
	const char *name;
	size_t offset;
} keys[] = {
	{ "ID", offsetof(struct os_release, id) },
	{ "ID_LIKE", offsetof(struct os_release, id_like) },
	{ "VERSION_ID", offsetof(struct os_release, version_id) },
	{ "VERSION_CODENAME", offsetof(struct os_release, codename) },
	{ "PRETTY_NAME", offsetof(struct os_release, pretty_name) },
};

/* What a value is up to the end of its line, with its quotes taken away. */
static void parse_value(const char *p, const char *end, char ret[OS_RELEASE_VALUE_MAX])
{
	char quote = '\0';
	size_t n = 0;

	for (; p < end && n < OS_RELEASE_VALUE_MAX - 1; p++) {
		if (*p == quote && quote) {
			quote = '\0';
			continue;
		}
		if (!quote && (*p == '"' || *p == '\'')) {
			quote = *p;
			continue;
		}
		if (!quote && (*p == ' ' || *p == '\t'))
			break;
		if (quote != '\'' && *p == '\\' && p + 1 < end)
			p++;
		/* The rest of the file would be hidden behind it. */
		ret[n++] = *p ? *p : '?';
	}
	ret[n] = '\0';
	text_sanitize(ret);
}

static void parse_line(const char *line, const char *end, struct os_release *ret)
{
	const char *equals;

	while (line < end && (*line == ' ' || *line == '\t'))
		line++;
	while (end > line && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
		end--;
	equals = memchr(line, '=', (size_t)(end - line));
	if (!equals)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strlen(keys[i].name) == (size_t)(equals - line) &&
		    !memcmp(keys[i].name, line, (size_t)(equals - line)))
			parse_value(equals + 1, end, (char *)ret + keys[i].offset);
}

void os_release_parse(const char *text, size_t len, struct os_release *ret)
{
	const char *end = text + len;

	*ret = (struct os_release){ 0 };
	while (text < end) {
		const char *line_end = memchr(text, '\n', (size_t)(end - text));

		if (!line_end)
			line_end = end;
		parse_line(text, line_end, ret);
		text = line_end + 1;
	}
}
