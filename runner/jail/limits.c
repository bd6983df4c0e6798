/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * What a program in QEMU's place may use up of the host, as far as that can be bounded
 * for one process without any privilege. Each limit is set for good: the soft and the
 * hard one. None is ever raised over the caller's own.
 *
 * What is not here, and why:
 *  - Memory: RLIMIT_AS would have to allow for the guest's memory, 1 GiB of translated
 *    code, and a stack and a malloc arena of 72 MiB for each of hundreds of threads:
 *    more than most hosts have. RLIMIT_DATA does not count shared memory. A cgroup
 *    (runner/host/cgroup.c) is what bounds memory.
 *  - RLIMIT_FSIZE for QEMU: the guest's files may be as large as the caller's.
 *  - RLIMIT_CPU: a guest may run for as long as it likes. RLIMIT_LOCKS: no kernel since
 *    2.4.25 looks at it.
 *  - The OOM killer's score is left as it is: it goes by memory held, QEMU holds all
 *    that its guest has, and work in a guest is worth no less than work outside. What
 *    QEMU has cannot be lowered from in there: its /proc is read-only.
 */
#include "runner/jail/limits.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include "runner/base/cleanup.h"
#include "runner/host/cgroup.h"
#include "runner/jail/stages.h"

static const struct jail_limit limits[] = {
	{ RLIMIT_CORE, "core file size", 1, 1, 1,
	  "a dump would put the guest's memory on the host's disk; one byte is too little for a "
	  "file, and the only limit that a core_pattern which is a program heeds" },
	{ RLIMIT_NOFILE, "open files", LIMIT_HARD, 4096, LIMIT_KEEP,
	  "QEMU holds one for each file that the guest has open; the network helper one for "
	  "each connection" },
	{ RLIMIT_NPROC, "processes", CGROUP_TASKS_MAX, 0, LIMIT_KEEP,
	  "threads of QEMU; the network helper starts none" },
	{ RLIMIT_MEMLOCK, "locked memory", 0, 0, LIMIT_KEEP, "nothing is locked: the host may swap" },
	{ RLIMIT_MSGQUEUE, "msgqueue size", 0, 0, LIMIT_KEEP, "none is used" },
	{ RLIMIT_SIGPENDING, "pending signals", 1024, 64, LIMIT_KEEP,
	  "one for each thread will do; they are memory of the host's kernel" },
	{ RLIMIT_NICE, "nice priority", 0, 0, LIMIT_KEEP, "no priority over the caller's own" },
	{ RLIMIT_RTPRIO, "realtime priority", 0, 0, LIMIT_KEEP, "the same" },
	{ RLIMIT_FSIZE, "file size", LIMIT_KEEP, 0, LIMIT_KEEP, "the network helper writes no file" },
};

const struct jail_limit *jail_limits(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(limits);
	return limits;
}

static bool kernel_is_at_least(unsigned long major, unsigned long minor)
{
	struct utsname u;
	unsigned long is;
	char *end;

	if (uname(&u) < 0)
		return false;
	is = strtoul(u.release, &end, 10);
	if (is != major)
		return is > major;
	return *end == '.' && strtoul(end + 1, NULL, 10) >= minor;
}

rlim_t jail_limit_value(const struct jail_limit *limit, enum jail_kind kind)
{
	rlim_t value = kind == JAIL_NETWORK ? limit->network :
		       kind == JAIL_PROGRAM ? limit->program :
					      limit->vmm;

	/*
	 * Since Linux 5.14 processes are counted by user namespace and id, and each jail
	 * has a namespace of its own. Before, they were counted by id alone: all guests
	 * of the caller's, or, in podman's layout, whatever the caller runs. Then only a
	 * limit of none at all says something about this jail.
	 */
	if (limit->resource == RLIMIT_NPROC && value != 0 && !kernel_is_at_least(5, 14))
		return LIMIT_KEEP;
	return value;
}

static int apply(const struct jail_limit *limit, rlim_t value, struct err *e)
{
	struct rlimit r;

	if (value == LIMIT_KEEP)
		return 0;
	if (getrlimit((__rlimit_resource_t)limit->resource, &r) < 0)
		return err_errno(e, errno, "cannot read the limit of %s", limit->name);
	if (value == LIMIT_HARD)
		r.rlim_cur = r.rlim_max;
	/* RLIM_INFINITY is the largest. */
	if (value < r.rlim_max && value != LIMIT_HARD)
		r.rlim_max = value;
	/* Of all limits that of cores must be exact: 0 stops no program (core(5)). */
	if (r.rlim_cur > r.rlim_max || limit->resource == RLIMIT_CORE)
		r.rlim_cur = r.rlim_max;
	if (setrlimit((__rlimit_resource_t)limit->resource, &r) < 0)
		return err_errno(e, errno, "cannot limit %s", limit->name);
	return 0;
}

int limits_apply(struct jail *jail, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(limits); i++)
		r = apply(&limits[i], jail_limit_value(&limits[i], jail->kind), e);
	return r;
}
