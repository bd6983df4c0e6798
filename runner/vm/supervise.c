/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Sources of events: the agent's socket, the console's, QEMU's stderr, the
 * channel to the jail's PID 1, vmrun's own signals, its stdio, and the clock.
 *
 * The guest is trusted with nothing. Only an EXIT frame means that the command
 * ended; QEMU's own exit status means nothing (it exits 0 on a guest's panic),
 * and a guest that goes without an EXIT frame is a failure, whatever it was. A
 * frame that no correct agent sends ends the guest.
 *
 * A guest that boots says HELLO and is given its orders; one that wakes up from a
 * template finds them in its port. Both answer READY, and only then does anything
 * happen that could not be done again by another attempt.
 *
 * The order at the end: an EXIT frame comes after all output and after the
 * guest's sync, so once it is here, and the output is written out, the machine
 * can be killed: nothing is lost. Where the machine goes first, what is still in
 * the sockets (console, QEMU's words) is read to its end before the verdict.
 */
#include "runner/vm/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/vm/agent.h"
#include "runner/vm/channel.h"
#include "runner/vm/console.h"
#include "runner/vm/obituary.h"
#include "runner/vm/qmp.h"
#include "runner/vm/relay.h"
#include "runner/host/term.h"

/* Between the end of the agent's socket and PID 1's word about QEMU's end. */
#define LOST_MS 1000

/* From the first SIGTERM, or --timeout's, to the guest's end by force. */
#define GRACE_MS 2000

/* For output that came before a guest's failure, and that nobody takes. */
#define DRAIN_MS 5000

/* A guest that floods warnings, or never reads its port, is not let to go on. */
#define WARNINGS_MAX 64
#define BACKLOG_END (PROTO_MAX_CONF + (1u << 20))

#define QEMU_WORDS_MAX 4096
#define CONSOLE_READS_MAX 32 /* at once, 8 KiB each */

enum state { STARTING, RUNNING, DRAINING, OVER };

struct supervisor {
	struct vm_launch *launch;
	const struct supervise_input *in;
	struct vm_result *result;
	enum state state;
	bool ordered; /* the guest was told what to run */
	bool resized; /* the terminal has another size since */
	bool started; /* the command was executed */
	struct agent agent;
	struct qmp qmp; /* .fd -1 unless the guest is being restored */
	struct relay relay;
	struct console console;
	struct strbuf unshown; /* --verbose: the beginning of a character */
	struct strbuf qemu_words;
	struct term term;
	bool timed_out; /* --timeout's SIGTERM was sent */
	bool ended;	/* PID 1 told QEMU's wait status */
	int qemu_status;
	uint64_t start_deadline; /* absolute ms; 0: none */
	uint64_t timeout_deadline;
	uint64_t force_deadline; /* after --timeout's SIGTERM */
	uint64_t lost_deadline;	 /* after the end of the agent's socket */
	uint64_t drain_deadline; /* after a failure, for output that came before */
	unsigned int warnings;
	uint64_t first_term; /* when SIGTERM was first passed on */
};

static uint64_t now_ms(void)
{
	return timing_now() / 1000000;
}

static void end(struct supervisor *s, enum vm_outcome outcome, int code, const char *message)
{
	if (s->state == OVER)
		return;
	s->state = OVER;
	s->result->outcome = outcome;
	s->result->code = code;
	snprintf(s->result->message, sizeof(s->result->message), "%s", message);
	text_sanitize(s->result->message);
}

/* A verdict that leaves output to be written, as far as somebody takes it. */
static void conclude(struct supervisor *s, enum vm_outcome outcome, int code, const char *message)
{
	bool output = s->state == RUNNING;

	end(s, outcome, code, message);
	if (!output)
		return;
	s->state = DRAINING;
	s->drain_deadline = now_ms() + DRAIN_MS;
}

static void fail(struct supervisor *s, const char *message)
{
	conclude(s, s->state == STARTING ? VM_NO_LIFE : VM_FAILED, 125, message);
	console_tail(&s->console, 20, &s->result->console_tail);
}

static void end_by_timeout(struct supervisor *s)
{
	char message[128];

	snprintf(message, sizeof(message), "the command did not end within %g s (--timeout)",
		 (double)s->launch->plan.in.spec->timeout_ms / 1000);
	s->state = RUNNING; /* whatever verdict is being drained */
	end(s, VM_TIMEOUT, 124, message);
}

/* Tell the guest what to run; it answers with READY. */
static void give_orders(struct supervisor *s)
{
	struct winsize size;
	struct err e;

	s->ordered = true;
	if (s->in->tty)
		term_size(STDIN_FILENO, &size);
	if (agent_start_run(&s->agent, &s->launch->plan, s->in->tty ? &size : NULL, &e) < 0)
		end(s, VM_FAILED, 125, e.text);
}

static void greet(struct supervisor *s, const struct proto_frame *frame)
{
	if (s->ordered || frame->len != 4 || proto_get32(frame->payload) != PROTO_VERSION)
		fail(s, "the guest's agent speaks another protocol");
	else
		give_orders(s);
}

static void send_size(struct supervisor *s)
{
	struct winsize size;

	s->resized = true;
	if (!s->in->tty || s->state != RUNNING)
		return;
	term_size(STDIN_FILENO, &size);
	agent_send_resize(&s->agent, &size);
}

/*
 * The guest is there, and begins with this run. Until now nothing was done that
 * another attempt could not do again: no byte of stdin was taken.
 */
static void begin(struct supervisor *s)
{
	struct err e;

	if (s->state != STARTING || !s->ordered) {
		fail(s, "the guest's agent broke the protocol");
		return;
	}
	if (s->in->tty && term_raw(&s->term, STDIN_FILENO, &e) < 0) {
		end(s, VM_FAILED, 125, e.text);
		return;
	}
	timing_mark(&s->launch->timing, TIMING_BOOT);
	relay_init(&s->relay, &s->agent, s->in->tty);
	s->state = RUNNING;
	if (s->resized)
		send_size(s);
	/* From now on for the command to be started: mounts may hang, too. */
	s->start_deadline = now_ms() + s->launch->plan.start_deadline_ms;
}

/* --verbose: as it comes, but unable to drive the terminal unless that is asked for. */
static void show_console(struct supervisor *s, const char *data, size_t len)
{
	_cleanup_strbuf_ struct strbuf clean = { 0 };
	const char *newline = s->term.fd >= 0 ? "\r\n" : "\n";

	if (s->launch->plan.in.spec->verbose == VERBOSE_RAW) {
		fwrite(data, 1, len, stderr);
		return;
	}
	strbuf_add(&s->unshown, data, len);
	strbuf_consume(&s->unshown,
		       console_clean(strbuf_str(&s->unshown), s->unshown.len, &clean));
	for (const char *p = strbuf_str(&clean); *p;) {
		size_t line = strcspn(p, "\n");

		fprintf(stderr, "%.*s%s", (int)line, p, p[line] ? newline : "");
		p += line + (p[line] == '\n');
	}
}

/* Return: false at the end of the stream. */
static bool read_console(struct supervisor *s)
{
	char buf[8192];
	ssize_t n = read(s->launch->console, buf, sizeof(buf));

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	console_feed(&s->console, buf, (size_t)n);
	if (s->launch->plan.in.spec->verbose)
		show_console(s, buf, (size_t)n);
	return true;
}

/* Whether there is more to hear, or its end, by @until at the latest. */
static bool is_readable(int fd, uint64_t until)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t now = now_ms();

	return fd >= 0 && poll(&p, 1, now < until ? (int)(until - now) : 0) > 0;
}

/* What is on the console already; a flood is not followed for ever. */
static void hear_console(struct supervisor *s)
{
	for (int i = 0; i < CONSOLE_READS_MAX && is_readable(s->launch->console, 0); i++)
		if (!read_console(s))
			break;
}

static void command_exited(struct supervisor *s, const struct proto_frame *frame)
{
	uint32_t kind, value;
	char line[200], message[320];

	if (frame->len != 8 || !s->started) {
		fail(s, "the guest's agent sent a malformed exit");
		return;
	}
	kind = proto_get32(frame->payload);
	value = proto_get32(frame->payload + 4);
	if ((kind == PROTO_EXITED && value > 255) ||
	    (kind == PROTO_SIGNALED && (value == 0 || value > 64)) ||
	    (kind != PROTO_EXITED && kind != PROTO_SIGNALED)) {
		fail(s, "the guest's agent sent a malformed exit");
		return;
	}
	timing_mark(&s->launch->timing, TIMING_COMMAND);
	hear_console(s);
	s->result->outcome = VM_COMMAND;
	s->result->code = (int)(kind == PROTO_EXITED ? value : 128 + value);
	if (kind == PROTO_SIGNALED && value == SIGKILL &&
	    console_line(&s->console, OBITUARY_OOM_KILL, line, sizeof(line))) {
		snprintf(message, sizeof(message),
			 "the guest ran out of memory (%s); give it more with -m", line);
		snprintf(s->result->message, sizeof(s->result->message), "%s", message);
	}
	s->state = DRAINING;
	s->lost_deadline = 0;
}

static void guest_failed(struct supervisor *s, const struct proto_frame *frame)
{
	uint32_t code;
	char text[400];

	if (frame->len < 4) {
		fail(s, "the guest's agent sent a malformed failure");
		return;
	}
	code = proto_get32(frame->payload);
	snprintf(text, sizeof(text), "%.*s", (int)(frame->len - 4),
		 (const char *)frame->payload + 4);
	conclude(s, VM_FAILED, code >= 125 && code <= 127 ? (int)code : 125, text);
}

static void take_warning(struct supervisor *s, const struct proto_frame *frame)
{
	char text[400];

	if (s->warnings++ >= WARNINGS_MAX)
		return;
	snprintf(text, sizeof(text), "%.*s", (int)frame->len, (const char *)frame->payload);
	text_sanitize(text);
	s->in->warn(text);
}

static void take_frame(struct supervisor *s, const struct proto_frame *frame)
{
	if (s->state == STARTING && frame->type != PROTO_HELLO && frame->type != PROTO_READY &&
	    frame->type != PROTO_FAIL && frame->type != PROTO_WARN) {
		fail(s, "the guest's agent spoke before its greeting");
		return;
	}
	switch (frame->type) {
	case PROTO_HELLO:
		greet(s, frame);
		break;
	case PROTO_READY:
		begin(s);
		break;
	case PROTO_STARTED:
		timing_mark(&s->launch->timing, TIMING_MOUNT);
		s->started = true;
		s->relay.starting = false;
		s->start_deadline = 0;
		break;
	case PROTO_FAIL:
		guest_failed(s, frame);
		break;
	case PROTO_WARN:
		take_warning(s, frame);
		break;
	case PROTO_EXIT:
		command_exited(s, frame);
		break;
	default:
		if (relay_frame(&s->relay, frame) < 0)
			fail(s, "the guest's agent broke the protocol");
	}
}

static void read_agent(struct supervisor *s)
{
	struct proto_frame frame;
	int r = agent_fill(&s->agent);

	/* At its end the socket says no more; why is told by PID 1 and the console. */
	if (r <= 0) {
		cleanup_close(&s->agent.fd);
		s->lost_deadline = now_ms() + LOST_MS;
	}
	while ((s->state == STARTING || s->state == RUNNING) &&
	       (r = agent_next(&s->agent, &frame)) > 0)
		take_frame(s, &frame);
	if (r < 0 && s->state != OVER)
		fail(s, "the guest's agent sent a malformed frame");
}

static bool read_qemu_words(struct supervisor *s)
{
	char buf[1024];
	ssize_t n = read(s->launch->stderr_fd, buf, sizeof(buf));

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	strbuf_add(&s->qemu_words, buf, (size_t)n);
	/* Its last line is the one that tells why. */
	if (s->qemu_words.len > QEMU_WORDS_MAX)
		strbuf_consume(&s->qemu_words, s->qemu_words.len - QEMU_WORDS_MAX);
	return true;
}

/* Only a restore is watched: what QEMU's monitor says of a running guest is noise. */
static void read_qmp(struct supervisor *s)
{
	struct err e;
	int r = qmp_read(&s->qmp, &e);

	if (s->qmp.returns && !s->launch->timing.at[TIMING_QEMU])
		timing_mark(&s->launch->timing, TIMING_QEMU);
	if (r < 0 && s->state == STARTING)
		fail(s, e.text);
	if (r <= 0 || s->qmp.resumed)
		cleanup_close(&s->qmp.fd);
}

/* What the guest cannot do without its network, it will say itself. */
static void handle_net(struct supervisor *s)
{
	char text[ERR_TEXT_MAX + 64];
	struct err e;

	if (net_handle(&s->launch->net, &e) == 0)
		return;
	snprintf(text, sizeof(text), "the guest's network is gone: %s", e.text);
	s->in->warn(text);
}

static void read_channel(struct supervisor *s)
{
	struct channel_msg msg;

	if (channel_recv(s->launch->channel, &msg, NULL) == 0 && msg.kind == CHANNEL_ENDED) {
		s->ended = true;
		s->qemu_status = msg.status;
	}
	cleanup_close(&s->launch->channel);
}

/*
 * The machine is gone, or is as good as: hear all that was said, then judge. What is
 * left of the jail is killed first: QEMU may outlive PID 1 for a moment, and a PID 1
 * that a base took over may close its channel and talk on for ever.
 */
static void machine_ended(struct supervisor *s)
{
	uint64_t until = now_ms() + LOST_MS;
	char message[400];

	vm_launch_kill(s->launch);
	while ((s->state == STARTING || s->state == RUNNING) && is_readable(s->agent.fd, until))
		read_agent(s);
	while (is_readable(s->launch->console, until) && read_console(s))
		;
	while (is_readable(s->launch->stderr_fd, until) && read_qemu_words(s))
		;
	if (s->state == OVER || s->state == DRAINING)
		return;
	if (!cgroup_verdict(&s->launch->cgroup, message, sizeof(message)))
		obituary(&s->console, strbuf_str(&s->qemu_words), s->ended, s->qemu_status,
			 message, sizeof(message));
	fail(s, message);
}

static void pass_signal(struct supervisor *s, int sig, uint64_t now)
{
	if (sig == SIGWINCH) {
		send_size(s);
		return;
	}
	if (s->state != RUNNING || !s->started ||
	    (sig == SIGTERM && s->first_term && now - s->first_term >= GRACE_MS)) {
		end(s, VM_INTERRUPTED, 128 + sig, "");
		return;
	}
	if (sig == SIGTERM && !s->first_term)
		s->first_term = now;
	agent_send_u32(&s->agent, PROTO_SIGNAL, PROTO_STDIN, (uint32_t)sig);
}

static void read_signals(struct supervisor *s, uint64_t now)
{
	struct signalfd_siginfo info;

	while (s->state != OVER && read(s->in->signal_fd, &info, sizeof(info)) == sizeof(info))
		pass_signal(s, (int)info.ssi_signo, now);
}

static void earliest(uint64_t *next, uint64_t deadline)
{
	if (deadline && deadline < *next)
		*next = deadline;
}

static int poll_timeout(const struct supervisor *s, uint64_t now)
{
	uint64_t next = now + 3600000;

	earliest(&next, s->start_deadline);
	earliest(&next, s->timeout_deadline);
	earliest(&next, s->force_deadline);
	earliest(&next, s->lost_deadline);
	earliest(&next, s->drain_deadline);
	return next <= now ? 0 : (int)(next - now);
}

static bool passed(uint64_t deadline, uint64_t now)
{
	return deadline && now >= deadline;
}

static void fail_start(struct supervisor *s)
{
	const struct vm_plan *plan = &s->launch->plan;
	char message[200];

	snprintf(message, sizeof(message), "the guest %s within %llu s%s",
		 s->state == STARTING ? "gave no sign of life" : "did not start its command",
		 (unsigned long long)plan->start_deadline_ms / 1000,
		 plan->in.accel == ACCEL_TCG ? "; is the host overloaded?" :
					       " under KVM; --accel=tcg may do");
	fail(s, message);
}

static void check_deadlines(struct supervisor *s, uint64_t now)
{
	if (s->state == OVER)
		return;
	if (s->state == DRAINING) {
		/* The command is done, but nobody takes its output. */
		if (passed(s->timeout_deadline, now) || passed(s->force_deadline, now))
			end_by_timeout(s);
		else if (passed(s->drain_deadline, now))
			s->state = OVER;
	} else if (passed(s->lost_deadline, now)) {
		fail(s, "the guest's agent was lost while the guest ran on");
	} else if (passed(s->start_deadline, now)) {
		fail_start(s);
	} else if (passed(s->force_deadline, now)) {
		end_by_timeout(s);
	} else if (passed(s->timeout_deadline, now)) {
		s->timeout_deadline = 0;
		s->timed_out = true;
		s->force_deadline = now + GRACE_MS;
		if (s->started)
			agent_send_u32(&s->agent, PROTO_SIGNAL, PROTO_STDIN, SIGTERM);
		else
			end_by_timeout(s);
	}
}

enum {
	FD_AGENT,
	FD_CONSOLE,
	FD_STDERR,
	FD_CHANNEL,
	FD_SIGNAL,
	FD_QMP,
	FD_NET,
	FD_RELAY,
	FD_COUNT = FD_RELAY + RELAY_FDS
};

static void prepare_poll(const struct supervisor *s, struct pollfd fds[FD_COUNT])
{
	short agent = (short)(POLLIN | (agent_backlog(&s->agent) ? POLLOUT : 0));

	fds[FD_AGENT] = (struct pollfd){ .fd = s->agent.fd, .events = agent };
	fds[FD_CONSOLE] = (struct pollfd){ .fd = s->launch->console, .events = POLLIN };
	fds[FD_STDERR] = (struct pollfd){ .fd = s->launch->stderr_fd, .events = POLLIN };
	fds[FD_CHANNEL] = (struct pollfd){ .fd = s->launch->channel, .events = POLLIN };
	fds[FD_SIGNAL] = (struct pollfd){ .fd = s->in->signal_fd, .events = POLLIN };
	fds[FD_QMP] = (struct pollfd){ .fd = s->qmp.fd, .events = POLLIN };
	fds[FD_NET] = (struct pollfd){ .fd = net_fd(&s->launch->net), .events = POLLIN };
	if (s->state == STARTING)
		for (int i = 0; i < RELAY_FDS; i++)
			fds[FD_RELAY + i] = (struct pollfd){ .fd = -1 };
	else
		relay_poll(&s->relay, fds + FD_RELAY);
	if (s->state == DRAINING)
		fds[FD_AGENT].fd = fds[FD_CHANNEL].fd = fds[FD_RELAY].fd = -1;
}

static void handle_events(struct supervisor *s, const struct pollfd fds[FD_COUNT])
{
	uint64_t now = now_ms();

	if (fds[FD_CONSOLE].revents && !read_console(s))
		cleanup_close(&s->launch->console);
	if (fds[FD_STDERR].revents && !read_qemu_words(s))
		cleanup_close(&s->launch->stderr_fd);
	if (fds[FD_QMP].revents)
		read_qmp(s);
	if (fds[FD_NET].revents)
		handle_net(s);
	if (fds[FD_AGENT].fd >= 0 && fds[FD_AGENT].revents & (POLLIN | POLLHUP | POLLERR))
		read_agent(s);
	if (fds[FD_SIGNAL].revents)
		read_signals(s, now);
	if (s->state == RUNNING || s->state == DRAINING)
		relay_handle(&s->relay, fds + FD_RELAY, now);
	if (s->relay.escaped == ESCAPED_BY_CTRL_C)
		end(s, VM_INTERRUPTED, 128 + SIGINT, "");
	else if (s->relay.escaped)
		end(s, VM_INTERRUPTED, 128 + SIGHUP, "the guest was ended by Ctrl-] three times");
	check_deadlines(s, now);
	if (s->agent.fd >= 0 && s->state <= RUNNING && agent_flush(&s->agent) == -ENOMEM)
		end(s, VM_FAILED, 125, "out of memory");
	if (s->state == RUNNING && agent_backlog(&s->agent) > BACKLOG_END)
		fail(s, "the guest's agent does not read what it is sent");
	if (fds[FD_CHANNEL].fd >= 0 && fds[FD_CHANNEL].revents) {
		read_channel(s);
		machine_ended(s);
	}
}

static void loop(struct supervisor *s)
{
	struct pollfd fds[FD_COUNT];

	while (s->state != OVER) {
		if (s->state == DRAINING && relay_drained(&s->relay))
			break;
		prepare_poll(s, fds);
		if (poll(fds, FD_COUNT, poll_timeout(s, now_ms())) < 0) {
			if (errno == EINTR)
				continue;
			end(s, VM_FAILED, 125, "cannot wait for the guest");
			break;
		}
		handle_events(s, fds);
	}
}

/* What came before the guest's end, as far as it is taken at once. */
static void write_last_output(struct supervisor *s)
{
	struct pollfd fds[RELAY_FDS];

	while (!relay_drained(&s->relay)) {
		relay_poll(&s->relay, fds);
		fds[0].fd = -1;
		if (poll(fds, RELAY_FDS, 0) <= 0)
			break;
		relay_handle(&s->relay, fds, now_ms());
	}
}

/* What is lost on the way is no success, whatever the command knew of it. */
static void report_stream_error(struct supervisor *s, const char *what, int errnum, bool matters)
{
	char text[128];

	if (!errnum)
		return;
	snprintf(text, sizeof(text), "cannot %s: %s", what, strerror(errnum));
	if (!matters || s->result->outcome != VM_COMMAND || s->result->code != 0) {
		s->in->warn(text);
		return;
	}
	s->result->outcome = VM_FAILED;
	s->result->code = 125;
	snprintf(s->result->message, sizeof(s->result->message), "%s", text);
}

/* A guest that is restored has said its HELLO already. */
static int wake(struct supervisor *s, struct err *e)
{
	int r = qmp_init(&s->qmp, steal_fd(&s->launch->qmp), e);

	if (r == 0)
		r = qmp_send_restore(&s->qmp, VM_FD_STATE, e);
	/* QEMU is gone already: why is told by PID 1, as ever. */
	if (r == -EPIPE)
		r = 0;
	if (r == 0)
		give_orders(s);
	return r;
}

void supervise(struct vm_launch *launch, const struct supervise_input *in, struct vm_result *ret)
{
	struct supervisor s = {
		.launch = launch,
		.in = in,
		.result = ret,
		.qmp.fd = -1,
		.term = TERM_INIT,
		.start_deadline = now_ms() + launch->plan.start_deadline_ms,
		.timeout_deadline = in->timeout_ms,
	};
	struct err e;

	*ret = (struct vm_result){ 0 };
	fcntl(launch->console, F_SETFL, O_NONBLOCK);
	fcntl(launch->stderr_fd, F_SETFL, O_NONBLOCK);
	if (agent_init(&s.agent, steal_fd(&launch->agent), &e) < 0 ||
	    (launch->plan.in.start == START_RESTORE && wake(&s, &e) < 0))
		end(&s, VM_FAILED, 125, e.text);
	loop(&s);
	write_last_output(&s);
	term_restore(&s.term);
	report_stream_error(&s, "write standard output", s.relay.out[0].error, true);
	report_stream_error(&s, "write standard error", s.relay.out[1].error, false);
	report_stream_error(&s, "read standard input", s.relay.in_error, true);
	if (s.timed_out && ret->outcome == VM_COMMAND)
		end_by_timeout(&s);
	agent_free(&s.agent);
	qmp_free(&s.qmp);
	relay_free(&s.relay);
	console_free(&s.console);
	strbuf_free(&s.unshown);
	strbuf_free(&s.qemu_words);
}

void vm_result_free(struct vm_result *result)
{
	strbuf_free(&result->console_tail);
}
