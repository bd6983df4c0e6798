/* SPDX-License-Identifier: MIT */
/*
 * What a hostile peer may send, in portions of any size. Every frame that comes
 * out lies within the reader's buffer, and all frames, encoded again, are the
 * bytes that went in.
 *
 * Input: a byte for the size of the portions, then the wire.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runner/proto/proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_frame(const struct proto_reader *r, const struct proto_frame *f,
			const uint8_t *wire)
{
	uint8_t header[PROTO_HEADER_SIZE];

	if (f->len > PROTO_MAX_PAYLOAD || f->type == 0 || f->type > PROTO_TYPE_MAX ||
	    f->stream >= PROTO_STREAMS)
		abort();
	if (f->payload < r->buf + PROTO_HEADER_SIZE || f->payload + f->len > r->buf + r->end)
		abort();
	proto_header(header, f->type, f->stream, f->len);
	if (memcmp(header, wire, sizeof(header)) ||
	    memcmp(f->payload, wire + sizeof(header), f->len))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proto_reader r;
	struct proto_frame f;
	size_t portion, sent = 0, decoded = 0;
	int got = 0;

	if (size < 1 || proto_reader_init(&r) < 0)
		return 0;
	portion = data[0] ? data[0] : SIZE_MAX;
	data++;
	size--;
	while (sent < size && got == 0) {
		uint8_t *space;
		size_t room = proto_reader_space(&r, &space), n = size - sent;

		/* While a frame is incomplete, there is room for more of it. */
		if (room == 0)
			abort();
		n = n < room ? n : room;
		n = n < portion ? n : portion;
		memcpy(space, data + sent, n);
		proto_reader_commit(&r, n);
		sent += n;
		while ((got = proto_reader_next(&r, &f)) == 1) {
			check_frame(&r, &f, data + decoded);
			decoded += PROTO_HEADER_SIZE + f.len;
		}
	}
	if (got != 0 && got != -EPROTO)
		abort();
	proto_reader_free(&r);
	return 0;
}
