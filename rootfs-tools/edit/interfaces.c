/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/edit/interfaces.h"

#include <stdbool.h>
#include <string.h>

#include "runner/base/cleanup.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\\';
}

/* A backslash at the end of a line joins it with the next one. */
static const char *line_end(const char *p, const char *end)
{
	const char *newline = p;

	while ((newline = memchr(newline, '\n', (size_t)(end - newline)))) {
		newline++;
		if (newline - 1 == p || newline[-2] != '\\')
			return newline;
		if (newline == end)
			return end;
	}
	return end;
}

static size_t next_word(const char **p, const char *end)
{
	size_t len = 0;

	while (*p < end && is_space(**p))
		(*p)++;
	while (*p + len < end && !is_space((*p)[len]))
		len++;
	return len;
}

static bool is_word(const char *word, size_t len, const char *is)
{
	return len == strlen(is) && !memcmp(word, is, len);
}

static bool begins(const char *word, size_t len, const char *with)
{
	return len >= strlen(with) && !memcmp(word, with, strlen(with));
}

static bool is_ethernet(const char *name, size_t len)
{
	static const char ours[] = "=" INTERFACES_LOGICAL;
	const size_t n = sizeof(ours) - 1;

	return begins(name, len, "en") || begins(name, len, "eth") ||
	       is_word(name, len, INTERFACES_LOGICAL) ||
	       (len >= n && !memcmp(name + len - n, ours, n));
}

/* Return: whether the word begins a stanza. */
static bool is_keyword(const char *word, size_t len)
{
	static const char *const words[] = { "iface",	 "mapping",    "auto",
					     "source",	 "rename",     "source-directory",
					     "template", "no-scripts", "no-auto-down" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (is_word(word, len, words[i]))
			return true;
	return begins(word, len, "allow-");
}

/* "auto" and "allow-...": without the names of Ethernet. */
static void filter_names(const char *line, const char *end, struct strbuf *out)
{
	const char *p = line, *key;
	size_t key_len = next_word(&p, end), len;
	unsigned int left = 0, taken = 0;
	_cleanup_strbuf_ struct strbuf kept = { 0 };

	key = p;
	for (p += key_len; (len = next_word(&p, end)); p += len) {
		if (is_ethernet(p, len)) {
			taken++;
			continue;
		}
		left++;
		strbuf_putc(&kept, ' ');
		strbuf_add(&kept, p, len);
	}
	if (!taken) {
		strbuf_add(out, line, (size_t)(end - line));
	} else if (left) {
		strbuf_add(out, key, key_len);
		strbuf_add(out, kept.data, kept.len);
		strbuf_putc(out, '\n');
	}
	out->failed |= kept.failed;
}

void interfaces_set(const char *text, size_t len, const char *stanza, struct strbuf *out)
{
	const char *end = text + len;
	bool dropping = false;

	while (text < end) {
		const char *next = line_end(text, end), *p = text;
		size_t word = next_word(&p, next);
		bool names = is_word(p, word, "auto") || begins(p, word, "allow-");

		if (is_keyword(p, word)) {
			const char *name = p + word;
			size_t name_len = next_word(&name, next);

			dropping = is_word(p, word, "iface") && is_ethernet(name, name_len);
		}
		if (names)
			filter_names(text, next, out);
		else if (!dropping || !word || *p == '#')
			strbuf_add(out, text, (size_t)(next - text));
		text = next;
	}
	if (out->len && out->data[out->len - 1] != '\n')
		strbuf_putc(out, '\n');
	/* Else it would go on with ours. */
	if (out->len > 1 && out->data[out->len - 2] == '\\')
		strbuf_putc(out, '\n');
	strbuf_puts(out, stanza);
}
