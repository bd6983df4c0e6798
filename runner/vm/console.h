/* SPDX-License-Identifier: MIT */
/*
 * The guest's serial console: its end is kept, to say what a guest died of. All
 * of it is the guest's word, good for a message and for nothing else.
 */
#ifndef VMRUN_VM_CONSOLE_H
#define VMRUN_VM_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>

#include "runner/base/strbuf.h"

/* What the Linux kernel prints (kernel/panic.c). */
#define CONSOLE_PANIC "Kernel panic - not syncing: "

#define CONSOLE_KEEP (64u * 1024u)
#define CONSOLE_LINE_MAX 1000u /* bytes of a line that console_tail() shows */

struct console {
	struct strbuf tail; /* the last CONSOLE_KEEP to 2 * CONSOLE_KEEP bytes */
};

void console_free(struct console *c);
void console_feed(struct console *c, const char *data, size_t len);

/**
 * console_line() - the last line that contains @what, from @what on.
 *
 * @buf gets it without control characters. Return: whether there is one.
 */
bool console_line(const struct console *c, const char *what, char *buf, size_t size);

/**
 * console_tail() - the last @lines lines, each indented by two blanks, cut to
 * CONSOLE_LINE_MAX and cleaned. Where the kernel panicked, the lines up to its panic:
 * the trace after it only says that it did.
 */
void console_tail(const struct console *c, unsigned int lines, struct strbuf *out);

/**
 * console_clean() - add @data to @out as text that cannot drive a terminal: whatever is not
 * UTF-8 and every control character (C1, too) but newline and tab is a "?" a byte, and "\r"
 * is dropped.
 *
 * Return: how many bytes of @data that is; up to 3 less than @len where a character goes on.
 */
size_t console_clean(const char *data, size_t len, struct strbuf *out);

#endif
