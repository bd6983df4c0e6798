/* SPDX-License-Identifier: MIT */
#include "initramfs/guest/hosts.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Whether a line gives @name to some address, which is its first word. */
static bool line_names(const char *p, const char *end, const char *name)
{
	size_t len = strlen(name);
	bool first = true;

	while (p < end && *p != '#') {
		const char *word = p;

		while (p < end && !is_blank(*p) && *p != '#')
			p++;
		if (p > word) {
			if (!first && (size_t)(p - word) == len && memcmp(word, name, len) == 0)
				return true;
			first = false;
		} else {
			p++;
		}
	}
	return false;
}

static bool text_names(const char *text, size_t len, const char *name)
{
	const char *end = text + len;

	while (text < end) {
		const char *eol = memchr(text, '\n', (size_t)(end - text));

		if (!eol)
			eol = end;
		if (line_names(text, eol, name))
			return true;
		text = eol < end ? eol + 1 : end;
	}
	return false;
}

void hosts_add(const char *text, size_t len, const char *hostname, char out[HOSTS_ADDED_MAX])
{
	const char *base = text ? text : "";
	bool newline = len && base[len - 1] != '\n';
	bool local = !text_names(base, len, "localhost");
	bool own = hostname && strcmp(hostname, "localhost") && !text_names(base, len, hostname);

	snprintf(out, HOSTS_ADDED_MAX, "%s%s%s%s%s", newline && (local || own) ? "\n" : "",
		 local ? "127.0.0.1\tlocalhost\n"
			 "::1\tlocalhost ip6-localhost ip6-loopback\n"
			 "ff02::1\tip6-allnodes\n"
			 "ff02::2\tip6-allrouters\n" :
			 "",
		 own ? "127.0.1.1\t" : "", own ? hostname : "", own ? "\n" : "");
}
