/* SPDX-License-Identifier: MIT */
/*
 * What a hostile QEMU may send, in portions of any size. Every frame lies within the
 * reader's buffer; none that passes the gate goes to loopback, and its headers are
 * whole; an answer to one that does not is sound and fits.
 *
 * Input: a byte for the size of the portions, a byte of flags, then the wire.
 */
#include <stdlib.h>
#include <string.h>

#include "runner/net/frames.h"
#include "runner/net/gate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void check_passed(const struct gate *gate, const uint8_t *frame, size_t len)
{
	uint32_t dst;
	size_t total;

	/* ARP, all of it. */
	if (frame[12] == 8 && frame[13] == 6) {
		if (len < 42)
			abort();
		return;
	}
	if (len < 42 || frame[12] != 8 || frame[13] != 0 || frame[14] != 0x45)
		abort();
	total = (size_t)frame[16] << 8 | frame[17];
	dst = get32(frame + 30);
	if (total > len - 14 || total < 28 || frame[20] & 0xbf || frame[21])
		abort();
	if (dst >> 24 == 127 || dst >> 24 == 0 || (dst >> 24 >= 224 && dst != 0xffffffff))
		abort();
	/* A connection to the router is a connection to loopback. */
	if (dst == NET_GATEWAY && !gate->host_loopback && frame[23] == 6 &&
	    (frame[47] & 0x12) == 0x02)
		abort();
	if (dst == NET_RESOLVER && frame[23] != 1 && (frame[36] || frame[37] != 53))
		abort();
}

static void take(const struct gate *gate, const uint8_t *frame, size_t len)
{
	uint8_t answer[GATE_REFUSAL_MAX];
	size_t n;

	switch (gate_check(gate, frame, len, 0)) {
	case GATE_PASS:
		check_passed(gate, frame, len);
		break;
	case GATE_REFUSE:
		n = gate_refusal(frame, len, answer);
		if (n > sizeof(answer) || (n && memcmp(answer, frame + 6, 6)))
			abort();
		break;
	case GATE_DROP:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct port_forward port = { .guest_port = 53, .udp = true };
	struct frame_reader r;
	struct gate gate;
	const uint8_t *frame;
	size_t portion, sent = 0, len;
	int got = 0;

	if (size < 2 || frame_reader_init(&r) < 0)
		return 0;
	portion = data[0] ? data[0] : SIZE_MAX;
	gate_init(&gate, data[1] & 1, &port, 1);
	data += 2;
	size -= 2;
	while (sent < size && got == 0) {
		uint8_t *space;
		size_t room = frame_reader_space(&r, &space), n = size - sent;

		if (room == 0)
			abort();
		n = n < room ? n : room;
		n = n < portion ? n : portion;
		memcpy(space, data + sent, n);
		frame_reader_commit(&r, n);
		sent += n;
		while ((got = frame_reader_next(&r, &frame, &len)) == 1) {
			if (len == 0 || len > FRAME_MAX || frame < r.buf ||
			    frame + len > r.buf + r.end)
				abort();
			take(&gate, frame, len);
			if (data[-1] & 2)
				gate_note(&gate, frame, len, 0);
		}
	}
	frame_reader_free(&r);
	return 0;
}
