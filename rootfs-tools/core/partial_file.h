/* SPDX-License-Identifier: MIT */
/*
 * A file that is made beside its final place and renamed when it is complete: what
 * partial.h does for a directory. Until then it is the caller's, and for nobody else to
 * read.
 */
#ifndef VMRUN_ROOTFS_CORE_PARTIAL_FILE_H
#define VMRUN_ROOTFS_CORE_PARTIAL_FILE_H

#include <stdbool.h>

#include "rootfs-tools/core/partial.h"
#include "runner/base/err.h"

struct partial_file {
	struct partial at; /* .fd: of the file, to be read and written, with the lock */
	bool replace;
};

/* Before partial_file_begin(). */
#define PARTIAL_FILE_INIT           \
	{                           \
		.at = PARTIAL_INIT, \
	}

/**
 * partial_file_begin() - make the file, after removing what was left behind.
 * @dst: as typed.
 * @replace: a file that is there is replaced in the end.
 */
int partial_file_begin(const char *dst, bool replace, struct partial_file *ret, struct err *e);

/** partial_file_finish() - give it its name, and the mode that new files have. */
int partial_file_finish(struct partial_file *p, struct err *e);

/** partial_file_remove() - remove it, unless it is finished; and close all. */
void partial_file_remove(struct partial_file *p);

#endif
