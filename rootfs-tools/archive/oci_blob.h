/* SPDX-License-Identifier: MIT */
/*
 * Blobs of an image layout, which may be hostile: each is a regular file below "blobs"
 * that is reached without a symlink, is as large as its descriptor says, and has the
 * digest that it is called by.
 */
#ifndef VMRUN_ROOTFS_ARCHIVE_OCI_BLOB_H
#define VMRUN_ROOTFS_ARCHIVE_OCI_BLOB_H

#include <nettle/sha2.h>
#include <stdbool.h>

#include "rootfs-tools/archive/oci_json.h"

/* A digest in the making. */
struct oci_hash {
	bool wide; /* SHA-512 */
	union {
		struct sha256_ctx sha256;
		struct sha512_ctx sha512;
	};
};

/** oci_hash_begin() - by the algorithm of @digest, which is a checked one. */
void oci_hash_begin(struct oci_hash *hash, const char *digest);
void oci_hash_add(struct oci_hash *hash, const void *data, size_t len);
void oci_hash_end(struct oci_hash *hash, char ret[OCI_DIGEST_SIZE]);

#define OCI_PATH_SIZE (OCI_DIGEST_SIZE + 8)

/** oci_blob_path() - where a layout has the blob of a checked digest. @size: OCI_PATH_SIZE. */
void oci_blob_path(const char *digest, char *ret, size_t size);

/**
 * oci_read_file() - a document of the layout, whose content nothing vouches for.
 * @ret: NUL-terminated; free() it.
 */
int oci_read_file(int layout, const char *path, char **ret, size_t *ret_len, struct err *e);

/**
 * oci_blob_open() - @layout: O_PATH.
 * @ret_fd: readable; of the right size, not verified yet.
 */
int oci_blob_open(int layout, const struct oci_descriptor *d, int *ret_fd, struct err *e);

/** oci_blob_read() - one of at most OCI_JSON_MAX bytes, verified. @ret: as above. */
int oci_blob_read(int layout, const struct oci_descriptor *d, char **ret, size_t *ret_len,
		  struct err *e);

#endif
