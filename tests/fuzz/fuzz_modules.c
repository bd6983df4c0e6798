/* SPDX-License-Identifier: MIT */
/* modules.dep, a NUL byte, modules.builtin. Whatever they hold, a path that comes out is harmless. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "initramfs/modules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(const char *path)
{
	if (path[0] == '/' || path[0] == '.' || strstr(path, "/.") || strstr(path, "//") ||
	    strpbrk(path, " \t\r\n") || !strstr(path, ".ko"))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *text = (const char *)data;
	size_t dep_len = len ? strnlen(text, len) : 0;
	size_t builtin_at = dep_len < len ? dep_len + 1 : len;
	struct strvec paths = { 0 };
	struct err e = { 0 };

	if (modules_closure(text, dep_len, text + builtin_at, len - builtin_at, modules_wanted,
			    &paths, &e) < 0)
		return 0;
	if (paths.n > MODULES_CLOSURE_MAX)
		abort();
	for (size_t i = 0; i < paths.n; i++)
		check(paths.v[i]);
	strvec_free(&paths);
	return 0;
}
