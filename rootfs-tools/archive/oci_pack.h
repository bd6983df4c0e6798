/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 *	pack_run() ──> pipe ──> hash ──> gzip ──> hash ──> file
 *	                        └──────── a thread ───────────┘
 *
 * A tree becomes a layer of an image, and both its digests are known when it is written:
 * that of the tar, by which the configuration knows it, and that of the blob.
 */
#ifndef VMRUN_ROOTFS_ARCHIVE_OCI_PACK_H
#define VMRUN_ROOTFS_ARCHIVE_OCI_PACK_H

#include "rootfs-tools/archive/oci_json.h"
#include "rootfs-tools/archive/pack.h"

#define OCI_PACK_COMPRESSION "gz" /* what every tool reads */
#define OCI_PACK_MEDIA_TYPE "application/vnd.oci.image.layer.v1.tar+gzip"

/* Of fixed size: filled inside, read outside. */
struct oci_packed {
	char digest[OCI_DIGEST_SIZE];
	char diff_id[OCI_DIGEST_SIZE];
	uint64_t size; /* of the blob, in bytes */
};

/**
 * oci_pack() - inside, after pack_prepare(OCI_PACK_COMPRESSION).
 * @pack: .fd and .compression do not matter.
 * @fd: the blob is written to from where it stands.
 */
int oci_pack(const struct pack *pack, int fd, struct oci_packed *ret, struct losses *losses,
	     struct err *e);

#endif
