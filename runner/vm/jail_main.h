/* SPDX-License-Identifier: MIT */
/* PID 1 of the jail: what runs between jail_spawn() and QEMU's end. */
#ifndef VMRUN_VM_JAIL_MAIN_H
#define VMRUN_VM_JAIL_MAIN_H

#include "runner/jail/jail.h"
#include "runner/vm/launch.h"

struct jail_main {
	const struct launch_input *in;
	const struct launch_making *making; /* or NULL: this is a run */
	const struct vm_launch *parent;	    /* vmrun's side: not for PID 1 */
	struct jail jail;
	struct strvec programs; /* of the jail */
	bool unpacker;		/* what unpacks kernels is loaded while its files can be */
	int channel; /* to vmrun; its end ends the jail */
	int agent;   /* QEMU's ends */
	int console;
	int qmp;
	int net;
	int stderr_fd;
	int kernel_fd;	    /* -k, or -1 */
	int modules_fd;	    /* --modules, or -1 */
	int kernels_bind;   /* index of the kernel cache in .jail.binds, or -1 */
	int templates_bind; /* index of the templates there, or -1 */
	int disks[DISKS_MAX]; /* PID 1's, with the locks */
};

#define JAIL_MAIN_INIT                                                                      \
	{                                                                                   \
		.channel = -1, .agent = -1, .console = -1, .qmp = -1, .net = -1,            \
		.stderr_fd = -1, .kernel_fd = -1, .modules_fd = -1, .kernels_bind = -1, .templates_bind = -1 \
	}

/** jail_main() - @arg: struct jail_main. Never returns. */
void jail_main(void *arg);
void jail_main_free(struct jail_main *m);

/** launch_plan() - the plan; made twice, by vmrun and by PID 1, from the same. */
int launch_plan(const struct launch_input *in, const struct base_report *report,
		enum plan_start start, bool ram_readonly, struct vm_plan *ret, struct err *e);

#endif
