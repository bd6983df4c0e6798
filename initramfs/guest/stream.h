/* SPDX-License-Identifier: MIT */
/*
 * The command's standard streams, each between a descriptor and the link.
 * Descriptors are watched edge-triggered: .ready says that one may be tried.
 */
#ifndef VMRUN_GUEST_STREAM_H
#define VMRUN_GUEST_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "initramfs/guest/link.h"

/* Beside a window, the end-of-file characters of a terminal. */
#define STREAM_RING (PROTO_WINDOW + 2u)

/* Standard input. */
struct stream_in {
	int fd; /* -1: gone, what arrives is dropped */
	bool tty;
	bool ready;
	bool eof;	     /* the host has no more */
	uint8_t *ring;	     /* what the command has not taken yet; borrowed */
	size_t head;	     /* first byte in the ring */
	size_t used;	     /* bytes in the ring */
	uint32_t uncredited; /* bytes that arrived and are not credited yet */
	uint32_t taken;	     /* those of them that the command took */
	uint8_t last;	     /* byte that arrived last */
};

/* Standard output or error. */
struct stream_out {
	int fd; /* -1: finished */
	uint16_t id;
	bool ready;
	uint32_t credit; /* bytes that the host still takes */
};

/**
 * stream_in_init() - @fd: non-blocking, owned from now on.
 * @ring: STREAM_RING bytes.
 */
void stream_in_init(struct stream_in *s, int fd, bool tty, uint8_t *ring);

/**
 * stream_in_data() - bytes from the host, written or kept for later.
 *
 * Return: 0; -EPROTO if they are more than the window or come after EOF.
 */
int stream_in_data(struct stream_in *s, struct link *l, const uint8_t *p, size_t len);

/** stream_in_eof() - the host has no more: close the pipe, or type ^D, after what is kept. */
int stream_in_eof(struct stream_in *s, struct link *l);

/** stream_in_flush() - write what is kept, and give credit for it. */
int stream_in_flush(struct stream_in *s, struct link *l);

/** stream_in_close() - nobody reads any more; what is kept is dropped. */
void stream_in_close(struct stream_in *s);

/** stream_out_credit() - Return: 0; -EPROTO if it is more than was ever sent. */
int stream_out_credit(struct stream_out *s, uint32_t bytes);

/**
 * stream_out_pump() - send what the command wrote, within the credit and the
 * queue's room.
 * @last: nobody is left who could write more: nothing to read is the end.
 */
int stream_out_pump(struct stream_out *s, struct link *l, bool last);

/** stream_out_close() - finish: the command's next write fails, the host gets EOF. */
int stream_out_close(struct stream_out *s, struct link *l);

#endif
