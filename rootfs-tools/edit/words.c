/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/edit/words.h"

bool words_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

size_t words_next(const char **p, const char *end)
{
	size_t len = 0;

	while (*p < end && words_is_space(**p))
		(*p)++;
	while (*p + len < end && !words_is_space((*p)[len]) && (*p)[len] != '#')
		len++;
	return len;
}
