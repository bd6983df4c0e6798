/* SPDX-License-Identifier: MIT */
/* What a program says while it works: shown as it comes, and its end kept. */
#ifndef VMRUN_ROOTFS_BOOTSTRAP_WATCH_H
#define VMRUN_ROOTFS_BOOTSTRAP_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "runner/base/err.h"
#include "runner/base/strbuf.h"

#define WATCH_KEPT 65536 /* bytes */

struct watch {
	void (*status)(const char *line); /* may be NULL */
	struct strbuf said;		  /* at most WATCH_KEPT of its end; to free */
};

/**
 * watch_output() - read @fd to its end.
 * @signal_fd: of enter_signals().
 * @ret_signal: which one it was where -EINTR is returned.
 */
int watch_output(struct watch *watch, int fd, int signal_fd, int *ret_signal, struct err *e);

/** watch_add() - @len bytes that it said: hostile. */
void watch_add(struct watch *watch, const char *data, size_t len);

/** watch_tail() - the last @lines that are not empty, safe to show, each with a newline. */
void watch_tail(const struct watch *watch, unsigned int lines, struct strbuf *out);

/** watch_find() - the last line that has @words in it. Return: false if there is none. */
bool watch_find(const struct watch *watch, const char *words, char *ret, size_t size);

#endif
