/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A list of edits (edit.h), done to a root directory in the order given.
 *
 *	outside, as the caller                  inside (enter.h)
 *	parse all, read what the host has
 *	ask for passwords
 *	open the root, choose its map
 *	                                        lock it as a guest that writes does
 *	                                        check all edits up to the next guest
 *	                                        do them
 *	run a guest over it, if one is next
 *	and so on, until all are done
 *
 * What is wrong with a value, or missing on the host, is found before the root is opened;
 * what does not fit the root is found before anything of it is changed. Only what
 * comes behind a guest cannot be known before that has run. An edit that fails all the
 * same (a full disk), and a guest whose command fails, end it: what was done until then
 * stays, and is said. Each file that an edit replaces is the old or the new one, whole.
 *
 * Between two parts the lock is let go, as a guest takes it itself.
 */
#ifndef VMRUN_ROOTFS_EDIT_CUSTOMIZE_H
#define VMRUN_ROOTFS_EDIT_CUSTOMIZE_H

#include <stdbool.h>

#include "rootfs-tools/core/options.h"
#include "rootfs-tools/edit/edits.h"

struct customize_options {
	struct option_steps steps; /* their options' names are those of edits */
	const char *idmap;	   /* as typed; NULL: auto */
	const char *memory;	   /* of guests, as vmrun's, these too; NULL: as vmrun has it */
	const char *kernel;
	const char *modules;
	bool shared;		   /* whatever runs over it meanwhile */
};

/**
 * customize_run() - edit root directory @path.
 * @ret: zeroed, of enter_share(). Where it fails, .n_done edits were done, and .n_failed
 *	says whether one was begun.
 * @ret_signal: what ended it where -EINTR is returned.
 */
int customize_run(const char *path, const struct customize_options *options, int signal_fd,
		  struct edits_said *ret, int *ret_signal, struct err *e);

#endif
