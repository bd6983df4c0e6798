/* SPDX-License-Identifier: MIT */
/*
 * The one page that defines failure.
 *
 * A function that can fail returns 0 (or a non-negative result) on success and
 * a negative errno on failure; where the caller will show the reason to a
 * person it also takes a `struct err *` as its last parameter and fills it.
 *
 *  - A function either reports or returns, never both: below runner/cmd_*.c and
 *    runner/main.c nothing prints and nothing exits. Forked children send their
 *    struct err up a socket, so the user sees one precise message.
 *  - The text says what failed, on what, why, and, after a "; ", what to do.
 *    No trailing full stop, no newline, no "error:" prefix.
 *  - Outputs (named ret_*, last before the err) are touched only on success.
 *  - `struct err *` is never NULL.
 */
#ifndef VMRUN_BASE_ERR_H
#define VMRUN_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#define ERR_TEXT_MAX 768

struct err {
	int errnum; /* positive errno, 0 while nothing failed */
	char text[ERR_TEXT_MAX];
};

/**
 * err_msg() - record a failure whose text says everything.
 * @errnum: positive errno that the caller may act upon.
 *
 * Control characters in the result are replaced, so that a hostile file name
 * cannot drive the user's terminal. Return: -@errnum.
 */
int err_msg(struct err *e, int errnum, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/**
 * err_errno() - as err_msg(), with ": " and strerror(@errnum) appended.
 */
int err_errno(struct err *e, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * err_prefix() - put "text: " in front of what @e already says.
 *
 * Return: the negative errno that @e holds.
 */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * err_oom() - record that memory ran out. Return: -ENOMEM.
 */
int err_oom(struct err *e);

/**
 * text_is_control() - whether byte @p of the string at @start is (part of) what a
 * terminal may obey: C0, DEL, and C1 in UTF-8, of which it may be either byte.
 */
bool text_is_control(const char *p, const char *start);

/**
 * text_char_len() - bytes of the character of UTF-8 that @text begins with.
 *
 * Return: 0 for what is none, and for one that a terminal obeys (C0, newline too; DEL;
 * C1, which is two bytes in UTF-8, and a byte alone, which is no UTF-8, for a terminal
 * of another encoding); more than @len for one that goes on behind it.
 */
size_t text_char_len(const char *text, size_t len);

/**
 * text_sanitize() - replace every byte of a NUL-terminated string that is no
 * character, or one that a terminal obeys, by '?', in place.
 */
void text_sanitize(char *s);

#endif
