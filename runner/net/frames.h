/* SPDX-License-Identifier: MIT */
/*
 * Ethernet frames on a stream socket, as QEMU's "-netdev stream" has them: the
 * length in four bytes, the highest first, then the frame. Whoever is at the other
 * end is not trusted.
 */
#ifndef VMRUN_NET_FRAMES_H
#define VMRUN_NET_FRAMES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FRAME_HEADER_SIZE 4
/* An IPv4 packet of the largest size in an Ethernet frame. */
#define FRAME_MAX (14 + 65535)

struct frame_reader {
	uint8_t *buf; /* owned */
	size_t start; /* of what has not been taken */
	size_t end;
};

/** frame_reader_init() - Return: 0 or -ENOMEM. */
int frame_reader_init(struct frame_reader *r);
void frame_reader_free(struct frame_reader *r);

/**
 * frame_reader_space() - where to put the next bytes. While frame_reader_next() has
 * no frame to give there is always some. What it gave before is gone.
 * Return: bytes of space at *@ret.
 */
size_t frame_reader_space(struct frame_reader *r, uint8_t **ret);

/** frame_reader_commit() - @n bytes were put there. */
void frame_reader_commit(struct frame_reader *r, size_t n);

/**
 * frame_reader_fill() - what there is on the socket @fd, at once.
 * Return: bytes, 0 at the end of the stream, or -errno (-EAGAIN: there is nothing;
 * -ENOBUFS: take frames first).
 */
ssize_t frame_reader_fill(struct frame_reader *r, int fd);

/**
 * frame_reader_next() - take the next frame.
 * @ret_frame: in the reader's buffer, until it is filled again.
 *
 * Return: 1; 0 if none is complete; -EPROTO for a length of 0 or more than
 * FRAME_MAX, after which there is no way to go on.
 */
int frame_reader_next(struct frame_reader *r, const uint8_t **ret_frame, size_t *ret_len);

/* What waits to be taken by the other end: bounded, as that may never read. */
struct frame_writer {
	uint8_t *buf; /* owned */
	size_t start; /* of what has not been sent */
	size_t end;
};

/* As much as TCP may have under way on a few hundred busy connections. */
#define FRAME_WRITER_SIZE ((size_t)4 << 20)

/** frame_writer_init() - Return: 0 or -ENOMEM. */
int frame_writer_init(struct frame_writer *w);
void frame_writer_free(struct frame_writer *w);

/**
 * frame_writer_put() - append a frame, to be sent by frame_writer_flush().
 * Return: 0, -EMSGSIZE, or -ENOBUFS: no room for it; it is lost, as on any network.
 */
int frame_writer_put(struct frame_writer *w, const void *frame, size_t len);

/** frame_writer_backlog() - bytes that are not sent yet. */
size_t frame_writer_backlog(const struct frame_writer *w);

/**
 * frame_writer_flush() - send what the socket @fd takes without waiting.
 * Return: 0, whatever is left, or -errno: nobody takes anything any more, and what
 * there was is forgotten.
 */
int frame_writer_flush(struct frame_writer *w, int fd);

#endif
