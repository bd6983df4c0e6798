/* SPDX-License-Identifier: MIT */
#include "tests/unit/plan_world.h"
#include "tests/unit/wire.h"

#include <sys/socket.h>
#include <time.h>

#include "runner/vm/agent.h"

struct world {
	struct plan_world plan;
	struct agent agent;
	struct wire guest;
	int guest_fd;
	struct err e;
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	int pair[2];

	assert_non_null(w);
	plan_world_init(&w->plan);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(agent_init(&w->agent, pair[0], &w->e), 0);
	w->guest_fd = pair[1];
	assert_int_equal(fcntl(w->guest_fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(wire_init(&w->guest, w->guest_fd), 0);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	agent_free(&w->agent);
	wire_free(&w->guest);
	if (w->guest_fd >= 0)
		close(w->guest_fd);
	plan_world_free(&w->plan);
	free(w);
	return 0;
}

static void start_run(struct world *w, const struct winsize *tty)
{
	plan_world_make(&w->plan);
	if (agent_start_run(&w->agent, &w->plan.plan, tty, &w->e) != 0)
		fail_msg("%s", w->e.text);
}

/* The next frame, sent by and by: the socket may not take all at once. */
static int receive(struct world *w, struct proto_frame *ret)
{
	for (;;) {
		int r;

		assert_int_equal(agent_flush(&w->agent), 0);
		r = wire_next(&w->guest, ret);
		if (r != -EAGAIN || agent_backlog(&w->agent) == 0)
			return r;
	}
}

/* The next frame is a CONF of @key; what follows the key, until the next call. */
static const uint8_t *expect_conf(struct world *w, enum proto_key key, size_t *ret_len)
{
	struct proto_frame f;

	assert_int_equal(receive(w, &f), 1);
	assert_int_equal(f.type, PROTO_CONF);
	assert_int_equal(f.stream, 0);
	assert_true(f.len >= 2);
	assert_int_equal(proto_get16(f.payload), key);
	*ret_len = f.len - 2;
	return f.payload + 2;
}

static void expect_text(struct world *w, enum proto_key key, const char *text)
{
	size_t len;
	const uint8_t *p = expect_conf(w, key, &len);

	assert_int_equal(len, strlen(text));
	assert_memory_equal(p, text, len);
}

static void expect_numbers(struct world *w, enum proto_key key, const uint32_t *numbers, size_t n,
			   const char *text)
{
	size_t len;
	const uint8_t *p = expect_conf(w, key, &len);

	assert_int_equal(len, 4 * n + strlen(text));
	for (size_t i = 0; i < n; i++)
		assert_int_equal(proto_get32(p + 4 * i), numbers[i]);
	assert_memory_equal(p + 4 * n, text, strlen(text));
}

static void expect_freshness(struct world *w, uint8_t ret_seed[64])
{
	struct timespec now;
	const uint8_t *p;
	uint64_t sent, ns;
	size_t len;

	p = expect_conf(w, PROTO_KEY_SEED, &len);
	assert_int_equal(len, 64);
	memcpy(ret_seed, p, len);
	p = expect_conf(w, PROTO_KEY_CLOCK, &len);
	assert_int_equal(len, 8);
	sent = proto_get64(p);
	clock_gettime(CLOCK_REALTIME, &now);
	ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	assert_true(sent <= ns && ns - sent < UINT64_C(60000000000));
}

/* RUN, and nothing after it. */
static void expect_run(struct world *w)
{
	struct proto_frame f;

	assert_int_equal(receive(w, &f), 1);
	assert_int_equal(f.type, PROTO_RUN);
	assert_int_equal(f.len, 0);
	assert_int_equal(receive(w, &f), -EAGAIN);
}

static void the_least_that_is_sent(void **state)
{
	struct world *w = *state;
	uint8_t seed[64];

	w->plan.spec.network = NET_NONE;
	strvec_free(&w->plan.spec.command);
	start_run(w, NULL);
	expect_freshness(w, seed);
	expect_numbers(w, PROTO_KEY_ROOT, (uint32_t[]){ PROTO_ROOT_RW, PROTO_CACHE_MMAP }, 2, "");
	expect_text(w, PROTO_KEY_HOSTNAME, "base");
	expect_run(w);
}

static void all_that_is_sent(void **state)
{
	const struct winsize size = { .ws_row = 40, .ws_col = 400 };
	struct world *w = *state;
	struct vm_spec *spec = &w->plan.spec;
	uint8_t seed[64];
	size_t len;
	const uint8_t *p;

	spec->root_mode = ROOT_EPHEMERAL;
	plan_world_volume(&w->plan, "/srv/a,b:/data dir:ro");
	plan_world_volume(&w->plan, "file:/etc/x");
	plan_world_set(&spec->user, "www:33");
	plan_world_set(&spec->workdir, "/var/www");
	plan_world_set(&spec->name, "web");
	strvec_add(&spec->env, "A=1\n2");
	strvec_add(&spec->env, "A=");
	strvec_add(&spec->command, "");
	strvec_add(&spec->command, "\xff\x01");
	assert_int_equal(setenv("TERM", "xterm-256color", 1), 0);
	start_run(w, &size);

	expect_freshness(w, seed);
	expect_numbers(w, PROTO_KEY_ROOT, (uint32_t[]){ PROTO_ROOT_EPHEMERAL, PROTO_CACHE_LOOSE },
		       2, "");
	expect_numbers(w, PROTO_KEY_VOLUME, (uint32_t[]){ 0, 1, PROTO_CACHE_MMAP }, 3, "/data dir");
	expect_numbers(w, PROTO_KEY_VOLUME, (uint32_t[]){ 1, 0, PROTO_CACHE_MMAP }, 3, "/etc/x");
	expect_text(w, PROTO_KEY_HOSTNAME, "web");
	expect_numbers(w, PROTO_KEY_NETWORK, (uint32_t[]){ 1 }, 1, "");
	expect_text(w, PROTO_KEY_USER, "www:33");
	expect_text(w, PROTO_KEY_WORKDIR, "/var/www");
	p = expect_conf(w, PROTO_KEY_TTY, &len);
	assert_int_equal(len, 4);
	assert_int_equal(proto_get16(p), 40);
	assert_int_equal(proto_get16(p + 2), 400);
	expect_text(w, PROTO_KEY_ENV, "TERM=xterm-256color");
	expect_text(w, PROTO_KEY_ENV, "A=1\n2");
	expect_text(w, PROTO_KEY_ENV, "A=");
	expect_text(w, PROTO_KEY_ARG, "/bin/true");
	expect_text(w, PROTO_KEY_ARG, "");
	expect_text(w, PROTO_KEY_ARG, "\xff\x01");
	expect_run(w);
}

static void modes_and_caches(void **state)
{
	static const struct {
		enum root_mode mode;
		enum cache_policy cache;
		uint32_t wire[2];
	} cases[] = {
		{ ROOT_RW, CACHE_NONE, { PROTO_ROOT_RW, PROTO_CACHE_NONE } },
		{ ROOT_RW, CACHE_LOOSE, { PROTO_ROOT_RW, PROTO_CACHE_LOOSE } },
		{ ROOT_READ_ONLY, CACHE_AUTO, { PROTO_ROOT_RO, PROTO_CACHE_LOOSE } },
		{ ROOT_EPHEMERAL, CACHE_MMAP, { PROTO_ROOT_EPHEMERAL, PROTO_CACHE_MMAP } },
	};
	struct world *w = *state;
	struct proto_frame f;
	uint8_t seed[64], last[64] = { 0 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		w->plan.spec.root_mode = cases[i].mode;
		w->plan.spec.cache = cases[i].cache;
		start_run(w, NULL);
		expect_freshness(w, seed);
		/* No two guests begin with the same random numbers. */
		assert_memory_not_equal(seed, last, sizeof(seed));
		memcpy(last, seed, sizeof(last));
		expect_numbers(w, PROTO_KEY_ROOT, cases[i].wire, 2, "");
		do
			assert_int_equal(receive(w, &f), 1);
		while (f.type != PROTO_RUN);
	}
}

/* TERM as the guest gets it; NULL: none at all. */
static void expect_term(struct world *w, const struct winsize *tty, const char *want)
{
	size_t len = want ? strlen(want) : 0;
	struct proto_frame f;
	bool seen = false;

	start_run(w, tty);
	do {
		assert_int_equal(receive(w, &f), 1);
		if (f.type != PROTO_CONF || proto_get16(f.payload) != PROTO_KEY_ENV)
			continue;
		assert_non_null(want);
		assert_int_equal(f.len - 2, len);
		assert_memory_equal(f.payload + 2, want, len);
		seen = true;
	} while (f.type != PROTO_RUN);
	assert_int_equal(seen, want != NULL);
}

static void the_terminals_name(void **state)
{
	const struct winsize size = { .ws_row = 24, .ws_col = 80 };
	struct world *w = *state;
	char name[200];

	assert_int_equal(setenv("TERM", "screen", 1), 0);
	expect_term(w, &size, "TERM=screen");
	expect_term(w, NULL, NULL);
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(setenv("TERM", name, 1), 0);
	expect_term(w, &size, "TERM=linux");
	assert_int_equal(unsetenv("TERM"), 0);
	expect_term(w, &size, "TERM=linux");
}

/* @len bytes of 'x'. */
static char *long_string(size_t len)
{
	char *s = malloc(len + 1);

	assert_non_null(s);
	memset(s, 'x', len);
	s[len] = '\0';
	return s;
}

static void strings_too_long_for_a_frame(void **state)
{
	struct world *w = *state;
	char *longest = long_string(PROTO_MAX_PAYLOAD - 2), *longer;
	struct proto_frame f;
	size_t most = 0;

	longer = long_string(PROTO_MAX_PAYLOAD - 1);
	strvec_add(&w->plan.spec.command, longest);
	strvec_add(&w->plan.spec.env, longest);
	start_run(w, NULL);
	do {
		assert_int_equal(receive(w, &f), 1);
		most = f.len > most ? f.len : most;
	} while (f.type != PROTO_RUN);
	assert_int_equal(most, PROTO_MAX_PAYLOAD);

	strvec_add(&w->plan.spec.env, longer);
	assert_int_equal(agent_start_run(&w->agent, &w->plan.plan, NULL, &w->e), -E2BIG);
	assert_string_equal(w->e.text, "an environment variable is longer than the 128 KiB that "
				       "Linux allows");
	strvec_add(&w->plan.spec.command, longer);
	assert_int_equal(agent_start_run(&w->agent, &w->plan.plan, NULL, &w->e), -E2BIG);
	assert_string_equal(w->e.text, "an argument is longer than the 128 KiB that Linux allows");
	assert_int_equal(agent_backlog(&w->agent), 0);
	free(longest);
	free(longer);
}

static void too_much_in_all(void **state)
{
	struct world *w = *state;
	char *s = long_string(100000);

	/* 8 MB and not 8 MiB: it still goes. */
	for (int i = 0; i < 80; i++)
		strvec_add(i % 2 ? &w->plan.spec.command : &w->plan.spec.env, s);
	start_run(w, NULL);
	assert_true(agent_backlog(&w->agent) > 8000000);
	assert_true(agent_backlog(&w->agent) <= PROTO_MAX_CONF + PROTO_HEADER_SIZE);
	strbuf_consume(&w->agent.tx, agent_backlog(&w->agent));
	for (int i = 0; i < 4; i++)
		strvec_add(&w->plan.spec.command, s);
	assert_int_equal(agent_start_run(&w->agent, &w->plan.plan, NULL, &w->e), -E2BIG);
	assert_string_equal(w->e.text, "arguments and environment are longer than 8 MiB");
	free(s);
}

/* A socket that takes little at a time, and a guest that reads as it likes. */
static void sent_in_portions(void **state)
{
	struct world *w = *state;
	int size = 4096;
	size_t before = 0, sum = 0;
	struct proto_frame f;
	uint8_t data[1000];

	assert_int_equal(setsockopt(w->agent.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	for (unsigned int i = 0; i < 300; i++) {
		memset(data, (int)i, sizeof(data));
		agent_send(&w->agent, PROTO_DATA, PROTO_STDIN, data, sizeof(data));
		before += PROTO_HEADER_SIZE + sizeof(data);
	}
	assert_int_equal(agent_backlog(&w->agent), before);
	/* Nobody reads: what does not go stays, and no call blocks. */
	assert_int_equal(agent_flush(&w->agent), 0);
	assert_int_equal(agent_flush(&w->agent), 0);
	assert_true(agent_backlog(&w->agent) > 0);
	assert_true(agent_backlog(&w->agent) < before);
	for (unsigned int i = 0; i < 300; i++) {
		assert_int_equal(receive(w, &f), 1);
		assert_int_equal(f.len, sizeof(data));
		assert_int_equal(f.payload[0], (uint8_t)i);
		assert_int_equal(f.payload[f.len - 1], (uint8_t)i);
		sum += f.len;
	}
	assert_int_equal(sum, 300000);
	assert_int_equal(receive(w, &f), -EAGAIN);
	assert_int_equal(agent_backlog(&w->agent), 0);
}

static void small_frames(void **state)
{
	const struct winsize size = { .ws_row = 50, .ws_col = 132 };
	struct world *w = *state;
	struct proto_frame f;

	agent_send_u32(&w->agent, PROTO_SIGNAL, PROTO_STDIN, 15);
	agent_send_u32(&w->agent, PROTO_CREDIT, PROTO_STDERR, 0xfedcba98);
	agent_send_resize(&w->agent, &size);
	agent_send(&w->agent, PROTO_EOF, PROTO_STDIN, NULL, 0);
	assert_int_equal(receive(w, &f), 1);
	assert_int_equal(f.type, PROTO_SIGNAL);
	assert_int_equal(f.len, 4);
	assert_int_equal(proto_get32(f.payload), 15);
	assert_int_equal(receive(w, &f), 1);
	assert_int_equal(f.type, PROTO_CREDIT);
	assert_int_equal(f.stream, PROTO_STDERR);
	assert_int_equal(proto_get32(f.payload), 0xfedcba98);
	assert_int_equal(receive(w, &f), 1);
	assert_int_equal(f.type, PROTO_RESIZE);
	assert_int_equal(f.len, 4);
	assert_int_equal(proto_get16(f.payload), 50);
	assert_int_equal(proto_get16(f.payload + 2), 132);
	assert_int_equal(receive(w, &f), 1);
	assert_int_equal(f.type, PROTO_EOF);
	assert_int_equal(f.len, 0);
}

static void received_in_portions(void **state)
{
	struct world *w = *state;
	uint8_t wire[PROTO_HEADER_SIZE + 5];
	struct proto_frame f;

	/* Nothing there: neither an end nor a failure. */
	assert_int_equal(agent_fill(&w->agent), 1);
	assert_int_equal(agent_next(&w->agent, &f), 0);
	proto_header(wire, PROTO_WARN, 0, 5);
	memset(wire + PROTO_HEADER_SIZE, 'w', 5);
	for (size_t i = 0; i < sizeof(wire); i++) {
		assert_int_equal(agent_next(&w->agent, &f), 0);
		assert_int_equal(write(w->guest_fd, wire + i, 1), 1);
		assert_int_equal(agent_fill(&w->agent), 1);
	}
	assert_int_equal(agent_next(&w->agent, &f), 1);
	assert_int_equal(f.type, PROTO_WARN);
	assert_int_equal(f.len, 5);
	assert_memory_equal(f.payload, "wwwww", 5);
	assert_int_equal(agent_next(&w->agent, &f), 0);
}

static void malformed_frames(void **state)
{
	static const struct {
		uint16_t type, stream;
		uint32_t len;
	} cases[] = {
		{ 0, 0, 0 },
		{ PROTO_TYPE_MAX + 1, 0, 0 },
		{ 0xffff, 0xffff, UINT32_MAX },
		{ PROTO_DATA, PROTO_STREAMS, 1 },
		{ PROTO_WARN, 0, PROTO_MAX_PAYLOAD + 1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t header[PROTO_HEADER_SIZE];
		struct proto_frame f;
		struct world *w;

		assert_int_equal(set_up(state), 0);
		w = *state;
		proto_header(header, cases[i].type, cases[i].stream, cases[i].len);
		assert_int_equal(write(w->guest_fd, header, sizeof(header)), sizeof(header));
		assert_int_equal(agent_fill(&w->agent), 1);
		assert_int_equal(agent_next(&w->agent, &f), -EPROTO);
		assert_int_equal(tear_down(state), 0);
	}
}

static void the_guest_is_gone(void **state)
{
	struct world *w = *state;
	struct proto_frame f;

	assert_int_equal(wire_send(&w->guest, PROTO_HELLO, 0, "\1\0\0\0", 4), 0);
	close(w->guest_fd);
	w->guest_fd = -1;
	/* What it said before is heard; no SIGPIPE ends this process. */
	agent_send(&w->agent, PROTO_RUN, 0, NULL, 0);
	assert_int_equal(agent_flush(&w->agent), -EPIPE);
	assert_int_equal(agent_fill(&w->agent), 1);
	assert_int_equal(agent_next(&w->agent, &f), 1);
	assert_int_equal(f.type, PROTO_HELLO);
	assert_int_equal(agent_fill(&w->agent), 0);
	assert_int_equal(agent_next(&w->agent, &f), 0);
}

/* The guest's end closed with our frames unread: the kernel says ECONNRESET. */
static void the_guest_did_not_listen(void **state)
{
	struct world *w = *state;

	agent_send(&w->agent, PROTO_RUN, 0, NULL, 0);
	assert_int_equal(agent_flush(&w->agent), 0);
	close(w->guest_fd);
	w->guest_fd = -1;
	assert_int_equal(agent_fill(&w->agent), 0);
}

static void out_of_memory_shows_at_last(void **state)
{
	struct world *w = *state;

	w->agent.tx.failed = true;
	agent_send(&w->agent, PROTO_RUN, 0, NULL, 0);
	assert_int_equal(agent_flush(&w->agent), -ENOMEM);
	plan_world_make(&w->plan);
	assert_int_equal(agent_start_run(&w->agent, &w->plan.plan, NULL, &w->e), -ENOMEM);
}

static void a_bad_descriptor(void **state)
{
	struct agent agent;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(agent_init(&agent, -1, &e), -EBADF);
	assert_int_equal(e.errnum, EBADF);
	agent_free(&agent);
	agent_free(&agent);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_least_that_is_sent),
		TEST(all_that_is_sent),
		TEST(modes_and_caches),
		TEST(the_terminals_name),
		TEST(strings_too_long_for_a_frame),
		TEST(too_much_in_all),
		TEST(sent_in_portions),
		TEST(small_frames),
		TEST(received_in_portions),
		cmocka_unit_test(malformed_frames),
		TEST(the_guest_is_gone),
		TEST(the_guest_did_not_listen),
		TEST(out_of_memory_shows_at_last),
		cmocka_unit_test(a_bad_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
