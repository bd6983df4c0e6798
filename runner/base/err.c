/* SPDX-License-Identifier: MIT */
#include "runner/base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool text_is_control(const char *p, const char *start)
{
	const unsigned char *b = (const unsigned char *)p;
	bool c1 = (b[0] == 0xc2 && (b[1] & 0xe0) == 0x80) ||
		  (p > start && b[-1] == 0xc2 && (b[0] & 0xe0) == 0x80);

	return b[0] < 0x20 || b[0] == 0x7f || c1;
}

size_t text_char_len(const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;
	/* Of the second byte: nothing longer than need be, no surrogate, no C1. */
	unsigned char low = s[0] == 0xc2 || s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
	unsigned char high = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
	size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;

	if (s[0] < 0x80)
		return s[0] >= 0x20 && s[0] != 0x7f;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n && i < len; i++) {
		if (s[i] < low || s[i] > high)
			return 0;
		low = 0x80;
		high = 0xbf;
	}
	return n;
}

void text_sanitize(char *s)
{
	size_t len = strlen(s);

	while (len) {
		size_t n = text_char_len(s, len);

		if (n == 0 || n > len) {
			*s = '?';
			n = 1;
		}
		s += n;
		len -= n;
	}
}

static void __attribute__((format(printf, 3, 0)))
set_text(struct err *e, int errnum, const char *fmt, va_list ap)
{
	char text[ERR_TEXT_MAX];

	/* By way of a copy: the arguments may point into e->text. */
	vsnprintf(text, sizeof(text), fmt, ap);
	text_sanitize(text);
	memcpy(e->text, text, sizeof(text));
	e->errnum = errnum;
}

int err_msg(struct err *e, int errnum, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_text(e, errnum, fmt, ap);
	va_end(ap);
	return -errnum;
}

int err_errno(struct err *e, int errnum, const char *fmt, ...)
{
	va_list ap;
	size_t len;

	va_start(ap, fmt);
	set_text(e, errnum, fmt, ap);
	va_end(ap);
	len = strlen(e->text);
	snprintf(e->text + len, sizeof(e->text) - len, ": %s", strerror(errnum));
	return -errnum;
}

int err_prefix(struct err *e, const char *fmt, ...)
{
	struct err prefix;
	va_list ap;
	char old[ERR_TEXT_MAX];

	va_start(ap, fmt);
	set_text(&prefix, e->errnum, fmt, ap);
	va_end(ap);
	memcpy(old, e->text, sizeof(old));
	return err_msg(e, e->errnum, "%s: %s", prefix.text, old);
}

int err_oom(struct err *e)
{
	return err_msg(e, ENOMEM, "out of memory");
}
