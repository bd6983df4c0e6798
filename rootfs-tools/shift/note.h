/* SPDX-License-Identifier: MIT */
#ifndef VMRUN_ROOTFS_SHIFT_NOTE_H
#define VMRUN_ROOTFS_SHIFT_NOTE_H

#include "rootfs-tools/shift/plan.h"
#include "rootfs-tools/shift/walk.h"

/**
 * note_tree() - the plan of a tree that nothing was changed of yet.
 * @ret: plan_begin()ed with the two maps.
 *
 * Refuses what could not be completed: immutable files, other file systems.
 */
int note_tree(const struct walk *tree, struct plan *ret, struct err *e);

#endif
