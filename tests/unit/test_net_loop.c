/* SPDX-License-Identifier: MIT */
/* The whole network but for its jail: libslirp, spoken to as a guest does. */
#include "tests/unit/packets.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>

#include "runner/net/slirp_loop.h"

#define WAIT_MS 5000
#define QUIET_MS 200

struct net_world {
	struct port_forward ports[2];
	struct slirp_loop_config config;
	pid_t pid;
	int link; /* the guest's end */
	int lifeline;
	struct frame_reader in;
	int server; /* a socket on 127.0.0.1 */
	uint16_t port;
};

static int local_socket(int type, uint16_t *ret_port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 16), 0);
	*ret_port = ntohs(addr.sin_port);
	return fd;
}

static uint16_t free_port(int type)
{
	uint16_t port;

	close(local_socket(type, &port));
	return port;
}

/* Runs the loop in a child; nothing of cmocka's there. */
static void start(struct net_world *w)
{
	int link[2], life[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, link), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, life), 0);
	fflush(NULL);
	w->pid = fork();
	if (w->pid == 0) {
		struct frame_reader seen = { 0 };
		struct slirp_loop *loop;
		struct err e;
		int r;

		close(link[0]);
		close(life[0]);
		signal(SIGPIPE, SIG_IGN);
		r = slirp_loop_new(&w->config, &loop, &e);
		if (r == 0 && send(life[1], "r", 1, 0) == 1) {
			r = slirp_loop_run(loop, &seen, link[1], life[1], &e);
			slirp_loop_free(loop);
		}
		if (r < 0 && r != -EPROTO)
			fprintf(stderr, "%s\n", e.text);
		_exit(r == 0 ? 0 : r == -EPROTO ? 2 : 1);
	}
	assert_true(w->pid > 0);
	close(link[1]);
	close(life[1]);
	w->link = link[0];
	w->lifeline = life[0];
	assert_int_equal(recv(w->lifeline, &(char){ 0 }, 1, 0), 1);
	assert_int_equal(frame_reader_init(&w->in), 0);
}

static int setup(void **state)
{
	struct net_world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->link = w->lifeline = w->server = -1;
	w->config.ports = w->ports;
	*state = w;
	return 0;
}

static int loop_status(struct net_world *w)
{
	int status;

	assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
	w->pid = 0;
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int teardown(void **state)
{
	struct net_world *w = *state;

	if (w->pid > 0) {
		close(w->lifeline);
		assert_int_equal(loop_status(w), 0);
	}
	if (w->link >= 0)
		close(w->link);
	if (w->server >= 0)
		close(w->server);
	frame_reader_free(&w->in);
	free(w);
	return 0;
}

static void put(struct net_world *w, const struct frame *f)
{
	uint8_t wire[4 + sizeof(f->data)];

	set32(wire, (uint32_t)f->len);
	memcpy(wire + 4, f->data, f->len);
	assert_int_equal(send(w->link, wire, 4 + f->len, MSG_NOSIGNAL), 4 + f->len);
}

/* Return: whether a frame came within @ms. */
static bool get(struct net_world *w, int ms, struct frame *ret)
{
	struct pollfd p = { .fd = w->link, .events = POLLIN };
	const uint8_t *data;
	int r;

	while ((r = frame_reader_next(&w->in, &data, &ret->len)) == 0) {
		if (poll(&p, 1, ms) == 0)
			return false;
		assert_true(frame_reader_fill(&w->in, w->link) > 0);
	}
	assert_int_equal(r, 1);
	assert_true(ret->len <= sizeof(ret->data));
	memcpy(ret->data, data, ret->len);
	return true;
}

/* The next frame of IPv4; questions by ARP are answered on the way. */
static bool get_ip(struct net_world *w, int ms, struct frame *ret)
{
	while (get(w, ms, ret)) {
		if (ret->data[13] == 0) {
			assert_sound(ret);
			return true;
		}
		/* A reply to our own announcement needs none. */
		if (ret->data[21] == 1) {
			struct frame reply = arp_frame(NET_GATEWAY);

			reply.data[21] = 2;
			put(w, &reply);
		}
	}
	return false;
}

static struct frame expect_ip(struct net_world *w, uint8_t proto, uint32_t src)
{
	struct frame f;

	assert_true(get_ip(w, WAIT_MS, &f));
	assert_int_equal(f.data[IP_AT + 9], proto);
	assert_int_equal(read32(f.data + IP_AT + 12), src);
	return f;
}

static void expect_quiet(struct net_world *w)
{
	struct frame f;

	assert_false(get_ip(w, QUIET_MS, &f));
}

/* Nobody has connected, nobody has sent anything. */
static void expect_untouched(const struct net_world *w)
{
	struct pollfd p = { .fd = w->server, .events = POLLIN };

	assert_int_equal(poll(&p, 1, QUIET_MS), 0);
}

static uint8_t tcp_flags(const struct frame *f)
{
	return f->data[L4_AT + 13];
}

static void arp_and_ping(void **state)
{
	struct net_world *w = *state;
	static const uint32_t known[] = { NET_GATEWAY, NET_RESOLVER };
	struct frame f;

	start(w);
	for (size_t i = 0; i < 2; i++) {
		f = arp_frame(known[i]);
		put(w, &f);
		assert_true(get(w, WAIT_MS, &f));
		assert_int_equal(read16(f.data + 12), 0x0806);
		assert_int_equal(read32(f.data + 28), known[i]);
		f = ping_frame(known[i]);
		put(w, &f);
		f = expect_ip(w, ICMP, known[i]);
		assert_int_equal(f.data[L4_AT], 0);
		assert_memory_equal(f.data + L4_AT + 8, "ping", 4);
	}
	f = arp_frame(NET_ADDR(10, 0, 2, 77));
	put(w, &f);
	expect_quiet(w);
}

/* With and without the right to it: a connection to a server on 127.0.0.1. */
static void tcp_to_loopback(void **state)
{
	struct net_world *w = *state;
	struct frame f;
	char buf[16];
	int fd;

	w->server = local_socket(SOCK_STREAM, &w->port);
	w->config.host_loopback = true;
	start(w);
	f = syn_frame(NET_GATEWAY, w->port);
	put(w, &f);
	f = expect_ip(w, TCP, NET_GATEWAY);
	assert_int_equal(tcp_flags(&f), TCP_SYN | TCP_ACK);
	fd = accept(w->server, NULL, NULL);
	assert_true(fd >= 0);
	f = tcp_frame(40000, NET_GATEWAY, w->port, TCP_ACK | TCP_PSH, 1001,
		      read32(f.data + L4_AT + 4) + 1, "hello");
	put(w, &f);
	assert_int_equal(recv(fd, buf, sizeof(buf), 0), 5);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(send(fd, "answer", 6, 0), 6);
	do
		f = expect_ip(w, TCP, NET_GATEWAY);
	while (f.len < L4_AT + 20 + 6);
	assert_memory_equal(f.data + L4_AT + 20, "answer", 6);
	close(fd);
}

static void no_tcp_to_loopback(void **state)
{
	static const uint32_t ways[] = {
		NET_GATEWAY,	       NET_RESOLVER, LOOPBACK, 0, NET_ADDR(127, 255, 0, 1),
		NET_ADDR(10, 0, 2, 4), NET_GUEST
	};
	struct net_world *w = *state;

	w->server = local_socket(SOCK_STREAM, &w->port);
	start(w);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct frame f = syn_frame(ways[i], w->port);

		put(w, &f);
		f = expect_ip(w, TCP, ways[i]);
		assert_int_equal(tcp_flags(&f), TCP_RST | TCP_ACK);
		assert_int_equal(read32(f.data + L4_AT + 8), 1001);
	}
	expect_untouched(w);
}

static void udp_to_loopback(void **state)
{
	struct net_world *w = *state;
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	struct frame f;
	char buf[16];

	w->server = local_socket(SOCK_DGRAM, &w->port);
	w->config.host_loopback = true;
	start(w);
	f = udp_frame(1234, NET_GATEWAY, w->port, "hello");
	put(w, &f);
	assert_int_equal(recvfrom(w->server, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len),
			 5);
	assert_int_equal(sendto(w->server, "answer", 6, 0, (struct sockaddr *)&from, len), 6);
	f = expect_ip(w, UDP, NET_GATEWAY);
	assert_int_equal(read16(f.data + L4_AT + 2), 1234);
	assert_memory_equal(f.data + L4_AT + 8, "answer", 6);
}

static void no_udp_to_loopback(void **state)
{
	static const uint32_t ways[] = { NET_GATEWAY, NET_RESOLVER, LOOPBACK, 0,
					 NET_ADDR(10, 0, 2, 4) };
	struct net_world *w = *state;

	w->server = local_socket(SOCK_DGRAM, &w->port);
	start(w);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct frame f = udp_frame(1234, ways[i], w->port, "hello");

		put(w, &f);
		f = expect_ip(w, ICMP, NET_GATEWAY);
		assert_int_equal(read16(f.data + L4_AT), 0x0303);
	}
	expect_untouched(w);
}

static void publish(struct net_world *w, bool udp)
{
	struct port_forward *p = &w->ports[w->config.n_ports++];

	strcpy(p->host_ip, "127.0.0.1");
	p->host_port = free_port(udp ? SOCK_DGRAM : SOCK_STREAM);
	p->guest_port = udp ? 53 : 80;
	p->udp = udp;
}

static int connect_to(int type, uint16_t port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/* A published port works without host-loopback, and opens no way back but its own. */
static void published_tcp(void **state)
{
	struct net_world *w = *state;
	uint32_t seq;
	uint16_t peer;
	struct frame f;
	char buf[16];
	int fd;

	publish(w, false);
	w->server = local_socket(SOCK_STREAM, &w->port);
	start(w);
	fd = connect_to(SOCK_STREAM, w->ports[0].host_port);
	f = expect_ip(w, TCP, NET_GATEWAY);
	assert_int_equal(tcp_flags(&f), TCP_SYN);
	assert_int_equal(read16(f.data + L4_AT + 2), 80);
	peer = (uint16_t)read16(f.data + L4_AT);
	seq = read32(f.data + L4_AT + 4) + 1;
	f = tcp_frame(80, NET_GATEWAY, peer, TCP_SYN | TCP_ACK, 5000, seq, "");
	put(w, &f);
	f = expect_ip(w, TCP, NET_GATEWAY);
	assert_int_equal(tcp_flags(&f), TCP_ACK);
	f = tcp_frame(80, NET_GATEWAY, peer, TCP_ACK | TCP_PSH, 5001, seq, "from the guest");
	put(w, &f);
	assert_int_equal(recv(fd, buf, sizeof(buf), 0), 14);
	f = tcp_frame(80, NET_GATEWAY, w->port, TCP_SYN, 5000, 0, "");
	put(w, &f);
	expect_untouched(w);
	close(fd);
}

static void published_udp(void **state)
{
	struct net_world *w = *state;
	struct frame f;
	uint16_t peer;
	char buf[16];
	int fd;

	publish(w, true);
	w->server = local_socket(SOCK_DGRAM, &w->port);
	start(w);
	fd = connect_to(SOCK_DGRAM, w->ports[0].host_port);
	assert_int_equal(send(fd, "question", 8, 0), 8);
	f = expect_ip(w, UDP, NET_GATEWAY);
	peer = (uint16_t)read16(f.data + L4_AT);
	assert_int_equal(read16(f.data + L4_AT + 2), 53);
	assert_memory_equal(f.data + L4_AT + 8, "question", 8);
	f = udp_frame(53, NET_GATEWAY, peer, "answer");
	put(w, &f);
	assert_int_equal(recv(fd, buf, sizeof(buf), 0), 6);
	assert_memory_equal(buf, "answer", 6);
	f = udp_frame(53, NET_GATEWAY, w->port, "hello");
	put(w, &f);
	expect_untouched(w);
	close(fd);
}

static void port_in_use(void **state)
{
	struct net_world *w = *state;
	struct slirp_loop *loop = NULL;
	struct err e;

	for (int udp = 0; udp < 2; udp++) {
		w->config.n_ports = 0;
		publish(w, udp);
		w->server = local_socket(udp ? SOCK_DGRAM : SOCK_STREAM, &w->port);
		w->ports[0].host_port = w->port;
		assert_int_equal(slirp_loop_new(&w->config, &loop, &e), -EADDRINUSE);
		assert_null(loop);
		assert_non_null(strstr(e.text, "is in use on the host; choose another"));
		close(w->server);
	}
	w->server = -1;
}

static void nonsense_ends_it(void **state)
{
	struct net_world *w = *state;

	start(w);
	assert_int_equal(send(w->link, "\0\0\0\0", 4, 0), 4);
	assert_int_equal(loop_status(w), 2);
	close(w->lifeline);
}

static void ends_with_the_link(void **state)
{
	struct net_world *w = *state;

	start(w);
	close(w->link);
	w->link = -1;
	assert_int_equal(loop_status(w), 0);
	close(w->lifeline);
}

/* A guest that sends and never reads: it must wait, the loop must not grow, and live. */
static void a_guest_that_does_not_read(void **state)
{
	struct net_world *w = *state;
	struct frame f = ping_frame(NET_GATEWAY);
	uint8_t wire[4 + sizeof(f.data)];
	size_t sent = 0, blocked = 0;
	uint64_t taken = 0;

	start(w);
	/* So that no answer waits, for a second at most, for the guest's address. */
	f = arp_frame(NET_GATEWAY);
	put(w, &f);
	f = ping_frame(NET_GATEWAY);
	set32(wire, (uint32_t)f.len);
	memcpy(wire + 4, f.data, f.len);
	while (blocked < 20 && sent < 10000000) {
		ssize_t n = send(w->link, wire, 4 + f.len, MSG_DONTWAIT | MSG_NOSIGNAL);

		assert_true(n == (ssize_t)(4 + f.len) || (n < 0 && errno == EAGAIN));
		sent += n > 0;
		if (n < 0) {
			blocked++;
			nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
		}
	}
	assert_int_equal(blocked, 20);
	/* Now it reads: every one is answered, as nothing was lost. */
	while (taken < sent) {
		f = expect_ip(w, ICMP, NET_GATEWAY);
		taken++;
	}
	expect_quiet(w);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(arp_and_ping),
		TEST(tcp_to_loopback),
		TEST(no_tcp_to_loopback),
		TEST(udp_to_loopback),
		TEST(no_udp_to_loopback),
		TEST(published_tcp),
		TEST(published_udp),
		TEST(port_in_use),
		TEST(nonsense_ends_it),
		TEST(ends_with_the_link),
		TEST(a_guest_that_does_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
