/* SPDX-License-Identifier: MIT */
/* The relay between the link and a command's streams: a socket is the port, pipes the streams. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "initramfs/guest/stream.h"

struct world {
	struct link link;	  /* the guest's end */
	int host;		  /* the other */
	struct proto_reader wire; /* decodes what arrives there */
	struct stream_in in;
	uint8_t ring[STREAM_RING];
	int reads; /* the command's end of its stdin */
	struct stream_out out;
	int writes; /* the command's end of its stdout */
};

static void make_pipe(int ours, int *ret_ours, int *ret_theirs)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	*ret_ours = fds[ours];
	*ret_theirs = fds[!ours];
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	int fds[2], fd;

	signal(SIGPIPE, SIG_IGN);
	assert_non_null(w);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
			 0);
	assert_int_equal(link_init(&w->link, fds[0]), 0);
	w->host = fds[1];
	assert_int_equal(proto_reader_init(&w->wire), 0);
	make_pipe(1, &fd, &w->reads);
	stream_in_init(&w->in, fd, false, w->ring);
	w->out = (struct stream_out){ .id = PROTO_STDOUT, .ready = true, .credit = PROTO_WINDOW };
	make_pipe(0, &w->out.fd, &w->writes);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	stream_in_close(&w->in);
	if (w->out.fd >= 0)
		close(w->out.fd);
	close(w->reads);
	close(w->writes);
	close(w->host);
	close(w->link.fd);
	close(w->link.epfd);
	proto_reader_free(&w->link.in);
	proto_reader_free(&w->wire);
	free(w->link.out);
	free(w);
	return 0;
}

/* What the host gets next. Return: false if nothing has come. */
static bool host_next(struct world *w, struct proto_frame *ret)
{
	for (;;) {
		int r = proto_reader_next(&w->wire, ret);
		uint8_t *space;
		size_t size;
		ssize_t n;

		assert_true(r >= 0);
		if (r)
			return true;
		size = proto_reader_space(&w->wire, &space);
		n = read(w->host, space, size);
		if (n < 0)
			return false;
		proto_reader_commit(&w->wire, (size_t)n);
	}
}

static void expect_frame(struct world *w, uint16_t type, uint16_t stream)
{
	struct proto_frame f;

	assert_true(host_next(w, &f));
	assert_int_equal(f.type, type);
	assert_int_equal(f.stream, stream);
}

static void expect_quiet(struct world *w)
{
	struct proto_frame f;

	assert_false(host_next(w, &f));
}

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i ^ i >> 8 ^ i >> 16);
}

static int give(struct world *w, size_t from, size_t len)
{
	uint8_t data[PROTO_MAX_DATA];

	for (size_t i = 0; i < len; i++)
		data[i] = pattern(from + i);
	return stream_in_data(&w->in, &w->link, data, len);
}

/* Reads what the command's stdin holds and checks it against the pattern. */
static size_t take(struct world *w, size_t from, size_t max)
{
	uint8_t data[4096];
	size_t got = 0;
	ssize_t n;

	while (got < max && (n = read(w->reads, data, max - got < 4096 ? max - got : 4096)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(data[i], pattern(from + got + (size_t)i));
		got += (size_t)n;
	}
	return got;
}

static uint32_t credits(struct world *w)
{
	struct proto_frame f;
	uint32_t sum = 0;

	while (host_next(w, &f)) {
		assert_int_equal(f.type, PROTO_CREDIT);
		assert_int_equal(f.stream, PROTO_STDIN);
		assert_int_equal(f.len, 4);
		sum += proto_get32(f.payload);
	}
	return sum;
}

/* More than a window, through a pipe that is smaller, read in odd pieces. */
static void stdin_arrives_whole(void **state)
{
	const size_t total = 5 * PROTO_WINDOW + 12345;
	size_t sent = 0, got = 0, window = PROTO_WINDOW;
	struct world *w = *state;

	while (got < total) {
		while (sent < total && window) {
			size_t n = total - sent < 30001 ? total - sent : 30001;

			n = n < window ? n : window;
			assert_int_equal(give(w, sent, n), 0);
			sent += n;
			window -= n;
		}
		got += take(w, got, 77777);
		w->in.ready = true;
		assert_int_equal(stream_in_flush(&w->in, &w->link), 0);
		window += credits(w);
	}
	assert_int_equal(got, total);
	/* What is not credited yet would never stall a sender. */
	assert_true(window > PROTO_WINDOW / 2);
}

static void more_than_a_window_is_refused(void **state)
{
	struct world *w = *state;

	for (size_t sent = 0; sent < PROTO_WINDOW; sent += PROTO_MAX_DATA)
		assert_int_equal(give(w, sent, PROTO_MAX_DATA), 0);
	/* The pipe took some, but not enough for a credit to have been needed. */
	while (credits(w) == 0 && take(w, 0, 1) == 0)
		;
	assert_int_equal(give(w, 0, PROTO_MAX_DATA),
			 w->in.uncredited == PROTO_WINDOW ? -EPROTO : 0);
	while (w->in.uncredited < PROTO_WINDOW)
		assert_int_equal(give(w, 0, 1), 0);
	assert_int_equal(give(w, 0, 1), -EPROTO);
}

static void an_oversized_frame_is_refused(void **state)
{
	static const uint8_t big[PROTO_MAX_DATA + 1];
	struct world *w = *state;

	assert_int_equal(stream_in_data(&w->in, &w->link, big, sizeof(big)), -EPROTO);
}

static void eof_comes_behind_the_data(void **state)
{
	struct world *w = *state;
	uint8_t byte;
	size_t got = 0;

	for (size_t sent = 0; sent < PROTO_WINDOW; sent += PROTO_MAX_DATA)
		assert_int_equal(give(w, sent, PROTO_MAX_DATA), 0);
	assert_int_equal(stream_in_eof(&w->in, &w->link), 0);
	while (got < PROTO_WINDOW) {
		got += take(w, got, PROTO_WINDOW);
		w->in.ready = true;
		assert_int_equal(stream_in_flush(&w->in, &w->link), 0);
	}
	assert_int_equal(read(w->reads, &byte, 1), 0);
	assert_int_equal(w->in.fd, -1);
	assert_int_equal(stream_in_eof(&w->in, &w->link), -EPROTO);
}

static void data_behind_eof_is_refused(void **state)
{
	struct world *w = *state;

	while (w->in.ready)
		assert_int_equal(give(w, 0, PROTO_MAX_DATA), 0);
	assert_int_equal(stream_in_eof(&w->in, &w->link), 0);
	assert_true(w->in.fd >= 0);
	assert_int_equal(give(w, 0, 1), -EPROTO);
}

static void a_closed_stdin_is_told_once(void **state)
{
	struct world *w = *state;

	close(w->reads);
	w->reads = -1;
	assert_int_equal(give(w, 0, 100), 0);
	expect_frame(w, PROTO_CLOSE, PROTO_STDIN);
	assert_int_equal(give(w, 0, PROTO_MAX_DATA), 0);
	assert_int_equal(stream_in_eof(&w->in, &w->link), 0);
	expect_quiet(w);
}

/* On a terminal end-of-file is a character: one on an empty line, else two. */
static void eof_on_a_terminal(void **state)
{
	static const struct {
		const char *text, *typed;
	} cases[] = { { "", "\4" }, { "line\n", "line\n\4" }, { "part", "part\4\4" } };
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char got[16] = "";
		struct stream_in in;
		int ours, theirs;

		make_pipe(1, &ours, &theirs);
		stream_in_init(&in, ours, true, w->ring);
		assert_int_equal(stream_in_data(&in, &w->link, (const uint8_t *)cases[i].text,
						strlen(cases[i].text)),
				 0);
		assert_int_equal(stream_in_eof(&in, &w->link), 0);
		assert_true(read(theirs, got, sizeof(got) - 1) > 0);
		assert_string_equal(got, cases[i].typed);
		assert_true(in.fd >= 0);
		stream_in_close(&in);
		close(theirs);
	}
}

static void stdout_stops_without_credit(void **state)
{
	struct world *w = *state;
	struct proto_frame f;

	w->out.credit = 10;
	assert_int_equal(write(w->writes, "0123456789abcdef", 16), 16);
	assert_int_equal(stream_out_pump(&w->out, &w->link, false), 0);
	assert_true(host_next(w, &f));
	assert_int_equal(f.type, PROTO_DATA);
	assert_int_equal(f.len, 10);
	assert_memory_equal(f.payload, "0123456789", 10);
	expect_quiet(w);
	assert_int_equal(stream_out_credit(&w->out, 100), 0);
	assert_int_equal(stream_out_pump(&w->out, &w->link, false), 0);
	assert_true(host_next(w, &f));
	assert_int_equal(f.len, 6);
	assert_memory_equal(f.payload, "abcdef", 6);
	assert_false(w->out.ready);
}

static void credit_is_bounded(void **state)
{
	struct world *w = *state;

	assert_int_equal(stream_out_credit(&w->out, 1), -EPROTO);
	assert_int_equal(stream_out_credit(&w->out, UINT32_MAX), -EPROTO);
	w->out.credit = 0;
	assert_int_equal(stream_out_credit(&w->out, PROTO_WINDOW + 1), -EPROTO);
	assert_int_equal(stream_out_credit(&w->out, PROTO_WINDOW), 0);
	assert_int_equal(w->out.credit, PROTO_WINDOW);
}

static void stdout_ends(void **state)
{
	struct world *w = *state;

	assert_int_equal(write(w->writes, "x", 1), 1);
	close(w->writes);
	w->writes = -1;
	assert_int_equal(stream_out_pump(&w->out, &w->link, false), 0);
	expect_frame(w, PROTO_DATA, PROTO_STDOUT);
	expect_frame(w, PROTO_EOF, PROTO_STDOUT);
	assert_int_equal(stream_out_pump(&w->out, &w->link, false), 0);
	assert_int_equal(stream_out_close(&w->out, &w->link), 0);
	expect_quiet(w);
}

/* A writer that is left does not hold up the end, but what it wrote is sent. */
static void the_last_pump_does_not_wait(void **state)
{
	struct world *w = *state;

	assert_int_equal(write(w->writes, "x", 1), 1);
	w->out.ready = false;
	assert_int_equal(stream_out_pump(&w->out, &w->link, false), 0);
	expect_quiet(w);
	w->out.credit = 1;
	assert_int_equal(stream_out_pump(&w->out, &w->link, true), 0);
	expect_frame(w, PROTO_DATA, PROTO_STDOUT);
	expect_quiet(w);
	assert_int_equal(stream_out_credit(&w->out, 1), 0);
	assert_int_equal(stream_out_pump(&w->out, &w->link, true), 0);
	expect_frame(w, PROTO_EOF, PROTO_STDOUT);
}

/* A host that reads nothing: the queue fills to its bound, control frames still
 * fit, and once the host reads, all comes in order. */
static void a_full_queue_stops_the_pump(void **state)
{
	struct world *w = *state;
	char block[4096] = { 0 };
	struct proto_frame f;
	size_t in = 0, out = 0;

	for (int i = 0; i < 10000; i++) {
		ssize_t n = write(w->writes, block, sizeof(block));

		in += n > 0 ? (size_t)n : 0;
		w->out.credit = PROTO_WINDOW;
		w->out.ready = true;
		assert_int_equal(stream_out_pump(&w->out, &w->link, false), 0);
	}
	assert_null(link_reserve(&w->link));
	assert_true(in < 4u << 20);
	assert_int_equal(link_send_u32(&w->link, PROTO_CREDIT, PROTO_STDIN, 7), 0);
	f.type = PROTO_DATA;
	while (f.type == PROTO_DATA)
		if (host_next(w, &f))
			out += f.type == PROTO_DATA ? f.len : 0;
		else
			assert_int_equal(link_flush(&w->link), 0);
	assert_int_equal(f.type, PROTO_CREDIT);
	assert_int_equal(proto_get32(f.payload), 7);
	w->out.ready = true;
	w->out.credit = PROTO_WINDOW;
	assert_int_equal(stream_out_pump(&w->out, &w->link, false), 0);
	while (host_next(w, &f))
		out += f.len;
	assert_int_equal(out, in);
}

static void too_many_control_frames(void **state)
{
	struct world *w = *state;
	int r = 0;

	for (int i = 0; i < 1000000 && r == 0; i++)
		r = link_send_u32(&w->link, PROTO_CREDIT, PROTO_STDIN, 1);
	assert_int_equal(r, -ENOBUFS);
}

static void frames_from_the_host(void **state)
{
	static const uint8_t bytes[] = { 4, 0, 0, 0, PROTO_SIGNAL, 0, 0, 0, 15, 0, 0, 0 };
	struct world *w = *state;
	struct proto_frame f;

	assert_int_equal(link_next(&w->link, &f), 0);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		assert_int_equal(link_next(&w->link, &f), 0);
		assert_int_equal(write(w->host, bytes + i, 1), 1);
	}
	assert_int_equal(link_wait(&w->link, 1000), 0);
	assert_int_equal(link_next(&w->link, &f), 1);
	assert_int_equal(f.type, PROTO_SIGNAL);
	assert_int_equal(proto_get32(f.payload), 15);
	assert_int_equal(write(w->host, "garbage!", 8), 8);
	assert_int_equal(link_next(&w->link, &f), -EPROTO);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(stdin_arrives_whole),
		TEST(more_than_a_window_is_refused),
		TEST(an_oversized_frame_is_refused),
		TEST(eof_comes_behind_the_data),
		TEST(data_behind_eof_is_refused),
		TEST(a_closed_stdin_is_told_once),
		TEST(eof_on_a_terminal),
		TEST(stdout_stops_without_credit),
		TEST(credit_is_bounded),
		TEST(stdout_ends),
		TEST(the_last_pump_does_not_wait),
		TEST(a_full_queue_stops_the_pump),
		TEST(too_many_control_frames),
		TEST(frames_from_the_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
