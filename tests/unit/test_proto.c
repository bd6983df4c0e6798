/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runner/proto/proto.h"

static int set_up(void **state)
{
	struct proto_reader *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	assert_int_equal(proto_reader_init(r), 0);
	*state = r;
	return 0;
}

static int tear_down(void **state)
{
	proto_reader_free(*state);
	proto_reader_free(*state);
	free(*state);
	return 0;
}

/* Return: 0 when all of it went in. */
static size_t feed(struct proto_reader *r, const void *data, size_t len)
{
	uint8_t *space;
	size_t room = proto_reader_space(r, &space);
	size_t n = len < room ? len : room;

	memcpy(space, data, n);
	proto_reader_commit(r, n);
	return len - n;
}

static size_t encode(uint8_t *out, uint16_t type, uint16_t stream, const void *data, uint32_t len)
{
	proto_header(out, type, stream, len);
	if (len)
		memcpy(out + PROTO_HEADER_SIZE, data, len);
	return PROTO_HEADER_SIZE + len;
}

static void integers_are_little_endian(void **state)
{
	uint8_t b[8];

	(void)state;
	proto_put16(b, 0xfedc);
	assert_memory_equal(b, "\xdc\xfe", 2);
	assert_int_equal(proto_get16(b), 0xfedc);
	proto_put32(b, 0xfedcba98);
	assert_memory_equal(b, "\x98\xba\xdc\xfe", 4);
	assert_int_equal(proto_get32(b), 0xfedcba98);
	proto_put64(b, UINT64_C(0xfedcba9876543210));
	assert_memory_equal(b, "\x10\x32\x54\x76\x98\xba\xdc\xfe", 8);
	assert_true(proto_get64(b) == UINT64_C(0xfedcba9876543210));
}

static void header_layout(void **state)
{
	uint8_t h[PROTO_HEADER_SIZE];

	(void)state;
	proto_header(h, PROTO_DATA, PROTO_STDERR, 0x10203);
	assert_memory_equal(h, "\x03\x02\x01\x00\x07\x00\x02\x00", sizeof(h));
}

/* Three frames, cut in two at every byte: the same three come out. */
static void frames_cut_at_every_byte(void **state)
{
	static const uint16_t types[] = { PROTO_HELLO, PROTO_EOF, PROTO_DATA };
	static const uint32_t lens[] = { 4, 0, 10 };
	struct proto_reader *r = *state;
	uint8_t wire[128];
	struct proto_frame f = { 0 };
	size_t len = 0;

	len += encode(wire + len, PROTO_HELLO, 0, "\1\0\0\0", 4);
	len += encode(wire + len, PROTO_EOF, PROTO_STDOUT, NULL, 0);
	len += encode(wire + len, PROTO_DATA, PROTO_STDERR, "some bytes", 10);
	for (size_t cut = 0; cut <= len; cut++) {
		unsigned int n = 0;
		size_t at = 0;

		for (int half = 0; half < 2; half++) {
			size_t end = half ? len : cut;

			assert_int_equal(feed(r, wire + at, end - at), 0);
			at = end;
			for (; n < 3 && proto_reader_next(r, &f) == 1; n++) {
				assert_int_equal(f.type, types[n]);
				assert_int_equal(f.stream, n);
				assert_int_equal(f.len, lens[n]);
			}
		}
		assert_int_equal(n, 3);
		assert_memory_equal(f.payload, "some bytes", 10);
		assert_int_equal(r->start, r->end);
	}
}

static void frames_byte_by_byte(void **state)
{
	struct proto_reader *r = *state;
	uint8_t wire[64];
	struct proto_frame f;
	size_t len = encode(wire, PROTO_WARN, 0, "slow", 4);

	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < len; i++) {
			assert_int_equal(feed(r, wire + i, 1), 0);
			assert_int_equal(proto_reader_next(r, &f), i + 1 == len);
		}
	assert_memory_equal(f.payload, "slow", 4);
}

/* The output is touched only with a whole frame. */
static void incomplete_leaves_the_output(void **state)
{
	struct proto_reader *r = *state;
	struct proto_frame f = { .type = 99, .len = 77 };
	uint8_t h[PROTO_HEADER_SIZE];

	proto_header(h, PROTO_DATA, 0, 1);
	assert_int_equal(proto_reader_next(r, &f), 0);
	assert_int_equal(feed(r, h, sizeof(h)), 0);
	assert_int_equal(proto_reader_next(r, &f), 0);
	assert_int_equal(f.type, 99);
	assert_int_equal(f.len, 77);
}

static void longest_frame_fits(void **state)
{
	struct proto_reader *r = *state;
	size_t size = PROTO_HEADER_SIZE + PROTO_MAX_PAYLOAD, at = 0;
	uint8_t *wire = malloc(2 * size);
	unsigned int frames = 0;
	struct proto_frame f;

	assert_non_null(wire);
	for (size_t i = 0; i < 2 * size; i++)
		wire[i] = (uint8_t)(i * 31 >> 3);
	proto_header(wire, PROTO_CONF, 0, PROTO_MAX_PAYLOAD);
	proto_header(wire + size, PROTO_CONF, 0, PROTO_MAX_PAYLOAD);
	while (frames < 2) {
		uint8_t *space;
		size_t room = proto_reader_space(r, &space);

		/* As the header promises: never no room while a frame is wanting. */
		assert_true(room > 0);
		if (room > 1000)
			room = 1000;
		if (room > 2 * size - at)
			room = 2 * size - at;
		memcpy(space, wire + at, room);
		proto_reader_commit(r, room);
		at += room;
		while (proto_reader_next(r, &f) == 1) {
			assert_int_equal(f.len, PROTO_MAX_PAYLOAD);
			assert_memory_equal(f.payload, wire + frames * size + PROTO_HEADER_SIZE,
					    f.len);
			frames++;
		}
	}
	assert_int_equal(at, 2 * size);
	free(wire);
}

static void forged_headers_end_it(void **state)
{
	static const struct {
		uint32_t len;
		uint16_t type;
		uint16_t stream;
	} bad[] = {
		{ PROTO_MAX_PAYLOAD + 1, PROTO_DATA, 0 },
		{ 0x7fffffff, PROTO_DATA, 0 },
		{ 0x80000000, PROTO_DATA, 0 },
		{ 0xffffffff, PROTO_DATA, 0 },
		{ 0xfffffff8, PROTO_DATA, 0 }, /* + header size: 0 in 32 bits */
		{ 0, 0, 0 },
		{ 0, PROTO_TYPE_MAX + 1, 0 },
		{ 0, 0xffff, 0 },
		{ 0, PROTO_DATA, PROTO_STREAMS },
		{ 0, PROTO_DATA, 0xffff },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct proto_reader *r = *state;
		struct proto_frame f = { .type = 99 };
		uint8_t h[PROTO_HEADER_SIZE];

		proto_header(h, bad[i].type, bad[i].stream, bad[i].len);
		assert_int_equal(feed(r, h, sizeof(h)), 0);
		assert_int_equal(proto_reader_next(r, &f), -EPROTO);
		/* And it stays so. */
		assert_int_equal(proto_reader_next(r, &f), -EPROTO);
		assert_int_equal(f.type, 99);
		tear_down(state);
		set_up(state);
	}
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* Whatever a guest sends: a frame within the buffer, or an end. */
static void random_bytes_are_survived(void **state)
{
	uint32_t seed = 1;

	for (int round = 0; round < 300; round++) {
		struct proto_reader *r = *state;
		struct proto_frame f;
		int got = 0;

		for (int chunk = 0; chunk < 200 && got >= 0; chunk++) {
			uint8_t bytes[96];
			size_t n = next_random(&seed) % sizeof(bytes);

			for (size_t i = 0; i < n; i++)
				bytes[i] = (uint8_t)next_random(&seed);
			/* Now and then a header that may pass. */
			if (n >= PROTO_HEADER_SIZE && chunk % 3 == 0)
				proto_header(bytes, (uint16_t)(next_random(&seed) % 15),
					     (uint16_t)(next_random(&seed) % 4),
					     next_random(&seed) % 100);
			assert_int_equal(feed(r, bytes, n), 0);
			while ((got = proto_reader_next(r, &f)) == 1) {
				assert_true(f.len <= PROTO_MAX_PAYLOAD);
				assert_true(f.payload >= r->buf + PROTO_HEADER_SIZE);
				assert_true(f.payload + f.len <= r->buf + r->end);
			}
			assert_true(got == 0 || got == -EPROTO);
		}
		tear_down(state);
		set_up(state);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(integers_are_little_endian),   TEST(header_layout),
		TEST(frames_cut_at_every_byte),	    TEST(frames_byte_by_byte),
		TEST(incomplete_leaves_the_output), TEST(longest_frame_fits),
		TEST(forged_headers_end_it),	    TEST(random_bytes_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
