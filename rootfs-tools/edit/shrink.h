/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Space that a root directory takes and could do without, kind by kind:
 *
 *  - what can be fetched or made again: packages that were fetched, lists of packages,
 *    caches. By the rules of sysprep's operations, so that both mean the same.
 *  - on request what somebody may miss: logs, documentation.
 *  - blocks of zeros, which become holes, and blocks that several files have alike, which
 *    they then share where the file system can do that. No byte of any file changes, no
 *    time either. The kernel itself compares before it shares.
 *
 * What a package installed stays, but for documentation, and its licences stay even then.
 *
 * Each kind is measured by a dry run of the same rules first, so that --dry-run tells what
 * the other does. What is measured is blocks on the disk; of a file with many names each
 * is counted for its part.
 *
 * A hole cannot be made in a setuid or setgid file or one with capabilities without its
 * losing that, and a swap file may have none: those are left out.
 */
#ifndef VMRUN_ROOTFS_EDIT_SHRINK_H
#define VMRUN_ROOTFS_EDIT_SHRINK_H

#include <stdbool.h>
#include <stdint.h>

#include "rootfs-tools/core/losses.h"
#include "rootfs-tools/core/root.h"

enum shrink_kind {
	SHRINK_PACKAGES,
	SHRINK_LISTS,
	SHRINK_CACHES,
	SHRINK_LOGS,
	SHRINK_DOCS,
	SHRINK_HOLES,
	SHRINK_DUPLICATES,
	SHRINK_KINDS
};

struct shrink_options {
	bool dry_run;
	bool logs;
	bool docs;
	struct root_idmap idmap;
};

/* Of fixed size: filled inside, read outside. */
struct shrink_report {
	struct {
		bool done;	 /* it was looked for */
		bool impossible; /* not on this file system */
		uint64_t bytes;
		uint64_t files; /* of removed directories the top ones */
	} kind[SHRINK_KINDS];
	struct losses losses;
};

/** shrink_kind_name() - "fetched packages". */
const char *shrink_kind_name(enum shrink_kind kind);

/**
 * shrink_run() - on root directory @path.
 * @ret: zeroed, of enter_share().
 * @ret_signal: what ended it where -EINTR is returned.
 */
int shrink_run(const char *path, const struct shrink_options *options, int signal_fd,
	       struct shrink_report *ret, int *ret_signal, struct err *e);

#endif
