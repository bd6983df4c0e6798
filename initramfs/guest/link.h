/* SPDX-License-Identifier: MIT */
/*
 * The agent port as a stream of frames, never blocking but where it is said.
 */
#ifndef VMRUN_GUEST_LINK_H
#define VMRUN_GUEST_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runner/proto/proto.h"

/* A write to a virtio-serial port takes up to 32 KiB: a frame that is larger
 * would cost the host a second interrupt. */
#define LINK_DATA_MAX (PROTO_MAX_DATA - PROTO_HEADER_SIZE)

struct link {
	int fd;	  /* the port, O_NONBLOCK */
	int epfd; /* knows fd edge-triggered, as data NULL */
	struct proto_reader in;
	uint8_t *out; /* bytes not yet written are out[start..end) */
	size_t start;
	size_t end;
	bool starved; /* the kernel had no memory for a write: try again soon */
};

/**
 * link_init() - take over the opened port @fd.
 *
 * All memory that the link will ever need is allocated here. Return: 0 or -errno.
 */
int link_init(struct link *l, int fd);

/**
 * link_next() - the next frame that has arrived.
 *
 * Return: 1 and the frame, valid until the next call; 0 when there is none now;
 * -EPROTO after something that is no frame.
 */
int link_next(struct link *l, struct proto_frame *ret);

/**
 * link_wait() - wait until the port may be ready, for @timeout_ms (-1: for ever).
 *
 * For the times when nothing else is waited for. Return: 0 or -errno.
 */
int link_wait(struct link *l, int timeout_ms);

/**
 * link_send() - queue a frame and try to write it.
 *
 * Return: 0; -ENOBUFS if the queue is full, which only a host that ignores
 * the windows can bring about; other -errno of a broken port.
 */
int link_send(struct link *l, uint16_t type, uint16_t stream, const void *payload, size_t len);

/** link_send_u32() - link_send() of one number. */
int link_send_u32(struct link *l, uint16_t type, uint16_t stream, uint32_t value);

/**
 * link_reserve() - room for LINK_DATA_MAX bytes of payload, filled in place.
 *
 * Follow it by link_commit() or by nothing. Return: NULL when the queue has
 * enough waiting; the rest of it is kept for control frames.
 */
uint8_t *link_reserve(struct link *l);
/** link_commit() - queue the @len bytes filled in as a DATA frame. */
void link_commit(struct link *l, uint16_t stream, size_t len);

/**
 * link_flush() - write what the port takes now.
 *
 * Return: 0, whatever remains, or -errno of a broken port.
 */
int link_flush(struct link *l);

/**
 * link_drain() - write all that is queued, dropping what still arrives: a host
 * that is busy writing to us would not come round to reading. Return: 0 or -errno.
 */
int link_drain(struct link *l);

/** link_linger() - go on dropping what arrives for @seconds. */
void link_linger(struct link *l, int seconds);

#endif
