/* SPDX-License-Identifier: MIT */
/*
 * Messages between vmrun and PID 1 of its jail, over a SOCK_SEQPACKET pair: one
 * packet a message, with at most one descriptor.
 *
 *	PID 1: IDENT     this would be booted; is there a template of it? With what the base's
 *	                 image says of how it is run, if it says anything
 *	vmrun: RESTORE   yes, this one | BOOT: no, read on
 *	PID 1: KERNEL    here is the kernel's digest; have you got it unpacked?
 *	vmrun: CACHED    yes, in the cache | MAKE: no; a file to unpack it to, if any
 *	PID 1: MADE      done (answered by CACHED) | UNMADE: not into that file
 *	PID 1: REPORT    what was found, and the initramfs; may I go on?
 *	vmrun: GO | RESTORE
 *	PID 1: RUNNING   QEMU was executed
 *	PID 1: ENDED     QEMU's wait status
 *	PID 1: ERROR     instead of any of its messages; it is gone then
 *
 * A jail that makes a template knows what it boots, and begins with RUNNING.
 *
 * IDENT is sent before anything of the base but names and lists was read (of a kernel
 * given by -k, its header), and the kernel's digest before the image is parsed: an
 * image that takes over its parser has still to be cached under its own name.
 */
#ifndef VMRUN_VM_CHANNEL_H
#define VMRUN_VM_CHANNEL_H

#include "runner/base/err.h"
#include "runner/plan/vm_plan.h"

enum channel_kind {
	CHANNEL_IDENT = 1,
	CHANNEL_RESTORE,
	CHANNEL_BOOT,
	CHANNEL_KERNEL,
	CHANNEL_CACHED,
	CHANNEL_MAKE,
	CHANNEL_MADE,
	CHANNEL_UNMADE,
	CHANNEL_REPORT,
	CHANNEL_GO,
	CHANNEL_RUNNING,
	CHANNEL_ENDED,
	CHANNEL_ERROR
};

struct channel_ident {
	struct base_report report; /* names only */
	uint8_t stamp[32];	   /* as in struct boot_source */
	uint64_t newest_ns;
	uint64_t jail_ns; /* when the jail was closed, CLOCK_MONOTONIC */
};

struct channel_restore {
	uint8_t key[32];   /* of the template */
	bool ram_readonly; /* as in struct plan_input */
};

struct channel_msg {
	enum channel_kind kind;
	union {
		struct channel_ident ident;
		struct channel_restore restore;
		struct base_report report; /* KERNEL (digest and names), REPORT */
		int status;		   /* ENDED */
		struct err err;		   /* ERROR */
	};
};

/** channel_send() - @fd: -1, or a descriptor to send along (not closed). */
int channel_send(int channel, const struct channel_msg *msg, int fd);

/**
 * channel_recv() - @ret_fd: NULL, or where a descriptor goes (-1 for none).
 *
 * Return: 0, -EPIPE when the peer is gone, -EPROTO for a packet of a wrong size
 * or kind, with more than one descriptor or with an ERROR that is none; other -errno.
 */
int channel_recv(int channel, struct channel_msg *ret, int *ret_fd);

#endif
