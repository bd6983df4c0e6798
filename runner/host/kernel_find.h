/* SPDX-License-Identifier: MIT */
/*
 * Which kernel and which module directory a guest boots with. Looks only below
 * the root descriptor it is given; every file name found there is hostile.
 */
#ifndef VMRUN_HOST_KERNEL_FIND_H
#define VMRUN_HOST_KERNEL_FIND_H

#include <stdbool.h>
#include <stdint.h>

#include "runner/base/err.h"

#define KERNEL_VERSION_MAX 128
#define KERNEL_PATH_MAX 512
#define KERNELS_MAX 64 /* in one base; more are an error */
#define KERNEL_IMAGE_MAX ((uint64_t)256 << 20) /* bytes; the largest seen is 20 MB */

struct kernel_choice {
	char version[KERNEL_VERSION_MAX]; /* as uname -r, [A-Za-z0-9._+~-]; from the file name */
	char path[KERNEL_PATH_MAX];	  /* below the root */
};

/**
 * kernel_find() - the newest kernel in a base that has a module directory.
 *
 * Looks at /boot/vmlinuz-VERSION, /usr/lib/modules/VERSION/vmlinuz and
 * /lib/modules/VERSION/vmlinuz. One with 9p wins over a newer one without,
 * and one with modules over one that has none.
 * Return: 0; -ENOENT with an err that says how to get a kernel (install
 * linux-image-amd64 in the base, or -k).
 */
int kernel_find(int root_fd, struct kernel_choice *ret, struct err *e);

/* A kernel of a base, and what speaks for it. */
struct kernel_entry {
	struct kernel_choice choice;
	bool modules; /* it has a module directory */
	bool has_9p;  /* which has what mounts the root, or the kernel has it built in */
};

/**
 * kernel_list() - all kernels of a base that kernel_find() chooses from, the newest first.
 */
int kernel_list(int root_fd, struct kernel_entry ret[KERNELS_MAX], unsigned int *ret_n,
		struct err *e);

/**
 * kernel_version_cmp() - order of two version strings as a distribution sees it:
 * runs of digits by value, "~" and "-rc" before the release itself
 * (6.1.0-9 < 6.1.0-10 < 6.12~rc1 < 6.12). Return: <0, 0, >0.
 */
int kernel_version_cmp(const char *a, const char *b);

/** kernel_version_valid() - only characters a version has, no "." or "..". */
bool kernel_version_valid(const char *version);

/**
 * kernel_open_modules() - the directory with modules.dep for @version below
 * @root_fd: /lib/modules/VERSION, then /usr/lib/modules/VERSION.
 *
 * @ret_fd: O_PATH. Return: 0 or -ENOENT and what to do.
 */
int kernel_open_modules(int root_fd, const char *version, int *ret_fd, struct err *e);

#endif
