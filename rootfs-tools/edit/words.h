/* SPDX-License-Identifier: MIT */
/* Lines of words, as hosts(5) and resolv.conf(5) have them. */
#ifndef VMRUN_ROOTFS_EDIT_WORDS_H
#define VMRUN_ROOTFS_EDIT_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/** words_is_space() - what stands between them; no newline. */
bool words_is_space(char c);

/**
 * words_next() - the next word of a line, before its comment.
 * @p: moved to it. @end: of the line.
 * Return: its length, 0 at the end.
 */
size_t words_next(const char **p, const char *end);

#endif
