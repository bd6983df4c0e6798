/* SPDX-License-Identifier: MIT */
/*
 * What /proc says of a process that is not trusted: lines of an id map and of mountinfo
 * with anything in them, and how they are then shown. Nothing that is shown is wider than
 * a terminal, or can be obeyed by one.
 *
 * Input: the text.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runner/base/cleanup.h"
#include "runner/base/err.h"
#include "runner/vm/explain_proc.h"
#include "runner/vm/explain_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In ASCII a byte is a column; a run of stray continuation bytes is never broken. */
static void check_shown(const struct strbuf *out)
{
	const char *text = strbuf_str(out);
	unsigned int column = 0;

	for (const char *p = text; *p; p++) {
		if (*p != '\n' && text_is_control(p, text))
			abort();
		column = *p == '\n' ? 0 : column + ((*p & 0xc0) != 0x80);
		if (column > EXPLAIN_COLUMNS)
			abort();
	}
}

static void extents(const char *text)
{
	struct proc_extent x;
	unsigned int n = 0;
	int more;

	while ((more = proc_next_extent(&text, &x)) > 0) {
		if (x.inside == PROC_UNKNOWN || x.outside == PROC_UNKNOWN ||
		    x.count == PROC_UNKNOWN || ++n > 1u << 20)
			abort();
	}
	if (more != 0 && more != -EINVAL)
		abort();
}

static void mounts(char *text)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct proc_mount m;

	while (proc_next_mount(&text, &m) > 0) {
		if (m.target[0] != '/')
			abort();
		explain_item(&out, m.target, "%s; %s of %s (%s)", m.options, m.root, m.source,
			     m.type);
	}
	check_shown(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = strndup((const char *)data, size);

	if (!text)
		return 0;
	extents(text);
	mounts(text);
	return 0;
}
