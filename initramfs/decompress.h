/* SPDX-License-Identifier: MIT */
/*
 * Decompression through libarchive (archive_lib.h), which only the jailed builder
 * needs, on a cache miss or for compressed modules.
 */
#ifndef VMRUN_INITRAMFS_DECOMPRESS_H
#define VMRUN_INITRAMFS_DECOMPRESS_H

#include <stddef.h>
#include <stdint.h>

#include "runner/base/err.h"

/**
 * decompress_prepare() - load libarchive now: where decompress() is called, its files
 * may be out of reach. What goes wrong is decompress()'s to tell, if it is called.
 */
void decompress_prepare(void);

/*
 * Gets decompressed bytes in order. A negative return (-errno) stops, is what
 * decompress() returns, and is the sink's to explain.
 */
typedef int (*decompress_sink)(void *ctx, const void *data, size_t len);

/**
 * decompress() - one compressed stream (gzip, xz, lzma, zstd, lz4 in either
 * framing, bzip2), with nothing behind it: xz and zstd refuse that.
 * @max: bytes of output after which it stops with -EFBIG.
 *
 * Checksums are verified where libarchive does: not gzip's. A stream of nothing
 * counts as cut. Return: 0; -ENOTSUP for an unknown format; -EBADMSG for corrupt
 * or cut input; -ELIBACC where the host has no libarchive.
 */
int decompress(const void *data, size_t len, uint64_t max, decompress_sink sink, void *ctx,
	       struct err *e);

#endif
