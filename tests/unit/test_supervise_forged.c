/* SPDX-License-Identifier: MIT */
/*
 * Frames that no correct agent sends, or not then: each alone is the guest's end,
 * and none of them, whatever follows it, is the exit code 0.
 */
#include "tests/unit/scenario.h"

enum when { BEFORE_GREETING, GREETED, STARTED };

#define EARLY "spoke before its greeting"
#define OTHER "speaks another protocol"
#define MALFORMED_FRAME "sent a malformed frame"
#define MALFORMED_EXIT "sent a malformed exit"
#define MALFORMED_FAILURE "sent a malformed failure"
#define BROKEN "broke the protocol"

static const struct forged {
	const char *name;
	enum when when;
	uint16_t type, stream;
	uint32_t len;
	uint32_t payload[2];
	const char *message;
} forged[] = {
	{ "early EXIT", BEFORE_GREETING, PROTO_EXIT, 0, 8, { PROTO_EXITED, 0 }, EARLY },
	{ "early STARTED", BEFORE_GREETING, PROTO_STARTED, 0, 0, { 0 }, EARLY },
	{ "early DATA", BEFORE_GREETING, PROTO_DATA, 1, 1, { 'x' }, EARLY },
	{ "early CREDIT", BEFORE_GREETING, PROTO_CREDIT, 0, 4, { 1 }, EARLY },
	{ "early READY", BEFORE_GREETING, PROTO_READY, 0, 0, { 0 }, BROKEN },
	{ "HELLO of another version",
	  BEFORE_GREETING,
	  PROTO_HELLO,
	  0,
	  4,
	  { PROTO_VERSION + 1 },
	  OTHER },
	{ "HELLO too short", BEFORE_GREETING, PROTO_HELLO, 0, 3, { PROTO_VERSION }, OTHER },
	{ "HELLO too long", BEFORE_GREETING, PROTO_HELLO, 0, 5, { PROTO_VERSION }, OTHER },
	{ "type 0", BEFORE_GREETING, 0, 0, 0, { 0 }, MALFORMED_FRAME },
	{ "type unknown", BEFORE_GREETING, PROTO_TYPE_MAX + 1, 0, 0, { 0 }, MALFORMED_FRAME },
	{ "stream unknown", BEFORE_GREETING, PROTO_HELLO, 3, 4, { 1 }, MALFORMED_FRAME },
	{ "frame too long",
	  BEFORE_GREETING,
	  PROTO_WARN,
	  0,
	  PROTO_MAX_PAYLOAD + 1,
	  { 0 },
	  MALFORMED_FRAME },
	{ "frame of 4 GB", STARTED, PROTO_DATA, 1, UINT32_MAX, { 0 }, MALFORMED_FRAME },
	{ "EXIT before STARTED", GREETED, PROTO_EXIT, 0, 8, { PROTO_EXITED, 0 }, MALFORMED_EXIT },
	{ "FAIL empty", GREETED, PROTO_FAIL, 0, 0, { 0 }, MALFORMED_FAILURE },
	{ "FAIL too short", GREETED, PROTO_FAIL, 0, 3, { 0 }, MALFORMED_FAILURE },
	{ "EXIT empty", STARTED, PROTO_EXIT, 0, 0, { 0 }, MALFORMED_EXIT },
	{ "EXIT too short", STARTED, PROTO_EXIT, 0, 7, { PROTO_EXITED, 0 }, MALFORMED_EXIT },
	{ "EXIT too long", STARTED, PROTO_EXIT, 0, 9, { PROTO_EXITED, 0 }, MALFORMED_EXIT },
	{ "EXIT of kind 0", STARTED, PROTO_EXIT, 0, 8, { 0, 0 }, MALFORMED_EXIT },
	{ "EXIT of kind 3", STARTED, PROTO_EXIT, 0, 8, { 3, 0 }, MALFORMED_EXIT },
	{ "exit code 256", STARTED, PROTO_EXIT, 0, 8, { PROTO_EXITED, 256 }, MALFORMED_EXIT },
	{ "exit code 0x80000000",
	  STARTED,
	  PROTO_EXIT,
	  0,
	  8,
	  { PROTO_EXITED, 0x80000000u },
	  MALFORMED_EXIT },
	{ "exit code -256",
	  STARTED,
	  PROTO_EXIT,
	  0,
	  8,
	  { PROTO_EXITED, (uint32_t)-256 },
	  MALFORMED_EXIT },
	{ "signal 0", STARTED, PROTO_EXIT, 0, 8, { PROTO_SIGNALED, 0 }, MALFORMED_EXIT },
	{ "signal 65", STARTED, PROTO_EXIT, 0, 8, { PROTO_SIGNALED, 65 }, MALFORMED_EXIT },
	{ "signal 128", STARTED, PROTO_EXIT, 0, 8, { PROTO_SIGNALED, 128 }, MALFORMED_EXIT },
	{ "signal -128",
	  STARTED,
	  PROTO_EXIT,
	  0,
	  8,
	  { PROTO_SIGNALED, (uint32_t)-128 },
	  MALFORMED_EXIT },
	{ "HELLO twice", STARTED, PROTO_HELLO, 0, 4, { PROTO_VERSION }, OTHER },
	{ "READY twice", STARTED, PROTO_READY, 0, 0, { 0 }, BROKEN },
	{ "DATA for stdin", STARTED, PROTO_DATA, 0, 1, { 'x' }, BROKEN },
	{ "EOF of stdin", STARTED, PROTO_EOF, 0, 0, { 0 }, BROKEN },
	{ "CLOSE of stdout", STARTED, PROTO_CLOSE, 1, 0, { 0 }, BROKEN },
	{ "CREDIT not used", STARTED, PROTO_CREDIT, 0, 4, { 1 }, BROKEN },
	{ "CREDIT for stdout", STARTED, PROTO_CREDIT, 1, 4, { 1 }, BROKEN },
	{ "CONF", STARTED, PROTO_CONF, 0, 4, { 1 }, BROKEN },
	{ "RUN", STARTED, PROTO_RUN, 0, 0, { 0 }, BROKEN },
	{ "SIGNAL", STARTED, PROTO_SIGNAL, 0, 4, { 9 }, BROKEN },
	{ "RESIZE", STARTED, PROTO_RESIZE, 0, 4, { 9 }, BROKEN },
};

static void forges(struct fake_guest *g)
{
	const struct forged *f = &forged[g->number];
	uint8_t frame[PROTO_HEADER_SIZE + 12] = { 0 }, exit_0[8] = { PROTO_EXITED };
	/* The longest ones are only announced. */
	size_t len = f->len <= sizeof(frame) - PROTO_HEADER_SIZE ? f->len : 0;

	if (f->when == STARTED)
		guest_start(g);
	else if (f->when == GREETED)
		guest_greet(g);
	proto_header(frame, f->type, f->stream, f->len);
	proto_put32(frame + PROTO_HEADER_SIZE, f->payload[0]);
	proto_put32(frame + PROTO_HEADER_SIZE + 4, f->payload[1]);
	CHILD_CHECK(fs_write_all(g->agent.fd, frame, PROTO_HEADER_SIZE + len) == 0);
	/* What may follow does not make it good; vmrun may be gone already. */
	wire_send(&g->agent, PROTO_STARTED, 0, NULL, 0);
	wire_send(&g->agent, PROTO_EXIT, 0, exit_0, sizeof(exit_0));
	guest_wait_for_the_end(g);
}

int main(void)
{
	static struct scenario scenarios[ARRAY_SIZE(forged)];

	for (size_t i = 0; i < ARRAY_SIZE(forged); i++)
		scenarios[i] = (struct scenario){
			.name = forged[i].name,
			.guest = forges,
			.number = (uint32_t)i,
			.outcome = forged[i].when == BEFORE_GREETING ? VM_NO_LIFE : VM_FAILED,
			.code = 125,
			.message = forged[i].message,
		};
	return scenario_run_all(scenarios, ARRAY_SIZE(forged));
}
