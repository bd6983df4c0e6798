/* SPDX-License-Identifier: MIT */
/* The operations of sysprep. */
#ifndef VMRUN_ROOTFS_EDIT_SYSPREP_OPS_H
#define VMRUN_ROOTFS_EDIT_SYSPREP_OPS_H

#include "rootfs-tools/edit/sysprep.h"

struct sysprep {
	struct sweep sweep;
	const struct sysprep_options *options;
};

struct sysprep_op {
	const char *name; /* shorter than 32 bytes */
	const char *help;
	bool on;				      /* by default */
	const struct sweep_rule *rules;		      /* NULL, or ended by one without a pattern */
	int (*run)(struct sysprep *p, struct err *e); /* after the rules; NULL: nothing more */
};

/* By name; the order that they are done in. */
extern const struct sysprep_op sysprep_ops[];
extern const unsigned int sysprep_n_ops;

/** sysprep_users() - remove accounts, and their homes below /home. */
int sysprep_users(struct sysprep *p, struct err *e);

#endif
