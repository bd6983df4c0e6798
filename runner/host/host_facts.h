/* SPDX-License-Identifier: MIT */
/*
 * What exists on the host, found by reading only, before anything is decided.
 */
#ifndef VMRUN_HOST_HOST_FACTS_H
#define VMRUN_HOST_HOST_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "runner/base/err.h"
#include "runner/base/fs.h"
#include "runner/host/subid.h"

enum kvm_state {
	KVM_ABSENT, /* no /dev/kvm */
	KVM_DENIED, /* there, but not for this user */
	KVM_BROKEN, /* KVM_CREATE_VM fails, or an earlier guest did not live: kvm_verdict */
	KVM_USABLE, /* worth a try; a guest with no sign of life still leads to TCG */
};

struct host_facts {
	uint32_t uid;
	uint32_t gid;
	struct subids subuids;
	struct subids subgids;
	unsigned int cpus; /* that this process may run on */
	uint64_t memory;   /* bytes of physical memory */
	char qemu[256];	   /* absolute path */
	struct file_id qemu_id;
	uint8_t cpu_id[32]; /* of what a guest under KVM gets to see: CPU, host's kernel */
	enum kvm_state kvm;
	bool kvm_by_group;   /* reached through a supplementary group */
	char cache_dir[256]; /* of host_cache_dir() */
};

/**
 * host_facts_collect() - QEMU is $VMRUN_QEMU or qemu-system-x86_64 from $PATH and the usual places.
 */
int host_facts_collect(struct host_facts *ret, struct err *e);

/**
 * host_cpu_id() - a hash that is the same as long as a guest with this host's CPU
 * ("-cpu host") finds the same one.
 */
void host_cpu_id(uint8_t ret[32]);

/** host_cache_dir() - $XDG_CACHE_HOME/vmrun or ~/.cache/vmrun; "" if there is no home. */
void host_cache_dir(uint32_t uid, char *ret, size_t size);

/** kvm_probe() - the state of /dev/kvm, remembered verdicts included. */
enum kvm_state kvm_probe(const char *cache_dir, const char *qemu, bool *ret_by_group);

/**
 * kvm_remember_broken() - note that a guest under KVM did not live, for this boot
 * of the host and this QEMU. Best effort.
 */
void kvm_remember_broken(const char *cache_dir, const char *qemu);

#endif
