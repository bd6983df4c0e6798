/* SPDX-License-Identifier: MIT */
/*
 * Making something else of a root directory: a tar, an image of a container, a disk. The
 * command finds out which format it is to be (a table: a row a format), opens the root
 * and begins the new file or directory; each format fills it, and nothing has the final
 * name before it is whole.
 *
 * What is written follows from what the directory holds and from nothing else: not from
 * inode numbers, the order of names, access times, the host's names of users, or when and
 * by whom it is written. Where SOURCE_DATE_EPOCH is set, no time in it is later.
 */
#ifndef VMRUN_ROOTFS_ARCHIVE_EXPORT_H
#define VMRUN_ROOTFS_ARCHIVE_EXPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "rootfs-tools/core/losses.h"
#include "rootfs-tools/core/partial.h"
#include "rootfs-tools/core/root.h"
#include "runner/base/err.h"

#define EXPORT_NO_EPOCH INT64_MAX

struct export_options {
	struct root_idmap idmap;
	const char *format; /* a row's name; NULL: by the end of DST's name */
	bool force;	    /* a file that is there is replaced */
	bool shared;	    /* even while a guest writes to it */
	const char *image;  /* oci: what the image is called; NULL: "latest" */
	uint64_t size;	    /* of a disk image, bytes; 0: to fit */
};

/* Of fixed size: filled inside, read outside. */
struct export_report {
	struct losses losses;
};

struct export
{
	const char *src_path; /* as typed */
	const struct root *root;
	const char *dst_path; /* as typed; "-" is standard output */
	const char *format;   /* the row's name */
	const struct export_options *options;
	int out; /* of the new file, empty, to be read and written, above 2; or what standard
		  * output is: to be written. -1 if it is to be a directory */
	struct partial *out_dir; /* begun, empty; NULL if it is to be a file */
	int64_t epoch;		 /* no time is later: seconds, or EXPORT_NO_EPOCH */
	int signal_fd;
	struct export_report *report; /* enter_share()d */
};

/* A row of the command's table. */
struct export_format {
	const char *name;
	const char *suffixes[4]; /* of DST; NULL ends them early */
	enum export_to {
		EXPORT_STREAM,
		EXPORT_FILE,
		EXPORT_DIRECTORY
	} to; /* a stream may go to
									     * standard output */
	int (*run)(const struct export *x, int *ret_signal, struct err *e);
};

/**
 * export_tar() - formats "tar", "tar.gz", "tar.xz", "tar.zst".
 *
 * Each of these: -EINTR with @ret_signal, or another -errno; the command removes what
 * was made.
 */
int export_tar(const struct export *x, int *ret_signal, struct err *e);

/** export_oci() - an OCI image layout; export_oci_archive() - a tar of one: oci_export.c. */
int export_oci(const struct export *x, int *ret_signal, struct err *e);
int export_oci_archive(const struct export *x, int *ret_signal, struct err *e);

#endif
