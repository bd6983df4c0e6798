/* SPDX-License-Identifier: MIT */
/* Texts that say which locale. Pure: text in, text out; both hostile. */
#ifndef VMRUN_ROOTFS_EDIT_LOCALE_H
#define VMRUN_ROOTFS_EDIT_LOCALE_H

#include <stdbool.h>
#include <stddef.h>

#include "runner/base/strbuf.h"

/**
 * locale_conf_set() - locale.conf(5), or Debian's /etc/default/locale, with LANG=@locale in
 * the place of each LANG that it has, or at its end.
 */
void locale_conf_set(const char *text, size_t len, const char *locale, struct strbuf *out);

/**
 * locale_gen_enable() - locale.gen(5) with @locale's line made to count: its comment sign
 * is taken away, or a line is added.
 */
void locale_gen_enable(const char *text, size_t len, const char *locale, struct strbuf *out);

/* What localedef(1) makes a locale of. */
struct locale_parts {
	char input[128];  /* "de_DE@euro": its name without the charset */
	char charset[64]; /* "UTF-8" */
};

/**
 * locale_parse() - Return: 0, or -EINVAL for what is no name of a locale: letters, digits,
 * and _.@- behind the first, 100 at most.
 */
int locale_parse(const char *locale, struct locale_parts *ret);

/** locale_is_built_in() - whether every libc has it: C, POSIX, and C.UTF-8. */
bool locale_is_built_in(const char *locale);

#endif
