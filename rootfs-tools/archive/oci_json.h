/* SPDX-License-Identifier: MIT */
/*
 * The JSON documents of an image layout (image-spec 1.1; what Docker calls the same by
 * other media types is taken, too): index, manifest, configuration. Pure: text in,
 * structures out. All of it is hostile.
 *
 * A descriptor says what a blob is, how large, and its digest, which is its name. What is
 * made of a digest here is safe to be part of a path: an algorithm's name that is known
 * and as many hexadecimal digits as it has.
 */
#ifndef VMRUN_ROOTFS_ARCHIVE_OCI_JSON_H
#define VMRUN_ROOTFS_ARCHIVE_OCI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runner/base/err.h"

#define OCI_JSON_MAX ((size_t)4 << 20) /* bytes of a document, as others have it */
#define OCI_INDEX_MAX 1024	       /* descriptors */
#define OCI_LAYERS_MAX 512	       /* Docker makes 127 at most */
#define OCI_BLOB_MAX ((uint64_t)1 << 40)
#define OCI_DIGEST_SIZE 136 /* "sha512:", 128 digits, NUL */
#define OCI_REF_SIZE 256
#define OCI_PLATFORM_SIZE 32

#define OCI_ARCHITECTURE "amd64" /* the one that vmrun has guests for, as Go calls it */

enum oci_kind { OCI_OTHER, OCI_INDEX, OCI_MANIFEST, OCI_CONFIG, OCI_LAYER };

struct oci_descriptor {
	enum oci_kind kind;
	const char *filter; /* of a layer: "gzip", "zstd", or NULL: none; a literal */
	char digest[OCI_DIGEST_SIZE];
	uint64_t size;		/* bytes */
	char ref[OCI_REF_SIZE]; /* org.opencontainers.image.ref.name, or "" */
	char os[OCI_PLATFORM_SIZE];
	char architecture[OCI_PLATFORM_SIZE]; /* "": not said */
};

struct oci_index {
	struct oci_descriptor *list; /* owned */
	size_t n;
};

struct oci_manifest {
	struct oci_descriptor config;
	struct oci_descriptor *layers; /* owned; the lowest first */
	size_t n;
};

struct oci_config {
	char (*diff_ids)[OCI_DIGEST_SIZE]; /* of the unpacked layers; owned */
	size_t n;
	char *config; /* the member of that name, as JSON text; NULL if there is none; owned */
};

/** oci_digest_check() - Return: 0, or -EINVAL if @digest is none that could be verified. */
int oci_digest_check(const char *digest, struct err *e);

/** oci_layout_parse() - the file "oci-layout". */
int oci_layout_parse(const char *text, size_t len, struct err *e);

int oci_index_parse(const char *text, size_t len, struct oci_index *ret, struct err *e);
void oci_index_free(struct oci_index *index);

/**
 * oci_index_choose() - the image for this machine.
 * @ref: by its name or digest; NULL: the only one.
 * @any: of several for this machine the first will do: @index is of one image.
 * @ret: in @index.
 *
 * The error names what there is.
 */
int oci_index_choose(const struct oci_index *index, const char *ref, bool any,
		     const struct oci_descriptor **ret, struct err *e);

int oci_manifest_parse(const char *text, size_t len, struct oci_manifest *ret, struct err *e);
void oci_manifest_free(struct oci_manifest *manifest);

/** oci_config_parse() - an image's configuration; one of another machine is refused. */
int oci_config_parse(const char *text, size_t len, struct oci_config *ret, struct err *e);
void oci_config_free(struct oci_config *config);

#endif
