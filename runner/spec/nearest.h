/* SPDX-License-Identifier: MIT */
/* "did you mean ...?": which of some known names was probably meant. */
#ifndef VMRUN_SPEC_NEAREST_H
#define VMRUN_SPEC_NEAREST_H

#include <stddef.h>

struct nearest {
	const char *word;
	size_t len;
	unsigned int distance; /* of what comes next, to be nearer */
	const char *name;      /* the nearest so far, or NULL: none is near */
};

/** nearest_begin() - @word, of @len bytes, is none of the names that follow. */
void nearest_begin(struct nearest *n, const char *word, size_t len);

/** nearest_offer() - one of the names; shorter than 32 bytes, and kept by reference. */
void nearest_offer(struct nearest *n, const char *name);

#endif
