/* SPDX-License-Identifier: MIT */
/* The parts that vm_plan.c puts together; not for use outside plan/. */
#ifndef VMRUN_PLAN_PARTS_H
#define VMRUN_PLAN_PARTS_H

#include "runner/plan/vm_plan.h"

/** plan_kcmdline() - the kernel's command line. Return: NULL out of memory; free() it. */
char *plan_kcmdline(const struct plan_input *in);

/**
 * plan_hostname() - --hostname, else --name, else the base's last path
 * component with everything a host name cannot hold turned into "-".
 */
void plan_hostname(const struct plan_input *in, char *buf, size_t size);

/**
 * plan_qemu_argv() - QEMU's whole command line. The only place that knows its
 * option syntax: nothing that came from a person or a base is ever part of an
 * option that QEMU splits at commas, but checked numbers and names.
 */
void plan_qemu_argv(const struct vm_plan *plan, struct strvec *ret);

#endif
