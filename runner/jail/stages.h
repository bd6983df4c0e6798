/* SPDX-License-Identifier: MIT */
/* The steps that jail.c puts in order; not for use outside jail/. */
#ifndef VMRUN_JAIL_STAGES_H
#define VMRUN_JAIL_STAGES_H

#include "runner/jail/jail.h"

/* mounts.c */
int mounts_private(struct jail *jail, struct err *e);
int mounts_attach_binds(struct jail *jail, struct err *e);
int mounts_new_root(struct jail *jail, struct err *e);
int mounts_programs(struct jail *jail, struct err *e);
int mounts_devices(struct jail *jail, struct err *e);
int mounts_proc(struct jail *jail, struct err *e);
int mounts_resolver(struct jail *jail, struct err *e);
int mounts_place_binds(struct jail *jail, struct err *e);
int mounts_pivot(struct jail *jail, struct err *e);
int mounts_seal_root(struct jail *jail, struct err *e);

/* mounts_program.c */
int mounts_host(struct jail *jail, struct err *e);
int mounts_scratch(struct jail *jail, struct err *e);
int mounts_program_devices(struct jail *jail, struct err *e);
int mounts_program_proc(struct jail *jail, struct err *e);
int mounts_proc_again(struct jail *jail, struct err *e);
int mounts_host_resolver(struct jail *jail, struct err *e);

/**
 * mounts_clone() - a detached copy of the mount that @fd lies on, from @fd down, as
 * @bind is to be: nosuid, nodev, noexec unless it holds programs.
 * Return: its descriptor or -errno.
 */
int mounts_clone(int fd, const struct jail_bind *bind);

/* caps.c */

/**
 * caps_confine() - what PID 1 keeps once the jail is closed: what QEMU is to have, so
 * that it can read the base, and SETPCAP, to give even that up later.
 */
int caps_confine(struct jail *jail, struct err *e);

/**
 * caps_keep_for_9p() - keep CHOWN, DAC_OVERRIDE, FOWNER and FSETID in every set
 * and across exec, and lose all others for good.
 */
int caps_keep_for_9p(struct jail *jail, struct err *e);

/**
 * caps_keep_for_tool() - keep what caps_keep_for_9p() does, and SETFCAP: a tree is copied
 * with its files' capabilities. No other, for good.
 */
int caps_keep_for_tool(struct jail *jail, struct err *e);

/** caps_drop_all() - no capability in any set, none to be had again. */
int caps_drop_all(struct jail *jail, struct err *e);

int caps_no_new_privs(struct jail *jail, struct err *e);

/* limits.c */
int limits_apply(struct jail *jail, struct err *e);

#endif
