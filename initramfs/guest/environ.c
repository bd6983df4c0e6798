/* SPDX-License-Identifier: MIT */
#include "initramfs/guest/environ.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static char *key_value(const char *key, const char *value)
{
	size_t key_len = strlen(key), len = key_len + 1 + strlen(value);
	char *s = malloc(len + 1);

	if (s) {
		memcpy(s, key, key_len);
		s[key_len] = '=';
		memcpy(s + key_len + 1, value, len - key_len - 1);
		s[len] = '\0';
	}
	return s;
}

static bool same_key(const char *a, const char *b)
{
	size_t len = strcspn(a, "=");

	return len == strcspn(b, "=") && memcmp(a, b, len) == 0;
}

/* Replaces the string with the same key among the first *n, or adds it. */
static void set(char **v, size_t *n, char *s)
{
	size_t i;

	for (i = 0; i < *n; i++)
		if (same_key(v[i], s))
			break;
	v[i] = s;
	if (i == *n)
		++*n;
}

int environ_build(const struct user *u, char *const *extra, size_t n, struct environ *ret)
{
	struct environ e = {
		.v = calloc(n + ENVIRON_DEFAULTS + 1, sizeof(char *)),
		.own = { key_value("PATH", ENVIRON_PATH), key_value("HOME", u->home),
			 key_value("USER", u->name), key_value("LOGNAME", u->name),
			 key_value("SHELL", u->shell) },
	};
	size_t used = 0;

	for (size_t i = 0; i < ENVIRON_DEFAULTS; i++) {
		if (!e.v || !e.own[i]) {
			environ_free(&e);
			return -ENOMEM;
		}
		set(e.v, &used, e.own[i]);
	}
	for (size_t i = 0; i < n; i++)
		set(e.v, &used, extra[i]);
	*ret = e;
	return 0;
}

void environ_free(struct environ *e)
{
	for (size_t i = 0; i < ENVIRON_DEFAULTS; i++)
		free(e->own[i]);
	free(e->v);
	*e = (struct environ){ 0 };
}

const char *environ_get(char *const *env, const char *key)
{
	size_t len = strlen(key);

	for (; *env; env++)
		if (strncmp(*env, key, len) == 0 && (*env)[len] == '=')
			return *env + len + 1;
	return NULL;
}

/* Not by snprintf(), here and elsewhere on the way to the command: in an emulated
 * guest what runs for the first time is slow, and that is a lot of code. */
bool path_next(const char **path, const char *name, char *buf, size_t size)
{
	size_t name_size = strlen(name) + 1;

	while (*path) {
		const char *dir = *path;
		size_t len = strcspn(dir, ":");

		*path = dir[len] ? dir + len + 1 : NULL;
		if (len == 0) {
			dir = ".";
			len = 1;
		}
		if (len >= size || size - len - 1 < name_size)
			continue;
		memcpy(buf, dir, len);
		buf[len] = '/';
		memcpy(buf + len + 1, name, name_size);
		return true;
	}
	return false;
}
