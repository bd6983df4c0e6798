/* SPDX-License-Identifier: MIT */
/* Where the time of a run went: --timing. */
#ifndef VMRUN_VM_TIMING_H
#define VMRUN_VM_TIMING_H

#include <stdbool.h>
#include <stdint.h>

#include "runner/base/strbuf.h"

/* Moments of a run, in their order. Each ends the phase of the same name. */
enum timing_mark {
	TIMING_BEGIN,	  /* vmrun was called */
	TIMING_HOST,	  /* options read, the host looked at */
	TIMING_NAMESPACE, /* the jail's first process runs, ids mapped */
	TIMING_JAIL,	  /* the jail is closed */
	TIMING_PREPARE,	  /* kernel and initramfs known; a template found or made */
	TIMING_EXEC,	  /* QEMU runs, the rest of its rights gone */
	TIMING_QEMU,	  /* QEMU has its machine */
	TIMING_BOOT,	  /* the guest is there: booted or restored */
	TIMING_MOUNT,	  /* the command was started: root and volumes mounted */
	TIMING_COMMAND,	  /* the command ended, its files written */
	TIMING_END,	  /* all is gone */
	TIMING_COUNT
};

struct timing {
	uint64_t at[TIMING_COUNT]; /* CLOCK_MONOTONIC nanoseconds; 0: not reached */
	bool restored;		   /* BOOT was a template's restore */
};

/** timing_now() - nanoseconds of CLOCK_MONOTONIC. */
uint64_t timing_now(void);

/** timing_mark() - note that @mark is reached now. */
void timing_mark(struct timing *t, enum timing_mark mark);

/**
 * timing_print() - a table for people: phase, milliseconds, a bar; and the total.
 *
 * A phase that was not reached is left out; its time counts for the next one.
 * A moment before an earlier one (a clock of the guest's making) counts as that one.
 */
void timing_print(const struct timing *t, struct strbuf *out);

/**
 * timing_print_json() - one line: {"restored":true,"total_ms":187.3,"phases":
 * [{"name":"host","ms":1.2},...]}.
 */
void timing_print_json(const struct timing *t, struct strbuf *out);

#endif
