/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/edit/accounts_lines.h"

#include <string.h>

bool accounts_cut(struct span *rest, char c, struct span *ret)
{
	const char *end = rest->len ? memchr(rest->p, c, rest->len) : NULL;

	if (!rest->p)
		return false;
	*ret = (struct span){ rest->p, end ? (size_t)(end - rest->p) : rest->len };
	if (end)
		*rest = (struct span){ end + 1, rest->len - ret->len - 1 };
	else
		*rest = (struct span){ NULL, 0 };
	return true;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

bool accounts_next_line(struct span *rest, unsigned int fields, struct line *ret)
{
	struct span text;

	*ret = (struct line){ .whole.p = rest->p };
	if (!rest->len)
		return false;
	(void)accounts_cut(rest, '\n', &text);
	ret->whole.len = text.len + (rest->p ? 1 : 0);
	while (text.len && is_space(*text.p))
		text = (struct span){ text.p + 1, text.len - 1 };
	if (!text.len || *text.p == '#' || *text.p == '+' || *text.p == '-')
		return true;
	while (ret->n + 1 < fields && accounts_cut(&text, ':', &ret->f[ret->n]))
		ret->n++;
	if (text.p)
		ret->f[ret->n++] = text;
	return true;
}

bool span_is(struct span span, const char *text)
{
	return span.len == strlen(text) && !memcmp(span.p, text, span.len);
}

int span_order(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return x->len ? memcmp(x->p, y->p, x->len) : 0;
}

bool span_id(struct span span, uint32_t *ret)
{
	uint64_t n = 0;

	for (size_t i = 0; i < span.len; i++) {
		if (span.p[i] < '0' || span.p[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(span.p[i] - '0');
		if (n >= UINT32_MAX)
			return false;
	}
	if (!span.len)
		return false;
	*ret = (uint32_t)n;
	return true;
}

static bool copy(struct span from, char *to, size_t size)
{
	if (from.len >= size || (from.len && memchr(from.p, '\0', from.len)))
		return false;
	memcpy(to, from.p, from.len);
	to[from.len] = '\0';
	return true;
}

bool accounts_parse(const struct line *line, struct account *ret)
{
	const struct span *f = line->f;

	return line->n == PASSWD_FIELDS && f[0].len && copy(f[0], ret->name, sizeof(ret->name)) &&
	       span_id(f[2], &ret->uid) && span_id(f[3], &ret->gid) &&
	       copy(f[5], ret->home, sizeof(ret->home)) &&
	       copy(f[6], ret->shell, sizeof(ret->shell));
}
