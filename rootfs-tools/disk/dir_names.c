/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/disk/dir_names.h"

#include <stdlib.h>
#include <string.h>

#include "rootfs-tools/core/tree.h"

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int dir_names(DIR *dir, const char *path, struct strvec *ret, struct err *e)
{
	struct strvec names = { 0 };
	struct dirent *de;
	int r;

	while ((r = tree_read(dir, path, &de, e)) > 0)
		strvec_add(&names, de->d_name);
	if (r == 0 && names.failed)
		r = err_oom(e);
	if (r < 0) {
		strvec_free(&names);
		return r;
	}
	if (names.n)
		qsort(names.v, names.n, sizeof(*names.v), by_bytes);
	*ret = names;
	return 0;
}
