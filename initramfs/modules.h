/* SPDX-License-Identifier: MIT */
/*
 * Which modules the guest loads, in which order: the closure of what vmrun-init
 * needs over modules.dep, less what modules.builtin says is in the kernel.
 */
#ifndef VMRUN_INITRAMFS_MODULES_H
#define VMRUN_INITRAMFS_MODULES_H

#include <stdbool.h>
#include <stddef.h>

#include "runner/base/err.h"
#include "runner/base/strbuf.h"

#define MODULES_DEP_MAX ((size_t)16 << 20)     /* bytes of modules.dep */
#define MODULE_FILE_MAX ((uint64_t)16 << 20)   /* bytes of one .ko, unpacked */
#define MODULES_CLOSURE_MAX 128		       /* modules in an initramfs */

struct module_want {
	const char *name; /* as lsmod shows it, "-" and "_" alike */
	bool required;	  /* else left out quietly where the kernel lacks it */
	const char *why;  /* for the error: "the root file system (CONFIG_NET_9P_VIRTIO)" */
};

/* What vmrun-init needs; ends with a NULL name. And of a guest that has disks. */
extern const struct module_want modules_wanted[];
extern const struct module_want modules_wanted_with_disks[];

/**
 * modules_closure() - load order for @want.
 * @dep, @dep_len: content of modules.dep; @builtin, @builtin_len: of
 *	modules.builtin. Both hostile.
 * @ret: paths relative to the module directory, dependencies first, each once.
 *
 * A required module that is neither in a file nor built in: -ENOENT, and the
 * error says what the kernel lacks (9p: the cloud flavour of Debian's kernel and
 * RHEL's have none; name the kernel that has). Cycles, absolute paths, "..":
 * -EINVAL. Pure.
 */
int modules_closure(const char *dep, size_t dep_len, const char *builtin, size_t builtin_len,
		    const struct module_want *want, struct strvec *ret, struct err *e);

#endif
