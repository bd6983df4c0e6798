/* SPDX-License-Identifier: MIT */
/* vmrun sandbox, less what is said to people: for cmd_sandbox.c. */
#ifndef VMRUN_VM_SANDBOX_H
#define VMRUN_VM_SANDBOX_H

#include "runner/base/err.h"
#include "runner/base/strbuf.h"
#include "runner/vm/self_test.h"

/**
 * sandbox_explain() - what would confine such a run. .root may be NULL: what holds for
 * every run.
 */
int sandbox_explain(const struct vm_spec *spec, struct strbuf *out, struct err *e);

/**
 * sandbox_self_test() - self_test_run() for such a run: under the id layout that .idmap
 * asks for, or that of .root, or, if it has neither, under each that the caller can have.
 * @without: 1u << enum jail_layer, of what is taken away.
 * @lines: as self_test_run(), with the name of the layout in front: "subid<TAB>NAME...".
 * @ret_layouts: the names of those tried; free it.
 * @ret: over all of them, .names with the layout in front: "subid/NAME".
 */
int sandbox_self_test(const struct vm_spec *spec, unsigned int without, struct strbuf *lines,
		      struct strvec *ret_layouts, struct self_test_result *ret, struct err *e);

#endif
