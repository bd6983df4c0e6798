/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/edit/edit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runner/base/cleanup.h"
#include "runner/spec/spec_value.h"

void edit_free(struct edit *edit)
{
	free(edit->name);
	edit->name = NULL;
	if (edit->text.data)
		explicit_bzero(edit->text.data, edit->text.cap);
	strbuf_free(&edit->text);
	cleanup_close(&edit->fd);
}

int edit_split(struct edit *edit, const char *value, const char **ret_rest, struct err *e)
{
	const char *colon = strchr(value, ':');

	if (!colon || colon == value || !colon[1])
		return spec_value_bad(value, "has nothing before or behind a ':'", e);
	edit->name = strndup(value, (size_t)(colon - value));
	if (!edit->name)
		return err_oom(e);
	*ret_rest = colon + 1;
	return 0;
}
