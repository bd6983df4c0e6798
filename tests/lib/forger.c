/* SPDX-License-Identifier: MIT */
/*
 * In QEMU's place: no machine, but all of a guest's ports, on which it says what no
 * correct guest and no correct QEMU says. What it does is in the guest's name
 * (vmrun --name=TRICK or TRICK-SEED); a template's maker knows no name, but the kernel's
 * command line (--append=trick=TRICK). Static, so that it runs in a jail that has no
 * libraries, and alone: it knows the wire (runner/proto) and the numbers of the
 * descriptors that QEMU inherits (runner/plan/vm_plan.h).
 *
 * Asked to make a template (no QEMU starts with -incoming then, but there is a
 * monitor) it plays that part honestly, unless the trick is one of the monitor's.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runner/proto/proto.h"

enum { AGENT = 3, CONSOLE = 4, MONITOR = 7 };

#define CODE 42 /* of a command that ends well; three bits from 0 */
#define FLOOD (100u << 20)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static unsigned long long seed;
static bool restored; /* has greeted somebody else before */

/* splitmix64: the same bytes for the same seed, everywhere. */
static unsigned long long next(void)
{
	unsigned long long z = seed += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static void fill(uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)next();
}

/* Return: false once nobody listens any more. */
static bool put(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static _Noreturn void stay(void)
{
	for (;;)
		pause();
}

/* --- a guest's side of the conversation --- */

static bool frame(uint16_t type, uint16_t stream, const void *payload, uint32_t len)
{
	static uint8_t buf[PROTO_HEADER_SIZE + PROTO_MAX_PAYLOAD];

	proto_header(buf, type, stream, len);
	if (len)
		memcpy(buf + PROTO_HEADER_SIZE, payload, len);
	return put(AGENT, buf, PROTO_HEADER_SIZE + len);
}

static bool hello(void)
{
	uint8_t version[4];

	if (restored)
		return true;
	proto_put32(version, PROTO_VERSION);
	return frame(PROTO_HELLO, 0, version, sizeof(version));
}

static void take_orders(void)
{
	static struct proto_reader reader;
	struct proto_frame f;

	if (!reader.buf && proto_reader_init(&reader) < 0)
		_exit(90);
	for (;;) {
		uint8_t *to;
		size_t room;
		ssize_t n;
		int r;

		while ((r = proto_reader_next(&reader, &f)) > 0)
			if (f.type == PROTO_RUN)
				return;
		room = proto_reader_space(&reader, &to);
		n = r < 0 ? -1 : read(AGENT, to, room);
		if (n <= 0)
			_exit(91);
		proto_reader_commit(&reader, (size_t)n);
	}
}

static void start(void)
{
	hello();
	take_orders();
	frame(PROTO_READY, 0, NULL, 0);
	frame(PROTO_STARTED, 0, NULL, 0);
}

static bool end(uint32_t code)
{
	uint8_t payload[8];

	proto_put32(payload, PROTO_EXITED);
	proto_put32(payload + 4, code);
	return frame(PROTO_EXIT, 0, payload, sizeof(payload));
}

/* --- tricks on the agent's port --- */

static void random_at_once(void)
{
	uint8_t buf[4096];

	do
		fill(buf, sizeof(buf));
	while (put(AGENT, buf, 1 + next() % sizeof(buf)));
}

static void random_started(void)
{
	start();
	random_at_once();
}

/* Good headers, with lengths, types and streams of any kind, and any bytes in them. */
static void random_frames(void)
{
	static const uint32_t lens[] = { 0,
					 1,
					 3,
					 4,
					 7,
					 8,
					 PROTO_MAX_DATA,
					 PROTO_MAX_PAYLOAD,
					 PROTO_MAX_PAYLOAD + 1,
					 0x7fffffff,
					 0x80000000,
					 0xffffffff };
	uint8_t buf[PROTO_HEADER_SIZE + 4096];

	if (next() % 4)
		start();
	do {
		uint32_t len = lens[next() % (next() % 8 ? 6 : ARRAY_SIZE(lens))];
		uint16_t type = (uint16_t)(next() % (PROTO_TYPE_MAX + 3));

		/* Its end is the one thing that it may say. */
		if (type == PROTO_EXIT)
			type = PROTO_DATA;
		fill(buf, sizeof(buf));
		proto_header(buf, type, (uint16_t)(next() % (PROTO_STREAMS + 1)), len);
		if (len > 4096)
			len = 4096;
		if (!put(AGENT, buf, PROTO_HEADER_SIZE + len))
			break;
	} while (true);
}

/*
 * What a good guest says, with one or two bits of it changed: an exit code that is
 * three bits from 0 does not become it.
 */
static void bits(void)
{
	uint8_t talk[256], *p = talk;
	int n = 1 + (int)(next() % 2);

	proto_header(p, PROTO_READY, 0, 0);
	p += PROTO_HEADER_SIZE;
	proto_header(p, PROTO_STARTED, 0, 0);
	p += PROTO_HEADER_SIZE;
	proto_header(p, PROTO_DATA, PROTO_STDOUT, 5);
	memset(p + PROTO_HEADER_SIZE, 'o', 5);
	p += PROTO_HEADER_SIZE + 5;
	proto_header(p, PROTO_EOF, PROTO_STDOUT, 0);
	p += PROTO_HEADER_SIZE;
	proto_header(p, PROTO_EXIT, 0, 8);
	proto_put32(p + PROTO_HEADER_SIZE, PROTO_EXITED);
	proto_put32(p + PROTO_HEADER_SIZE + 4, CODE);
	p += PROTO_HEADER_SIZE + 8;
	while (n--) {
		size_t bit = next() % (size_t)((p - talk) * 8);

		talk[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	hello();
	take_orders();
	put(AGENT, talk, (size_t)(p - talk));
	/* What was taken for the beginning of something longer has to end. */
	shutdown(AGENT, SHUT_WR);
	stay();
}

static void exit_at_once(void)
{
	end(0);
	stay();
}

static void exit_unstarted(void)
{
	hello();
	take_orders();
	frame(PROTO_READY, 0, NULL, 0);
	end(0);
	stay();
}

static void exit_cut_short(void)
{
	uint8_t buf[PROTO_HEADER_SIZE + 8] = { 0 };

	start();
	proto_header(buf, PROTO_EXIT, 0, 8);
	proto_put32(buf + PROTO_HEADER_SIZE, PROTO_EXITED);
	put(AGENT, buf, sizeof(buf) - 1);
	_exit(0);
}

static void exit_then_death(void)
{
	start();
	end(CODE);
	_exit(0);
}

static void only_death(void)
{
	start();
	_exit(0);
}

static void no_credit(void)
{
	static char data[PROTO_MAX_DATA];

	memset(data, 'x', sizeof(data));
	start();
	while (frame(PROTO_DATA, PROTO_STDOUT, data, sizeof(data)))
		;
	stay();
}

static void empty_frames(void)
{
	start();
	for (int i = 0; i < 300000; i++)
		frame(PROTO_DATA, PROTO_STDOUT + (uint16_t)(i % 2), NULL, 0);
	end(CODE);
	stay();
}

#define EVIL                          \
	"\033]0;owned\007\033[2J\x9b" \
	"2J\xc2\x9b"                  \
	"2J\b\b\r\177"

static void warnings(void)
{
	static const char text[] = EVIL "warned";

	start();
	for (int i = 0; i < 100000; i++)
		frame(PROTO_WARN, 0, text, sizeof(text) - 1);
	end(CODE);
	stay();
}

/* Never says READY, and never is silent. */
static void warnings_for_ever(void)
{
	hello();
	while (frame(PROTO_WARN, 0, "w", 1))
		;
	stay();
}

static void failure(void)
{
	static const char text[] = "\0\0\0\0" EVIL "failed\nvmrun: all is well";

	hello();
	take_orders();
	frame(PROTO_FAIL, 0, text, sizeof(text) - 1);
	stay();
}

static void silent(void)
{
	stay();
}

static void deaf(void)
{
	start();
	frame(PROTO_CREDIT, PROTO_STDIN, "\0\0\0\0", 4);
	stay();
}

/* Takes no byte of its input, and grants ever more of it. */
static void credit_for_ever(void)
{
	uint8_t more[4];

	proto_put32(more, PROTO_WINDOW);
	start();
	while (frame(PROTO_CREDIT, PROTO_STDIN, more, sizeof(more)))
		;
	stay();
}

static void agent_closed(void)
{
	start();
	close(AGENT);
	stay();
}

static void agent_half_closed(void)
{
	start();
	shutdown(AGENT, SHUT_RD);
	frame(PROTO_DATA, PROTO_STDOUT, "x", 1);
	shutdown(AGENT, SHUT_WR);
	stay();
}

static void all_closed(void)
{
	start();
	for (int fd = 0; fd < 64; fd++)
		close(fd);
	stay();
}

/* --- elsewhere --- */

static void flood(int fd)
{
	static char block[65536];

	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (char)(i % 80 == 79 ? '\n' : 33 + i % 90);
	for (unsigned int sent = 0; sent < FLOOD && put(fd, block, sizeof(block));)
		sent += sizeof(block);
}

static void console_flood(void)
{
	start();
	flood(CONSOLE);
	end(CODE);
	stay();
}

/* Half of it on one line, and a death that makes vmrun look for its reason. */
static void console_line(void)
{
	static char block[65536];

	memset(block, 'x', sizeof(block));
	start();
	for (unsigned int sent = 0; sent < FLOOD && put(CONSOLE, block, sizeof(block));)
		sent += sizeof(block);
	_exit(0);
}

static void console_evil(void)
{
	static const char text[] = "good\n" EVIL "evil\nKernel panic - not syncing: " EVIL
				   "why\xff\n";

	start();
	put(CONSOLE, text, sizeof(text) - 1);
	_exit(0);
}

static void console_for_ever(void)
{
	start();
	for (;;)
		flood(CONSOLE);
}

static void words_flood(void)
{
	start();
	flood(STDERR_FILENO);
	end(CODE);
	stay();
}

static void words_evil(void)
{
	static const char text[] = "qemu: " EVIL "words\0more\n";

	put(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(3);
}

/* By what it does: to send itself a signal is more than a jail need allow. */
static void killed(void)
{
	volatile int *volatile nothing = NULL;

	if (next() % 2)
		start();
	switch (next() % 3) {
	case 0:
		*nothing = 1; /* NOLINT(clang-analyzer-core.NullDereference): that is the trick */
		break;
	case 1:
		__asm__ volatile("ud2");
		break;
	default:
		__asm__ volatile("int3");
	}
	stay();
}

static void not_started(void)
{
	_exit(0);
}

/* --- the monitor --- */

#define GREETING "{\"QMP\":{\"version\":{\"qemu\":{\"major\":7,\"minor\":2,\"micro\":0}}}}\r\n"

static void monitor(const char *text)
{
	put(MONITOR, text, strlen(text));
}

/* As QEMU does when it is to save a guest; the guest is one page of state. */
static void save_honestly(void)
{
	char text[4096] = "", control[64];
	struct iovec iov = { text, sizeof(text) - 1 };
	int state = -1;

	monitor(GREETING);
	hello();
	while (!strstr(text, "\"migrate\"")) {
		struct msghdr msg = { .msg_iov = &iov,
				      .msg_iovlen = 1,
				      .msg_control = control,
				      .msg_controllen = sizeof(control) };
		ssize_t n = recvmsg(MONITOR, &msg, 0);
		struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;

		if (n <= 0)
			_exit(92);
		if (c && c->cmsg_type == SCM_RIGHTS)
			memcpy(&state, CMSG_DATA(c), sizeof(state));
		iov.iov_base = (char *)iov.iov_base + n;
		iov.iov_len -= (size_t)n;
	}
	memset(text, 'S', sizeof(text));
	put(state, text, sizeof(text));
	monitor("{\"return\":{}}\r\n{\"event\":\"MIGRATION\","
		"\"data\":{\"status\":\"completed\"}}\r\n");
	stay();
}

static void monitor_random(void)
{
	uint8_t buf[4096];

	do
		fill(buf, sizeof(buf));
	while (put(MONITOR, buf, sizeof(buf)));
	stay();
}

/* One line that has no end. */
static void monitor_line(void)
{
	char buf[4096];

	memset(buf, ' ', sizeof(buf));
	while (put(MONITOR, buf, sizeof(buf)))
		;
	stay();
}

static void monitor_deep(void)
{
	char buf[60000];

	memset(buf, '[', sizeof(buf));
	monitor(GREETING);
	put(MONITOR, buf, sizeof(buf));
	monitor("\r\n");
	stay();
}

static void monitor_refuses(void)
{
	monitor(GREETING
		"{\"error\":{\"desc\":\"\\u001b[2J\\u009b2J refused\\nvmrun: fine\"}}\r\n");
	stay();
}

static void monitor_closed(void)
{
	close(MONITOR);
	_exit(0);
}

/* Events without end, and no guest. */
static void monitor_events(void)
{
	monitor(GREETING);
	for (;;)
		monitor("{\"event\":\"RESUME\"}\r\n");
}

static void well(void)
{
	start();
	frame(PROTO_DATA, PROTO_STDOUT, "it runs\n", 8);
	end(CODE);
	stay();
}

static const struct trick {
	const char *name;
	void (*play)(void);
	enum { ANY_PORT, MAKING, RESTORING } needs; /* the monitor of such a machine */
} tricks[] = {
	{ "random", random_at_once, ANY_PORT },
	{ "random-started", random_started, ANY_PORT },
	{ "frames", random_frames, ANY_PORT },
	{ "bits", bits, ANY_PORT },
	{ "exit-at-once", exit_at_once, ANY_PORT },
	{ "exit-unstarted", exit_unstarted, ANY_PORT },
	{ "exit-cut-short", exit_cut_short, ANY_PORT },
	{ "exit-then-death", exit_then_death, ANY_PORT },
	{ "only-death", only_death, ANY_PORT },
	{ "no-credit", no_credit, ANY_PORT },
	{ "empty-frames", empty_frames, ANY_PORT },
	{ "warnings", warnings, ANY_PORT },
	{ "warnings-for-ever", warnings_for_ever, ANY_PORT },
	{ "failure", failure, ANY_PORT },
	{ "silent", silent, ANY_PORT },
	{ "deaf", deaf, ANY_PORT },
	{ "credit-for-ever", credit_for_ever, ANY_PORT },
	{ "agent-closed", agent_closed, ANY_PORT },
	{ "agent-half-closed", agent_half_closed, ANY_PORT },
	{ "all-closed", all_closed, ANY_PORT },
	{ "console-flood", console_flood, ANY_PORT },
	{ "console-line", console_line, ANY_PORT },
	{ "console-evil", console_evil, ANY_PORT },
	{ "console-for-ever", console_for_ever, ANY_PORT },
	{ "words-flood", words_flood, ANY_PORT },
	{ "words-evil", words_evil, ANY_PORT },
	{ "killed", killed, ANY_PORT },
	{ "not-started", not_started, ANY_PORT },
	{ "monitor-random", monitor_random, MAKING },
	{ "monitor-line", monitor_line, MAKING },
	{ "monitor-deep", monitor_deep, MAKING },
	{ "monitor-refuses", monitor_refuses, MAKING },
	{ "monitor-closed", monitor_closed, MAKING },
	{ "monitor-events", monitor_events, MAKING },
	{ "restored-random", monitor_random, RESTORING },
	{ "restored-line", monitor_line, RESTORING },
	{ "restored-deep", monitor_deep, RESTORING },
	{ "restored-refuses", monitor_refuses, RESTORING },
	{ "restored-closed", monitor_closed, RESTORING },
	{ "well", well, ANY_PORT },
};

static const struct trick *find(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(tricks); i++)
		if (strlen(tricks[i].name) == len && !memcmp(tricks[i].name, name, len))
			return &tricks[i];
	return NULL;
}

/* Of "TRICK" or "TRICK-SEED". */
static const struct trick *choose(const char *name)
{
	size_t len = strcspn(name, " ");
	const struct trick *trick = find(name, len);
	const char *dash = memrchr(name, '-', len);

	if (trick || !dash)
		return trick;
	seed = strtoull(dash + 1, NULL, 10);
	return find(name, (size_t)(dash - name));
}

int main(int argc, char *argv[])
{
	bool has_monitor = fcntl(MONITOR, F_GETFD) >= 0;
	const struct trick *trick = find("well", 4);

	signal(SIGPIPE, SIG_IGN);
	for (int i = 1; i < argc; i++) {
		const char *append = strstr(argv[i], "trick=");

		if (!strncmp(argv[i], "guest=", 6))
			trick = choose(argv[i] + 6);
		else if (append)
			trick = choose(append + 6);
		restored |= !strcmp(argv[i], "-incoming");
	}
	if (!trick) {
		fputs("forger: no such trick\n", stderr);
		return 99;
	}
	/* Those of the monitor need one: an attempt that has none ends well. */
	if (has_monitor && !restored && trick->needs != MAKING)
		save_honestly();
	else if ((trick->needs && !has_monitor) || (trick->needs == MAKING && restored))
		well();
	else
		trick->play();
	return 0;
}
