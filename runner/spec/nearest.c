/* SPDX-License-Identifier: MIT */
#include "runner/spec/nearest.h"

#include <string.h>

#define NAME_MAX_LEN 32 /* more than the longest name */

/* Levenshtein's distance; both shorter than NAME_MAX_LEN. */
static unsigned int distance(const char *a, size_t a_len, const char *b)
{
	unsigned int row[NAME_MAX_LEN + 1];
	size_t b_len = strlen(b);

	for (size_t j = 0; j <= b_len; j++)
		row[j] = (unsigned int)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned int diagonal = row[0];

		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned int best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[b_len];
}

void nearest_begin(struct nearest *n, const char *word, size_t len)
{
	*n = (struct nearest){
		.word = word,
		.len = len,
		/* First one too far; a longer name may hold more slips. */
		.distance = len < 6 ? (unsigned int)len / 3 + 2 : 4,
	};
}

void nearest_offer(struct nearest *n, const char *name)
{
	size_t name_len = strlen(name);
	unsigned int d;

	if (n->len >= NAME_MAX_LEN || name_len >= NAME_MAX_LEN)
		return;
	/* The beginning of a name is as good as one slip. */
	d = n->len && !strncmp(name, n->word, n->len) ? 1 : distance(n->word, n->len, name);
	if (d < n->distance && d < name_len) {
		n->distance = d;
		n->name = name;
	}
}
