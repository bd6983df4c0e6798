/* SPDX-License-Identifier: MIT */
/*
 * The system calls that a process in a jail may make. filter_table.c is the
 * documentation: each group says why it is needed. The programs are compiled from it
 * by libseccomp when vmrun is built, so that loading one is a single system call.
 */
#ifndef VMRUN_JAIL_FILTER_H
#define VMRUN_JAIL_FILTER_H

#include <stddef.h>

#include "runner/base/err.h"
#include "runner/base/strbuf.h"
#include "runner/spec/vm_spec.h"

enum filter {
	FILTER_FIRST,	/* PID 1 of the jail while it reads the base, and all its children */
	FILTER_REAPER,	/* the same once QEMU runs: waits, and tells vmrun */
	FILTER_QEMU,	/* QEMU */
	FILTER_NETWORK, /* the network helper */
	FILTER_END
};

/**
 * filter_load() - put a filter on the calling thread and all that it starts.
 * @mode: SECCOMP_LOG allows and logs what is not in the table; what kills, kills still.
 *
 * no_new_privs must be set. A filter that cannot be loaded is an error.
 */
int filter_load(enum filter which, enum seccomp_mode mode, struct err *e);

/** filter_name() - as shown to people: "qemu". */
const char *filter_name(enum filter which);

/**
 * filter_explain() - the table, with counts and reasons, as text of at most 80 columns.
 *
 * A group that an earlier filter has, too, is named only: whoever shows all filters
 * shows them in the order of the enum.
 */
void filter_explain(enum filter which, struct strbuf *out);

/** filter_count() - system calls that @which allows, allows by argument, kills for. */
struct filter_counts {
	unsigned int allowed;
	unsigned int by_argument;
	unsigned int killed;
};
struct filter_counts filter_count(enum filter which);

#endif
