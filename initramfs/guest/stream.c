/* SPDX-License-Identifier: MIT */
#include "initramfs/guest/stream.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>

#define CREDIT_STEP (PROTO_WINDOW / 4)

void stream_in_init(struct stream_in *s, int fd, bool tty, uint8_t *ring)
{
	*s = (struct stream_in){ .fd = fd, .tty = tty, .ready = true, .ring = ring, .last = '\n' };
}

static void ring_put(struct stream_in *s, const uint8_t *p, size_t len)
{
	size_t tail = (s->head + s->used) % STREAM_RING;
	size_t first = STREAM_RING - tail < len ? STREAM_RING - tail : len;

	memcpy(s->ring + tail, p, first);
	memcpy(s->ring, p + first, len - first);
	s->used += len;
}

static void ring_drop(struct stream_in *s, size_t len)
{
	s->head = (s->head + len) % STREAM_RING;
	s->used -= len;
}

/* The command took @len bytes, of which a terminal's ^D are not the host's. */
static int took(struct stream_in *s, struct link *l, size_t len)
{
	uint32_t credit;

	s->taken += len < s->uncredited - s->taken ? (uint32_t)len : s->uncredited - s->taken;
	if (s->taken < CREDIT_STEP)
		return 0;
	credit = s->taken;
	s->taken = 0;
	s->uncredited -= credit;
	return link_send_u32(l, PROTO_CREDIT, PROTO_STDIN, credit);
}

/* Writes up to 2 pieces. Return: bytes, 0 if the command takes none now, or -errno of the link. */
static ssize_t put(struct stream_in *s, struct link *l, struct iovec *iov, int n)
{
	ssize_t len;

	do
		len = writev(s->fd, iov, n);
	while (len < 0 && errno == EINTR);
	if (len >= 0) {
		int r = took(s, l, (size_t)len);

		return r < 0 ? r : len;
	}
	if (errno == EAGAIN) {
		s->ready = false;
		return 0;
	}
	stream_in_close(s);
	return link_send(l, PROTO_CLOSE, PROTO_STDIN, NULL, 0);
}

int stream_in_data(struct stream_in *s, struct link *l, const uint8_t *p, size_t len)
{
	if (s->fd < 0)
		return 0;
	if (s->eof || len > PROTO_MAX_DATA || len > PROTO_WINDOW - s->uncredited)
		return -EPROTO;
	s->uncredited += (uint32_t)len;
	if (len)
		s->last = p[len - 1];
	while (len && s->used == 0 && s->ready) {
		ssize_t n = put(s, l, &(struct iovec){ .iov_base = (void *)p, .iov_len = len }, 1);

		if (n < 0 || s->fd < 0)
			return (int)n;
		p += n;
		len -= (size_t)n;
	}
	ring_put(s, p, len);
	return 0;
}

int stream_in_eof(struct stream_in *s, struct link *l)
{
	uint8_t eof[2] = { 4, 4 }; /* ^D */
	struct termios t;

	if (s->eof)
		return -EPROTO;
	s->eof = true;
	if (s->tty && s->fd >= 0) {
		if (tcgetattr(s->fd, &t) == 0 && t.c_cc[VEOF])
			eof[0] = eof[1] = t.c_cc[VEOF];
		/* Behind an unfinished line the first one only hands that over. */
		ring_put(s, eof, s->last == '\n' ? 1 : 2);
	}
	return stream_in_flush(s, l);
}

int stream_in_flush(struct stream_in *s, struct link *l)
{
	while (s->fd >= 0 && s->used && s->ready) {
		size_t first = STREAM_RING - s->head < s->used ? STREAM_RING - s->head : s->used;
		struct iovec iov[2] = {
			{ .iov_base = s->ring + s->head, .iov_len = first },
			{ .iov_base = s->ring, .iov_len = s->used - first },
		};
		ssize_t n = put(s, l, iov, 2);

		if (n < 0)
			return (int)n;
		if (s->fd >= 0)
			ring_drop(s, (size_t)n);
	}
	if (s->fd >= 0 && s->eof && s->used == 0 && !s->tty)
		stream_in_close(s);
	return 0;
}

void stream_in_close(struct stream_in *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->used = 0;
}

int stream_out_credit(struct stream_out *s, uint32_t bytes)
{
	if (bytes > PROTO_WINDOW - s->credit)
		return -EPROTO;
	s->credit += bytes;
	return 0;
}

int stream_out_pump(struct stream_out *s, struct link *l, bool last)
{
	while (s->fd >= 0 && s->credit && (s->ready || last)) {
		uint8_t *room = link_reserve(l);
		size_t max = s->credit < LINK_DATA_MAX ? s->credit : LINK_DATA_MAX;
		ssize_t n;
		int r;

		if (!room)
			return 0;
		n = read(s->fd, room, max);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN && !last) {
			s->ready = false;
			return 0;
		}
		/* EIO: the last process that had the terminal open is gone. */
		if (n <= 0)
			return stream_out_close(s, l);
		link_commit(l, s->id, (size_t)n);
		s->credit -= (uint32_t)n;
		r = link_flush(l);
		if (r < 0)
			return r;
	}
	return 0;
}

int stream_out_close(struct stream_out *s, struct link *l)
{
	if (s->fd < 0)
		return 0;
	close(s->fd);
	s->fd = -1;
	return link_send(l, PROTO_EOF, s->id, NULL, 0);
}
