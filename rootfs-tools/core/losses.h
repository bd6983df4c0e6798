/* SPDX-License-Identifier: MIT */
/*
 * What could not be kept of a tree that was copied, packed or unpacked: owners outside
 * the map, device nodes, attributes that only real root may set.
 */
#ifndef VMRUN_ROOTFS_CORE_LOSSES_H
#define VMRUN_ROOTFS_CORE_LOSSES_H

#include <stdint.h>

#include "runner/base/err.h"

#define LOSSES_TEXT_MAX 16

/* Of fixed size: filled inside (enter.h), read outside. */
struct losses {
	uint64_t n;
	char text[LOSSES_TEXT_MAX][ERR_TEXT_MAX]; /* of the first of them, a line each */
};

/** losses_add() - one more, with strerror(@errnum) appended unless it is 0. */
void losses_add(struct losses *losses, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
