/* SPDX-License-Identifier: MIT */
/* What confines a guest, in words: planned, and as the kernel tells it of a running one. */
#ifndef VMRUN_VM_EXPLAIN_H
#define VMRUN_VM_EXPLAIN_H

#include <stdint.h>

#include "runner/base/err.h"
#include "runner/base/strbuf.h"
#include "runner/vm/launch.h"

/**
 * explain_jail() - the stages, id maps, mounts with flags, namespaces, capabilities,
 * limits, the table of system calls; at most 80 columns.
 * @in: of a run over a base: .spec, .facts, .base, .idmap are looked at. Without a base
 *	.base is NULL, and .idmap may be: then it is what holds for every run.
 */
int explain_jail(const struct launch_input *in, struct strbuf *out, struct err *e);

/** explain_plan() - the jail's part of --dry-run: the same on every machine. */
void explain_plan(const struct vm_plan *plan, struct strbuf *out);

/**
 * explain_running() - the effective state of a running guest, read from /proc, each
 * line of which there is a plan held against it: "as planned" or "NOT as planned".
 * @name: its --name. All guests of that name are shown.
 *
 * Return: 0, -ENOENT: none of the caller's has that name, -errno.
 */
int explain_running(const char *name, struct strbuf *out, struct err *e);

/**
 * explain_running_in() - the same.
 * @proc: a directory like /proc.
 * @owner: of the user namespaces that guests are looked for in.
 */
int explain_running_in(int proc, uint32_t owner, const char *name, struct strbuf *out,
		       struct err *e);

#endif
