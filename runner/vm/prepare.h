/* SPDX-License-Identifier: MIT */
#ifndef VMRUN_VM_PREPARE_H
#define VMRUN_VM_PREPARE_H

#include "runner/base/err.h"
#include "runner/plan/vm_plan.h"

/* What the caller opened for the builder, on its own rights. */
struct prepare_input {
	int channel;	    /* to vmrun */
	int root_fd;	    /* the base, as the guest's root may read it */
	int kernels_fd;	    /* the cache of unpacked kernels, mounted read-only; or -1 */
	const char *base;   /* its name, for messages */
	int kernel_fd;	    /* -k, readable; or -1 */
	const char *kernel; /* its name */
	int modules_fd;	    /* --modules, O_PATH; or -1 */
	bool no_modules;    /* --modules=none */
	bool disks;	    /* --disk: their driver is needed, too */
};

/* What will be booted, found and opened, nothing read or unpacked yet. */
struct boot_source {
	int kernel_fd;	    /* readable */
	int modules_fd;	    /* O_PATH; -1: none is needed */
	uint8_t stamp[32];  /* the same as long as the same would be booted */
	uint64_t newest_ns; /* the latest ctime of what the stamp was made of */
};

#define BOOT_SOURCE_INIT                          \
	{                                         \
		.kernel_fd = -1, .modules_fd = -1 \
	}

/**
 * prepare_find() - find or take the kernel and its modules. In PID 1 of the jail.
 * @ret_report: kernel_version and kernel_path are filled in.
 * @ret: boot_source_close() it.
 */
int prepare_find(const struct prepare_input *in, struct base_report *ret_report,
		 struct boot_source *ret, struct err *e);

/**
 * prepare_config() - how the image that the base was made of is run.
 * @ret_fd: a sealed memory file with that, packed (image_config.h); -1: it says nothing.
 */
int prepare_config(const struct prepare_input *in, int *ret_fd, struct err *e);

void boot_source_close(struct boot_source *source);

/**
 * prepare_boot() - unpack the kernel (or learn from vmrun that it is cached), and
 * build the initramfs. Runs in PID 1 of the jail.
 * @report: from prepare_find(); completed.
 * @ret_kernel_fd, @ret_initrd_fd: what QEMU loads; the latter a sealed memory file.
 */
int prepare_boot(const struct prepare_input *in, const struct boot_source *source,
		 struct base_report *report, int *ret_kernel_fd, int *ret_initrd_fd, struct err *e);

/** prepare_cached() - an unpacked kernel from the cache. Return: 0 or -errno. */
int prepare_cached(int kernels_fd, const uint8_t digest[32], int *ret_fd);

#endif
