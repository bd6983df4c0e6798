/* SPDX-License-Identifier: MIT */
#include "runner/base/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void strbuf_free(struct strbuf *b)
{
	free(b->data);
	*b = (struct strbuf){ 0 };
}

static bool reserve(struct strbuf *b, size_t extra)
{
	size_t need, cap;
	char *data;

	if (b->failed)
		return false;
	if (extra > STRBUF_MAX - b->len) {
		b->failed = true;
		return false;
	}
	need = b->len + extra + 1;
	if (need <= b->cap)
		return true;
	cap = b->cap ? b->cap : 64;
	while (cap < need)
		cap *= 2;
	data = realloc(b->data, cap);
	if (!data) {
		b->failed = true;
		return false;
	}
	b->data = data;
	b->cap = cap;
	return true;
}

void strbuf_add(struct strbuf *b, const void *data, size_t len)
{
	if (!reserve(b, len))
		return;
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void strbuf_puts(struct strbuf *b, const char *s)
{
	strbuf_add(b, s, strlen(s));
}

void strbuf_putc(struct strbuf *b, char c)
{
	strbuf_add(b, &c, 1);
}

static void __attribute__((format(printf, 2, 0)))
add_va(struct strbuf *b, const char *fmt, va_list ap)
{
	va_list copy;
	int len;

	va_copy(copy, ap);
	len = vsnprintf(NULL, 0, fmt, copy);
	va_end(copy);
	if (len < 0) {
		b->failed = true;
		return;
	}
	if (!reserve(b, (size_t)len))
		return;
	vsnprintf(b->data + b->len, (size_t)len + 1, fmt, ap);
	b->len += (size_t)len;
}

void strbuf_printf(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_va(b, fmt, ap);
	va_end(ap);
}

void strbuf_consume(struct strbuf *b, size_t n)
{
	if (n >= b->len) {
		b->len = 0;
	} else {
		memmove(b->data, b->data + n, b->len - n);
		b->len -= n;
	}
	if (b->data)
		b->data[b->len] = '\0';
}

const char *strbuf_str(const struct strbuf *b)
{
	return b->data ? b->data : "";
}

char *strbuf_steal(struct strbuf *b)
{
	char *s;

	if (!reserve(b, 0)) {
		strbuf_free(b);
		return NULL;
	}
	b->data[b->len] = '\0';
	s = b->data;
	*b = (struct strbuf){ 0 };
	return s;
}

void strvec_free(struct strvec *v)
{
	for (size_t i = 0; i < v->n; i++)
		free(v->v[i]);
	free(v->v);
	*v = (struct strvec){ 0 };
}

static void add_owned(struct strvec *v, char *s)
{
	if (!s || v->failed) {
		free(s);
		v->failed = true;
		return;
	}
	if (v->n + 2 > v->cap) {
		size_t cap = v->cap ? v->cap * 2 : 16;
		char **grown = reallocarray(v->v, cap, sizeof(*grown));

		if (!grown) {
			free(s);
			v->failed = true;
			return;
		}
		v->v = grown;
		v->cap = cap;
	}
	v->v[v->n++] = s;
	v->v[v->n] = NULL;
}

void strvec_add(struct strvec *v, const char *s)
{
	add_owned(v, strdup(s));
}

void strvec_addf(struct strvec *v, const char *fmt, ...)
{
	struct strbuf b = { 0 };
	va_list ap;

	va_start(ap, fmt);
	add_va(&b, fmt, ap);
	va_end(ap);
	add_owned(v, strbuf_steal(&b));
}
