/* SPDX-License-Identifier: MIT */
/* Ethernet frames made by hand, as a guest sends them. */
#ifndef VMRUN_TESTS_PACKETS_H
#define VMRUN_TESTS_PACKETS_H

#include "tests/unit/fixture.h"

#include "runner/net/gate.h"

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10

enum { ICMP = 1, TCP = 6, UDP = 17 };

#define IP_AT 14
#define L4_AT 34
#define LOOPBACK NET_ADDR(127, 0, 0, 1)

struct frame {
	uint8_t data[2048];
	size_t len;
};

static const uint8_t guest_mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };

static inline void set16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void set32(uint8_t *p, uint32_t v)
{
	set16(p, v >> 16);
	set16(p + 2, v);
}

static inline uint32_t read16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static inline uint32_t read32(const uint8_t *p)
{
	return read16(p) << 16 | read16(p + 2);
}

static inline uint32_t sum_of(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	return sum;
}

static inline uint16_t folded(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* The sum of the pseudo header: addresses, protocol, length. */
static inline uint32_t pseudo_sum(const struct frame *f)
{
	uint32_t len = read16(f->data + IP_AT + 2) - 20;

	return sum_of(f->data + IP_AT + 12, 8, f->data[IP_AT + 9] + len);
}

/* The checksums of a frame, after it was changed. */
static inline void seal(struct frame *f)
{
	uint8_t *ip = f->data + IP_AT, *body = f->data + L4_AT;
	size_t len = f->len - L4_AT;

	set16(ip + 10, 0);
	set16(ip + 10, folded(sum_of(ip, 20, 0)));
	switch (ip[9]) {
	case TCP:
		set16(body + 16, 0);
		set16(body + 16, folded(sum_of(body, len, pseudo_sum(f))));
		break;
	case UDP:
		set16(body + 6, 0);
		set16(body + 6, folded(sum_of(body, len, pseudo_sum(f))));
		break;
	case ICMP:
		set16(body + 2, 0);
		set16(body + 2, folded(sum_of(body, len, 0)));
		break;
	}
}

static inline struct frame ip_frame(uint8_t proto, uint32_t src, uint32_t dst, size_t body)
{
	struct frame f = { .len = L4_AT + body };

	memcpy(f.data, "\x52\x55\x0a\x00\x02\x02", 6);
	memcpy(f.data + 6, guest_mac, 6);
	set16(f.data + 12, 0x0800);
	f.data[IP_AT] = 0x45;
	set16(f.data + IP_AT + 2, (uint32_t)(20 + body));
	set16(f.data + IP_AT + 6, 0x4000);
	f.data[IP_AT + 8] = 64;
	f.data[IP_AT + 9] = proto;
	set32(f.data + IP_AT + 12, src);
	set32(f.data + IP_AT + 16, dst);
	return f;
}

static inline struct frame udp_frame(uint16_t from, uint32_t dst, uint16_t to, const char *text)
{
	size_t len = strlen(text);
	struct frame f = ip_frame(UDP, NET_GUEST, dst, 8 + len);

	set16(f.data + L4_AT, from);
	set16(f.data + L4_AT + 2, to);
	set16(f.data + L4_AT + 4, (uint32_t)(8 + len));
	memcpy(f.data + L4_AT + 8, text, len);
	seal(&f);
	return f;
}

static inline struct frame tcp_frame(uint16_t from, uint32_t dst, uint16_t to, uint8_t flags,
				     uint32_t seq, uint32_t ack, const char *text)
{
	size_t len = strlen(text);
	struct frame f = ip_frame(TCP, NET_GUEST, dst, 20 + len);

	set16(f.data + L4_AT, from);
	set16(f.data + L4_AT + 2, to);
	set32(f.data + L4_AT + 4, seq);
	set32(f.data + L4_AT + 8, ack);
	f.data[L4_AT + 12] = 5 << 4;
	f.data[L4_AT + 13] = flags;
	set16(f.data + L4_AT + 14, 65535);
	memcpy(f.data + L4_AT + 20, text, len);
	seal(&f);
	return f;
}

static inline struct frame syn_frame(uint32_t dst, uint16_t to)
{
	return tcp_frame(40000, dst, to, TCP_SYN, 1000, 0, "");
}

static inline struct frame ping_frame(uint32_t dst)
{
	struct frame f = ip_frame(ICMP, NET_GUEST, dst, 8 + 4);

	f.data[L4_AT] = 8;
	set16(f.data + L4_AT + 4, 77);
	set16(f.data + L4_AT + 6, 1);
	memcpy(f.data + L4_AT + 8, "ping", 4);
	seal(&f);
	return f;
}

/* "Who has @wanted?" */
static inline struct frame arp_frame(uint32_t wanted)
{
	struct frame f = { .len = 42 };

	memset(f.data, 0xff, 6);
	memcpy(f.data + 6, guest_mac, 6);
	memcpy(f.data + 12, "\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01", 10);
	memcpy(f.data + 22, guest_mac, 6);
	set32(f.data + 28, NET_GUEST);
	set32(f.data + 38, wanted);
	return f;
}

/* As another would see it: checksums are right, lengths add up. */
static inline void assert_sound(const struct frame *f)
{
	const uint8_t *ip = f->data + IP_AT;
	size_t len = f->len - L4_AT;

	assert_true(f->len > L4_AT);
	assert_int_equal(ip[0], 0x45);
	assert_int_equal(read16(ip + 2), f->len - IP_AT);
	assert_int_equal(folded(sum_of(ip, 20, 0)), 0);
	assert_int_equal(folded(sum_of(f->data + L4_AT, len, ip[9] == ICMP ? 0 : pseudo_sum(f))),
			 0);
}

#endif
