/* SPDX-License-Identifier: MIT */
/* The resource limits of what lives in a jail. They hold everywhere; a cgroup does not. */
#ifndef VMRUN_JAIL_LIMITS_H
#define VMRUN_JAIL_LIMITS_H

#include <stddef.h>
#include <sys/resource.h>

#include "runner/jail/jail.h"

#define LIMIT_KEEP ((rlim_t)-2) /* stays the caller's */
#define LIMIT_HARD ((rlim_t)-3) /* what may be had is raised to what may be asked for */

/* One limit, for each kind of jail that has limits: a number, LIMIT_KEEP or LIMIT_HARD. */
struct jail_limit {
	int resource;	  /* RLIMIT_* */
	const char *name; /* as in /proc/PID/limits, shortened: "open files" */
	rlim_t vmm;
	rlim_t network;
	rlim_t program; /* one of the host's, on a root directory */
	const char *why;
};

/** jail_limits() - all of them. */
const struct jail_limit *jail_limits(size_t *ret_n);

/**
 * jail_limit_value() - what @limit is for a jail of this kind, on this kernel: as in
 * the table, but LIMIT_KEEP where the kernel counts so that it would hit others.
 */
rlim_t jail_limit_value(const struct jail_limit *limit, enum jail_kind kind);

#endif
