/* SPDX-License-Identifier: MIT */
/*
 * From a specification to a running QEMU. start.c opens with how it is decided
 * whether the guest boots or wakes up from a template.
 */
#ifndef VMRUN_VM_START_H
#define VMRUN_VM_START_H

#include "runner/vm/launch.h"

struct start_say {
	void (*warn)(const char *text);
	void (*note)(const char *text); /* what takes a while, for one who waits */
};

/**
 * vm_start() - start the guest; with in->dry_run, only decide how.
 *
 * Return: 0 with .plan made and, unless dry_run, QEMU running; -EINTR with .signal
 * set; -ETIME: --timeout passed; -EHOSTDOWN, -ETIMEDOUT: the guest that was to become a template died or gave
 * no sign of life, as this one would; other -errno. Whatever it returns,
 * vm_launch_free() @ret.
 */
int vm_start(const struct launch_input *in, const struct start_say *say, struct vm_launch *ret,
	     struct err *e);

/**
 * vm_start_template() - find or make the template that such a guest would wake up
 * from; run nothing.
 *
 * As vm_start(); -ENOTSUP with why if such a guest cannot have one.
 */
int vm_start_template(const struct launch_input *in, const struct start_say *say,
		      struct vm_launch *ret, bool *ret_made, struct err *e);

#endif
