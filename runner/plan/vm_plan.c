/* SPDX-License-Identifier: MIT */
#include "runner/plan/vm_plan.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner/plan/parts.h"

/*
 * Emulated guests of a loaded machine were seen to take 40 s to start. Under KVM
 * it is one or two; where KVM cannot run a guest it shows nothing, ever, and
 * "auto" has TCG to fall back to.
 */
#define DEADLINE_TCG_MS 120000
#define DEADLINE_KVM_MS 30000
#define DEADLINE_KVM_TRIAL_MS 15000

/* Of a guest that need not boot: 48 of them woken at once by one core take 12 s. */
#define DEADLINE_RESTORE_MS 60000
#define DEADLINE_RESTORE_KVM_MS 15000

#define LABEL_MAX 63 /* of a host name */

enum net_mode plan_network(const struct vm_spec *spec)
{
	return spec->network == NET_NONE ? NET_NONE : NET_USER;
}

unsigned int plan_cpus(const struct vm_spec *spec, const struct host_facts *facts, enum accel accel)
{
	if (spec->cpus)
		return spec->cpus;
	return accel == ACCEL_KVM ? facts->cpus : 1;
}

enum plan_lock plan_lock(const struct vm_spec *spec)
{
	if (spec->shared)
		return LOCK_TOLERANT;
	return spec->root_mode == ROOT_RW ? LOCK_WRITER : LOCK_READERS;
}

/* "loose" assumes that nobody else writes: only the lock makes that so. */
static enum cache_policy root_cache(const struct vm_spec *spec)
{
	if (spec->cache != CACHE_AUTO)
		return spec->cache;
	return plan_lock(spec) == LOCK_READERS ? CACHE_LOOSE : CACHE_MMAP;
}

void plan_hostname(const struct plan_input *in, char *buf, size_t size)
{
	const char *base = strrchr(in->base_path, '/');
	const char *from = in->spec->name ? in->spec->name : base ? base + 1 : in->base_path;
	size_t n = 0;

	if (in->spec->hostname) {
		snprintf(buf, size, "%s", in->spec->hostname);
		return;
	}
	for (; *from && n < LABEL_MAX && n + 1 < size; from++) {
		if (isalnum((unsigned char)*from))
			buf[n++] = *from;
		else if (n > 0 && isalnum((unsigned char)buf[n - 1]))
			buf[n++] = *from == '.' ? '.' : '-';
	}
	while (n > 0 && !isalnum((unsigned char)buf[n - 1]))
		n--;
	buf[n] = '\0';
	if (n == 0)
		snprintf(buf, size, "vmrun");
}

static int check_host(const struct plan_input *in, struct err *e)
{
	if (in->spec->memory > in->facts->memory)
		return err_msg(e, EINVAL,
			       "--memory asks for %llu MiB and this host has %llu; ask for less",
			       (unsigned long long)in->spec->memory >> 20,
			       (unsigned long long)in->facts->memory >> 20);
	return 0;
}

static uint64_t start_deadline(const struct plan_input *in)
{
	if (in->start == START_RESTORE)
		return in->accel == ACCEL_TCG ? DEADLINE_RESTORE_MS : DEADLINE_RESTORE_KVM_MS;
	if (in->accel == ACCEL_TCG)
		return DEADLINE_TCG_MS;
	return in->spec->accel == ACCEL_AUTO ? DEADLINE_KVM_TRIAL_MS : DEADLINE_KVM_MS;
}

int vm_plan_make(const struct plan_input *in, struct vm_plan *ret, struct err *e)
{
	const struct vm_spec *spec = in->spec;
	struct vm_plan p = {
		.in = *in,
		.network = plan_network(spec),
		.root_cache = root_cache(spec),
		.volume_cache = spec->cache == CACHE_AUTO ? CACHE_MMAP : spec->cache,
		.lock = plan_lock(spec),
	};
	int r = check_host(in, e);

	if (r < 0)
		return r;
	p.cpus = plan_cpus(spec, in->facts, in->accel);
	p.start_deadline_ms = start_deadline(in);
	plan_hostname(in, p.hostname, sizeof(p.hostname));
	p.cmdline = plan_kcmdline(in);
	if (!p.cmdline)
		return err_oom(e);
	plan_qemu_argv(&p, &p.qemu_argv);
	if (p.qemu_argv.failed) {
		vm_plan_free(&p);
		return err_oom(e);
	}
	*ret = p;
	return 0;
}

void vm_plan_free(struct vm_plan *plan)
{
	free(plan->cmdline);
	strvec_free(&plan->qemu_argv);
	*plan = (struct vm_plan){ 0 };
}
