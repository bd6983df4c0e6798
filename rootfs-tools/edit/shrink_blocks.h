/* SPDX-License-Identifier: MIT */
/* The part of shrink.c that deals with blocks; not for use elsewhere. */
#ifndef VMRUN_ROOTFS_EDIT_SHRINK_BLOCKS_H
#define VMRUN_ROOTFS_EDIT_SHRINK_BLOCKS_H

#include "rootfs-tools/edit/shrink.h"
#include "rootfs-tools/edit/sweep.h"

/**
 * shrink_blocks() - holes and duplicates in all files below @swept->root but what is gone
 * in its dry run.
 */
int shrink_blocks(const struct sweep *swept, struct shrink_report *report, struct err *e);

#endif
