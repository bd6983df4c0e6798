/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/edit/resolver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rootfs-tools/edit/words.h"
#include "runner/base/cleanup.h"
#include "runner/spec/spec_value.h"

/* --- values --- */

static int bad_hosts(const char *value, struct err *e)
{
	return spec_value_bad(value,
			      "is no entry of hosts; give ADDR:NAME[,NAME...], as in "
			      "10.0.0.1:db,db.example or fd00::1:db",
			      e);
}

/* Return: AF_INET, AF_INET6, or AF_UNSPEC for what is neither. */
static int parse_address(const char *text, size_t len, char ret[INET6_ADDRSTRLEN])
{
	static const int families[] = { AF_INET, AF_INET6 };
	char copy[INET6_ADDRSTRLEN];
	struct in6_addr addr;

	if (len >= sizeof(copy) || memchr(text, '\0', len))
		return AF_UNSPEC;
	memcpy(copy, text, len);
	copy[len] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		if (inet_pton(families[i], copy, &addr) == 1) {
			inet_ntop(families[i], &addr, ret, INET6_ADDRSTRLEN);
			return families[i];
		}
	return AF_UNSPEC;
}

static int join_names(const char *value, const char *names, struct strbuf *out, struct err *e)
{
	do {
		size_t len = strcspn(names, ",");
		char name[256];

		if (len >= sizeof(name))
			return bad_hosts(value, e);
		snprintf(name, sizeof(name), "%.*s", (int)len, names);
		if (spec_value_check_hostname(name, e) < 0)
			return -EINVAL;
		if (out->len)
			strbuf_putc(out, ' ');
		strbuf_puts(out, name);
		names += len;
	} while (*names++ == ',');
	return 0;
}

int resolver_hosts_parse(const char *value, char **ret_addr, char **ret_names, struct err *e)
{
	_cleanup_strbuf_ struct strbuf names = { 0 };
	const char *colon = strrchr(value, ':'), *begin = value, *end = colon;
	_cleanup_free_ char *copy = NULL;
	char addr[INET6_ADDRSTRLEN];
	int r;

	if (!colon)
		return bad_hosts(value, e);
	if (*begin == '[' && end > begin + 1 && end[-1] == ']') {
		begin++;
		end--;
	}
	if (parse_address(begin, (size_t)(end - begin), addr) == AF_UNSPEC)
		return bad_hosts(value, e);
	r = join_names(value, colon + 1, &names, e);
	if (r < 0)
		return r;
	copy = strdup(addr);
	if (!copy || names.failed)
		return err_oom(e);
	*ret_names = strbuf_steal(&names);
	*ret_addr = steal_ptr(copy);
	return 0;
}

int resolver_check_address(const char *addr, struct err *e)
{
	size_t len = strcspn(addr, "%"), zone = addr[len] ? strlen(addr + len + 1) : 0;
	char canonical[INET6_ADDRSTRLEN];
	int family = parse_address(addr, len, canonical);
	bool ok = family != AF_UNSPEC;

	if (addr[len])
		ok = family == AF_INET6 && zone > 0 && zone < 16 &&
		     strspn(addr + len + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					    "0123456789._-") == zone;
	return ok ? 0 : spec_value_bad(addr, "is no IPv4 or IPv6 address", e);
}

/* --- texts --- */

static bool is_one_of(const char *word, size_t len, const char *names)
{
	while (*names) {
		size_t name_len = strcspn(names, " ");

		if (name_len == len && !strncasecmp(word, names, len))
			return true;
		names += name_len;
		names += strspn(names, " ");
	}
	return false;
}

/* Return: whether anything of the line is to stay. */
static bool take_names_out(const char *line, const char *end, int family, const char *names,
			   struct strbuf *out)
{
	const char *p = line, *done = line;
	char canonical[INET6_ADDRSTRLEN];
	size_t len = words_next(&p, end);
	unsigned int left = 0, taken = 0;

	if (!len || parse_address(p, len, canonical) != family) {
		strbuf_add(out, line, (size_t)(end - line));
		return true;
	}
	for (p += len; (len = words_next(&p, end)); p += len) {
		const char *before = p;

		if (!is_one_of(p, len, names)) {
			left++;
			continue;
		}
		taken++;
		while (before > done && words_is_space(before[-1]))
			before--;
		strbuf_add(out, done, (size_t)(before - done));
		done = p + len;
	}
	strbuf_add(out, done, (size_t)(end - done));
	return left || !taken;
}

void resolver_hosts_set(const char *text, size_t len, const char *addr, const char *names,
			struct strbuf *out)
{
	const char *end = text + len;
	char canonical[INET6_ADDRSTRLEN];
	int family = parse_address(addr, strlen(addr), canonical);

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));

		_cleanup_strbuf_ struct strbuf line = { 0 };

		if (take_names_out(text, newline ? newline : end, family, names, &line)) {
			strbuf_add(out, line.data, line.len);
			strbuf_putc(out, '\n');
		}
		out->failed |= line.failed;
		text = newline ? newline + 1 : end;
	}
	strbuf_printf(out, "%s\t%s\n", addr, names);
}

void resolver_conf_set(const char *text, size_t len, const char *servers, struct strbuf *out)
{
	static const char key[] = "nameserver";
	const char *end = text + len;

	while (*servers) {
		size_t word = strcspn(servers, " ");

		strbuf_printf(out, "%s %.*s\n", key, (int)word, servers);
		servers += word;
		servers += strspn(servers, " ");
	}
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *line_end = newline ? newline : end, *p = text;
		size_t word = words_next(&p, line_end);

		if (word != sizeof(key) - 1 || memcmp(p, key, word) != 0) {
			strbuf_add(out, text, (size_t)(line_end - text));
			strbuf_putc(out, '\n');
		}
		text = newline ? newline + 1 : end;
	}
}
