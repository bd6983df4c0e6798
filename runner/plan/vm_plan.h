/* SPDX-License-Identifier: MIT */
/*
 * What will be done: complete, constant once made, printable (--dry-run prints
 * it). Made from what was asked (vm_spec) and what exists (host_facts, and
 * base_report from inside the base). Pure: vm_plan_make() touches nothing.
 */
#ifndef VMRUN_PLAN_VM_PLAN_H
#define VMRUN_PLAN_VM_PLAN_H

#include "runner/base/err.h"
#include "runner/base/strbuf.h"
#include "runner/host/disk_image.h"
#include "runner/host/host_facts.h"
#include "runner/plan/idmap.h"
#include "runner/spec/vm_spec.h"

/*
 * Descriptors that QEMU inherits, at fixed numbers, so that its command line
 * does not depend on the run.
 */
enum vm_fd {
	VM_FD_AGENT = 3,   /* stream socket: the agent's port */
	VM_FD_CONSOLE = 4, /* stream socket: the guest's serial console */
	VM_FD_KERNEL = 5,  /* read-only: vmlinux or bzImage */
	VM_FD_INITRD = 6,  /* read-only: initramfs */
	VM_FD_QMP = 7,	   /* stream socket: QEMU's monitor; only with a template */
	VM_FD_RAM = 8,	   /* the guest's memory: a template's, or what becomes one's */
	VM_FD_STATE = 9,   /* read-only: a template's device state, at its first byte */
	VM_FD_NET = 10,	   /* stream socket: Ethernet frames, to and from runner/net */
	VM_FD_END = 11
};

/* How the guest comes to life. */
enum plan_start {
	START_BOOT,    /* it boots */
	START_MAKE,    /* it boots to be saved as a template; its base is an empty directory */
	START_RESTORE, /* it wakes up from a template */
};

/*
 * The largest packet on the guest's network card. Large, as no cable has to carry it:
 * TCP pays by the packet, and no datagram need ever be fragmented.
 */
#define VM_NET_MTU 65520

/* Paths inside the jail. */
#define JAIL_ROOT_DIR "/vm/root"
#define JAIL_VOLUMES_DIR "/vm/volumes"
#define JAIL_DISKS_DIR "/vm/disks" /* files, named by number */

enum plan_lock { LOCK_READERS, LOCK_WRITER, LOCK_TOLERANT };

/* What was found inside the base, from within its user namespace. */
struct base_report {
	char kernel_version[128];
	char kernel_path[512];	   /* for people: below the base, or the host path of -k */
	uint8_t kernel_digest[32]; /* SHA-256 of the image as found */
	bool pvh;		   /* boots as an ELF vmlinux by PVH, else as bzImage */
	uint64_t initramfs_size;   /* bytes; 0: not built, as a template was found */
};

struct plan_input {
	const struct vm_spec *spec;
	const struct host_facts *facts;
	const char *base_path; /* absolute */
	const struct idmap_choice *idmap;
	const struct base_report *report;
	const struct disk_image *disks; /* of spec->disks, in their order */
	enum accel accel; /* KVM or TCG, never AUTO: one attempt is one plan */
	enum plan_start start;
	bool ram_readonly; /* RESTORE: this QEMU can map its memory from a read-only file */
};

struct vm_plan {
	struct plan_input in;  /* borrowed: outlives the plan */
	enum net_mode network; /* NONE or USER */
	enum cache_policy root_cache;
	enum cache_policy volume_cache;
	enum plan_lock lock;
	unsigned int cpus;
	char hostname[65];
	char *cmdline;		    /* of the kernel */
	struct strvec qemu_argv;    /* argv[0] is the path of QEMU */
	uint64_t start_deadline_ms; /* from the start to the agent's READY (MAKE: HELLO) */
};

/** vm_plan_make() - decide everything. Return: 0 or -errno. */
int vm_plan_make(const struct plan_input *in, struct vm_plan *ret, struct err *e);
void vm_plan_free(struct vm_plan *plan);

/** vm_plan_print() - the text of --dry-run. */
void vm_plan_print(const struct vm_plan *plan, struct strbuf *out);

/**
 * plan_template_key() - what a template is known by: a hash over everything that
 * shapes a guest until its HELLO.
 * @making: a plan with START_MAKE: its QEMU command line is all that is said of the
 *	machine, so no option can be forgotten.
 * @what, @len: what is booted: digests of kernel and initramfs.
 *
 * Also in it: the QEMU binary's identity, and, where the guest has the host's CPU,
 * that CPU and the host's kernel. Not in it: the base, volumes, ports, the command; nor
 * disks, as a guest that has any boots.
 */
void plan_template_key(const struct vm_plan *making, const void *what, size_t len, uint8_t ret[32]);

/** plan_network() - what "auto" means: also needed before the plan is made. */
enum net_mode plan_network(const struct vm_spec *spec);

/** plan_cpus() - of the guest: needed before the plan is made. */
unsigned int plan_cpus(const struct vm_spec *spec, const struct host_facts *facts,
		       enum accel accel);

/** plan_lock() - how a run locks the base: needed before the plan is made. */
enum plan_lock plan_lock(const struct vm_spec *spec);

#endif
