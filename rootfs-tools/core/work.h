/* SPDX-License-Identifier: MIT */
/* One operation (enter.h) on one root directory, under the lock that guests take. */
#ifndef VMRUN_ROOTFS_CORE_WORK_H
#define VMRUN_ROOTFS_CORE_WORK_H

#include <stdbool.h>

#include "rootfs-tools/core/enter.h"
#include "rootfs-tools/core/root.h"
#include "runner/base/err.h"

struct root_work {
	const char *path; /* as typed */
	const struct root_idmap *idmap;
	bool writes;
	bool shared;	/* whether a guest uses it meanwhile does not matter */
	const int *fds; /* as .fds of struct enter */
	unsigned int n_fds;
	int signal_fd; /* of enter_signals(); -1: nothing interrupts it */
};

/**
 * root_work() - run @op on it, and wait for it.
 * @op: gets the root, O_PATH, locked and checked to be one.
 * @ret_signal: as of enter_run().
 */
int root_work(const struct root_work *work, int (*op)(int root, void *arg, struct err *e),
	      void *arg, int *ret_signal, struct err *e);

/**
 * root_lock() - inside: take the lock that guests take, until the process ends.
 * @root: O_PATH.
 * @writes: nobody else may use it; else nobody may write to it.
 * @shared: go on where it cannot be had.
 *
 * Return: 0, -EBUSY or another -errno.
 */
int root_lock(int root, const char *path, bool writes, bool shared, struct err *e);

#endif
