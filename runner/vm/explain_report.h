/* SPDX-License-Identifier: MIT */
/* One process of a jail, held against the plan. explain_running.c says which, and why. */
#ifndef VMRUN_VM_EXPLAIN_REPORT_H
#define VMRUN_VM_EXPLAIN_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "runner/base/strbuf.h"
#include "runner/jail/filter.h"
#include "runner/jail/jail.h"
#include "runner/vm/explain_proc.h"

/* What is being said of one process. */
struct report {
	struct strbuf body;
	struct strbuf wrong; /* again, what is not as planned */
	const char *whose;   /* the heading in both */
	bool whose_said;     /* in .wrong */
	unsigned int n_planned;
	unsigned int n_wrong;
	unsigned int n_unreadable;
};

/* One of the processes of a jail, as the plan has it. */
struct role {
	const char *title;
	enum jail_kind kind;
	bool first;   /* PID 1 of its namespace, and undumpable */
	bool limited; /* jail_limits() hold for it */
	uint64_t caps;
	enum filter filters[2];
	unsigned int n_filters;
	bool own_filter; /* one more, of QEMU's own making (-sandbox) */
};

/**
 * report_process() - append what the kernel says of a process.
 * @proc: /proc, for the caller's own namespaces.
 * @dir: of the process.
 * @st: its status, as it was read before.
 */
void report_process(struct report *r, int proc, int dir, pid_t pid, const struct role *role,
		    const struct proc_status *st);

#endif
