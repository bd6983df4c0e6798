/* SPDX-License-Identifier: MIT */
#include "initramfs/guest/hosts.h"

#include <stdbool.h>
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

struct text {
	char *p;
	size_t room; /* for the terminator too */
};

/* Not snprintf(): see path_next(). What does not fit is left out. */
static void text_add(struct text *t, const char *s)
{
	size_t len = strlen(s);

	if (len >= t->room)
		return;
	memcpy(t->p, s, len + 1);
	t->p += len;
	t->room -= len;
}

void hosts_add(const char *text, size_t len, const char *hostname, char out[HOSTS_ADDED_MAX])
{
	const char *base = text ? text : "";
	bool newline = len && base[len - 1] != '\n';
	bool local = !text_names(base, len, "localhost");
	bool own = hostname && strcmp(hostname, "localhost") && !text_names(base, len, hostname);
	struct text t = { .p = out, .room = HOSTS_ADDED_MAX };

	*out = '\0';
	if (newline && (local || own))
		text_add(&t, "\n");
	if (local)
		text_add(&t, "127.0.0.1\tlocalhost\n"
			     "::1\tlocalhost ip6-localhost ip6-loopback\n"
			     "ff02::1\tip6-allnodes\n"
			     "ff02::2\tip6-allrouters\n");
	if (own) {
		text_add(&t, "127.0.1.1\t");
		text_add(&t, hostname);
		text_add(&t, "\n");
	}
}
