/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * One thread, one poll(2): the socket to QEMU, the lifeline, and the sockets of
 * libslirp, which names them anew for every round. A round reads frames from the
 * guest and gives those that the gate lets through to libslirp, lets libslirp look at
 * its sockets and timers, and sends QEMU what has gathered, many frames by one call.
 *
 * Back pressure: what QEMU has not taken is bounded. Above BACKLOG_HIGH neither the
 * guest's frames nor the hosts' sockets are read, so that it is the senders who wait:
 * their windows close. That holds in the middle of a round, too. Above the writer's
 * own bound frames are lost, as on any network. The guest cannot lock itself out that
 * way, for QEMU takes what comes for the guest whether or not its own frames are read.
 *
 * libslirp is loaded here and nowhere else: to link vmrun against it and the
 * libraries that it needs would cost every start.
 */
#include "runner/net/slirp_loop.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <slirp/libslirp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runner/base/cleanup.h"
#include "runner/host/ports.h"
#include "runner/net/gate.h"
#include "runner/plan/vm_plan.h"

#define LIBRARY "libslirp.so.0"

#define BACKLOG_HIGH (FRAME_WRITER_SIZE / 8)

/* The only version of the configuration that is needed, and that all releases know. */
#define CONFIG_VERSION 3

#define FIXED_FDS 2 /* the link and the lifeline */

struct slirp_api {
	__typeof__(&slirp_new) create;
	__typeof__(&slirp_cleanup) destroy;
	__typeof__(&slirp_pollfds_fill) fill;
	__typeof__(&slirp_pollfds_poll) handle;
	__typeof__(&slirp_input) input;
	__typeof__(&slirp_add_hostxfwd) forward;
};

struct slirp_loop {
	struct slirp_api api;
	Slirp *slirp;
	struct gate gate;
	struct frame_reader in;
	struct frame_writer out;
	struct pollfd *fds; /* link, lifeline, those of libslirp */
	size_t n_fds;
	size_t cap_fds;
};

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static uint64_t now_ms(void)
{
	return (uint64_t)now_ns() / 1000000;
}

/* --- what libslirp calls --- */

static ssize_t send_packet(const void *frame, size_t len, void *opaque)
{
	struct slirp_loop *loop = opaque;

	gate_note(&loop->gate, frame, len, now_ms());
	/* One that is lost is sent again, or was not that important. */
	(void)!frame_writer_put(&loop->out, frame, len);
	return (ssize_t)len;
}

static int64_t clock_ns(void *opaque)
{
	(void)opaque;
	return now_ns();
}

static void guest_error(const char *msg, void *opaque)
{
	/* A guest that sends nonsense harms itself. */
	(void)msg;
	(void)opaque;
}

/* Its timers are those of IPv6, which is off. */
static void *timer_new(SlirpTimerCb cb, void *cb_opaque, void *opaque)
{
	(void)cb;
	(void)cb_opaque;
	return opaque;
}

static void timer_free(void *timer, void *opaque)
{
	(void)timer;
	(void)opaque;
}

static void timer_mod(void *timer, int64_t expire_ms, void *opaque)
{
	(void)timer;
	(void)expire_ms;
	(void)opaque;
}

/* Every round asks for all descriptors, and begins by itself. */
static void poll_fd_changed(int fd, void *opaque)
{
	(void)fd;
	(void)opaque;
}

static void notify(void *opaque)
{
	(void)opaque;
}

static const SlirpCb callbacks = {
	.send_packet = send_packet,
	.guest_error = guest_error,
	.clock_get_ns = clock_ns,
	.timer_new = timer_new,
	.timer_free = timer_free,
	.timer_mod = timer_mod,
	.register_poll_fd = poll_fd_changed,
	.unregister_poll_fd = poll_fd_changed,
	.notify = notify,
};

static const struct {
	int slirp;
	short poll;
} event_names[] = {
	{ SLIRP_POLL_IN, POLLIN },   { SLIRP_POLL_OUT, POLLOUT }, { SLIRP_POLL_PRI, POLLPRI },
	{ SLIRP_POLL_ERR, POLLERR }, { SLIRP_POLL_HUP, POLLHUP },
};

static bool is_congested(const struct slirp_loop *loop)
{
	return frame_writer_backlog(&loop->out) >= BACKLOG_HIGH;
}

static int add_fd(struct slirp_loop *loop, int fd, short events)
{
	if (loop->n_fds == loop->cap_fds) {
		size_t cap = loop->cap_fds ? 2 * loop->cap_fds : 64;
		struct pollfd *fds = reallocarray(loop->fds, cap, sizeof(*fds));

		if (!fds)
			return -1;
		loop->fds = fds;
		loop->cap_fds = cap;
	}
	loop->fds[loop->n_fds] = (struct pollfd){ .fd = fd, .events = events };
	return (int)loop->n_fds++;
}

static int add_poll(int fd, int events, void *opaque)
{
	short wanted = 0;

	for (size_t i = 0; i < ARRAY_SIZE(event_names); i++)
		if (events & event_names[i].slirp)
			wanted |= event_names[i].poll;
	return add_fd(opaque, fd, wanted);
}

/* --- making one --- */

static int load(struct slirp_api *api, struct err *e)
{
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	const struct {
		const char *name;
		void **place;
	} wanted[] = {
		{ "slirp_new", (void **)&api->create },
		{ "slirp_cleanup", (void **)&api->destroy },
		{ "slirp_pollfds_fill", (void **)&api->fill },
		{ "slirp_pollfds_poll", (void **)&api->handle },
		{ "slirp_input", (void **)&api->input },
		{ "slirp_add_hostxfwd", (void **)&api->forward },
	};

	if (!library)
		return err_msg(e, ENOENT,
			       "cannot load the network's library: %s; install libslirp (Debian, "
			       "Ubuntu: libslirp0), or use --network=none",
			       dlerror());
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		*wanted[i].place = dlsym(library, wanted[i].name);
		if (!*wanted[i].place)
			return err_msg(e, ENOSYS,
				       LIBRARY " has no %s; install a newer one (4.7 does)",
				       wanted[i].name);
	}
	return 0;
}

static struct in_addr in_addr_of(uint32_t addr)
{
	return (struct in_addr){ .s_addr = htonl(addr) };
}

static bool any_udp(const struct slirp_loop_config *config)
{
	for (unsigned int i = 0; i < config->n_ports; i++)
		if (config->ports[i].udp)
			return true;
	return false;
}

static int make(struct slirp_loop *loop, const struct slirp_loop_config *config, struct err *e)
{
	/* No TFTP, no boot file, no emulation of old protocols: all that is 0. */
	const SlirpConfig sc = {
		.version = CONFIG_VERSION,
		.in_enabled = true,
		.vnetwork = in_addr_of(NET_NETWORK),
		.vnetmask = in_addr_of(NET_NETMASK),
		.vhost = in_addr_of(NET_GATEWAY),
		.vdhcp_start = in_addr_of(NET_GUEST),
		.vnameserver = in_addr_of(NET_RESOLVER),
		.if_mtu = VM_NET_MTU,
		.if_mru = VM_NET_MTU,
		/* The gate sees to it; this is the second lock. Answers by UDP need it open. */
		.disable_host_loopback = !config->host_loopback && !any_udp(config),
	};

	loop->slirp = loop->api.create(&sc, &callbacks, loop);
	return loop->slirp ? 0 : err_msg(e, EINVAL, LIBRARY " refuses vmrun's configuration");
}

static int publish(struct slirp_loop *loop, const struct port_forward *p, struct err *e)
{
	struct sockaddr_in host = { .sin_family = AF_INET, .sin_port = htons(p->host_port) };
	struct sockaddr_in guest = { .sin_family = AF_INET, .sin_port = htons(p->guest_port) };

	if (inet_pton(AF_INET, p->host_ip, &host.sin_addr) != 1)
		return err_msg(e, EINVAL, "-p: '%s' is no IPv4 address", p->host_ip);
	guest.sin_addr = in_addr_of(NET_GUEST);
	if (loop->api.forward(loop->slirp, (struct sockaddr *)&host, sizeof(host),
			      (struct sockaddr *)&guest, sizeof(guest),
			      p->udp ? SLIRP_HOSTFWD_UDP : 0) < 0)
		return ports_explain(p, errno, e);
	return 0;
}

/* Of connections that wait for accept(): libslirp lets one wait, the others try again. */
static int lengthen_queues(struct slirp_loop *loop, struct err *e)
{
	uint32_t ms = 0;

	loop->api.fill(loop->slirp, &ms, add_poll, loop);
	for (size_t i = 0; i < loop->n_fds; i++) {
		int fd = loop->fds[i].fd, listens = 0;
		socklen_t len = sizeof(listens);

		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens &&
		    listen(fd, SOMAXCONN) < 0)
			return err_errno(e, errno, "cannot listen on a published port");
	}
	return 0;
}

int slirp_loop_new(const struct slirp_loop_config *config, struct slirp_loop **ret, struct err *e)
{
	struct slirp_loop *loop = calloc(1, sizeof(*loop));
	int r = 0;

	if (!loop || frame_reader_init(&loop->in) < 0 || frame_writer_init(&loop->out) < 0)
		r = err_oom(e);
	if (r == 0)
		r = load(&loop->api, e);
	if (r == 0) {
		gate_init(&loop->gate, config->host_loopback, config->ports, config->n_ports);
		r = make(loop, config, e);
	}
	for (unsigned int i = 0; r == 0 && i < config->n_ports; i++)
		r = publish(loop, &config->ports[i], e);
	if (r == 0 && config->n_ports)
		r = lengthen_queues(loop, e);
	if (r < 0) {
		slirp_loop_free(loop);
		return r;
	}
	*ret = loop;
	return 0;
}

void slirp_loop_free(struct slirp_loop *loop)
{
	if (!loop)
		return;
	if (loop->slirp)
		loop->api.destroy(loop->slirp);
	frame_reader_free(&loop->in);
	frame_writer_free(&loop->out);
	free(loop->fds);
	free(loop);
}

/* --- running it --- */

/* Asked for one socket after the other: those that come after the backlog wait. */
static int get_revents(int index, void *opaque)
{
	struct slirp_loop *loop = opaque;
	int events = 0;

	if (index < FIXED_FDS || (size_t)index >= loop->n_fds || is_congested(loop))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(event_names); i++)
		if (loop->fds[index].revents & event_names[i].poll)
			events |= event_names[i].slirp;
	return events;
}

static void take_frame(struct slirp_loop *loop, const uint8_t *frame, size_t len)
{
	uint8_t answer[GATE_REFUSAL_MAX];
	size_t n;

	switch (gate_check(&loop->gate, frame, len, now_ms())) {
	case GATE_PASS:
		loop->api.input(loop->slirp, frame, (int)len);
		break;
	case GATE_REFUSE:
		n = gate_refusal(frame, len, answer);
		if (n)
			(void)!frame_writer_put(&loop->out, answer, n);
		break;
	case GATE_DROP:
		break;
	}
}

/* Return: whether there are more, once there is room for what follows from them. */
static int take_frames(struct slirp_loop *loop, struct err *e)
{
	const uint8_t *frame;
	size_t len;
	int r = 0;

	while (!is_congested(loop)) {
		r = frame_reader_next(&loop->in, &frame, &len);
		if (r <= 0)
			break;
		take_frame(loop, frame, len);
	}
	return r < 0 ? err_msg(e, EPROTO, "QEMU sent what is no frame") : is_congested(loop);
}

static int wait_events(struct slirp_loop *loop, int link, int lifeline, bool more, struct err *e)
{
	bool congested = is_congested(loop);
	short backlog = frame_writer_backlog(&loop->out) ? POLLOUT : 0;
	uint32_t ms = UINT32_MAX;
	int n;

	loop->n_fds = 0;
	if (add_fd(loop, link, congested ? backlog : POLLIN | backlog) < 0 ||
	    add_fd(loop, lifeline, POLLIN) < 0)
		return err_oom(e);
	loop->api.fill(loop->slirp, &ms, add_poll, loop);
	if (more && !congested)
		ms = 0;
	n = poll(loop->fds, congested ? FIXED_FDS : loop->n_fds,
		 ms > INT32_MAX ? INT32_MAX : (int)ms);
	if (n < 0 && errno != EINTR)
		return err_errno(e, errno, "cannot wait for frames");
	return 0;
}

/* Return: 1 to go on, 0 at the end of the link. */
static int read_link(struct slirp_loop *loop, int link, struct err *e)
{
	ssize_t n;

	if (!(loop->fds[0].revents & (POLLIN | POLLHUP | POLLERR)) || is_congested(loop))
		return 1;
	n = frame_reader_fill(&loop->in, link);
	if (n == -EAGAIN || n == -ENOBUFS)
		return 1;
	if (n < 0 && n != -ECONNRESET)
		return err_errno(e, (int)-n, "cannot read QEMU's frames");
	return n > 0;
}

int slirp_loop_run(struct slirp_loop *loop, struct frame_reader *seen, int link, int lifeline,
		   struct err *e)
{
	int more, r;

	if (seen->buf) {
		frame_reader_free(&loop->in);
		loop->in = *seen;
		*seen = (struct frame_reader){ 0 };
	}
	for (;;) {
		/* In this order: an answer to ARP sends off what libslirp waits with. */
		more = take_frames(loop, e);
		if (more < 0)
			return more;
		loop->api.handle(loop->slirp, 0, get_revents, loop);
		/* When QEMU is gone, what the guest sent before is still to be read. */
		(void)!frame_writer_flush(&loop->out, link);
		r = wait_events(loop, link, lifeline, more, e);
		if (r < 0 || loop->fds[1].revents)
			return r;
		r = read_link(loop, link, e);
		if (r <= 0)
			return r;
	}
}
