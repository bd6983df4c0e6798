/* SPDX-License-Identifier: MIT */
/* What every explanation keeps to, and whether it says something. */
#ifndef VMRUN_TESTS_EXPLAINED_H
#define VMRUN_TESTS_EXPLAINED_H

#include "tests/unit/fixture.h"

#include "runner/base/cleanup.h"
#include "runner/base/err.h"
#include "runner/vm/explain_text.h"

static inline bool in_columns(const char *text)
{
	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n')
		if (strcspn(p, "\n") > EXPLAIN_COLUMNS)
			return false;
	return true;
}

static inline void check_text(const struct strbuf *out)
{
	const char *text = strbuf_str(out);

	assert_false(out->failed);
	if (!in_columns(text))
		fail_msg("wider than 80 columns:\n%s", text);
	for (const char *p = text; *p; p++)
		if (*p != '\n' && text_is_control(p, text))
			fail_msg("a control character in:\n%s", text);
}

/* Whether it says @words, on one line or wrapped. */
static inline bool says(const struct strbuf *out, const char *words)
{
	_cleanup_strbuf_ struct strbuf flat = { 0 };

	for (const char *p = strbuf_str(out); *p; p++)
		if (*p != '\n' && (*p != ' ' || (flat.len && flat.data[flat.len - 1] != ' ')))
			strbuf_putc(&flat, *p);
		else if (flat.len && flat.data[flat.len - 1] != ' ')
			strbuf_putc(&flat, ' ');
	return strstr(strbuf_str(out), words) || strstr(strbuf_str(&flat), words);
}

static inline void expect(const struct strbuf *out, const char *words)
{
	if (!says(out, words))
		fail_msg("'%s' is not in:\n%s", words, strbuf_str(out));
}

static inline void expect_not(const struct strbuf *out, const char *words)
{
	if (says(out, words))
		fail_msg("'%s' is in:\n%s", words, strbuf_str(out));
}

#endif
