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

void text_sanitize(char *s)
{
	for (unsigned char *p = (unsigned char *)s; *p; p++) {
		if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			p[0] = p[1] = '?';
		else if (*p < 0x20 || *p == 0x7f)
			*p = '?';
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
