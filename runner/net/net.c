/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 *	guest ── QEMU ══ link ══ helper ── sockets of the host
 *	        (empty network    │
 *	         namespace)     channel
 *	                          │
 *	                        vmrun
 *
 * QEMU has no network: its network card is wired to one end of a socket pair. The
 * helper at the other end makes connections of the guest's packets, in the caller's
 * network namespace and with the caller's rights, which is all that it has: it sees
 * no file, no other process, holds no capability, and may make no sockets but those
 * of the Internet. A guest that takes over QEMU gets no further by that; one that
 * takes over the helper too has the caller's network, loopback included.
 *
 * What the helper needs of the host's files (its library, the published ports' bind())
 * it gets before its jail closes, and before it reads a byte of the guest's.
 *
 * A guest that sends nothing never costs a helper. Until one runs, vmrun itself reads
 * what comes over the link, a few announcements of the guest's kernel, and looks at no
 * more of it than the gate does. The first frame that passes starts the helper, which
 * inherits what was read. Where ports are published it is started at once.
 *
 * Life and death: the helper is PID 1 of its jail, so it dies with vmrun (PDEATHSIG),
 * ends with the channel, and with the link, that is with QEMU. vmrun kills it and waits
 * for it. If it dies first, the guest goes on without a network.
 */
#include "runner/net/net.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/jail/jail.h"
#include "runner/net/gate.h"
#include "runner/net/slirp_loop.h"

/* It loads a library and binds ports; on a busy host that may take a while. */
#define START_MS 30000

/* Between QEMU's end and the last of what the guest has sent before. */
#define LAST_WORDS_MS 200

/* Between the end of its channel and its own. */
#define END_MS 1000

enum msg_kind {
	MSG_READY = 1,
	MSG_OVER,   /* QEMU ended */
	MSG_FAILED, /* .err says why */
};

/* The helper's word, one packet each. */
struct msg {
	enum msg_kind kind;
	struct err err;
};

struct helper {
	struct net *net;
	int channel; /* its end */
	struct id_map uids;
	struct id_map gids;
	struct jail jail;
};

/* --- in the helper --- */

static int enter_jail(struct helper *h, struct slirp_loop **ret, struct err *e)
{
	const struct slirp_loop_config config = {
		.host_loopback = h->net->config.host_loopback,
		.ports = h->net->config.ports,
		.n_ports = h->net->config.n_ports,
	};
	const int keep[] = { h->channel, h->net->link };
	int r = jail_let_go(&h->jail, keep, ARRAY_SIZE(keep), e);

	if (r == 0)
		r = slirp_loop_new(&config, ret, e);
	if (r == 0)
		r = jail_attach(&h->jail, e);
	if (r == 0)
		r = jail_confine(&h->jail, e);
	return r == 0 ? jail_finish(&h->jail, e) : r;
}

static void say(const struct helper *h, const struct msg *msg)
{
	(void)!send(h->channel, msg, sizeof(*msg), MSG_NOSIGNAL);
}

static void helper_main(void *arg)
{
	struct helper *h = arg;
	struct msg msg = { .kind = MSG_READY };
	struct slirp_loop *loop;
	int r;

	prctl(PR_SET_NAME, "vmrun-network");
	r = enter_jail(h, &loop, &msg.err);

	/* The library writes to connections whose readers are gone. */
	signal(SIGPIPE, SIG_IGN);
	if (r == 0) {
		say(h, &msg);
		msg.kind = MSG_OVER;
		r = slirp_loop_run(loop, &h->net->seen, h->net->link, h->channel, &msg.err);
	}
	if (r < 0)
		msg.kind = MSG_FAILED;
	say(h, &msg);
	_exit(r < 0);
}

/* --- in vmrun --- */

void net_open(struct net *net, const struct net_config *config, int link)
{
	*net = (struct net)NET_INIT;
	net->config = *config;
	net->link = link;
}

static struct id_map one_id(uint32_t outside)
{
	return (struct id_map){ .e = { { .inside = 0, .outside = outside, .count = 1 } }, .n = 1 };
}

int net_start(struct net *net, struct err *e)
{
	struct helper h = { .net = net };
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(e, errno, "cannot make a socket pair");
	net->channel = pair[0];
	h.channel = pair[1];
	h.uids = one_id(net->config.uid);
	h.gids = one_id(net->config.gid);
	jail_init(&h.jail);
	h.jail.kind = JAIL_NETWORK;
	h.jail.uids = &h.uids;
	h.jail.gids = &h.gids;
	h.jail.seccomp = net->config.seccomp;
	r = jail_spawn(&h.jail, helper_main, &h, &net->pidfd, e);
	jail_free(&h.jail);
	cleanup_close(&h.channel);
	/* The helper's: so that QEMU sees its end, and nobody else reads from it. */
	cleanup_close(&net->link);
	frame_reader_free(&net->seen);
	return r;
}

/* How the helper ended that said nothing. One that only pretends to have ends now. */
static int explain_end(const struct net *net, struct err *e)
{
	struct pollfd p = { .fd = net->pidfd, .events = POLLIN };
	siginfo_t info = { 0 };

	poll(&p, 1, END_MS);
	if (waitid(P_PIDFD, (id_t)net->pidfd, &info, WEXITED | WNOWAIT | WNOHANG) < 0 ||
	    !info.si_pid)
		return err_msg(e, ECHILD, "its process hung up");
	if (info.si_code == CLD_EXITED)
		return err_msg(e, ECHILD, "its process ended (exit status %d)", info.si_status);
	return err_msg(e, ECHILD, "its process was killed by signal %d (%s)", info.si_status,
		       strsignal(info.si_status));
}

/* Return: 0 if it goes on (or QEMU has ended). */
static int hear(struct net *net, struct err *e)
{
	struct msg msg;
	ssize_t n = recv(net->channel, &msg, sizeof(msg), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n != sizeof(msg))
		return explain_end(net, e);
	if (msg.kind == MSG_READY)
		return 0;
	if (msg.kind != MSG_FAILED) {
		cleanup_close(&net->channel);
		return 0;
	}
	msg.err.text[sizeof(msg.err.text) - 1] = '\0';
	return err_msg(e, EPIPE, "%s", msg.err.text);
}

int net_wait(struct net *net, struct err *e)
{
	struct pollfd p = { .fd = net->channel, .events = POLLIN };
	int r;

	if (net->channel < 0)
		return 0;
	do
		r = poll(&p, 1, START_MS);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return err_msg(e, ETIMEDOUT,
			       "the network's process did not start within %d s; is the host "
			       "overloaded?",
			       START_MS / 1000);
	r = hear(net, e);
	return r < 0 ? r : 0;
}

int net_fd(const struct net *net)
{
	return net->link >= 0 ? net->link : net->channel;
}

/*
 * Until there is a helper: is there anything for it to do?
 * Return: 1, 0, or -errno.
 */
static int look_at_link(struct net *net, struct err *e)
{
	const uint8_t *frame;
	struct gate gate;
	ssize_t n;
	size_t len;
	int r;

	if (!net->seen.buf && frame_reader_init(&net->seen) < 0)
		return err_oom(e);
	gate_init(&gate, net->config.host_loopback, NULL, 0);
	n = frame_reader_fill(&net->seen, net->link);
	if (n == -EAGAIN)
		return 0;
	/* QEMU's end is told elsewhere. */
	if (n <= 0) {
		cleanup_close(&net->link);
		return 0;
	}
	for (;;) {
		struct frame_reader before = net->seen;

		r = frame_reader_next(&net->seen, &frame, &len);
		if (r < 0)
			return err_msg(e, EPROTO, "QEMU sent what is no frame");
		if (r == 0)
			return 0;
		if (gate_check(&gate, frame, len, 0) != GATE_DROP) {
			net->seen = before;
			return 1;
		}
	}
}

int net_handle(struct net *net, struct err *e)
{
	int r;

	if (net->link < 0) {
		r = net->channel >= 0 ? hear(net, e) : 0;
	} else {
		r = look_at_link(net, e);
		if (r > 0)
			r = net_start(net, e);
	}
	if (r < 0)
		net_stop(net);
	return r;
}

void net_stop(struct net *net)
{
	struct pollfd p = { .fd = net->channel, .events = POLLIN };
	struct msg msg = { .kind = MSG_READY };
	siginfo_t info;

	if (net->pidfd >= 0) {
		/* It is ready, and it is over: more an honest one has not got to say. */
		for (int i = 0; i < 2 && net->channel >= 0 && msg.kind == MSG_READY; i++)
			if (poll(&p, 1, LAST_WORDS_MS) <= 0 ||
			    recv(net->channel, &msg, sizeof(msg), MSG_DONTWAIT) != sizeof(msg))
				break;
		syscall(SYS_pidfd_send_signal, net->pidfd, SIGKILL, NULL, 0);
		while (waitid(P_PIDFD, (id_t)net->pidfd, &info, WEXITED) < 0 && errno == EINTR)
			;
	}
	cleanup_close(&net->pidfd);
	cleanup_close(&net->channel);
	cleanup_close(&net->link);
	frame_reader_free(&net->seen);
}
