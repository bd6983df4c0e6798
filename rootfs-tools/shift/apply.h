/* SPDX-License-Identifier: MIT */
#ifndef VMRUN_ROOTFS_SHIFT_APPLY_H
#define VMRUN_ROOTFS_SHIFT_APPLY_H

#include "rootfs-tools/shift/plan.h"
#include "rootfs-tools/shift/walk.h"

/**
 * apply_plan() - make each file of a tree what the plan says, whatever it is now.
 * @losses: what could not be kept, beside what the plan knows of.
 * @moved: the plan's count, from which is taken what could not be moved.
 */
int apply_plan(const struct walk *tree, struct plan *plan, struct losses *losses, uint64_t *moved,
	       struct err *e);

#endif
