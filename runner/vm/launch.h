/* SPDX-License-Identifier: MIT */
/*
 * From a specification to a running QEMU: opens what the jail shows, starts the
 * jail, answers its questions, makes the plan from what it reports, lets it run.
 */
#ifndef VMRUN_VM_LAUNCH_H
#define VMRUN_VM_LAUNCH_H

#include <stdbool.h>

#include "runner/base/err.h"
#include "runner/host/base_dir.h"
#include "runner/plan/vm_plan.h"

struct launch_input {
	const struct vm_spec *spec;
	const struct host_facts *facts;
	const struct base_dir *base;
	const struct idmap_choice *idmap;
	enum accel accel;
	int signal_fd; /* a signal here ends the start */
	bool dry_run;  /* stop once the plan is made */
};

/* A jail, with QEMU in it unless this was a dry run. */
struct vm_launch {
	int pidfd;   /* of the jail's PID 1: kill it and all is gone */
	int channel; /* to PID 1: ENDED comes here, or its end */
	int agent;   /* stream sockets */
	int console;
	int stderr_fd; /* what QEMU says */
	int kernels;   /* the cache of unpacked kernels, O_PATH; -1: there is none */
	struct base_report report;
	struct vm_plan plan; /* refers to .report: the struct must not be copied */
	int signal; /* the signal that ended the start, else 0 */
};

/**
 * vm_launch() - start it all. Return: 0; -EINTR with .signal set; -errno.
 *
 * Free @ret whatever is returned.
 */
int vm_launch(const struct launch_input *in, struct vm_launch *ret, struct err *e);

/** vm_launch_free() - kill what is left of the jail, wait for its end, close all. */
void vm_launch_free(struct vm_launch *launch);

#endif
