/* SPDX-License-Identifier: MIT */
/*
 * Whether the jail holds on this machine: a program takes QEMU's place, in the same
 * stages, by the same exec, with the same descriptors, and tries every way out that we
 * know (tests/escape).
 */
#ifndef VMRUN_VM_SELF_TEST_H
#define VMRUN_VM_SELF_TEST_H

#include <stdbool.h>

#include "runner/base/err.h"
#include "runner/base/strbuf.h"
#include "runner/vm/launch.h"

struct self_test_result {
	unsigned int tried;
	unsigned int out;     /* ways that led out */
	unsigned int unknown; /* attempts that came to no end: they say nothing */
	struct strvec names;  /* of those that led out, and then of the unknown */
};

/**
 * self_test_run() - make every attempt once, each in a jail of its own.
 * @in: as for a run: .spec, .facts, .idmap, .accel and .signal_fd are looked at. .base is
 *	exported read-only, whatever the spec says, or, if NULL, an empty directory.
 * @without: 1u << enum jail_layer, of what is taken away; 0: the jail as it is for guests.
 * @lines: gets a line for each attempt: "NAME<TAB>held|out|unknown<TAB>WHAT<TAB>DETAIL".
 *
 * Return: 0, also if ways led out, with @ret (self_test_free() it); -EINTR: a signal came;
 * -errno if it could not be run to its end.
 */
int self_test_run(const struct launch_input *in, unsigned int without, struct strbuf *lines,
		  struct self_test_result *ret, struct err *e);
void self_test_free(struct self_test_result *result);

/**
 * self_test_verdict() - of one attempt, from what it said and how it ended.
 * @said: "NAME<TAB>VERDICT<TAB>DETAIL\n", or what there is of that.
 * @status: its wait status, or -1: it was not waited for.
 * @ret_detail: why, without control characters.
 *
 * Return: "held", "out" or "unknown".
 */
const char *self_test_verdict(const char *name, const char *said, int status, char *ret_detail,
			      size_t size);

#endif
