/* SPDX-License-Identifier: MIT */
/* A relay between pipes and the agent's socket, the guest's end of which is the test's. */
#ifndef VMRUN_TESTS_RELAY_WORLD_H
#define VMRUN_TESTS_RELAY_WORLD_H

#include "tests/unit/fixture.h"
#include "tests/unit/wire.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include "runner/vm/relay.h"

struct world {
	struct agent agent;
	struct relay relay;
	struct wire guest;
	int saved[2];  /* the test's own standard input and output */
	int in;	       /* what is written here is vmrun's standard input */
	int reader[2]; /* what vmrun writes to standard output and error */
};

/*
 * Standard input and output are pipes of ours meanwhile; standard error is not
 * touched, for the messages of sanitizers: a pipe takes its place in the relay.
 */
static inline int relay_set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	int pair[2], in[2], out[2], err[2];
	struct err e;

	assert_non_null(w);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(pipe2(in, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC | O_NONBLOCK), 0);
	for (int i = 0; i < 2; i++) {
		w->saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 3);
		assert_true(w->saved[i] >= 0);
	}
	fflush(stdout);
	assert_int_equal(dup2(in[0], 0), 0);
	assert_int_equal(dup2(out[1], 1), 1);
	close(in[0]);
	close(out[1]);
	w->in = in[1];
	w->reader[0] = out[0];
	w->reader[1] = err[0];
	assert_int_equal(agent_init(&w->agent, pair[0], &e), 0);
	relay_init(&w->relay, &w->agent, false);
	if (w->relay.out[1].own_fd)
		close(w->relay.out[1].fd);
	w->relay.out[1] = (struct relay_out){ .fd = err[1], .fifo = true };
	assert_int_equal(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(wire_init(&w->guest, pair[1]), 0);
	*state = w;
	return 0;
}

static inline void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static inline int relay_tear_down(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 2; i++) {
		dup2(w->saved[i], i);
		close_one(&w->saved[i]);
		close_one(&w->reader[i]);
	}
	close_one(&w->in);
	close_one(&w->relay.out[1].fd);
	relay_free(&w->relay);
	relay_free(&w->relay);
	agent_free(&w->agent);
	close_one(&w->guest.fd);
	wire_free(&w->guest);
	free(w);
	return 0;
}

/* One turn of the loop. Return: how many of the streams had something to do. */
static inline int turn_at(struct world *w, uint64_t now_ms)
{
	struct pollfd fds[RELAY_FDS];
	int n;

	relay_poll(&w->relay, fds);
	n = poll(fds, RELAY_FDS, 0);
	assert_true(n >= 0);
	relay_handle(&w->relay, fds, now_ms);
	assert_int_equal(agent_flush(&w->agent), 0);
	return n;
}

static inline int turn(struct world *w)
{
	return turn_at(w, 0);
}

/* Turns until there is nothing to do: it must come to rest. */
static inline void settle(struct world *w)
{
	for (int i = 0; turn(w) > 0; i++)
		assert_true(i < 10000);
}

static inline int take(struct world *w, uint16_t type, uint16_t stream, const void *payload,
		       uint32_t len)
{
	const struct proto_frame f = {
		.type = type, .stream = stream, .len = len, .payload = payload
	};

	return relay_frame(&w->relay, &f);
}

static inline int take_u32(struct world *w, uint16_t type, uint16_t stream, uint32_t value)
{
	uint8_t buf[4];

	proto_put32(buf, value);
	return take(w, type, stream, buf, sizeof(buf));
}

static inline void expect_frame(struct world *w, uint16_t type, uint16_t stream)
{
	struct proto_frame f;

	assert_int_equal(wire_next(&w->guest, &f), 1);
	assert_int_equal(f.type, type);
	assert_int_equal(f.stream, stream);
	assert_int_equal(f.len, 0);
}

static inline void expect_silence(struct world *w)
{
	struct proto_frame f;

	assert_int_equal(wire_next(&w->guest, &f), -EAGAIN);
}

/* --- input --- */

static inline void put_in(struct world *w, const char *text)
{
	assert_int_equal(write(w->in, text, strlen(text)), strlen(text));
}

static inline void expect_data(struct world *w, const char *text)
{
	struct proto_frame f;

	assert_int_equal(wire_next(&w->guest, &f), 1);
	assert_int_equal(f.type, PROTO_DATA);
	assert_int_equal(f.stream, PROTO_STDIN);
	assert_int_equal(f.len, strlen(text));
	assert_memory_equal(f.payload, text, f.len);
}

static inline bool wants_input(const struct world *w)
{
	struct pollfd fds[RELAY_FDS];

	relay_poll(&w->relay, fds);
	return fds[0].fd == 0;
}

#endif
