/* SPDX-License-Identifier: MIT */
/*
 * A guest without a machine: a process that holds QEMU's ends of the sockets, and
 * PID 1's of the channel, and does what a test's script says. What it finds wrong
 * ends it (CHILD_CHECK) with a message on the standard error that it shares with
 * the supervisor.
 */
#ifndef VMRUN_TESTS_FAKE_GUEST_H
#define VMRUN_TESTS_FAKE_GUEST_H

#include "tests/unit/child.h"
#include "tests/unit/wire.h"

#include "runner/vm/channel.h"

struct fake_guest {
	struct wire agent;
	int channel;
	int console;
	int stderr_fd; /* QEMU's */
	int qmp;       /* QEMU's, or -1 */
	pid_t vmrun;
	bool tty;		      /* the run is on a terminal ... */
	uint16_t rows, columns;	      /* ... of this size */
	uint32_t room[PROTO_STREAMS]; /* credit for its output */
	/* Of the test's script. */
	uint32_t number;
	const char *text;
};

static inline void guest_send(struct fake_guest *g, uint16_t type, uint16_t stream,
			      const void *payload, uint32_t len)
{
	CHILD_CHECK(wire_send(&g->agent, type, stream, payload, len) == 0);
}

static inline void guest_send_u32(struct fake_guest *g, uint16_t type, uint16_t stream,
				  uint32_t value)
{
	uint8_t buf[4];

	proto_put32(buf, value);
	guest_send(g, type, stream, buf, sizeof(buf));
}

/* The next frame, which must be of @type. */
static inline void guest_expect(struct fake_guest *g, uint16_t type, struct proto_frame *ret)
{
	CHILD_CHECK(wire_next(&g->agent, ret) == 1);
	CHILD_CHECK(ret->type == type);
}

static inline void guest_expect_signal(struct fake_guest *g, int sig)
{
	struct proto_frame f;

	guest_expect(g, PROTO_SIGNAL, &f);
	CHILD_CHECK(f.len == 4 && proto_get32(f.payload) == (uint32_t)sig);
}

/* All CONF up to RUN, READY. */
static inline void guest_take_orders(struct fake_guest *g)
{
	struct proto_frame f;

	for (;;) {
		CHILD_CHECK(wire_next(&g->agent, &f) == 1);
		if (f.type == PROTO_RUN)
			break;
		CHILD_CHECK(f.type == PROTO_CONF && f.len >= 2);
		if (proto_get16(f.payload) != PROTO_KEY_TTY)
			continue;
		g->tty = true;
		g->rows = proto_get16(f.payload + 2);
		g->columns = proto_get16(f.payload + 4);
	}
	guest_send(g, PROTO_READY, 0, NULL, 0);
}

/* As one that boots. */
static inline void guest_greet(struct fake_guest *g)
{
	guest_send_u32(g, PROTO_HELLO, 0, PROTO_VERSION);
	guest_take_orders(g);
}

static inline void guest_start(struct fake_guest *g)
{
	guest_greet(g);
	guest_send(g, PROTO_STARTED, 0, NULL, 0);
}

static inline void guest_exit(struct fake_guest *g, uint32_t kind, uint32_t value)
{
	uint8_t buf[8];

	proto_put32(buf, kind);
	proto_put32(buf + 4, value);
	guest_send(g, PROTO_EXIT, 0, buf, sizeof(buf));
}

static inline void guest_exited(struct fake_guest *g, uint32_t code)
{
	guest_exit(g, PROTO_EXITED, code);
}

static inline void guest_print(struct fake_guest *g, uint16_t stream, const char *text)
{
	guest_send(g, PROTO_DATA, stream, text, (uint32_t)strlen(text));
}

#define GUEST_PANIC "[ 1.0] Kernel panic - not syncing: boom\n"

/* On the serial console. */
static inline void guest_say(struct fake_guest *g, const char *text)
{
	CHILD_CHECK(fs_write_all(g->console, text, strlen(text)) == 0);
}

static inline void guest_qemu_says(struct fake_guest *g, const char *text)
{
	CHILD_CHECK(fs_write_all(g->stderr_fd, text, strlen(text)) == 0);
}

static inline void guest_signal_vmrun(struct fake_guest *g, int sig)
{
	CHILD_CHECK(kill(g->vmrun, sig) == 0);
}

/* What is done until guest_thaw_vmrun() is all there when it looks again. */
static inline void guest_freeze_vmrun(struct fake_guest *g)
{
	char path[64], *stat;
	size_t len;
	bool stopped;

	/* Time for what was sent before, so that the rest is found by one poll(2). */
	usleep(10000);
	guest_signal_vmrun(g, SIGSTOP);
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)g->vmrun);
	do {
		CHILD_CHECK(fs_read_host(path, 4096, &stat, &len) == 0);
		stopped = strstr(stat, ") T ") != NULL;
		free(stat);
	} while (!stopped);
}

static inline void guest_thaw_vmrun(struct fake_guest *g)
{
	guest_signal_vmrun(g, SIGCONT);
}

/* PID 1 tells QEMU's end; QEMU's sockets are closed by then. */
static inline void guest_qemu_ended(struct fake_guest *g, int status)
{
	struct channel_msg msg = { .kind = CHANNEL_ENDED, .status = status };
	int r;

	close(g->agent.fd);
	close(g->console);
	close(g->stderr_fd);
	close(g->qmp);
	r = channel_send(g->channel, &msg, -1);
	/* After the exit vmrun may not wait for it. */
	CHILD_CHECK(r == 0 || r == -EPIPE);
}

/* Until vmrun has had enough of it. */
static inline void guest_wait_for_the_end(struct fake_guest *g)
{
	struct proto_frame f;
	int r;

	do
		r = wire_next(&g->agent, &f);
	while (r == 1);
	CHILD_CHECK(r == 0 || r == -ECONNRESET);
}

#endif
