/* SPDX-License-Identifier: MIT */
/* Programs that make a root, run and watched. */
#ifndef VMRUN_ROOTFS_BOOTSTRAP_RUN_H
#define VMRUN_ROOTFS_BOOTSTRAP_RUN_H

#include "rootfs-tools/bootstrap/driver.h"
#include "rootfs-tools/core/guest.h"

/**
 * run_command() - one program in the jail of tools, with the new root at DRIVER_ROOT.
 * @causes: what it says when it fails; may be NULL.
 */
int run_command(const struct making *m, const struct command *command, const struct cause *causes,
		int *ret_signal, struct err *e);

/**
 * run_guest() - a command in a guest over the new root.
 * @guest: but for .fds.
 */
int run_guest(const struct making *m, const struct guest *guest, int *ret_signal, struct err *e);

/**
 * run_fetch() - a program whose output is a file.
 * @out: its standard output.
 */
int run_fetch(const struct making *m, const struct command *command, int out,
	      const struct cause *causes, int *ret_signal, struct err *e);

/** run_operation() - of enter_run(), on the new root. */
int run_operation(const struct making *m, int (*op)(const int *dirs, void *arg, struct err *e),
		  void *arg, const int *fds, unsigned int n_fds, int *ret_signal, struct err *e);

#endif
