/* SPDX-License-Identifier: MIT */
#include "tests/unit/packets.h"

static const struct port_forward ports[] = {
	{ .host_ip = "127.0.0.1", .host_port = 8080, .guest_port = 80 },
	{ .host_ip = "127.0.0.1", .host_port = 5353, .guest_port = 53, .udp = true },
};

static struct gate closed, open_gate;

static int setup(void **state)
{
	(void)state;
	gate_init(&closed, false, ports, 2);
	gate_init(&open_gate, true, ports, 2);
	return 0;
}

static enum gate_verdict check(const struct frame *f)
{
	return gate_check(&closed, f->data, f->len, 1000);
}

static enum gate_verdict check_open(const struct frame *f)
{
	return gate_check(&open_gate, f->data, f->len, 1000);
}

/* What each destination gets by TCP (the first segment), UDP and ping. */
static void destinations(void **state)
{
	static const struct {
		uint32_t dst;
		uint16_t port;
		enum gate_verdict tcp, udp, ping;
	} cases[] = {
		{ NET_ADDR(93, 184, 216, 34), 80, GATE_PASS, GATE_PASS, GATE_PASS },
		{ NET_ADDR(192, 168, 1, 1), 22, GATE_PASS, GATE_PASS, GATE_PASS },
		{ NET_ADDR(10, 0, 3, 2), 22, GATE_PASS, GATE_PASS, GATE_PASS },
		{ NET_ADDR(10, 0, 1, 255), 22, GATE_PASS, GATE_PASS, GATE_PASS },
		{ NET_ADDR(126, 255, 255, 255), 1, GATE_PASS, GATE_PASS, GATE_PASS },
		{ NET_ADDR(128, 0, 0, 0), 1, GATE_PASS, GATE_PASS, GATE_PASS },
		{ NET_ADDR(1, 0, 0, 0), 1, GATE_PASS, GATE_PASS, GATE_PASS },
		{ NET_ADDR(223, 255, 255, 255), 1, GATE_PASS, GATE_PASS, GATE_PASS },
		{ LOOPBACK, 22, GATE_REFUSE, GATE_REFUSE, GATE_REFUSE },
		{ NET_ADDR(127, 0, 0, 0), 22, GATE_REFUSE, GATE_REFUSE, GATE_REFUSE },
		{ NET_ADDR(127, 0, 0, 53), 53, GATE_REFUSE, GATE_REFUSE, GATE_REFUSE },
		{ NET_ADDR(127, 255, 255, 255), 1, GATE_REFUSE, GATE_REFUSE, GATE_REFUSE },
		{ 0, 22, GATE_REFUSE, GATE_REFUSE, GATE_REFUSE },
		{ NET_ADDR(0, 255, 255, 255), 1, GATE_REFUSE, GATE_REFUSE, GATE_REFUSE },
		{ NET_GATEWAY, 22, GATE_REFUSE, GATE_REFUSE, GATE_PASS },
		{ NET_GATEWAY, 53, GATE_REFUSE, GATE_REFUSE, GATE_PASS },
		{ NET_GATEWAY, 69, GATE_REFUSE, GATE_REFUSE, GATE_PASS },
		{ NET_GATEWAY, 67, GATE_REFUSE, GATE_PASS, GATE_PASS },
		{ NET_RESOLVER, 53, GATE_PASS, GATE_PASS, GATE_PASS },
		{ NET_RESOLVER, 54, GATE_REFUSE, GATE_REFUSE, GATE_PASS },
		{ NET_RESOLVER, 80, GATE_REFUSE, GATE_REFUSE, GATE_PASS },
		{ NET_RESOLVER, 0, GATE_REFUSE, GATE_REFUSE, GATE_PASS },
		{ NET_GUEST, 22, GATE_REFUSE, GATE_REFUSE, GATE_REFUSE },
		{ NET_ADDR(10, 0, 2, 4), 22, GATE_REFUSE, GATE_REFUSE, GATE_REFUSE },
		{ NET_ADDR(10, 0, 2, 0), 22, GATE_REFUSE, GATE_REFUSE, GATE_REFUSE },
		{ NET_ADDR(10, 0, 2, 254), 22, GATE_REFUSE, GATE_REFUSE, GATE_REFUSE },
		{ NET_ADDR(10, 0, 2, 255), 67, GATE_DROP, GATE_DROP, GATE_DROP },
		{ NET_ADDR(224, 0, 0, 251), 5353, GATE_DROP, GATE_DROP, GATE_DROP },
		{ NET_ADDR(239, 255, 255, 250), 1900, GATE_DROP, GATE_DROP, GATE_DROP },
		{ NET_ADDR(240, 0, 0, 1), 1, GATE_DROP, GATE_DROP, GATE_DROP },
		{ 0xffffffff, 67, GATE_DROP, GATE_PASS, GATE_DROP },
		{ 0xffffffff, 68, GATE_DROP, GATE_DROP, GATE_DROP },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct frame tcp = syn_frame(cases[i].dst, cases[i].port);
		struct frame udp = udp_frame(1234, cases[i].dst, cases[i].port, "x");
		struct frame ping = ping_frame(cases[i].dst);

		if (check(&tcp) != cases[i].tcp || check(&udp) != cases[i].udp ||
		    check(&ping) != cases[i].ping)
			fail_msg("%08x:%u", cases[i].dst, cases[i].port);
	}
}

/* host-loopback opens the router's address, and nothing else. */
static void host_loopback(void **state)
{
	static const uint32_t others[] = { LOOPBACK, 0, NET_GUEST, NET_ADDR(10, 0, 2, 4),
					   NET_RESOLVER };
	struct frame f = syn_frame(NET_GATEWAY, 22);

	(void)state;
	assert_int_equal(check_open(&f), GATE_PASS);
	f = udp_frame(1, NET_GATEWAY, 53, "x");
	assert_int_equal(check_open(&f), GATE_PASS);
	f = udp_frame(1, NET_GATEWAY, 69, "x");
	assert_int_equal(check_open(&f), GATE_REFUSE);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		f = syn_frame(others[i], 80);
		assert_int_equal(check_open(&f), GATE_REFUSE);
		f = udp_frame(1, others[i], 80, "x");
		assert_int_equal(check_open(&f), GATE_REFUSE);
	}
}

/* A published port's connection comes from the router, so answers go there. */
static void answers_by_tcp(void **state)
{
	(void)state;
	for (unsigned int flags = 0; flags < 256; flags++) {
		struct frame f = tcp_frame(80, NET_GATEWAY, 50000, (uint8_t)flags, 1, 1, "");
		bool opens = flags & TCP_SYN && !(flags & TCP_ACK);

		assert_int_equal(check(&f), opens ? GATE_REFUSE : GATE_PASS);
	}
}

static struct frame to_guest(uint32_t src, uint16_t from, uint16_t to)
{
	struct frame f = udp_frame(from, NET_GUEST, to, "question");

	set32(f.data + IP_AT + 12, src);
	seal(&f);
	return f;
}

static void answers_by_udp(void **state)
{
	struct frame answer = udp_frame(53, NET_GATEWAY, 50000, "answer");
	struct frame other_port = udp_frame(53, NET_GATEWAY, 50001, "answer");
	struct frame other_source = udp_frame(54, NET_GATEWAY, 50000, "answer");
	struct frame f;

	(void)state;
	/* Nobody asked; or not from the router; or not a published port. */
	assert_int_equal(check(&answer), GATE_REFUSE);
	f = to_guest(NET_RESOLVER, 50000, 53);
	gate_note(&closed, f.data, f.len, 1000);
	f = to_guest(NET_GATEWAY, 50000, 54);
	gate_note(&closed, f.data, f.len, 1000);
	f = to_guest(NET_GATEWAY, 50000, 80);
	gate_note(&closed, f.data, f.len, 1000);
	assert_int_equal(check(&answer), GATE_REFUSE);
	assert_int_equal(check(&other_source), GATE_REFUSE);

	f = to_guest(NET_GATEWAY, 50000, 53);
	gate_note(&closed, f.data, f.len, 1000);
	assert_int_equal(check(&answer), GATE_PASS);
	assert_int_equal(check(&other_port), GATE_REFUSE);
	assert_int_equal(check(&other_source), GATE_REFUSE);
	/* For four minutes after the last question. */
	assert_int_equal(gate_check(&closed, answer.data, answer.len, 240999), GATE_PASS);
	assert_int_equal(gate_check(&closed, answer.data, answer.len, 241000), GATE_REFUSE);
	gate_note(&closed, f.data, f.len, 200000);
	assert_int_equal(gate_check(&closed, answer.data, answer.len, 439999), GATE_PASS);
}

static void many_who_ask_by_udp(void **state)
{
	struct frame f;

	(void)state;
	for (uint16_t port = 1; port <= 3 * GATE_FLOWS; port++) {
		f = to_guest(NET_GATEWAY, (uint16_t)(40000 + port), 53);
		gate_note(&closed, f.data, f.len, 1000);
	}
	for (uint16_t port = 1; port <= 3 * GATE_FLOWS; port++) {
		f = udp_frame(53, NET_GATEWAY, (uint16_t)(40000 + port), "answer");
		assert_int_equal(check(&f), port > 2 * GATE_FLOWS ? GATE_PASS : GATE_REFUSE);
	}
}

static void senders(void **state)
{
	static const struct {
		uint32_t src;
		enum gate_verdict verdict;
	} cases[] = {
		{ NET_GUEST, GATE_PASS },
		{ NET_ADDR(10, 0, 2, 99), GATE_PASS },
		{ NET_GATEWAY, GATE_DROP },
		{ NET_RESOLVER, GATE_DROP },
		{ NET_ADDR(10, 0, 2, 0), GATE_DROP },
		{ NET_ADDR(10, 0, 2, 255), GATE_DROP },
		{ LOOPBACK, GATE_DROP },
		{ 0, GATE_DROP },
		{ 0xffffffff, GATE_DROP },
		{ NET_ADDR(93, 184, 216, 34), GATE_DROP },
		{ NET_ADDR(224, 0, 0, 1), GATE_DROP },
	};
	struct frame f = syn_frame(NET_ADDR(93, 184, 216, 34), 80);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		set32(f.data + IP_AT + 12, cases[i].src);
		seal(&f);
		assert_int_equal(check(&f), cases[i].verdict);
	}
	/* Who asks for an address by DHCP has none. */
	f = udp_frame(68, 0xffffffff, 67, "x");
	set32(f.data + IP_AT + 12, 0);
	assert_int_equal(check(&f), GATE_PASS);
	set32(f.data + IP_AT + 12, LOOPBACK);
	assert_int_equal(check(&f), GATE_DROP);
	/* A multicast address of Ethernet is nobody's. */
	f = syn_frame(LOOPBACK, 80);
	f.data[6] = 1;
	assert_int_equal(check(&f), GATE_DROP);
}

static void arp(void **state)
{
	struct frame f = arp_frame(NET_GATEWAY);

	(void)state;
	assert_int_equal(check(&f), GATE_PASS);
	/* The library does not look how long it is. */
	for (size_t len = 0; len < f.len; len++)
		assert_int_equal(gate_check(&closed, f.data, len, 0), GATE_DROP);
	for (size_t i = 14; i < 20; i++) {
		f = arp_frame(NET_GATEWAY);
		f.data[i] ^= 1;
		assert_int_equal(check(&f), GATE_DROP);
	}
}

static void other_protocols(void **state)
{
	static const uint16_t types[] = { 0x86dd, 0x8100, 0x88a8, 0x88f8, 0x0805, 0x8864, 46, 0 };
	struct frame f = syn_frame(NET_ADDR(93, 184, 216, 34), 80);

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		set16(f.data + 12, types[i]);
		assert_int_equal(check(&f), GATE_DROP);
	}
	set16(f.data + 12, 0x0800);
	for (unsigned int proto = 0; proto < 256; proto++) {
		f.data[IP_AT + 9] = (uint8_t)proto;
		if (proto != TCP && proto != UDP && proto != ICMP)
			assert_int_equal(check(&f), GATE_DROP);
	}
	for (unsigned int type = 0; type < 256; type++) {
		f = ping_frame(NET_ADDR(93, 184, 216, 34));
		f.data[L4_AT] = (uint8_t)type;
		assert_int_equal(check(&f), type == 8 ? GATE_PASS : GATE_DROP);
		f = ping_frame(NET_GATEWAY);
		f.data[L4_AT] = (uint8_t)type;
		assert_int_equal(check(&f), type == 8 ? GATE_PASS : GATE_DROP);
	}
}

/* Fragments, options, other versions of IP: what shows no ports, or may show others. */
static void what_has_to_be_guessed(void **state)
{
	static const uint32_t offsets[] = { 0x2000, 0x0001, 0x1fff, 0x3fff, 0x8000, 0x6000 };
	static const uint8_t versions[] = { 0x46, 0x4f, 0x44, 0x40, 0x55, 0x65, 0x05 };
	struct frame f;

	(void)state;
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		f = udp_frame(1, NET_RESOLVER, 53, "0123456789012345678901234567890123456789");
		set16(f.data + IP_AT + 6, offsets[i]);
		seal(&f);
		assert_int_equal(check(&f), GATE_DROP);
	}
	for (size_t i = 0; i < sizeof(versions); i++) {
		f = udp_frame(1, NET_RESOLVER, 53, "0123456789012345678901234567890123456789");
		f.data[IP_AT] = versions[i];
		assert_int_equal(check(&f), GATE_DROP);
	}
	f = udp_frame(1, NET_RESOLVER, 53, "x");
	set16(f.data + IP_AT + 6, 0);
	assert_int_equal(check(&f), GATE_PASS);
}

static void lengths(void **state)
{
	struct frame f = tcp_frame(1, NET_ADDR(1, 2, 3, 4), 80, TCP_ACK, 1, 1, "data");

	(void)state;
	for (size_t len = 0; len < f.len; len++)
		assert_int_equal(gate_check(&closed, f.data, len, 0), GATE_DROP);
	/* Short frames are filled up. */
	assert_int_equal(gate_check(&closed, f.data, f.len + 20, 0), GATE_PASS);
	for (uint32_t total = 0; total < 40; total++) {
		set16(f.data + IP_AT + 2, total);
		assert_int_equal(check(&f), GATE_DROP);
	}
	f = tcp_frame(1, NET_ADDR(1, 2, 3, 4), 80, TCP_ACK, 1, 1, "data");
	for (unsigned int words = 0; words < 16; words++) {
		f.data[L4_AT + 12] = (uint8_t)(words << 4);
		assert_int_equal(check(&f), words == 5 || words == 6 ? GATE_PASS : GATE_DROP);
	}
	f = udp_frame(1, NET_ADDR(1, 2, 3, 4), 80, "data");
	for (uint32_t len = 0; len < 20; len++) {
		set16(f.data + L4_AT + 4, len);
		assert_int_equal(check(&f), len == 12 ? GATE_PASS : GATE_DROP);
	}
}

static struct frame refusal(const struct frame *f)
{
	struct frame answer = { 0 };

	answer.len = gate_refusal(f->data, f->len, answer.data);
	assert_true(answer.len <= GATE_REFUSAL_MAX);
	if (answer.len) {
		assert_sound(&answer);
		assert_memory_equal(answer.data, guest_mac, 6);
		assert_int_equal(answer.data[6] & 1, 0);
		assert_int_equal(read32(answer.data + IP_AT + 16), NET_GUEST);
	}
	return answer;
}

static void refused_tcp(void **state)
{
	struct frame f = syn_frame(LOOPBACK, 22), a = refusal(&f);
	const uint8_t *tcp = a.data + L4_AT;

	(void)state;
	assert_int_equal(a.len, L4_AT + 20);
	assert_int_equal(read32(a.data + IP_AT + 12), LOOPBACK);
	assert_int_equal(read16(tcp), 22);
	assert_int_equal(read16(tcp + 2), 40000);
	assert_int_equal(read32(tcp + 8), 1001);
	assert_int_equal(tcp[13], TCP_RST | TCP_ACK);
	f = tcp_frame(1, NET_RESOLVER, 80, TCP_ACK | TCP_PSH, 5, 77, "data");
	a = refusal(&f);
	assert_int_equal(read32(a.data + L4_AT + 4), 77);
	assert_int_equal(a.data[L4_AT + 13], TCP_RST);
	f = tcp_frame(1, NET_RESOLVER, 80, TCP_SYN | TCP_FIN, 5, 77, "data");
	a = refusal(&f);
	assert_int_equal(read32(a.data + L4_AT + 8), 5 + 4 + 2);
	/* A reset is not answered, or two could go on for ever. */
	f = tcp_frame(1, NET_RESOLVER, 80, TCP_RST, 5, 77, "");
	a = refusal(&f);
	assert_int_equal(a.len, 0);
}

static void refused_others(void **state)
{
	struct frame f = udp_frame(1, LOOPBACK, 22, "a longer text than is quoted"), a;

	(void)state;
	a = refusal(&f);
	assert_int_equal(a.data[IP_AT + 9], ICMP);
	assert_int_equal(read32(a.data + IP_AT + 12), NET_GATEWAY);
	assert_int_equal(read16(a.data + L4_AT), 0x0303);
	/* The header and the ports, by which the guest knows whose it is. */
	assert_memory_equal(a.data + L4_AT + 8, f.data + IP_AT, 28);
	assert_int_equal(a.len, L4_AT + 8 + 28);
	f = ping_frame(LOOPBACK);
	a = refusal(&f);
	assert_int_equal(read16(a.data + L4_AT), 0x030d);
	assert_memory_equal(a.data + L4_AT + 8, f.data + IP_AT, 28);
	for (size_t len = 0; len < f.len; len++)
		assert_int_equal(gate_refusal(f.data, len, a.data), 0);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(destinations),
		TEST(host_loopback),
		TEST(answers_by_tcp),
		TEST(answers_by_udp),
		TEST(many_who_ask_by_udp),
		TEST(senders),
		TEST(arp),
		TEST(other_protocols),
		TEST(what_has_to_be_guessed),
		TEST(lengths),
		TEST(refused_tcp),
		TEST(refused_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
