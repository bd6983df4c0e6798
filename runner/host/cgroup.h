/* SPDX-License-Identifier: MIT */
/*
 * A control group (cgroup v2) of a guest's own, where one may be made. cgroup_place.c
 * opens with where that is, cgroup.c with what it holds and how it comes and goes.
 */
#ifndef VMRUN_HOST_CGROUP_H
#define VMRUN_HOST_CGROUP_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "runner/base/err.h"
#include "runner/base/strbuf.h"

/*
 * Threads of QEMU and the jail's first process: a vCPU each, of which there are 256 at
 * most, 64 workers of its 9p server, a handful of others.
 */
#define CGROUP_TASKS_MAX 512u

enum cgroup_controller {
	CGROUP_MEMORY = 1 << 0,
	CGROUP_PIDS = 1 << 1,
	CGROUP_CPU = 1 << 2,
};

/* Where groups can be made. */
struct cgroup_place {
	int fd;			  /* of the directory; owned */
	char path[PATH_MAX];	  /* on the host */
	unsigned int controllers; /* enum cgroup_controller, or-ed: those that a child has */
};

/**
 * cgroup_place_find() - the nearest group from the caller's own upwards in which a
 * child can be made, a process be put into it, and its memory, or else anything, limited.
 * @self, @mountinfo: /proc/self/cgroup and /proc/self/mountinfo.
 *
 * Enables controllers there that are not, if nothing else is touched by it. Return: 0;
 * -errno and why there is none.
 */
int cgroup_place_find(const char *self, const char *mountinfo, struct cgroup_place *ret,
		      struct err *e);

struct cgroup_limits {
	uint64_t guest_memory; /* bytes */
	unsigned int cpus;     /* of the guest */
	bool emulated;	       /* no KVM: QEMU holds translated code */
};

/* All zero but for the descriptors: there is none. */
struct cgroup {
	struct cgroup_place place;
	int fd; /* of its directory, for CLONE_INTO_CGROUP; -1: there is none; holds its lock */
	char name[48];
	uint64_t memory; /* bytes, of QEMU and all in its jail; 0: no limit here */
	uint64_t swap;	 /* bytes; only with .memory; 0: no limit here */
	unsigned int tasks;
	unsigned int cpu_percent; /* 100 is one CPU */
};

#define CGROUP_INIT                      \
	{                                \
		.place.fd = -1, .fd = -1 \
	}

/**
 * cgroup_make() - a new group with limits, for one jail.
 *
 * Also removes those that vmruns left behind that were killed. Return: 0 and @ret, to
 * be given to cgroup_remove() in the end; -errno and why there is none: no run should
 * fail for that.
 */
int cgroup_make(const struct cgroup_limits *limits, struct cgroup *ret, struct err *e);

/** cgroup_make_in() - the same at a place that was found; takes @place over. */
int cgroup_make_in(struct cgroup_place *place, const struct cgroup_limits *limits,
		   struct cgroup *ret, struct err *e);

/**
 * cgroup_remove() - remove it, once all in it were killed; waits a second at most for
 * the kernel to be done with them. What then still lives keeps it; the next run removes it.
 */
void cgroup_remove(struct cgroup *cg);

/**
 * cgroup_verdict() - whether the host's kernel killed what was in it for want of memory.
 * @buf: then gets one line, which says whose limit it was.
 */
bool cgroup_verdict(const struct cgroup *cg, char *buf, size_t size);

/**
 * cgroup_describe() - what a run would be limited to, or why to nothing: one line
 * without a newline. Makes such a group and removes it again, so that it is no guess.
 */
void cgroup_describe(const struct cgroup_limits *limits, struct strbuf *out);

#endif
