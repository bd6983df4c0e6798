/* SPDX-License-Identifier: MIT */
/* What is done to a new root inside of its map, as operations of enter_run(). */
#ifndef VMRUN_ROOTFS_BOOTSTRAP_FINISH_H
#define VMRUN_ROOTFS_BOOTSTRAP_FINISH_H

#include <limits.h>
#include <stdbool.h>

#include "runner/base/err.h"

struct finish {
	char hostname[HOST_NAME_MAX + 1];
	bool kernel; /* there has to be one */
};

/** finish_begin() - the empty directory becomes the map's root's. @arg: not used. */
int finish_begin(const int *dirs, void *arg, struct err *e);

/**
 * finish_end() - a name of its own, nothing of the host's resolver.
 * @arg: struct finish.
 */
int finish_end(const int *dirs, void *arg, struct err *e);

#endif
