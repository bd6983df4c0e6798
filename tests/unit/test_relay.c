/* SPDX-License-Identifier: MIT */
/* What the guest prints; its input has test_relay_input.c. */
#include "tests/unit/relay_world.h"

#include <limits.h>
#include <sys/ioctl.h>

/* @len bytes of output from the guest, in frames as large as they may be. */
static void take_bytes(struct world *w, uint16_t stream, const uint8_t *data, size_t len)
{
	while (len) {
		uint32_t n = len < PROTO_MAX_DATA ? (uint32_t)len : PROTO_MAX_DATA;

		assert_int_equal(take(w, PROTO_DATA, stream, data, n), 0);
		data += n;
		len -= n;
	}
}

/* The sum of the CREDIT frames for @stream that have come; no other frame may have. */
static size_t credits(struct world *w, uint16_t stream)
{
	struct proto_frame f;
	size_t sum = 0;

	while (wire_next(&w->guest, &f) == 1) {
		assert_int_equal(f.type, PROTO_CREDIT);
		assert_int_equal(f.stream, stream);
		assert_int_equal(f.len, 4);
		assert_true(proto_get32(f.payload) > 0);
		sum += proto_get32(f.payload);
	}
	return sum;
}

static void expect_output(struct world *w, int i, const char *text)
{
	char buf[256];
	ssize_t n = read(w->reader[i], buf, sizeof(buf));

	assert_int_equal(n, strlen(text));
	assert_memory_equal(buf, text, strlen(text));
}

static int bytes_in(int fd)
{
	int n;

	assert_int_equal(ioctl(fd, FIONREAD, &n), 0);
	return n;
}

static void output_and_its_credit(void **state)
{
	struct world *w = *state;

	assert_int_equal(take(w, PROTO_DATA, PROTO_STDOUT, "out", 3), 0);
	assert_int_equal(take(w, PROTO_DATA, PROTO_STDERR, "error", 5), 0);
	assert_false(relay_drained(&w->relay));
	/* Received is not written: no credit yet. */
	assert_int_equal(agent_backlog(&w->agent), 0);
	settle(w);
	assert_true(relay_drained(&w->relay));
	expect_output(w, 0, "out");
	expect_output(w, 1, "error");
	assert_int_equal(agent_backlog(&w->agent), 0);
	{
		struct proto_frame f;

		assert_int_equal(wire_next(&w->guest, &f), 1);
		assert_int_equal(f.type, PROTO_CREDIT);
		assert_int_equal(f.stream, PROTO_STDOUT);
		assert_int_equal(proto_get32(f.payload), 3);
	}
	assert_int_equal(credits(w, PROTO_STDERR), 5);
	/* An empty frame is odd, and no harm. */
	assert_int_equal(take(w, PROTO_DATA, PROTO_STDOUT, "", 0), 0);
	settle(w);
	expect_silence(w);
}

static void the_window_is_enforced(void **state)
{
	static uint8_t data[PROTO_WINDOW];
	struct world *w = *state;

	take_bytes(w, PROTO_STDOUT, data, PROTO_WINDOW);
	assert_int_equal(take(w, PROTO_DATA, PROTO_STDOUT, data, 1), -EPROTO);
	/* The other stream has its own. */
	take_bytes(w, PROTO_STDERR, data, PROTO_WINDOW);
	assert_int_equal(take(w, PROTO_DATA, PROTO_STDERR, data, 1), -EPROTO);
	/* So much as was written may come again, not a byte more. */
	settle(w);
	for (int i = 0; i < 2; i++) {
		size_t written = (size_t)bytes_in(w->reader[i]);
		uint16_t stream = (uint16_t)(PROTO_STDOUT + i);

		assert_true(written > 0 && written < PROTO_WINDOW);
		take_bytes(w, stream, data, written);
		assert_int_equal(take(w, PROTO_DATA, stream, data, 1), -EPROTO);
	}
}

static void frames_that_break_the_protocol(void **state)
{
	static const uint16_t types[] = { PROTO_HELLO,	 PROTO_CONF,   PROTO_RUN,
					  PROTO_STARTED, PROTO_FAIL,   PROTO_WARN,
					  PROTO_SIGNAL,	 PROTO_RESIZE, PROTO_EXIT };
	static uint8_t data[PROTO_MAX_DATA + 1];
	struct world *w = *state;

	assert_int_equal(take(w, PROTO_DATA, PROTO_STDOUT, data, sizeof(data)), -EPROTO);
	assert_int_equal(take(w, PROTO_DATA, PROTO_STDOUT, data, sizeof(data) - 1), 0);
	assert_int_equal(take(w, PROTO_DATA, PROTO_STDIN, data, 1), -EPROTO);
	assert_int_equal(take(w, PROTO_EOF, PROTO_STDIN, NULL, 0), -EPROTO);
	assert_int_equal(take(w, PROTO_CLOSE, PROTO_STDOUT, NULL, 0), -EPROTO);
	assert_int_equal(take(w, PROTO_CLOSE, PROTO_STDERR, NULL, 0), -EPROTO);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		assert_int_equal(take_u32(w, types[i], PROTO_STDIN, 0), -EPROTO);
	assert_int_equal(take(w, PROTO_EOF, PROTO_STDOUT, NULL, 0), 0);
	assert_int_equal(take(w, PROTO_DATA, PROTO_STDOUT, data, 1), -EPROTO);
	assert_int_equal(take(w, PROTO_DATA, PROTO_STDERR, data, 1), 0);
}

/* A small pipe and a reader who takes some now and then: 4 MB get through, byte for byte. */
static void a_slow_reader(void **state)
{
	static uint8_t sent[4 << 20], got[4 << 20];
	struct world *w = *state;
	size_t n_sent = 0, n_got = 0, n_credit = 0;

	fill_noise(sent, sizeof(sent));
	assert_true(fcntl(1, F_SETPIPE_SZ, 8192) >= 0);
	for (int i = 0; n_got < sizeof(got); i++) {
		size_t room = PROTO_WINDOW - (n_sent - n_credit), take_n;
		ssize_t n;

		if (room > sizeof(sent) - n_sent)
			room = sizeof(sent) - n_sent;
		take_bytes(w, PROTO_STDOUT, sent + n_sent, room);
		n_sent += room;
		settle(w);
		n_credit += credits(w, PROTO_STDOUT);
		/* Credit for what is in the pipe or was read, and for nothing else. */
		assert_int_equal(n_credit, n_got + (size_t)bytes_in(w->reader[0]));
		assert_true(w->relay.out[0].buf.cap <= 4 * PROTO_WINDOW);
		take_n = (size_t)(i % 7 ? 8192 : 5);
		if (take_n > sizeof(got) - n_got)
			take_n = sizeof(got) - n_got;
		n = read(w->reader[0], got + n_got, take_n);
		assert_true(n > 0);
		n_got += (size_t)n;
	}
	assert_memory_equal(got, sent, sizeof(sent));
	assert_true(relay_drained(&w->relay));
	assert_int_equal(n_credit, sizeof(sent));
}

/* vmrun comes to rest, and the other stream flows on. */
static void a_reader_that_stops(void **state)
{
	static uint8_t data[PROTO_WINDOW];
	struct world *w = *state;
	size_t in_pipe;

	take_bytes(w, PROTO_STDOUT, data, PROTO_WINDOW);
	settle(w);
	in_pipe = (size_t)bytes_in(w->reader[0]);
	assert_int_equal(credits(w, PROTO_STDOUT), in_pipe);
	assert_int_equal(turn(w), 0);
	assert_false(relay_drained(&w->relay));
	assert_int_equal(take(w, PROTO_DATA, PROTO_STDERR, "error", 5), 0);
	settle(w);
	expect_output(w, 1, "error");
	assert_int_equal(credits(w, PROTO_STDERR), 5);
	put_in(w, "input");
	settle(w);
	expect_data(w, "input");
}

/*
 * Blocking pipes, as shells make them: no write may wait for the reader. Standard
 * output could be opened again, standard error could not.
 */
static void blocking_pipes(void **state)
{
	static uint8_t data[PROTO_WINDOW];
	struct world *w = *state;

	assert_int_equal(fcntl(1, F_SETFL, 0), 0);
	assert_int_equal(fcntl(w->relay.out[1].fd, F_SETFL, 0), 0);
	for (int i = 0; i < 2; i++) {
		assert_true(fcntl(w->relay.out[i].fd, F_SETPIPE_SZ, 3 * PIPE_BUF) >= 0);
		take_bytes(w, (uint16_t)(PROTO_STDOUT + i), data, PROTO_WINDOW);
	}
	settle(w);
	assert_true(bytes_in(w->reader[0]) > 0);
	assert_true(bytes_in(w->reader[1]) > 0);
	assert_int_equal(fcntl(1, F_GETFL) & O_NONBLOCK, 0);
}

/* Another writer was faster: the room that poll(2) saw is gone. */
static void a_shared_pipe(void **state)
{
	static uint8_t data[65536];
	struct world *w = *state;
	struct pollfd fds[RELAY_FDS];

	assert_int_equal(take(w, PROTO_DATA, PROTO_STDOUT, "out", 3), 0);
	relay_poll(&w->relay, fds);
	assert_int_equal(poll(fds, RELAY_FDS, 0), 1);
	while (write(1, data, sizeof(data)) > 0)
		;
	assert_int_equal(fcntl(1, F_SETFL, 0), 0);
	relay_handle(&w->relay, fds, 0);
	assert_false(relay_drained(&w->relay));
	assert_int_equal(w->relay.out[0].error, 0);
	assert_true(read(w->reader[0], data, sizeof(data)) > 0);
	settle(w);
	assert_true(relay_drained(&w->relay));
}

/* A blocking terminal that was stopped, or whose window hangs. */
static void a_terminal_that_stops(void **state)
{
	static uint8_t data[PROTO_WINDOW];
	struct world *w = *state;
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), terminal, fd;
	size_t n_credit;

	assert_int_equal(grantpt(master), 0);
	assert_int_equal(unlockpt(master), 0);
	terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_int_equal(dup2(terminal, 1), 1);
	close_one(&w->relay.out[1].fd);
	relay_free(&w->relay);
	relay_init(&w->relay, &w->agent, false);
	memset(data, 'x', sizeof(data));
	take_bytes(w, PROTO_STDOUT, data, PROTO_WINDOW);
	settle(w);
	n_credit = credits(w, PROTO_STDOUT);
	assert_true(n_credit > 0 && n_credit < PROTO_WINDOW);
	/* The kernel gives room back in its own time. */
	for (n_credit = 0; n_credit == 0; n_credit = credits(w, PROTO_STDOUT)) {
		assert_true(read(master, data, 1000) > 0);
		usleep(1000);
		settle(w);
	}
	/* The shell's own descriptor is as it was. */
	assert_int_equal(fcntl(1, F_GETFL) & O_NONBLOCK, 0);
	fd = w->relay.out[0].fd;
	relay_free(&w->relay);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(fcntl(1, F_GETFD), 0);
	w->relay.out[1].fd = -1;
	close(terminal);
	close(master);
}

static void a_socket_as_output(void **state)
{
	static uint8_t data[PROTO_WINDOW];
	struct world *w = *state;
	size_t n_got = 0;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	w->relay.out[0].fd = pair[0];
	w->relay.out[0].fifo = false;
	for (int i = 0; i < 2; i++) {
		take_bytes(w, PROTO_STDOUT, data, PROTO_WINDOW - n_got);
		settle(w);
		n_got = credits(w, PROTO_STDOUT);
		assert_true(n_got > 0);
		for (size_t left = n_got; left;) {
			ssize_t n = read(pair[1], data, left);

			assert_true(n > 0);
			left -= (size_t)n;
		}
	}
	close(pair[1]);
	settle(w);
	expect_frame(w, PROTO_CLOSE, PROTO_STDOUT);
	assert_true(relay_drained(&w->relay));
	close(pair[0]);
}

static void the_readers_end_is_told(void **state)
{
	struct world *w = *state;

	/* With nothing to write: "true | head -0", and a command that is silent. */
	close_one(&w->reader[0]);
	settle(w);
	expect_frame(w, PROTO_CLOSE, PROTO_STDOUT);
	expect_silence(w);
	/* What is on its way is dropped, without credit. */
	for (int i = 0; i < 20; i++) {
		static uint8_t data[PROTO_MAX_DATA];

		assert_int_equal(take(w, PROTO_DATA, PROTO_STDOUT, data, sizeof(data)), 0);
	}
	assert_true(relay_drained(&w->relay));
	settle(w);
	expect_silence(w);
	assert_int_equal(w->relay.out[0].error, 0);
	/* The other stream is as before. */
	assert_int_equal(take(w, PROTO_DATA, PROTO_STDERR, "error", 5), 0);
	settle(w);
	expect_output(w, 1, "error");
	assert_int_equal(credits(w, PROTO_STDERR), 5);
}

static void the_reader_goes_in_between(void **state)
{
	static uint8_t data[PROTO_WINDOW];
	struct world *w = *state;

	take_bytes(w, PROTO_STDOUT, data, PROTO_WINDOW);
	settle(w);
	assert_true(credits(w, PROTO_STDOUT) > 0);
	close_one(&w->reader[0]);
	settle(w);
	expect_frame(w, PROTO_CLOSE, PROTO_STDOUT);
	assert_true(relay_drained(&w->relay));
	assert_int_equal(w->relay.out[0].error, 0);
	/* Seen when writing to a pipe that has room, not when waiting for some. */
	assert_int_equal(take(w, PROTO_DATA, PROTO_STDERR, "error", 5), 0);
	close_one(&w->reader[1]);
	settle(w);
	expect_frame(w, PROTO_CLOSE, PROTO_STDERR);
	assert_int_equal(w->relay.out[1].error, 0);
}

static void the_reader_goes_after_the_end(void **state)
{
	struct world *w = *state;

	assert_int_equal(take(w, PROTO_DATA, PROTO_STDOUT, "out", 3), 0);
	assert_int_equal(take(w, PROTO_EOF, PROTO_STDOUT, NULL, 0), 0);
	settle(w);
	expect_output(w, 0, "out");
	close_one(&w->reader[0]);
	settle(w);
	/* The guest has closed its end: neither credit nor CLOSE is of any use to it. */
	expect_silence(w);
}

static void a_full_disk(void **state)
{
	struct world *w = *state;
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	assert_true(full >= 0);
	w->relay.out[0].fd = full;
	w->relay.out[0].fifo = false;
	assert_int_equal(take(w, PROTO_DATA, PROTO_STDOUT, "out", 3), 0);
	settle(w);
	assert_int_equal(w->relay.out[0].error, ENOSPC);
	assert_int_equal(w->relay.out[1].error, 0);
	expect_frame(w, PROTO_CLOSE, PROTO_STDOUT);
	expect_silence(w);
	assert_true(relay_drained(&w->relay));
	close(full);
}

static void a_closed_descriptor(void **state)
{
	struct world *w = *state;

	w->relay.out[0].fd = fcntl(1, F_DUPFD_CLOEXEC, 100);
	close(w->relay.out[0].fd);
	assert_int_equal(take(w, PROTO_DATA, PROTO_STDOUT, "out", 3), 0);
	settle(w);
	expect_frame(w, PROTO_CLOSE, PROTO_STDOUT);
	assert_true(relay_drained(&w->relay));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, relay_set_up, relay_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(output_and_its_credit),
		TEST(the_window_is_enforced),
		TEST(frames_that_break_the_protocol),
		TEST(a_slow_reader),
		TEST(a_reader_that_stops),
		TEST(blocking_pipes),
		TEST(a_shared_pipe),
		TEST(a_terminal_that_stops),
		TEST(a_socket_as_output),
		TEST(the_readers_end_is_told),
		TEST(the_reader_goes_in_between),
		TEST(the_reader_goes_after_the_end),
		TEST(a_full_disk),
		TEST(a_closed_descriptor),
	};

	/* As vmrun does. */
	signal(SIGPIPE, SIG_IGN);
	alarm(20);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
