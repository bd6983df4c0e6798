/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 *	blob ──> hash ──> gunzip, unzstd ──> hash ──> pipe ──> unpack_run()
 *	└────────────────── a thread ─────────────┘
 *
 * A layer is read once. Every byte that is unpacked has gone through both hashes, of the
 * blob and of what is in it; whether they were right is known at the end, and if not the
 * import fails, and what was made is removed. (Verifying first and unpacking afterwards
 * would read twice, and trust that nobody writes to the layout in between.)
 *
 * The thread only reads, computes and writes to a pipe. It ends by itself: at the end of
 * the blob, or when nobody reads the pipe any more. Of libarchive exactly the filter that
 * the media type names is switched on; a stream in a stream is refused.
 */
#ifndef VMRUN_ROOTFS_ARCHIVE_OCI_LAYER_H
#define VMRUN_ROOTFS_ARCHIVE_OCI_LAYER_H

#include "rootfs-tools/archive/oci_json.h"
#include "rootfs-tools/archive/unpack.h"

struct oci_layer {
	int blob; /* of oci_blob_open() */
	const struct oci_descriptor *descriptor;
	const char *diff_id;
};

/** oci_layer_prepare() - before enter_run(). */
int oci_layer_prepare(struct err *e);

/**
 * oci_layer_unpack() - inside.
 * @unpack: .fd does not matter.
 */
int oci_layer_unpack(const struct oci_layer *layer, const struct unpack *unpack,
		     struct unpack_report *report, struct err *e);

#endif
