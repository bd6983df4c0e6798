/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/edit/hostname.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "rootfs-tools/edit/words.h"
#include "runner/base/cleanup.h"

static void replace_in_line(const char *p, const char *end, const char *was, const char *is,
			    struct strbuf *out)
{
	const char *done = p;
	size_t len = words_next(&p, end), was_len = strlen(was);
	bool loopback = (len > 4 && !memcmp(p, "127.", 4)) || (len == 3 && !memcmp(p, "::1", 3));

	while (loopback && len) {
		p += len;
		len = words_next(&p, end);
		if (len != was_len || memcmp(p, was, len) != 0)
			continue;
		strbuf_add(out, done, (size_t)(p - done));
		strbuf_puts(out, is);
		done = p + len;
	}
	strbuf_add(out, done, (size_t)(end - done));
}

void hostname_in_hosts(const char *text, size_t len, const char *was, const char *is,
		       struct strbuf *out)
{
	const char *end = text + len;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));

		replace_in_line(text, newline ? newline : end, was, is, out);
		if (!newline)
			return;
		strbuf_putc(out, '\n');
		text = newline + 1;
	}
}

/* The first word of /etc/hostname, or "". */
static void read_hostname(const struct edits *t, char ret[HOST_NAME_MAX + 1])
{
	_cleanup_free_ char *text = NULL;
	struct err none;
	size_t len, n;

	ret[0] = '\0';
	/* Whatever else has the name is replaced, and named nobody. */
	if (edits_read(t, "/etc/hostname", &text, &len, &none) < 0)
		return;
	n = strcspn(text, " \t\r\n#");
	if (n <= HOST_NAME_MAX)
		snprintf(ret, HOST_NAME_MAX + 1, "%.*s", (int)n, text);
}

static int set_hosts(struct edits *t, const char *was, const char *is, struct err *e)
{
	static const struct change_attrs attrs = { .mode = 0644 };
	_cleanup_strbuf_ struct strbuf out = { 0 };
	_cleanup_free_ char *text = NULL;
	struct err none;
	size_t len;

	/* "localhost" stays everybody's. */
	if (!*was || !strcmp(was, "localhost"))
		return 0;
	if (edits_read(t, "/etc/hosts", &text, &len, &none) <= 0)
		return 0;
	hostname_in_hosts(text, len, was, is, &out);
	if (out.failed)
		return err_oom(e);
	if (!out.data || (out.len == len && !memcmp(out.data, text, len)))
		return 0;
	return edits_write(t, "/etc/hosts", &attrs, out.data, out.len, e);
}

int hostname_set(struct edits *t, const char *hostname, struct err *e)
{
	static const struct change_attrs attrs = { .mode = 0644 };
	char was[HOST_NAME_MAX + 1], text[HOST_NAME_MAX + 2];
	int r;

	read_hostname(t, was);
	snprintf(text, sizeof(text), "%s\n", hostname);
	r = edits_write(t, "/etc/hostname", &attrs, text, strlen(text), e);
	return r == 0 ? set_hosts(t, was, hostname, e) : r;
}
