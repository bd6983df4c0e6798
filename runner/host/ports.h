/* SPDX-License-Identifier: MIT */
#ifndef VMRUN_HOST_PORTS_H
#define VMRUN_HOST_PORTS_H

#include "runner/base/err.h"
#include "runner/spec/vm_spec.h"

/**
 * ports_check() - whether each forward's host port can be bound now.
 *
 * QEMU binds them again a moment later; this is for an error that says which
 * port and why. Return: 0 or -errno.
 */
int ports_check(const struct port_forward *ports, unsigned int n, struct err *e);

#endif
