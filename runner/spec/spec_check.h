/* SPDX-License-Identifier: MIT */
#ifndef VMRUN_SPEC_SPEC_CHECK_H
#define VMRUN_SPEC_SPEC_CHECK_H

#include "runner/base/err.h"
#include "runner/spec/vm_spec.h"

/**
 * spec_check() - what no single value shows: two volumes on one place or one
 * hidden by a later one, ports without a network, two forwards from one port, a
 * size below what a kernel boots with. Pure: nothing is looked up. Return: 0 or
 * -EINVAL.
 */
int spec_check(const struct vm_spec *spec, struct err *e);

#endif
