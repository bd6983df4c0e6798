/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A root directory that was used is made one to be copied: what belongs to one system or
 * to its past goes. What goes is a table of operations (sysprep_ops.c), each a list of
 * rules (sweep.h) and perhaps a function, done in its order, in one process inside
 * (enter.h), under the lock that guests take.
 *
 * Each change is told when it is made, as a line of text, straight to a descriptor of the
 * caller's: there may be as many as a hostile tree has names. A dry run says the same
 * lines and changes nothing.
 *
 * What is removed and has to be there again, comes at the first boot or by clone:
 *
 *  - machine-id: where there is systemd, the file is emptied. That is what machine-id(5)
 *    has for images: systemd makes one and writes it there, at each boot until it can.
 *    Removed, it would mean a first boot (identity.h): a system that was set up once would
 *    have its units set to their defaults and might ask at the console. Where there is no
 *    systemd it is removed: dbus-uuidgen, which then makes one, ends with an error over
 *    an empty file. clone (identity.h) gives either one at once, as for a guest that runs
 *    without an init; so nothing has to be marked.
 *  - SSH host keys: what makes them at boot is installed where the system lacks it
 *    (first_boot.h).
 */
#ifndef VMRUN_ROOTFS_EDIT_SYSPREP_H
#define VMRUN_ROOTFS_EDIT_SYSPREP_H

#include <stdbool.h>
#include <stdint.h>

#include "rootfs-tools/core/losses.h"
#include "rootfs-tools/core/root.h"
#include "rootfs-tools/edit/sweep.h"

#define SYSPREP_OPS_MAX 64

struct sysprep_options {
	struct root_idmap idmap;
	uint64_t chosen; /* 1u << index, of sysprep_choose() */
	bool dry_run;
	bool tell_paths;
	/* Comma-separated names; NULL: all people. At most one of them is given. */
	const char *remove_users;
	const char *keep_users;
};

/* Of fixed size: filled inside, read outside. */
struct sysprep_report {
	uint64_t changes[SYSPREP_OPS_MAX][SWEEP_CHANGES];
	bool output_failed; /* somebody did not want to read what is told */
	struct losses losses;
};

/**
 * sysprep_choose() - which operations to do.
 * @enable: comma-separated names, "defaults", "all"; NULL is "defaults".
 * @disable: names that are taken from those; or NULL.
 */
int sysprep_choose(const char *enable, const char *disable, uint64_t *ret, struct err *e);

/** sysprep_index() - of the operation of that name, or -1. */
int sysprep_index(const char *name);

/** sysprep_describe() - the @i-th operation. Return: false if there is none. */
bool sysprep_describe(unsigned int i, const char **ret_name, const char **ret_help, bool *ret_on);

/**
 * sysprep_run() - on root directory @path.
 * @out: what lines are told to, above 2, where .tell_paths says so.
 * @ret: zeroed, of enter_share().
 * @ret_signal: what ended it where -EINTR is returned.
 */
int sysprep_run(const char *path, const struct sysprep_options *options, int out, int signal_fd,
		struct sysprep_report *ret, int *ret_signal, struct err *e);

#endif
