/* SPDX-License-Identifier: MIT */
/*
 * Growing byte string and growing string list. Both have a sticky failure: once
 * memory ran out (or STRBUF_MAX would be passed) further calls do nothing, and
 * the caller asks once, at the end, with *_failed().
 */
#ifndef VMRUN_BASE_STRBUF_H
#define VMRUN_BASE_STRBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No text or file that vmrun holds in memory needs more. */
#define STRBUF_MAX ((size_t)1 << 30)

struct strbuf {
	char *data; /* NULL or NUL-terminated; owned */
	size_t len; /* bytes, without the terminator */
	size_t cap;
	bool failed;
};

void strbuf_free(struct strbuf *b);
void strbuf_add(struct strbuf *b, const void *data, size_t len);
void strbuf_puts(struct strbuf *b, const char *s);
void strbuf_putc(struct strbuf *b, char c);
void strbuf_printf(struct strbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * strbuf_consume() - drop the first @n bytes (at most all of them).
 */
void strbuf_consume(struct strbuf *b, size_t n);

/**
 * strbuf_str() - the content as a C string, "" when empty. Owned by @b.
 */
const char *strbuf_str(const struct strbuf *b);

/**
 * strbuf_steal() - hand the string over (free() it) and leave @b empty.
 *
 * Return: NULL if the buffer failed.
 */
char *strbuf_steal(struct strbuf *b);

struct strvec {
	char **v; /* NULL or NULL-terminated; each string owned */
	size_t n;
	size_t cap;
	bool failed;
};

void strvec_free(struct strvec *v);
void strvec_add(struct strvec *v, const char *s);
void strvec_addf(struct strvec *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define _cleanup_strbuf_ _cleanup_(strbuf_free)
#define _cleanup_strvec_ _cleanup_(strvec_free)

#endif
