/* SPDX-License-Identifier: MIT */
/*
 * The tables behind filter.h: what each filter allows, refuses and kills for. Data
 * only, and free of libseccomp: the compiler of the filters (filter_compile.c, a
 * program of the build) reads it, and so does what explains them to people.
 */
#ifndef VMRUN_JAIL_FILTER_TABLE_H
#define VMRUN_JAIL_FILTER_TABLE_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runner/jail/filter.h"

#define FILTER_CONDITIONS_MAX 3
#define FILTER_MODES 2 /* of enum seccomp_mode */

enum filter_verdict {
	FILTER_ALLOW,
	FILTER_REFUSE, /* ENOSYS: the call does not exist, and its caller does without */
	FILTER_KILL,   /* the process, at once */
	FILTER_LOG,    /* allowed, and written to the kernel's log: only ever a default */
};

/* Calls that share a reason. */
struct filter_group {
	const char *name;
	unsigned int filters; /* 1u << enum filter, or-ed */
	enum filter_verdict verdict;
	const char *reason;
	const char *calls; /* names, one space between two; may be empty if .checks has some */
};

/* (argument & mask) == value */
struct filter_condition {
	unsigned int arg; /* 0 to 5 */
	uint64_t mask;
	uint64_t value;
};

/*
 * A call that is judged by its arguments: this row's verdict counts if all its
 * conditions hold. Rows of one call are alternatives; if none fits, the filter's
 * default counts. No two rows of one call may fit the same arguments.
 */
struct filter_check {
	const char *group; /* that it belongs to, and whose .filters are its own */
	enum filter_verdict verdict;
	const char *call;
	const char *what; /* shown to people: "thread" */
	unsigned int n_conditions;
	struct filter_condition conditions[FILTER_CONDITIONS_MAX];
};

struct filter_kind {
	const char *name;
	const char *who;
	enum filter_verdict otherwise; /* for what no group names */
};

/* A compiled filter. */
struct filter_program {
	const struct sock_filter *code;
	unsigned short len;
};

extern const struct filter_kind filter_kinds[FILTER_END];
extern const struct filter_group filter_groups[];
extern const size_t filter_n_groups;
extern const struct filter_check filter_checks[];
extern const size_t filter_n_checks;

/* Made by filter_compile.c. */
extern const struct filter_program filter_programs[FILTER_END][FILTER_MODES];

/** filter_otherwise() - the default of a filter in a mode. */
enum filter_verdict filter_otherwise(enum filter which, enum seccomp_mode mode);

/** filter_next_call() - step through a group's names. @at: where it is; at the start .calls.
 *
 * Return: whether there was one more: @ret, @ret_len, not terminated.
 */
bool filter_next_call(const char **at, const char **ret, size_t *ret_len);

/** filter_check_applies() - whether a row belongs to a filter. */
bool filter_check_applies(const struct filter_check *check, enum filter which);

#endif
