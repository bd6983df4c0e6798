/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"

#include <sys/socket.h>

#include "runner/net/frames.h"

struct link {
	int ours;
	int theirs;
	struct frame_reader in;
	struct frame_writer out;
};

static int setup(void **state)
{
	struct link *l = calloc(1, sizeof(*l));
	int pair[2];

	assert_non_null(l);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	l->ours = pair[0];
	l->theirs = pair[1];
	assert_int_equal(frame_reader_init(&l->in), 0);
	assert_int_equal(frame_writer_init(&l->out), 0);
	*state = l;
	return 0;
}

static int teardown(void **state)
{
	struct link *l = *state;

	close(l->ours);
	if (l->theirs >= 0)
		close(l->theirs);
	frame_reader_free(&l->in);
	frame_writer_free(&l->out);
	free(l);
	return 0;
}

static void put_raw(struct link *l, const void *data, size_t len)
{
	assert_int_equal(send(l->theirs, data, len, 0), len);
}

static void expect_frame(struct link *l, const void *data, size_t len)
{
	const uint8_t *frame;
	size_t got;

	assert_int_equal(frame_reader_next(&l->in, &frame, &got), 1);
	assert_int_equal(got, len);
	assert_memory_equal(frame, data, len);
}

static void expect_none(struct link *l)
{
	const uint8_t *frame = NULL;
	size_t len = 77;

	assert_int_equal(frame_reader_next(&l->in, &frame, &len), 0);
	assert_null(frame);
	assert_int_equal(len, 77);
}

static void frames_come_one_by_one(void **state)
{
	struct link *l = *state;

	expect_none(l);
	put_raw(l, "\0\0\0\5first\0\0\0\6second\0\0\0\1", 23);
	assert_int_equal(frame_reader_fill(&l->in, l->ours), 23);
	expect_frame(l, "first", 5);
	expect_frame(l, "second", 6);
	expect_none(l);
	put_raw(l, "x", 1);
	assert_int_equal(frame_reader_fill(&l->in, l->ours), 1);
	expect_frame(l, "x", 1);
	expect_none(l);
}

static void frames_come_byte_by_byte(void **state)
{
	static const char wire[] = "\0\0\0\3abc\0\0\0\2de";
	struct link *l = *state;

	for (size_t i = 0; i < 7; i++) {
		expect_none(l);
		put_raw(l, wire + i, 1);
		assert_int_equal(frame_reader_fill(&l->in, l->ours), 1);
	}
	expect_frame(l, "abc", 3);
	put_raw(l, wire + 7, 6);
	assert_int_equal(frame_reader_fill(&l->in, l->ours), 6);
	expect_frame(l, "de", 2);
}

static void nothing_and_the_end(void **state)
{
	struct link *l = *state;

	assert_int_equal(frame_reader_fill(&l->in, l->ours), -EAGAIN);
	put_raw(l, "\0\0\0\5fir", 7);
	close(l->theirs);
	l->theirs = -1;
	assert_int_equal(frame_reader_fill(&l->in, l->ours), 7);
	expect_none(l);
	assert_int_equal(frame_reader_fill(&l->in, l->ours), 0);
}

static void lengths_that_are_none(void **state)
{
	static const struct {
		const char *wire;
		int result;
	} cases[] = {
		{ "\0\0\0\0", -EPROTO },	{ "\xff\xff\xff\xff", -EPROTO },
		{ "\x80\0\0\0", -EPROTO },	{ "\0\1\0\xe", -EPROTO },
		{ "\0\1\0\xd", 0 /* 65549 */ }, { "\0\0\0\1", 0 },
		{ "\1\0\0\1", -EPROTO },
	};
	const uint8_t *frame;
	size_t len;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct frame_reader r;
		uint8_t *space;

		assert_int_equal(frame_reader_init(&r), 0);
		assert_true(frame_reader_space(&r, &space) >= 4);
		memcpy(space, cases[i].wire, 4);
		frame_reader_commit(&r, 4);
		assert_int_equal(frame_reader_next(&r, &frame, &len), cases[i].result);
		/* And it stays so. */
		assert_int_equal(frame_reader_next(&r, &frame, &len), cases[i].result);
		frame_reader_free(&r);
	}
	(void)state;
}

/* The largest, over and over, at every place in the buffer. */
static void the_largest(void **state)
{
	struct link *l = *state;
	uint8_t *data = malloc(FRAME_MAX), header[4] = { 0, 1, 0, 0xd };

	assert_non_null(data);
	fill_noise(data, FRAME_MAX);
	for (int i = 0; i < 20; i++) {
		const uint8_t *frame;
		size_t sent = 0, len;
		int r;

		put_raw(l, header, sizeof(header));
		while ((r = frame_reader_next(&l->in, &frame, &len)) == 0) {
			size_t n = FRAME_MAX - sent < 7000 ? FRAME_MAX - sent : 7000;

			if (n)
				put_raw(l, data + sent, n);
			sent += n;
			assert_true(frame_reader_fill(&l->in, l->ours) > 0);
		}
		assert_int_equal(r, 1);
		assert_int_equal(len, FRAME_MAX);
		assert_memory_equal(frame, data, len);
	}
	free(data);
}

/* A full buffer is told from the end of the stream. */
static void no_room(void **state)
{
	struct link *l = *state;
	const uint8_t *frame;
	uint8_t *space;
	size_t room = frame_reader_space(&l->in, &space), len;

	for (size_t i = 0; i < room; i++)
		space[i] = (uint8_t) "\0\0\0\1x"[i % 5];
	frame_reader_commit(&l->in, room);
	put_raw(l, "y", 1);
	assert_int_equal(frame_reader_fill(&l->in, l->ours), -ENOBUFS);
	for (size_t i = 0; i < room / 5; i++) {
		assert_int_equal(frame_reader_next(&l->in, &frame, &len), 1);
		assert_int_equal(len, 1);
	}
	expect_none(l);
	assert_int_equal(frame_reader_fill(&l->in, l->ours), 1);
}

static void what_is_written(void **state)
{
	struct link *l = *state;
	uint8_t buf[32];

	assert_int_equal(frame_writer_put(&l->out, "first", 5), 0);
	assert_int_equal(frame_writer_put(&l->out, "2", 1), 0);
	assert_int_equal(frame_writer_backlog(&l->out), 14);
	assert_int_equal(frame_writer_flush(&l->out, l->ours), 0);
	assert_int_equal(frame_writer_backlog(&l->out), 0);
	assert_int_equal(recv(l->theirs, buf, sizeof(buf), 0), 14);
	assert_memory_equal(buf,
			    "\0\0\0\5first\0\0\0\1"
			    "2",
			    14);
	assert_int_equal(frame_writer_put(&l->out, "", 0), -EMSGSIZE);
	assert_int_equal(frame_writer_put(&l->out, buf, FRAME_MAX + 1), -EMSGSIZE);
}

/* Who does not read gets what there was room for, in order, and whole. */
static void who_does_not_read(void **state)
{
	struct link *l = *state;
	uint8_t frame[1000] = { 0 };
	uint32_t sent = 0, got = 0;
	const uint8_t *p;
	size_t len;

	for (int lost = 0; lost < 10; lost++) {
		int r = 0;

		while (r == 0) {
			memcpy(frame, &sent, sizeof(sent));
			r = frame_writer_put(&l->out, frame, sizeof(frame));
			if (r == 0)
				sent++;
		}
		assert_int_equal(r, -ENOBUFS);
		assert_true(frame_writer_backlog(&l->out) <= FRAME_WRITER_SIZE);
		assert_int_equal(frame_writer_flush(&l->out, l->ours), 0);
	}
	while (got < sent) {
		ssize_t n = frame_reader_fill(&l->in, l->theirs);

		assert_true(n > 0 || n == -EAGAIN);
		while (frame_reader_next(&l->in, &p, &len) == 1) {
			assert_int_equal(len, sizeof(frame));
			assert_memory_equal(p, &got, sizeof(got));
			got++;
		}
		assert_int_equal(frame_writer_flush(&l->out, l->ours), 0);
	}
	assert_int_equal(frame_writer_backlog(&l->out), 0);
}

static void nobody_there(void **state)
{
	struct link *l = *state;

	close(l->theirs);
	l->theirs = -1;
	assert_int_equal(frame_writer_put(&l->out, "x", 1), 0);
	assert_int_equal(frame_writer_flush(&l->out, l->ours), -EPIPE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(frames_come_one_by_one),
		TEST(frames_come_byte_by_byte),
		TEST(nothing_and_the_end),
		TEST(lengths_that_are_none),
		TEST(the_largest),
		TEST(no_room),
		TEST(what_is_written),
		TEST(who_does_not_read),
		TEST(nobody_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
