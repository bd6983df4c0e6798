/* SPDX-License-Identifier: MIT */
#include "runner/base/parse.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

/* Digits from *s on; -EINVAL if there is none. *s is left behind the last. */
static int digits(const char **s, uint64_t *ret)
{
	const char *p = *s;
	uint64_t value = 0;

	if (*p < '0' || *p > '9')
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
			return -ERANGE;
	*s = p;
	*ret = value;
	return 0;
}

int parse_uint(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t value;
	int r = digits(&s, &value);

	if (r < 0)
		return r;
	if (*s)
		return -EINVAL;
	if (value < min || value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

int parse_size(const char *s, uint64_t *ret_bytes)
{
	static const char units[] = "kmgt";
	const char *unit;
	uint64_t value;
	int r = digits(&s, &value);

	if (r < 0)
		return r;
	unit = *s ? strchr(units, *s | 0x20) : NULL;
	if (!unit)
		return -EINVAL;
	s++;
	if (*s && strcasecmp(s, "b") && strcasecmp(s, "ib"))
		return -EINVAL;
	if (__builtin_mul_overflow(value, (uint64_t)1 << (10 * (unit - units + 1)), &value))
		return -ERANGE;
	*ret_bytes = value;
	return 0;
}

int parse_duration(const char *s, uint64_t *ret_ms)
{
	static const struct {
		const char *suffix;
		uint64_t ms;
	} units[] = {
		{ "", 1000 },	{ "s", 1000 },	  { "ms", 1 },
		{ "m", 60000 }, { "h", 3600000 }, { "d", 24 * 3600000 },
	};
	const uint64_t max = (uint64_t)1000 * 24 * 3600000;
	uint64_t value, milli = 0;
	int r = digits(&s, &value);

	if (r < 0)
		return r;
	if (*s == '.') {
		uint64_t scale = 100;

		if (*++s < '0' || *s > '9')
			return -EINVAL;
		for (; *s >= '0' && *s <= '9'; s++, scale /= 10)
			milli += (uint64_t)(*s - '0') * scale;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(s, units[i].suffix))
			continue;
		if (value > max / units[i].ms)
			return -ERANGE;
		value = value * units[i].ms + milli * units[i].ms / 1000;
		if (value == 0 || value > max)
			return -ERANGE;
		*ret_ms = value;
		return 0;
	}
	return -EINVAL;
}
