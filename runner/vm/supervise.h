/* SPDX-License-Identifier: MIT */
/*
 * From a running QEMU to an exit code: one loop over everything that can happen.
 */
#ifndef VMRUN_VM_SUPERVISE_H
#define VMRUN_VM_SUPERVISE_H

#include <stdbool.h>

#include "runner/base/strbuf.h"
#include "runner/vm/launch.h"

enum vm_outcome {
	VM_COMMAND,    /* the command ran; .code is its own */
	VM_NO_LIFE,    /* no sign of the agent by the deadline, or QEMU ended before */
	VM_FAILED,     /* anything else that is no command's exit */
	VM_TIMEOUT,    /* --timeout passed */
	VM_INTERRUPTED /* ended by a signal or by the user's escape; .code is 128+n */
};

struct vm_result {
	enum vm_outcome outcome;
	int code;		    /* exit code for vmrun */
	char message[ERR_TEXT_MAX]; /* "" or one line for the user */
	struct strbuf console_tail; /* what the guest said last, if that may help */
	struct timing timing;
};

void vm_result_free(struct vm_result *result);

struct supervise_input {
	int signal_fd;
	uint64_t timeout_ms; /* when --timeout passes: CLOCK_MONOTONIC milliseconds; 0: never */
	bool tty;	     /* run on a pty, vmrun's terminal raw */
	void (*warn)(const char *text); /* for what must be said at once */
};

/** supervise() - run the started guest to its end. */
void supervise(struct vm_launch *launch, const struct supervise_input *in, struct vm_result *ret);

#endif
