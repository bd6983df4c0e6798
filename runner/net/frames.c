/* SPDX-License-Identifier: MIT */
#include "runner/net/frames.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Several frames of the largest size, so that one call gets many of a usual one. */
#define READER_SIZE ((size_t)4 * (FRAME_HEADER_SIZE + FRAME_MAX))

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 24);
	p[1] = (uint8_t)(value >> 16);
	p[2] = (uint8_t)(value >> 8);
	p[3] = (uint8_t)value;
}

int frame_reader_init(struct frame_reader *r)
{
	*r = (struct frame_reader){ .buf = malloc(READER_SIZE) };
	return r->buf ? 0 : -ENOMEM;
}

void frame_reader_free(struct frame_reader *r)
{
	free(r->buf);
	*r = (struct frame_reader){ 0 };
}

size_t frame_reader_space(struct frame_reader *r, uint8_t **ret)
{
	/* A frame in the making is moved only where it may not fit: rarely, that is. */
	if (r->start == r->end) {
		r->start = r->end = 0;
	} else if (READER_SIZE - r->start < FRAME_HEADER_SIZE + FRAME_MAX) {
		memmove(r->buf, r->buf + r->start, r->end - r->start);
		r->end -= r->start;
		r->start = 0;
	}
	*ret = r->buf + r->end;
	return READER_SIZE - r->end;
}

void frame_reader_commit(struct frame_reader *r, size_t n)
{
	r->end += n;
}

ssize_t frame_reader_fill(struct frame_reader *r, int fd)
{
	uint8_t *space;
	size_t room = frame_reader_space(r, &space);
	ssize_t n = room ? recv(fd, space, room, MSG_DONTWAIT) : -1;

	if (!room)
		return -ENOBUFS;
	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	frame_reader_commit(r, (size_t)n);
	return n;
}

int frame_reader_next(struct frame_reader *r, const uint8_t **ret_frame, size_t *ret_len)
{
	size_t have = r->end - r->start;
	uint32_t len;

	if (have < FRAME_HEADER_SIZE)
		return 0;
	len = get32(r->buf + r->start);
	if (len == 0 || len > FRAME_MAX)
		return -EPROTO;
	if (have - FRAME_HEADER_SIZE < len)
		return 0;
	*ret_frame = r->buf + r->start + FRAME_HEADER_SIZE;
	*ret_len = len;
	r->start += FRAME_HEADER_SIZE + len;
	return 1;
}

int frame_writer_init(struct frame_writer *w)
{
	*w = (struct frame_writer){ .buf = malloc(FRAME_WRITER_SIZE) };
	return w->buf ? 0 : -ENOMEM;
}

void frame_writer_free(struct frame_writer *w)
{
	free(w->buf);
	*w = (struct frame_writer){ 0 };
}

size_t frame_writer_backlog(const struct frame_writer *w)
{
	return w->end - w->start;
}

int frame_writer_put(struct frame_writer *w, const void *frame, size_t len)
{
	size_t need = FRAME_HEADER_SIZE + len;

	if (len == 0 || len > FRAME_MAX)
		return -EMSGSIZE;
	if (FRAME_WRITER_SIZE - frame_writer_backlog(w) < need)
		return -ENOBUFS;
	if (FRAME_WRITER_SIZE - w->end < need) {
		memmove(w->buf, w->buf + w->start, w->end - w->start);
		w->end -= w->start;
		w->start = 0;
	}
	put32(w->buf + w->end, (uint32_t)len);
	memcpy(w->buf + w->end + FRAME_HEADER_SIZE, frame, len);
	w->end += need;
	return 0;
}

int frame_writer_flush(struct frame_writer *w, int fd)
{
	while (w->start < w->end) {
		ssize_t n = send(fd, w->buf + w->start, w->end - w->start,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0) {
			w->start = w->end = 0;
			return -errno;
		}
		w->start += (size_t)n;
	}
	w->start = w->end = 0;
	return 0;
}
