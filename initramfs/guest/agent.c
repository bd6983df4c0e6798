/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Two conversations over the link, both single-threaded. What they wait for is
 * told to epoll before the first, as far as it is there by then: a terminal is not.
 *
 * agent_configure() collects CONF frames and returns at RUN. It does nothing
 * for the run: until the first frame comes, the guest is in the state that a
 * template is saved in.
 *
 * agent_run() is one epoll loop over the port, a signalfd for SIGCHLD, and the
 * command's streams. Everything is watched edge-triggered, so a peer that hung
 * up, or one that we have no credit for, costs no wake-ups: an event only marks
 * what is ready, and each turn then moves what can be moved:
 *
 *	port -> frames -> stdin's ring -> the command
 *	the command's stdout, stderr -> the link's queue -> port
 *
 * Every hop is bounded: the ring by the window that the host keeps to (more is a
 * violation, which ends the run), the queue by not reading the command's pipes
 * while it is full. A turn handles a few frames and reads at most one window
 * from each stream, so neither direction starves the other, and signals get
 * through to a command that floods its output.
 *
 * The run goes through these states:
 *
 *	RUNNING	 until the command is reaped. Orphans are reaped all the while.
 *	ENDING	 everybody else is sent SIGKILL until no child is left. Nobody
 *		 can write any more then, so a stream ends where it is empty;
 *		 when, the host's credit decides, for as long as it takes. Only a
 *		 process that cannot be killed (it hangs in the kernel) is given
 *		 up, after GRACE_MS.
 *	done	 both streams have ended.
 *
 * PROTO_CLOSE from the host closes the pipe, so the command gets SIGPIPE, or
 * hangs up the terminal. A command that closes its stdin is found by EPOLLERR.
 */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "initramfs/guest/guest.h"
#include "initramfs/guest/report.h"
#include "initramfs/guest/stream.h"

#define GRACE_MS 5000
#define KILL_AGAIN_MS 50
#define STARVED_RETRY_MS 20
#define UNMASK_AFTER_MS 500
/* Then the output has its turn, however fast the command takes its input. */
#define FRAMES_A_TURN 16

/* Which of the watched descriptors an event is of; the link's own is data 0. */
enum source { SOURCE_LINK, SOURCE_SIGNAL, SOURCE_IN, SOURCE_OUT, SOURCE_ERR };

enum state { RUNNING, ENDING };

static int signals = -1; /* a signalfd for SIGCHLD */

struct agent {
	struct link *link;
	struct command *cmd;
	bool tty;
	enum state state;
	int status;	     /* of the command, from ENDING on */
	bool children;	     /* some may be left */
	uint64_t give_up_ms; /* ENDING: on unkillable processes */
	uint64_t unmask_ms;  /* when to call vmgenid_unmask(); 0: it was */
	bool more;	     /* frames may be waiting, though no event will say so */
	struct stream_in in;
	struct stream_out out[2]; /* stdout, stderr */
	struct fail *f;
};

static int violation(struct fail *f, const char *what)
{
	return fail_text(f, EPROTO, "vmrun and its guest disagree about the protocol (%s)", what);
}

int agent_configure(struct link *l, struct conf *c, struct fail *f)
{
	struct proto_frame frame;
	int r;

	for (;;) {
		r = link_next(l, &frame);
		if (r == 0)
			r = link_wait(l, -1);
		else if (r > 0 && frame.type == PROTO_CONF)
			r = conf_add(c, frame.payload, frame.len, f);
		else if (r > 0 && frame.type == PROTO_RUN && frame.len == 0)
			return conf_check(c, f);
		else
			r = violation(f, "settings");
		if (r < 0)
			return r;
	}
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool gave_up(const struct agent *a)
{
	return a->state == ENDING && now_ms() >= a->give_up_ms;
}

/* --- frames --- */

static void deliver_signal(const struct agent *a, int sig)
{
	bool group = sig == SIGINT || sig == SIGQUIT || sig == SIGHUP || sig == SIGWINCH;

	/* Once reaped, the number may be somebody else's. */
	if (a->state == RUNNING)
		kill(group ? -a->cmd->pid : a->cmd->pid, sig);
}

static void resize(const struct agent *a, const uint8_t *payload)
{
	struct winsize size = { .ws_row = proto_get16(payload),
				.ws_col = proto_get16(payload + 2) };

	if (a->tty && a->in.fd >= 0)
		ioctl(a->in.fd, TIOCSWINSZ, &size);
}

static struct stream_out *out_stream(struct agent *a, uint16_t id)
{
	return id == PROTO_STDIN ? NULL : &a->out[id - PROTO_STDOUT];
}

static int host_closed(struct agent *a, struct stream_out *s)
{
	/* Both descriptors of the master must go for the terminal to hang up. */
	if (a->tty && s->id == PROTO_STDOUT) {
		stream_in_close(&a->in);
		if (a->cmd->slave >= 0)
			close(a->cmd->slave);
		a->cmd->slave = -1;
	}
	return stream_out_close(s, a->link);
}

static int handle_frame(struct agent *a, const struct proto_frame *p)
{
	struct stream_out *out = out_stream(a, p->stream);
	uint32_t sig;

	switch (p->type) {
	case PROTO_DATA:
		return out ? -EPROTO : stream_in_data(&a->in, a->link, p->payload, p->len);
	case PROTO_EOF:
		return out || p->len ? -EPROTO : stream_in_eof(&a->in, a->link);
	case PROTO_CLOSE:
		return !out || p->len ? -EPROTO : host_closed(a, out);
	case PROTO_CREDIT:
		return !out || p->len != 4 ? -EPROTO :
					     stream_out_credit(out, proto_get32(p->payload));
	case PROTO_SIGNAL:
		sig = p->len == 4 ? proto_get32(p->payload) : 0;
		if (sig < 1 || sig > 64)
			return -EPROTO;
		deliver_signal(a, (int)sig);
		return 0;
	case PROTO_RESIZE:
		if (p->len != 4)
			return -EPROTO;
		resize(a, p->payload);
		return 0;
	default:
		return -EPROTO;
	}
}

static int handle_frames(struct agent *a)
{
	struct proto_frame frame;
	int r = 0;

	a->more = true;
	for (int i = 0; i < FRAMES_A_TURN && r == 0 && a->more; i++) {
		r = link_next(a->link, &frame);
		a->more = r > 0;
		if (r > 0)
			r = handle_frame(a, &frame);
	}
	return r == -EPROTO ? violation(a->f, "streams") : r;
}

/* --- processes --- */

static void begin_end(struct agent *a, int status)
{
	a->state = ENDING;
	a->status = status;
	a->give_up_ms = now_ms() + GRACE_MS;
	stream_in_close(&a->in);
	if (a->cmd->slave >= 0)
		close(a->cmd->slave);
	a->cmd->slave = -1;
}

static void reap(struct agent *a)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == a->cmd->pid && a->state == RUNNING)
			begin_end(a, status);
	/* Every process is a child of PID 1 or descends from a living one. */
	a->children = pid == 0;
	if (a->state == ENDING && a->children)
		kill(-1, SIGKILL);
}

/* --- the loop --- */

/* Return: 0 or -errno. */
static int watch(const struct link *l, int fd, enum source source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.u64 = source };

	return fd < 0 || epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static int watch_streams(const struct link *l, const struct command *cmd)
{
	int r = watch(l, cmd->in, SOURCE_IN, EPOLLOUT | EPOLLET);

	if (r == 0)
		r = watch(l, cmd->out, SOURCE_OUT, EPOLLIN | EPOLLET);
	return r < 0 ? r : watch(l, cmd->err, SOURCE_ERR, EPOLLIN | EPOLLET);
}

int agent_prepare(const struct link *l, const struct command *pipes)
{
	sigset_t mask;
	int r;

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	r = signals < 0 ? -errno : watch(l, signals, SOURCE_SIGNAL, EPOLLIN | EPOLLET);
	return r < 0 ? r : watch_streams(l, pipes);
}

static int agent_init(struct agent *a)
{
	static uint8_t ring[STREAM_RING];
	int r = 0;

	a->out[0] = (struct stream_out){
		.fd = a->cmd->out, .id = PROTO_STDOUT, .ready = true, .credit = PROTO_WINDOW
	};
	a->out[1] = (struct stream_out){
		.fd = a->cmd->err, .id = PROTO_STDERR, .ready = true, .credit = PROTO_WINDOW
	};
	stream_in_init(&a->in, a->cmd->in, a->tty, ring);
	if (a->tty)
		r = watch_streams(a->link, a->cmd);
	if (r < 0)
		return fail_errno(a->f, -r, "cannot watch the command's streams");
	/* A terminal has no stderr of its own. */
	return a->tty ? link_send(a->link, PROTO_EOF, PROTO_STDERR, NULL, 0) : 0;
}

static int wait_ms(const struct agent *a)
{
	if (a->more)
		return 0;
	if (a->state == ENDING && a->children && !gave_up(a))
		return KILL_AGAIN_MS;
	if (a->link->starved)
		return STARVED_RETRY_MS;
	return a->unmask_ms ? UNMASK_AFTER_MS : -1;
}

static void unmask_in_time(struct agent *a)
{
	if (!a->unmask_ms || now_ms() < a->unmask_ms)
		return;
	vmgenid_unmask();
	a->unmask_ms = 0;
}

static int handle_event(struct agent *a, const struct epoll_event *event)
{
	struct signalfd_siginfo info;

	switch ((enum source)event->data.u64) {
	case SOURCE_LINK:
		break;
	case SOURCE_SIGNAL:
		while (read(signals, &info, sizeof(info)) > 0)
			;
		break;
	case SOURCE_IN:
		a->in.ready = true;
		/* A pipe whose last reader is gone; a terminal has none of this. */
		if (!a->tty && a->in.fd >= 0 && event->events & EPOLLERR) {
			stream_in_close(&a->in);
			return link_send(a->link, PROTO_CLOSE, PROTO_STDIN, NULL, 0);
		}
		break;
	case SOURCE_OUT:
	case SOURCE_ERR:
		a->out[event->data.u64 - SOURCE_OUT].ready = true;
		break;
	}
	return 0;
}

/* Moves what can be moved. */
static int turn(struct agent *a)
{
	bool last;
	int r;

	reap(a);
	last = !a->children || gave_up(a);
	/* First of all, for the pumps stop at a full queue, and no event comes
	 * once it is not full any more. */
	r = link_flush(a->link);
	if (r == 0)
		r = handle_frames(a);
	if (r == 0)
		r = stream_in_flush(&a->in, a->link);
	if (r == 0)
		r = stream_out_pump(&a->out[0], a->link, last);
	if (r == 0)
		r = stream_out_pump(&a->out[1], a->link, last);
	return r;
}

static bool done(const struct agent *a)
{
	return a->state == ENDING && (!a->children || gave_up(a)) && a->out[0].fd < 0 &&
	       a->out[1].fd < 0;
}

static int agent_loop(struct agent *a)
{
	struct epoll_event events[8];
	int r = turn(a);

	while (r == 0 && !done(a)) {
		int n = epoll_wait(a->link->epfd, events, 8, wait_ms(a));

		if (n < 0 && errno != EINTR)
			return fail_errno(a->f, errno, "cannot wait for the command's streams");
		unmask_in_time(a);
		for (int i = 0; i < n && r == 0; i++)
			r = handle_event(a, &events[i]);
		if (r == 0)
			r = turn(a);
	}
	return r;
}

int agent_run(struct link *l, struct command *cmd, int *ret_status, struct fail *f)
{
	struct agent a = {
		.link = l,
		.cmd = cmd,
		.tty = cmd->slave >= 0,
		.children = true,
		.unmask_ms = now_ms() + UNMASK_AFTER_MS,
		.f = f,
	};
	int r = agent_init(&a);

	if (r == 0)
		r = agent_loop(&a);
	if (r < 0 && !f->text[0])
		fail_errno(f, -r, "the connection to vmrun failed");
	if (r == 0 && a.children)
		report_warn("a process of the guest could not be killed");
	stream_in_close(&a.in);
	stream_out_close(&a.out[0], l);
	stream_out_close(&a.out[1], l);
	if (r == 0)
		*ret_status = a.status;
	return r;
}
