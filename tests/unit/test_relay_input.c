/* SPDX-License-Identifier: MIT */
#include "tests/unit/relay_world.h"

#define ESCAPE "\x1d"

static void input_and_its_end(void **state)
{
	struct world *w = *state;

	settle(w);
	expect_silence(w);
	put_in(w, "hello");
	settle(w);
	expect_data(w, "hello");
	put_in(w, "again" ESCAPE ESCAPE ESCAPE);
	settle(w);
	/* No terminal: nothing means anything in it. */
	expect_data(w, "again" ESCAPE ESCAPE ESCAPE);
	assert_int_equal(w->relay.escaped, NOT_ESCAPED);
	put_in(w, "last");
	close_one(&w->in);
	settle(w);
	expect_data(w, "last");
	expect_frame(w, PROTO_EOF, PROTO_STDIN);
	assert_false(wants_input(w));
	assert_int_equal(w->relay.in_error, 0);
	settle(w);
	expect_silence(w);
}

static void input_that_cannot_be_read(void **state)
{
	struct world *w = *state;
	int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(dir >= 0);
	assert_int_equal(dup2(dir, 0), 0);
	close(dir);
	settle(w);
	expect_frame(w, PROTO_EOF, PROTO_STDIN);
	assert_false(wants_input(w));
	assert_int_equal(w->relay.in_error, EISDIR);
}

/* Turns with a standard input that is never empty. Return: the bytes that came out. */
static size_t flood_input(struct world *w)
{
	static const char chunk[16384];
	struct proto_frame f;
	size_t sum = 0;

	for (int idle = 0; idle < 3;) {
		if (write(w->in, chunk, sizeof(chunk)) < 0)
			assert_int_equal(errno, EAGAIN);
		idle = turn(w) ? 0 : idle + 1;
		while (wire_next(&w->guest, &f) == 1) {
			assert_int_equal(f.type, PROTO_DATA);
			assert_true(f.len <= PROTO_MAX_DATA);
			sum += f.len;
		}
	}
	return sum;
}

static void input_stops_at_the_window(void **state)
{
	struct world *w = *state;

	assert_int_equal(flood_input(w), PROTO_WINDOW);
	assert_false(wants_input(w));
	assert_int_equal(take_u32(w, PROTO_CREDIT, PROTO_STDIN, 10), 0);
	assert_true(wants_input(w));
	assert_int_equal(flood_input(w), 10);
	assert_int_equal(take_u32(w, PROTO_CREDIT, PROTO_STDIN, PROTO_WINDOW), 0);
	assert_int_equal(flood_input(w), PROTO_WINDOW);
}

/* A guest that does not even take what it has room for. */
static void input_stops_at_a_full_socket(void **state)
{
	static const char chunk[16384];
	struct world *w = *state;
	int size = 4096;

	assert_int_equal(setsockopt(w->agent.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	for (int i = 0; i < 100; i++) {
		if (write(w->in, chunk, sizeof(chunk)) < 0)
			assert_int_equal(errno, EAGAIN);
		turn(w);
	}
	assert_false(wants_input(w));
	assert_true(w->relay.credit > 0);
	assert_true(agent_backlog(&w->agent) < PROTO_WINDOW);
	assert_int_equal(turn(w), 0);
}

static void credit_beyond_the_window(void **state)
{
	struct world *w = *state;

	assert_int_equal(take_u32(w, PROTO_CREDIT, PROTO_STDIN, 0), 0);
	assert_int_equal(take_u32(w, PROTO_CREDIT, PROTO_STDIN, 1), -EPROTO);
	assert_int_equal(take_u32(w, PROTO_CREDIT, PROTO_STDIN, UINT32_MAX), -EPROTO);
	put_in(w, "hello");
	settle(w);
	assert_int_equal(take_u32(w, PROTO_CREDIT, PROTO_STDIN, 6), -EPROTO);
	assert_int_equal(take_u32(w, PROTO_CREDIT, PROTO_STDIN, 5), 0);
	assert_int_equal(take_u32(w, PROTO_CREDIT, PROTO_STDIN, 1), -EPROTO);
	assert_int_equal(take(w, PROTO_CREDIT, PROTO_STDIN, "\0\0", 2), -EPROTO);
	assert_int_equal(take(w, PROTO_CREDIT, PROTO_STDIN, "\0\0\0\0\0", 5), -EPROTO);
	assert_int_equal(take(w, PROTO_CREDIT, PROTO_STDIN, NULL, 0), -EPROTO);
	assert_int_equal(take_u32(w, PROTO_CREDIT, PROTO_STDOUT, 0), -EPROTO);
	assert_int_equal(w->relay.credit, PROTO_WINDOW);
}

static void the_guest_wants_no_more_input(void **state)
{
	struct world *w = *state;

	put_in(w, "unread");
	assert_int_equal(take(w, PROTO_CLOSE, PROTO_STDIN, NULL, 0), 0);
	assert_false(wants_input(w));
	settle(w);
	expect_silence(w);
	/* Also at its end: nobody is told of it. */
	close_one(&w->in);
	settle(w);
	expect_silence(w);
}

/* --- the escape --- */

static void three_escapes_end_the_guest(void **state)
{
	struct world *w = *state;

	w->relay.raw = true;
	put_in(w, "x" ESCAPE);
	turn_at(w, 5000);
	put_in(w, ESCAPE);
	turn_at(w, 5500);
	assert_int_equal(w->relay.escaped, NOT_ESCAPED);
	put_in(w, ESCAPE "y");
	turn_at(w, 6000);
	assert_int_equal(w->relay.escaped, ESCAPED);
	/* The first two were the command's, too. */
	expect_data(w, "x" ESCAPE);
	expect_data(w, ESCAPE);
	expect_silence(w);
}

static void three_escapes_at_once(void **state)
{
	struct world *w = *state;

	w->relay.raw = true;
	put_in(w, "ls" ESCAPE ESCAPE ESCAPE);
	turn(w);
	assert_int_equal(w->relay.escaped, ESCAPED);
	expect_silence(w);
}

static void escapes_that_are_none(void **state)
{
	struct world *w = *state;

	w->relay.raw = true;
	/* Not in a row. */
	put_in(w, ESCAPE ESCAPE "x" ESCAPE ESCAPE);
	turn_at(w, 100);
	expect_data(w, ESCAPE ESCAPE "x" ESCAPE ESCAPE);
	put_in(w, "x" ESCAPE);
	turn_at(w, 200);
	put_in(w, ESCAPE);
	turn_at(w, 1000);
	/* Too slow: the third is a first. */
	put_in(w, ESCAPE);
	turn_at(w, 1201);
	assert_int_equal(w->relay.escaped, NOT_ESCAPED);
	put_in(w, ESCAPE);
	turn_at(w, 1300);
	assert_int_equal(w->relay.escaped, NOT_ESCAPED);
	put_in(w, ESCAPE);
	turn_at(w, 2201);
	assert_int_equal(w->relay.escaped, ESCAPED);
}

static void ctrl_c_is_the_commands_once_there_is_one(void **state)
{
	struct world *w = *state;

	put_in(w, "a\x03");
	turn(w);
	expect_data(w, "a\x03");
	w->relay.raw = true;
	w->relay.starting = false;
	put_in(w, "b\x03");
	turn(w);
	expect_data(w, "b\x03");
	assert_int_equal(w->relay.escaped, NOT_ESCAPED);
	w->relay.starting = true;
	put_in(w, "c\x03");
	turn(w);
	assert_int_equal(w->relay.escaped, ESCAPED_BY_CTRL_C);
	expect_silence(w);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, relay_set_up, relay_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(input_and_its_end),	   TEST(input_that_cannot_be_read),
		TEST(input_stops_at_the_window),   TEST(input_stops_at_a_full_socket),
		TEST(credit_beyond_the_window),	   TEST(the_guest_wants_no_more_input),
		TEST(three_escapes_end_the_guest), TEST(three_escapes_at_once),
		TEST(escapes_that_are_none),	   TEST(ctrl_c_is_the_commands_once_there_is_one),
	};

	/* As vmrun does. */
	signal(SIGPIPE, SIG_IGN);
	alarm(20);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
