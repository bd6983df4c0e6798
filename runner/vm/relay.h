/* SPDX-License-Identifier: MIT */
/*
 * The three standard streams between vmrun's descriptors and the guest. Nothing
 * is written that the reader does not take, nothing is read that the guest has
 * no room for: at most PROTO_WINDOW bytes of a stream are in flight.
 */
#ifndef VMRUN_VM_RELAY_H
#define VMRUN_VM_RELAY_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "runner/base/strbuf.h"
#include "runner/vm/agent.h"

struct relay_out {
	int fd;
	bool own_fd;	    /* opened by relay_init() */
	struct strbuf buf;  /* received ... */
	size_t written;	    /* ... and so much of it written */
	bool eof;	    /* the guest sends no more */
	bool closed;	    /* the reader is gone */
	bool fifo;	    /* a pipe that may block: it takes PIPE_BUF bytes at a time */
	int error;	    /* errno of a write that failed for another reason than EPIPE */
};

struct relay {
	struct agent *agent;
	uint32_t credit; /* bytes of stdin that the guest has room for */
	bool in_done;	 /* EOF sent, or the guest wants no more */
	int in_error;	 /* errno of a read that failed: taken for the end */
	bool raw;	 /* stdin is a raw terminal: watch for the escape */
	unsigned int escapes; /* Ctrl-] seen in a row */
	uint64_t escape_since_ms;
	bool starting;	 /* no command yet that could act upon Ctrl-C: it ends the guest */
	enum { NOT_ESCAPED, ESCAPED, ESCAPED_BY_CTRL_C } escaped; /* the user ends the guest */
	struct relay_out out[2];
};

#define RELAY_FDS 3

void relay_init(struct relay *relay, struct agent *agent, bool raw);
void relay_free(struct relay *relay);

/** relay_poll() - fill @fds[0..RELAY_FDS) with what to wait for (-1: nothing). */
void relay_poll(const struct relay *relay, struct pollfd *fds);

/** relay_handle() - do what poll() found. */
void relay_handle(struct relay *relay, const struct pollfd *fds, uint64_t now_ms);

/**
 * relay_frame() - take a DATA, EOF, CLOSE or CREDIT frame.
 *
 * Return: 0 or -EPROTO for more than was credited or a wrong stream.
 */
int relay_frame(struct relay *relay, const struct proto_frame *frame);

/** relay_drained() - whether all that was received was written. */
bool relay_drained(const struct relay *relay);

#endif
