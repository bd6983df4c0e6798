/* SPDX-License-Identifier: MIT */
/* vmrun's side until there is a helper; what a helper does has e2e/network-*. */
#include "tests/unit/packets.h"

#include <sys/socket.h>

#include "runner/net/net.h"

struct guest {
	struct net net;
	int qemu; /* the other end of the link */
};

static int setup(void **state)
{
	struct guest *g = calloc(1, sizeof(*g));
	int pair[2];

	assert_non_null(g);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	net_open(&g->net, &(struct net_config){ .uid = getuid(), .gid = getgid() }, pair[0]);
	g->qemu = pair[1];
	*state = g;
	return 0;
}

static int teardown(void **state)
{
	struct guest *g = *state;

	net_stop(&g->net);
	if (g->qemu >= 0)
		close(g->qemu);
	free(g);
	return 0;
}

static void put(const struct guest *g, const struct frame *f)
{
	uint8_t wire[4 + sizeof(f->data)];

	set32(wire, (uint32_t)f->len);
	memcpy(wire + 4, f->data, f->len);
	assert_int_equal(send(g->qemu, wire, 4 + f->len, 0), 4 + f->len);
}

/* QEMU's own RARP after a restore, IPv6 and multicast of the guest's kernel. */
static void announcements_start_nothing(void **state)
{
	struct guest *g = *state;
	struct frame rarp = arp_frame(NET_GUEST);
	struct frame ipv6 = udp_frame(1, NET_ADDR(1, 2, 3, 4), 2, "x");
	struct frame igmp = udp_frame(1, NET_ADDR(224, 0, 0, 22), 2, "x");
	struct err e;

	set16(rarp.data + 12, 0x8035);
	set16(ipv6.data + 12, 0x86dd);
	for (int i = 0; i < 1000; i++) {
		put(g, &rarp);
		put(g, &ipv6);
		put(g, &igmp);
		assert_int_equal(net_handle(&g->net, &e), 0);
		assert_true(net_fd(&g->net) >= 0);
		assert_int_equal(net_fd(&g->net), g->net.link);
		assert_int_equal(g->net.pidfd, -1);
	}
	/* Woken for nothing. */
	assert_int_equal(net_handle(&g->net, &e), 0);
	assert_int_equal(net_fd(&g->net), g->net.link);
}

static void nonsense_is_told_once(void **state)
{
	struct guest *g = *state;
	struct err e = { 0 };

	assert_int_equal(send(g->qemu, "\xff\xff\xff\xff", 4, 0), 4);
	assert_int_equal(net_handle(&g->net, &e), -EPROTO);
	assert_string_equal(e.text, "QEMU sent what is no frame");
	assert_int_equal(net_fd(&g->net), -1);
	assert_int_equal(net_handle(&g->net, &e), 0);
}

static void the_end_of_qemu_is_no_failure(void **state)
{
	struct guest *g = *state;
	struct err e;

	close(g->qemu);
	g->qemu = -1;
	assert_int_equal(net_handle(&g->net, &e), 0);
	assert_int_equal(net_fd(&g->net), -1);
	assert_int_equal(net_handle(&g->net, &e), 0);
	assert_int_equal(net_wait(&g->net, &e), 0);
}

static void no_network(void **state)
{
	struct net none = NET_INIT;
	struct err e;

	(void)state;
	assert_int_equal(net_fd(&none), -1);
	assert_int_equal(net_handle(&none, &e), 0);
	assert_int_equal(net_wait(&none, &e), 0);
	net_stop(&none);
	net_stop(&none);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(announcements_start_nothing),
		TEST(nonsense_is_told_once),
		TEST(the_end_of_qemu_is_no_failure),
		TEST(no_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
