/* SPDX-License-Identifier: MIT */
/* Templates as people and programs get to see them, and how they name one. */
#ifndef VMRUN_VM_TEMPLATE_PRINT_H
#define VMRUN_VM_TEMPLATE_PRINT_H

#include "runner/base/strbuf.h"
#include "runner/vm/template_store.h"

#define TEMPLATE_KEY_DIGITS 64
#define TEMPLATE_KEY_SHORT 12 /* digits that are shown: enough to tell them apart */
#define TEMPLATE_KEY_MIN 4    /* digits that name one */

/**
 * template_print_table() - a heading, and a line for each.
 * @now: seconds since the epoch.
 */
void template_print_table(const struct template_entry *entries, size_t n, int64_t now,
			  struct strbuf *out);

/** template_print_json() - an array of objects. What is not known of a bad one is null. */
void template_print_json(const struct template_entry *entries, size_t n, struct strbuf *out);

/** template_print_removed() - "removed 2 templates, 188.0 MiB". */
void template_print_removed(unsigned int n, uint64_t freed, struct strbuf *out);

/**
 * template_find_by_digits() - the one whose key begins with @digits.
 *
 * Return: 0; -EINVAL: those are no 4 to 64 hex digits; -ENOENT; -ENOTUNIQ.
 */
int template_find_by_digits(const struct template_entry *entries, size_t n, const char *digits,
			    const struct template_entry **ret, struct err *e);

#endif
