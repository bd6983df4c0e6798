/* SPDX-License-Identifier: MIT */
/*
 * The trailer of a template as bytes, told once more and not taken from the code:
 * templates of an older vmrun are in people's caches.
 */
#ifndef VMRUN_TESTS_TEMPLATE_BYTES_H
#define VMRUN_TESTS_TEMPLATE_BYTES_H

#include <nettle/sha2.h>
#include <stddef.h>
#include <stdint.h>

#include "runner/vm/template_file.h"

enum {
	TRAILER_MAGIC = 0,
	TRAILER_FORMAT = 16,
	TRAILER_CPUS = 20,
	TRAILER_MEMORY = 24,
	TRAILER_STATE_SIZE = 32,
	TRAILER_CREATED = 40,
	TRAILER_ACCEL = 48,
	TRAILER_QEMU_VERSION = 52,
	TRAILER_KEY = 64,
	TRAILER_STATE_DIGEST = 128,
	TRAILER_KERNEL_VERSION = 160,
	TRAILER_DIGEST = TEMPLATE_TRAILER_SIZE - 32,
};

static inline void trailer_sha256(const void *data, size_t len, uint8_t ret[32])
{
	struct sha256_ctx sha;

	sha256_init(&sha);
	sha256_update(&sha, len, data);
	sha256_digest(&sha, 32, ret);
}

/* Makes the checksum right again: what is wrong else is to be found by looking. */
static inline void trailer_seal(uint8_t trailer[TEMPLATE_TRAILER_SIZE])
{
	trailer_sha256(trailer, TRAILER_DIGEST, trailer + TRAILER_DIGEST);
}

#endif
