/* SPDX-License-Identifier: MIT */
/* A whole run, from what was asked to the result: the way in for front ends. */
#ifndef VMRUN_VM_VM_RUN_H
#define VMRUN_VM_VM_RUN_H

#include "runner/base/err.h"
#include "runner/vm/start.h"
#include "runner/vm/supervise.h"

/**
 * vm_run() - run @spec's command in a guest over vmrun's own stdio.
 * @say: called with one line without a newline.
 * @dry_run: if not NULL, nothing is run: it gets the plan's text.
 *
 * Blocks SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 and SIGWINCH for the
 * rest of the process. Return: 0 and @ret (vm_result_free() it), or -errno.
 */
int vm_run(const struct vm_spec *spec, const struct start_say *say, struct strbuf *dry_run,
	   struct vm_result *ret, struct err *e);

/**
 * vm_template_create() - find or make the template that such a run wakes up from.
 * @ret_made: whether it was made now.
 * @ret_signal: the signal that ended it, with -EINTR.
 *
 * Return: 0; -EINTR; other -errno.
 */
int vm_template_create(const struct vm_spec *spec, const struct start_say *say, uint8_t ret_key[32],
		       bool *ret_made, int *ret_signal, struct err *e);

#endif
