/* SPDX-License-Identifier: MIT */
#include "runner/vm/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define ESCAPE 0x1d /* Ctrl-] */
#define CTRL_C 0x03
#define ESCAPE_TIMES 3
#define ESCAPE_WITHIN_MS 1000

/* Queued for the guest: enough to keep the socket busy, no more. */
#define BACKLOG_MAX (128u * 1024u)

/*
 * A terminal may stop (Ctrl-S) with a write under way, a pipe may have another
 * writer, and no write must wait. Non-blocking is a property of the open file,
 * which others share: so it is opened once more, where that is allowed.
 */
static void open_again(struct relay_out *out)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", out->fd);
	fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return;
	out->fd = fd;
	out->own_fd = true;
	out->fifo = false;
}

void relay_init(struct relay *relay, struct agent *agent, bool raw)
{
	*relay = (struct relay){
		.agent = agent, .credit = PROTO_WINDOW, .raw = raw, .starting = true
	};
	for (int i = 0; i < 2; i++) {
		struct relay_out *out = &relay->out[i];
		struct stat st;

		out->fd = i == 0 ? STDOUT_FILENO : STDERR_FILENO;
		out->fifo = fstat(out->fd, &st) == 0 && S_ISFIFO(st.st_mode);
		if (out->fifo || isatty(out->fd))
			open_again(out);
	}
}

static size_t pending(const struct relay_out *out)
{
	return out->buf.len - out->written;
}

void relay_free(struct relay *relay)
{
	for (int i = 0; i < 2; i++) {
		if (relay->out[i].own_fd)
			close(relay->out[i].fd);
		relay->out[i].own_fd = false;
		strbuf_free(&relay->out[i].buf);
	}
}

static bool wants_input(const struct relay *relay)
{
	return !relay->in_done && relay->credit > 0 && agent_backlog(relay->agent) < BACKLOG_MAX;
}

void relay_poll(const struct relay *relay, struct pollfd *fds)
{
	fds[0] = (struct pollfd){ .fd = wants_input(relay) ? STDIN_FILENO : -1, .events = POLLIN };
	for (int i = 0; i < 2; i++) {
		const struct relay_out *out = &relay->out[i];

		/*
		 * With nothing to write still watched for its reader's end (POLLERR), so
		 * that a command that is silent by then gets its SIGPIPE later.
		 */
		fds[1 + i] = (struct pollfd){ .fd = out->closed ? -1 : out->fd,
					      .events = pending(out) ? POLLOUT : 0 };
	}
}

/* Counts Ctrl-] in raw input. Return: whether the guest is to be ended. */
static bool saw_escape(struct relay *relay, const char *data, size_t len, uint64_t now_ms)
{
	for (size_t i = 0; i < len; i++) {
		if (relay->starting && data[i] == CTRL_C) {
			relay->escaped = ESCAPED_BY_CTRL_C;
			return true;
		}
		if (data[i] != ESCAPE) {
			relay->escapes = 0;
			continue;
		}
		if (relay->escapes == 0 || now_ms - relay->escape_since_ms > ESCAPE_WITHIN_MS) {
			relay->escapes = 0;
			relay->escape_since_ms = now_ms;
		}
		if (++relay->escapes == ESCAPE_TIMES) {
			relay->escaped = ESCAPED;
			return true;
		}
	}
	return false;
}

static void read_input(struct relay *relay, uint64_t now_ms)
{
	char buf[PROTO_MAX_DATA];
	size_t room = relay->credit < sizeof(buf) ? relay->credit : sizeof(buf);
	ssize_t n = read(STDIN_FILENO, buf, room);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		relay->in_error = n < 0 ? errno : 0;
		agent_send(relay->agent, PROTO_EOF, PROTO_STDIN, NULL, 0);
		relay->in_done = true;
		return;
	}
	if (relay->raw && saw_escape(relay, buf, (size_t)n, now_ms))
		return;
	relay->credit -= (uint32_t)n;
	agent_send(relay->agent, PROTO_DATA, PROTO_STDIN, buf, (uint32_t)n);
}

static void close_output(struct relay *relay, int i)
{
	struct relay_out *out = &relay->out[i];

	out->closed = true;
	strbuf_free(&out->buf);
	out->written = 0;
	if (!out->eof)
		agent_send(relay->agent, PROTO_CLOSE, (enum proto_stream)(PROTO_STDOUT + i), NULL, 0);
}

static void write_output(struct relay *relay, int i)
{
	struct relay_out *out = &relay->out[i];
	const char *data = out->buf.data + out->written;
	size_t len = pending(out);
	ssize_t n;

	if (out->fifo && len > PIPE_BUF)
		len = PIPE_BUF;
	n = send(out->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno == ENOTSOCK)
		n = write(out->fd, data, len);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0) {
		out->error = errno == EPIPE ? 0 : errno;
		close_output(relay, i);
		return;
	}
	out->written += (size_t)n;
	if (pending(out) == 0) {
		out->buf.len = 0;
		out->written = 0;
	}
	if (!out->eof)
		agent_send_u32(relay->agent, PROTO_CREDIT, (enum proto_stream)(PROTO_STDOUT + i),
			       (uint32_t)n);
}

void relay_handle(struct relay *relay, const struct pollfd *fds, uint64_t now_ms)
{
	if (fds[0].fd >= 0 && fds[0].revents)
		read_input(relay, now_ms);
	for (int i = 0; i < 2; i++) {
		const struct pollfd *p = &fds[1 + i];

		if (p->fd < 0 || !p->revents)
			continue;
		if (p->revents & POLLOUT && pending(&relay->out[i]))
			write_output(relay, i);
		else if (p->revents & (POLLERR | POLLNVAL | POLLHUP))
			close_output(relay, i);
	}
}

static int take_output(struct relay *relay, const struct proto_frame *frame)
{
	struct relay_out *out = &relay->out[frame->stream - PROTO_STDOUT];

	if (out->eof || frame->len > PROTO_MAX_DATA || pending(out) + frame->len > PROTO_WINDOW)
		return -EPROTO;
	if (out->closed)
		return 0;
	/* A slow reader never empties it: make room for a window, not for ever. */
	if (out->written >= PROTO_WINDOW) {
		strbuf_consume(&out->buf, out->written);
		out->written = 0;
	}
	strbuf_add(&out->buf, frame->payload, frame->len);
	return out->buf.failed ? -ENOMEM : 0;
}

int relay_frame(struct relay *relay, const struct proto_frame *frame)
{
	bool in = frame->stream == PROTO_STDIN;
	uint32_t more;

	switch (frame->type) {
	case PROTO_DATA:
		return in ? -EPROTO : take_output(relay, frame);
	case PROTO_EOF:
		if (in)
			return -EPROTO;
		relay->out[frame->stream - PROTO_STDOUT].eof = true;
		return 0;
	case PROTO_CLOSE:
		if (!in)
			return -EPROTO;
		relay->in_done = true;
		return 0;
	case PROTO_CREDIT:
		if (!in || frame->len != 4)
			return -EPROTO;
		more = proto_get32(frame->payload);
		if (more > PROTO_WINDOW - relay->credit)
			return -EPROTO;
		relay->credit += more;
		return 0;
	default:
		return -EPROTO;
	}
}

bool relay_drained(const struct relay *relay)
{
	return pending(&relay->out[0]) == 0 && pending(&relay->out[1]) == 0;
}
