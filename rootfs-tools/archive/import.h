/* SPDX-License-Identifier: MIT */
/*
 * Making a root directory of something else: a tar, an image of a container, a disk. The
 * command finds out which it is, opens both ends and begins the new directory
 * (partial.h); each kind fills it, and nothing has the final name before it is whole.
 *
 * A checksum is verified before anything is looked at; of a stream, which is there only
 * once, while it goes by, and before the directory gets its name.
 */
#ifndef VMRUN_ROOTFS_ARCHIVE_IMPORT_H
#define VMRUN_ROOTFS_ARCHIVE_IMPORT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "rootfs-tools/archive/unpack.h"
#include "rootfs-tools/core/partial.h"
#include "rootfs-tools/core/root.h"
#include "runner/base/err.h"

#define IMPORT_HEAD_MAX 131072 /* bytes that are looked at; btrfs has its magic at 65600 */

struct import_options {
	struct root_idmap idmap;
	const char *format; /* a row's name; NULL: look */
	const char *sha256; /* of a SRC that is no directory, 64 digits; NULL: not checked */
	const char *image;  /* oci: which, where a layout has several */
	const char *kernel; /* disk: a kernel or a root directory with one for the helper guest */
	const char *partition; /* disk: its number, where there are several roots */
};

struct import {
	const char *src_path; /* as typed; "-" is standard input */
	int src;	      /* readable and above 2, at its beginning; a directory is O_PATH */
	const struct import_options *options;
	const struct idmap_choice *idmap;
	struct partial *dst; /* begun, empty, the caller's and closed to all others */
	int signal_fd;
	struct unpack_report *report; /* enter_share()d */
	void (*tick)(void *arg);      /* as of struct enter; may be NULL */
	void *tick_arg;
};

/* What is known of SRC when its kind is looked for. */
struct import_source {
	int fd; /* as .src; to be left at its beginning */
	struct stat st;
	const uint8_t *head; /* hostile; nothing of what can be read only once */
	size_t head_len;
};

/* A row of the command's table. */
struct import_kind {
	const char *name;
	bool (*detect)(const struct import_source *src);
	int (*run)(const struct import *import, int *ret_signal, struct err *e);
};

/**
 * import_verify() - compare the SHA-256 digest of a file with the one that was asked for.
 * @src: a regular file; its offset is left as it is.
 * @ret_signal: what ended it where -EINTR is returned.
 */
int import_verify(int src, const char *path, const char *want, int signal_fd, int *ret_signal,
		  struct err *e);

/**
 * import_check() - whether what was made, and is not finished yet, can be a root directory.
 *
 * An archive may hold anything else: a reason to warn.
 */
int import_check(const struct import *import, struct err *e);

/**
 * import_by_pipe() - let @run work on a SRC that it only has by a pipe (feed.h), and verify
 * the checksum that was asked for.
 * @run: gets @import with that pipe as .src.
 */
int import_by_pipe(const struct import *import,
		   int (*run)(const struct import *in, int *ret_signal, struct err *e),
		   int *ret_signal, struct err *e);

/**
 * import_tar() - any archive that unpack.h reads.
 *
 * Each of these: -EINTR with @ret_signal, or another -errno; the command removes what
 * was made. On success the new root's own owner, mode and times are set, and so it may
 * no longer be the caller's.
 */
int import_tar(const struct import *import, int *ret_signal, struct err *e);

/** import_oci() - an OCI image layout, or an archive of one: oci_import.c. */
int import_oci(const struct import *import, int *ret_signal, struct err *e);

/** import_is_oci() - a directory, or a tar that begins with what a layout has. */
bool import_is_oci(const struct import_source *src);

#endif
