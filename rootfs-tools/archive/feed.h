/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * What works inside (enter.h) may own the very file that it reads, as the caller's ids are
 * in the map, and could open it again to write to it. So it is given a pipe, and a process
 * of our own fills that, which only reads, computes a checksum where that is asked for, and
 * writes: a checksum that the reader of hostile data cannot lie about.
 */
#ifndef VMRUN_ROOTFS_ARCHIVE_FEED_H
#define VMRUN_ROOTFS_ARCHIVE_FEED_H

#include <nettle/sha2.h>
#include <stdbool.h>
#include <sys/types.h>

#include "runner/base/err.h"

struct feed {
	pid_t pid; /* 0: there is none */
	int fd;	   /* of the pipe, to be read; -1; owned */
	struct feed_shared *shared;
};

#define FEED_INIT         \
	{                 \
		.fd = -1, \
	}

/**
 * feed_start() - start to read @src, from where it stands to its end.
 * @hash: compute its SHA-256.
 */
int feed_start(int src, bool hash, struct feed *ret, struct err *e);

/**
 * feed_finish() - wait until all is read, or nobody reads the pipe any more.
 * @ret_sha256: may be NULL.
 * Return: 0, -EPIPE: not all was read, or another -errno: it could not be read.
 */
int feed_finish(struct feed *feed, uint8_t ret_sha256[SHA256_DIGEST_SIZE]);

/** feed_stop() - end it, if it has not ended. */
void feed_stop(struct feed *feed);

#endif
