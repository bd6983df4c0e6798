/* SPDX-License-Identifier: MIT */
#ifndef VMRUN_HOST_PORTS_H
#define VMRUN_HOST_PORTS_H

#include "runner/base/err.h"
#include "runner/spec/vm_spec.h"

/**
 * ports_check() - whether each forward's host port can be bound now.
 *
 * They are bound again a moment later; this is to say which port cannot be had, and
 * why, before anything starts. Return: 0 or -errno.
 */
int ports_check(const struct port_forward *ports, unsigned int n, struct err *e);

/** ports_explain() - why the host's port of @p could not be bound. Return: -@errnum. */
int ports_explain(const struct port_forward *p, int errnum, struct err *e);

#endif
