/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "runner/plan/parts.h"
#include "runner/proto/proto.h"

/* Without what no guest here has a use for, and what a hostile one might have. */
#define MACHINE "q35,usb=off,sata=off,smbus=off,vmport=off,i8042=off"

static void add(struct strvec *v, const char *option, const char *value)
{
	strvec_add(v, option);
	strvec_add(v, value);
}

/*
 * QEMU has no network of its own: its namespace is empty. The card is always there (one
 * machine shape), wired to runner/net, or to a hub that has no other port.
 */
static void add_netdev(const struct vm_plan *plan, struct strvec *v)
{
	if (plan->network == NET_NONE || plan->in.start == START_MAKE) {
		add(v, "-netdev", "hubport,id=net0,hubid=0");
		return;
	}
	strvec_add(v, "-netdev");
	strvec_addf(v, "stream,id=net0,server=off,addr.type=fd,addr.str=%d", VM_FD_NET);
}

static void add_export(struct strvec *v, const char *tag, const char *dir)
{
	strvec_add(v, "-fsdev");
	strvec_addf(v, "local,id=%s,path=%s,security_model=passthrough,multidevs=remap", tag, dir);
	strvec_add(v, "-device");
	strvec_addf(v, "virtio-9p-pci,fsdev=%s,mount_tag=%s", tag, tag);
}

/*
 * A template's memory is a file: shared while it is made, private (copy on write)
 * while it is used. An older QEMU opens it for writing all the same, which a
 * read-only mount forbids: runner/preload makes it ask for less.
 */
static void add_memory(const struct vm_plan *plan, struct strvec *v)
{
	static const char *const uses[] = {
		[START_MAKE] = "share=on",
		[START_RESTORE] = "share=off",
	};
	uint64_t mib = plan->in.spec->memory >> 20;

	strvec_add(v, "-m");
	strvec_addf(v, "size=%" PRIu64 "M", mib);
	if (plan->in.start == START_BOOT)
		return;
	strvec_add(v, "-object");
	strvec_addf(v,
		    "memory-backend-file,id=ram,size=%" PRIu64 "M,mem-path=/proc/self/fd/%d,%s%s",
		    mib, VM_FD_RAM, uses[plan->in.start],
		    plan->in.ram_readonly ? ",readonly=on,rom=off" : "");
}

static void add_kernel(const struct vm_plan *plan, struct strvec *v)
{
	if (plan->in.start == START_RESTORE) {
		/* The kernel is in memory already. */
		add(v, "-incoming", "defer");
		return;
	}
	strvec_add(v, "-kernel");
	strvec_addf(v, "/proc/self/fd/%d", VM_FD_KERNEL);
	strvec_add(v, "-initrd");
	strvec_addf(v, "/proc/self/fd/%d", VM_FD_INITRD);
	add(v, "-append", plan->cmdline);
}

static void add_monitor(const struct vm_plan *plan, struct strvec *v)
{
	if (plan->in.start == START_BOOT)
		return;
	strvec_add(v, "-chardev");
	strvec_addf(v, "socket,id=qmp,fd=%d", VM_FD_QMP);
	add(v, "-mon", "chardev=qmp,mode=control");
}

/*
 * A disk is the file of the jail that has its number. In JSON, as "no backing file" can
 * be said in no other way: QEMU opens no file that an image names, and guesses no format
 * from what a guest may have written. It is locked by us (runner/vm/disk_lock.c), since
 * QEMU's filter of system calls allows no locks.
 */
static void add_disk(struct strvec *v, unsigned int i, bool read_only, enum disk_format format)
{
	const char *ro = read_only ? "true" : "false";

	strvec_add(v, "-blockdev");
	strvec_addf(v,
		    "{\"driver\":\"file\",\"node-name\":\"file%u\",\"filename\":\"" JAIL_DISKS_DIR
		    "/%u\",\"read-only\":%s,\"auto-read-only\":false,\"locking\":\"off\","
		    "\"aio\":\"threads\",\"discard\":\"unmap\"}",
		    i, i, ro);
	strvec_add(v, "-blockdev");
	if (format == DISK_QCOW2)
		strvec_addf(v,
			    "{\"driver\":\"qcow2\",\"node-name\":\"disk%u\",\"file\":\"file%u\","
			    "\"backing\":null,\"read-only\":%s,\"discard\":\"unmap\"}",
			    i, i, ro);
	else
		strvec_addf(v,
			    "{\"driver\":\"raw\",\"node-name\":\"disk%u\",\"file\":\"file%u\","
			    "\"read-only\":%s,\"discard\":\"unmap\"}",
			    i, i, ro);
	strvec_add(v, "-device");
	strvec_addf(v, "virtio-blk-pci,drive=disk%u", i);
}

void plan_qemu_argv(const struct vm_plan *plan, struct strvec *ret)
{
	const struct vm_spec *spec = plan->in.spec;

	strvec_add(ret, plan->in.facts->qemu);
	strvec_add(ret, "-nodefaults");
	strvec_add(ret, "-no-user-config");
	strvec_add(ret, "-no-reboot");
	add(ret, "-display", "none");
	add(ret, "-sandbox",
	    "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
	if (spec->name && plan->in.start != START_MAKE) {
		strvec_add(ret, "-name");
		strvec_addf(ret, "guest=%s", spec->name);
	}
	add(ret, "-machine",
	    plan->in.start == START_BOOT ? MACHINE : MACHINE ",memory-backend=ram");
	add(ret, "-accel", plan->in.accel == ACCEL_KVM ? "kvm" : "tcg");
	/* A fifth level of page tables, which is for more than 64 TiB, is one more to walk. */
	add(ret, "-cpu", plan->in.accel == ACCEL_KVM ? "host" : "max,la57=off");
	add_memory(plan, ret);
	strvec_add(ret, "-smp");
	strvec_addf(ret, "%u", plan->cpus);

	add_kernel(plan, ret);
	add_monitor(plan, ret);

	strvec_add(ret, "-chardev");
	strvec_addf(ret, "socket,id=console,fd=%d", VM_FD_CONSOLE);
	add(ret, "-device", "isa-serial,chardev=console");
	strvec_add(ret, "-chardev");
	strvec_addf(ret, "socket,id=agent,fd=%d", VM_FD_AGENT);
	add(ret, "-device", "virtio-serial-pci,id=serial,max_ports=2");
	add(ret, "-device", "virtserialport,bus=serial.0,nr=1,chardev=agent,name=" PROTO_PORT_NAME);
	add(ret, "-object", "rng-builtin,id=rng");
	add(ret, "-device", "virtio-rng-pci,rng=rng");
	add(ret, "-device", "vmgenid,guid=auto");
	add_export(ret, PROTO_TAG_ROOT, JAIL_ROOT_DIR);
	add_export(ret, PROTO_TAG_VOLUMES, JAIL_VOLUMES_DIR);
	add_netdev(plan, ret);
	/*
	 * No option ROM: nothing boots from this network. No announcement after a
	 * restore: there is no switch to tell, and it keeps the guest busy.
	 */
	strvec_add(ret, "-device");
	strvec_addf(ret, "virtio-net-pci,netdev=net0,romfile=,guest_announce=off,host_mtu=%d",
		    VM_NET_MTU);
	/* What all templates are of has no disks. */
	for (unsigned int i = 0; plan->in.start == START_BOOT && i < spec->n_disks; i++)
		add_disk(ret, i, spec->disks[i].read_only, plan->in.disks[i].format);
}
