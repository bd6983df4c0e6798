/* SPDX-License-Identifier: MIT */
/*
 * The host's end of the agent's port: frames queued, sent and received without
 * blocking. See runner/proto/proto.h for the conversation.
 */
#ifndef VMRUN_VM_AGENT_H
#define VMRUN_VM_AGENT_H

#include <stdbool.h>
#include <sys/ioctl.h>

#include "runner/base/err.h"
#include "runner/base/strbuf.h"
#include "runner/plan/vm_plan.h"
#include "runner/proto/proto.h"

struct agent {
	int fd; /* non-blocking stream socket; owned */
	struct proto_reader reader;
	struct strbuf tx; /* frames not yet sent */
};

int agent_init(struct agent *agent, int fd, struct err *e);
void agent_free(struct agent *agent);

/** agent_send() - queue a frame. Out of memory shows at agent_flush(). */
void agent_send(struct agent *agent, enum proto_type type, enum proto_stream stream,
		const void *payload, uint32_t len);
void agent_send_u32(struct agent *agent, enum proto_type type, enum proto_stream stream,
		    uint32_t value);
void agent_send_resize(struct agent *agent, const struct winsize *size);

/** agent_backlog() - bytes queued and not yet sent. */
size_t agent_backlog(const struct agent *agent);

/** agent_flush() - send what the socket takes. Return: 0 or -errno. */
int agent_flush(struct agent *agent);

/** agent_fill() - read what is there. Return: 1, 0 at the end of the stream, -errno. */
int agent_fill(struct agent *agent);

/** agent_next() - as proto_reader_next(). */
int agent_next(struct agent *agent, struct proto_frame *ret);

/**
 * agent_start_run() - queue everything the guest needs to know about this run.
 * @tty: the size of the terminal to run on, or NULL: three streams.
 *
 * Return: 0; -E2BIG if arguments and environment pass PROTO_MAX_CONF.
 */
int agent_start_run(struct agent *agent, const struct vm_plan *plan, const struct winsize *tty,
		    struct err *e);

#endif
