/* SPDX-License-Identifier: MIT */
#include "runner/proto/proto.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUF_SIZE (PROTO_HEADER_SIZE + PROTO_MAX_PAYLOAD)

int proto_reader_init(struct proto_reader *r)
{
	*r = (struct proto_reader){ .buf = malloc(BUF_SIZE) };
	return r->buf ? 0 : -ENOMEM;
}

void proto_reader_free(struct proto_reader *r)
{
	free(r->buf);
	*r = (struct proto_reader){ 0 };
}

size_t proto_reader_space(struct proto_reader *r, uint8_t **ret)
{
	if (r->start) {
		memmove(r->buf, r->buf + r->start, r->end - r->start);
		r->end -= r->start;
		r->start = 0;
	}
	*ret = r->buf + r->end;
	return BUF_SIZE - r->end;
}

void proto_reader_commit(struct proto_reader *r, size_t n)
{
	r->end += n;
}

int proto_reader_next(struct proto_reader *r, struct proto_frame *ret)
{
	const uint8_t *p = r->buf + r->start;
	size_t have = r->end - r->start;
	struct proto_frame f;

	if (have < PROTO_HEADER_SIZE)
		return 0;
	f.len = proto_get32(p);
	f.type = proto_get16(p + 4);
	f.stream = proto_get16(p + 6);
	f.payload = p + PROTO_HEADER_SIZE;
	if (f.len > PROTO_MAX_PAYLOAD || f.type == 0 || f.type > PROTO_TYPE_MAX ||
	    f.stream >= PROTO_STREAMS)
		return -EPROTO;
	if (have - PROTO_HEADER_SIZE < f.len)
		return 0;
	r->start += PROTO_HEADER_SIZE + f.len;
	*ret = f;
	return 1;
}

void proto_header(uint8_t out[PROTO_HEADER_SIZE], uint16_t type, uint16_t stream, uint32_t len)
{
	proto_put32(out, len);
	proto_put16(out + 4, type);
	proto_put16(out + 6, stream);
}

void proto_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

void proto_put32(uint8_t *p, uint32_t v)
{
	proto_put16(p, (uint16_t)v);
	proto_put16(p + 2, (uint16_t)(v >> 16));
}

void proto_put64(uint8_t *p, uint64_t v)
{
	proto_put32(p, (uint32_t)v);
	proto_put32(p + 4, (uint32_t)(v >> 32));
}

uint16_t proto_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

uint32_t proto_get32(const uint8_t *p)
{
	return proto_get16(p) | (uint32_t)proto_get16(p + 2) << 16;
}

uint64_t proto_get64(const uint8_t *p)
{
	return proto_get32(p) | (uint64_t)proto_get32(p + 4) << 32;
}
