/* SPDX-License-Identifier: MIT */
/* The guest's end of the agent's socket: whole frames in, whole frames out. */
#ifndef VMRUN_TESTS_WIRE_H
#define VMRUN_TESTS_WIRE_H

#include "tests/unit/fixture.h"

#include "runner/proto/proto.h"

struct wire {
	int fd; /* may be non-blocking; borrowed */
	struct proto_reader reader;
};

static inline int wire_init(struct wire *w, int fd)
{
	w->fd = fd;
	return proto_reader_init(&w->reader);
}

static inline void wire_free(struct wire *w)
{
	proto_reader_free(&w->reader);
}

/* Return: 1 and a frame; 0 at the end of the stream; -EAGAIN, -EPROTO, ... */
static inline int wire_next(struct wire *w, struct proto_frame *ret)
{
	for (;;) {
		int r = proto_reader_next(&w->reader, ret);
		uint8_t *to;
		size_t room;
		ssize_t n;

		if (r != 0)
			return r;
		room = proto_reader_space(&w->reader, &to);
		n = read(w->fd, to, room);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? 0 : -errno;
		proto_reader_commit(&w->reader, (size_t)n);
	}
}

/* Return: 0 or -errno. */
static inline int wire_send(struct wire *w, uint16_t type, uint16_t stream, const void *payload,
			    uint32_t len)
{
	uint8_t header[PROTO_HEADER_SIZE];
	int r;

	proto_header(header, type, stream, len);
	r = fs_write_all(w->fd, header, sizeof(header));
	return r < 0 ? r : fs_write_all(w->fd, payload, len);
}

#endif
