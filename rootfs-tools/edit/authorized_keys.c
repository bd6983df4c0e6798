/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/edit/authorized_keys.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "runner/base/cleanup.h"

/* The next line, less its end. Return: false behind the last one. */
static bool next_line(const char **p, const char *end, const char **ret_line, size_t *ret_len)
{
	const char *newline;
	size_t len;

	if (*p >= end)
		return false;
	newline = memchr(*p, '\n', (size_t)(end - *p));
	len = (size_t)((newline ? newline : end) - *p);
	*ret_line = *p;
	*p += len + 1;
	while (len && ((*ret_line)[len - 1] == '\r' || (*ret_line)[len - 1] == ' '))
		len--;
	*ret_len = len;
	return true;
}

static bool begins(const char *word, size_t len, const char *with)
{
	return len > strlen(with) && !memcmp(word, with, strlen(with));
}

/* Options may stand before the type; what follows it begins with its length, in base64. */
static bool has_key(const char *line, size_t len)
{
	static const char *const types[] = { "ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-" };
	bool type = false;

	while (len) {
		size_t word = 0;

		while (word < len && line[word] != ' ' && line[word] != '\t')
			word++;
		if (type && begins(line, word, "AAAA"))
			return true;
		type = false;
		for (size_t i = 0; i < ARRAY_SIZE(types); i++)
			type |= begins(line, word, types[i]);
		line += word;
		len -= word;
		while (len && (*line == ' ' || *line == '\t')) {
			line++;
			len--;
		}
	}
	return false;
}

static bool is_text(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' && !strchr("\t\r\n", text[i]))
			return false;
	return !memchr(text, '\0', len);
}

int authorized_keys_check(const char *text, size_t len, const char *path, struct err *e)
{
	const char *p = text, *line;
	unsigned int n = 0;
	size_t line_len;
	bool ok = is_text(text, len);

	while (ok && next_line(&p, text + len, &line, &line_len)) {
		if (!line_len || *line == '#')
			continue;
		ok = has_key(line, line_len);
		n++;
	}
	if (ok && n)
		return 0;
	return err_msg(e, EINVAL, "'%s' is no file of public keys%s", path,
		       memmem(text, len, "PRIVATE KEY", 11) ?
			       ", but a private one; give the one that ends in .pub" :
			       "; ssh-keygen makes one, called *.pub");
}

static bool has_line(const char *text, size_t len, const char *wanted, size_t wanted_len)
{
	const char *p = text, *line;
	size_t line_len;

	while (next_line(&p, text + len, &line, &line_len))
		if (line_len == wanted_len && !memcmp(line, wanted, wanted_len))
			return true;
	return false;
}

void authorized_keys_add(const char *text, size_t len, const char *keys, size_t keys_len,
			 struct strbuf *out)
{
	const char *p = keys, *line;
	size_t line_len;

	strbuf_add(out, text, len);
	if (len && text[len - 1] != '\n')
		strbuf_putc(out, '\n');
	while (next_line(&p, keys + keys_len, &line, &line_len)) {
		if (!line_len || *line == '#' || has_line(text, len, line, line_len))
			continue;
		strbuf_add(out, line, line_len);
		strbuf_putc(out, '\n');
	}
}
