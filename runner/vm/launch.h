/* SPDX-License-Identifier: MIT */
/*
 * The jail from vmrun's side: started, its questions answered, let run. In which
 * order, and what is decided on the way, is start.c's.
 */
#ifndef VMRUN_VM_LAUNCH_H
#define VMRUN_VM_LAUNCH_H

#include <stdbool.h>

#include "runner/base/err.h"
#include "runner/host/base_dir.h"
#include "runner/host/cgroup.h"
#include "runner/host/image_config.h"
#include "runner/net/net.h"
#include "runner/plan/vm_plan.h"
#include "runner/vm/channel.h"
#include "runner/vm/timing.h"

struct launch_input {
	const struct vm_spec *spec;
	const struct host_facts *facts;
	const struct base_dir *base;
	const struct idmap_choice *idmap;
	const struct disk_image *disks; /* of spec->disks, in their order */
	enum accel accel;
	int signal_fd; /* a signal here ends the start */
	bool dry_run;  /* nothing is run or changed: the base is not locked */
	bool unlocked; /* nor is it where only a template of it is wanted */
	bool use_templates;
	uint64_t deadline_ms; /* --timeout: CLOCK_MONOTONIC milliseconds; 0: none */
	struct timing timing; /* up to TIMING_HOST */
};

/* Where a jail looks for what it boots: by our own descriptors, not by its word. */
struct launch_origin {
	struct file_id base;	/* .dev and .ino only: the base is being lived in */
	struct file_id kernel;	/* -k */
	struct file_id modules; /* --modules, .dev and .ino only */
};

/* A jail, with QEMU in it once it was let run. */
struct vm_launch {
	int pidfd;   /* of the jail's PID 1: kill it and all is gone */
	struct cgroup cgroup; /* of the jail; .fd is -1 where none is delegated */
	int channel; /* to PID 1: ENDED comes here, or its end */
	int agent;   /* stream sockets */
	int console;
	int qmp;		    /* -1 unless templates are used */
	struct net net;		    /* the guest's network, if it has one */
	int stderr_fd;		    /* what QEMU says */
	int kernels;		    /* the cache of unpacked kernels, O_PATH; -1: there is none */
	int templates;		    /* the cache of templates; -1: none are used */
	bool unpacker;		    /* this jail can unpack a kernel */
	int template_fd;	    /* of the one that it wakes up from: holds its lock */
	struct channel_ident ident; /* what the jail would boot */
	struct launch_origin origin;
	const struct vm_spec *spec;   /* what was asked, or .completed, once the jail told */
	struct image_config image;    /* how the base's image is run */
	struct vm_spec completed;     /* what was asked, and what .image adds to it */
	struct base_report report;
	struct vm_plan plan;	  /* refers to .report: the struct must not be copied */
	uint8_t key[32];	  /* of the template that it wakes up from, if it does */
	int signal;		  /* the signal that ended the start, else 0 */
	struct strbuf last_words; /* on the console, of a guest that was to become a template */
	struct timing timing;
};

#define VM_LAUNCH_INIT                                                             \
	{                                                                          \
		.pidfd = -1, .channel = -1, .agent = -1, .console = -1, .qmp = -1, \
		.net = NET_INIT, .stderr_fd = -1, .kernels = -1, .templates = -1,  \
		.template_fd = -1, .cgroup = CGROUP_INIT                           \
	}

/* What a template is made from: not the base, which a template is not of. */
struct launch_making {
	uint8_t kernel_digest[32]; /* in the cache of unpacked kernels */
	int initrd_fd;
	int ram_fd; /* gets the guest's memory; of the size that it has */
};

/**
 * launch_time_left() - whether --timeout leaves any.
 * @ret_ms: until then, for poll(2); -1: for ever. May be NULL.
 *
 * Return: 0, or -ETIME with what to tell the user.
 */
int launch_time_left(const struct launch_input *in, int *ret_ms, struct err *e);

/**
 * vm_launch_begin() - start a jail that finds out what it would boot.
 * @unpacker: one in which vm_launch_boot() can be done. Loading what that takes costs
 *	as much as the rest of the jail, and most runs do not need it.
 *
 * Return: 0 with .ident; -EINTR with .signal set; -errno. Whatever it returns,
 * vm_launch_free() @ret.
 */
int vm_launch_begin(const struct launch_input *in, bool unpacker, struct vm_launch *ret,
		    struct err *e);

/**
 * vm_launch_boot() - after begin with an unpacker: have kernel and initramfs made ready, and what is
 * in .report.
 * @ret_initrd_fd: the initramfs; owned.
 */
int vm_launch_boot(const struct launch_input *in, struct vm_launch *launch, int *ret_initrd_fd,
		   struct err *e);

/** vm_launch_plan() - make the plan from .report; again replaces the one before. */
int vm_launch_plan(const struct launch_input *in, struct vm_launch *launch, enum plan_start start,
		   bool ram_readonly, struct err *e);

/** vm_launch_go() - after plan: let QEMU run, booting, or restoring .key. */
int vm_launch_go(const struct launch_input *in, struct vm_launch *launch, struct err *e);

/**
 * vm_launch_maker() - start a jail without base and network in which a guest boots
 * to be saved; QEMU runs in it when this returns. As vm_launch_begin() otherwise.
 */
int vm_launch_maker(const struct launch_input *in, const struct launch_making *making,
		    struct vm_launch *ret, struct err *e);

/** vm_launch_kill() - kill what is left of the jail and the network, and wait for their end. */
void vm_launch_kill(struct vm_launch *launch);

/** vm_launch_free() - kill what is left of the jail, wait for its end, close all. */
void vm_launch_free(struct vm_launch *launch);

#endif
