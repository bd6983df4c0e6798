/* SPDX-License-Identifier: MIT */
#ifndef VMRUN_VM_PREPARE_H
#define VMRUN_VM_PREPARE_H

#include "runner/base/err.h"
#include "runner/plan/vm_plan.h"

/* What the caller opened for the builder, on its own rights. */
struct prepare_input {
	int channel;	      /* to vmrun */
	int root_fd;	      /* the base, as the guest's root may read it */
	int kernels_fd;	      /* the cache of unpacked kernels, mounted read-only; or -1 */
	const char *base;     /* its name, for messages */
	int kernel_fd;	      /* -k, readable; or -1 */
	const char *kernel;   /* its name */
	int modules_fd;	      /* --modules, O_PATH; or -1 */
	bool no_modules;      /* --modules=none */
};

/**
 * prepare_boot() - find or take the kernel, unpack it (or learn from vmrun that
 * it is cached), and build the initramfs. Runs in PID 1 of the jail.
 * @ret_kernel_fd, @ret_initrd_fd: what QEMU loads.
 */
int prepare_boot(const struct prepare_input *in, struct base_report *ret, int *ret_kernel_fd,
		 int *ret_initrd_fd, struct err *e);

#endif
