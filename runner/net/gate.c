/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Behind the gate is a library that makes of the guest's packets connect() and
 * sendto() on the host, with the caller's rights, to whatever address they have. So
 * whether the guest reaches a service on the host's loopback is decided here, by one
 * table of destinations, before the library sees a packet:
 *
 *	destination           without host-loopback        with
 *	127.0.0.0/8           refused                      refused
 *	0.0.0.0/8             refused (to connect to 0.0.0.0 is to connect to loopback)
 *	10.0.2.2, gateway     DHCP, ping, answers          everything
 *	10.0.2.3, resolver    DNS, ping                    DNS, ping
 *	10.0.2.0/24, others   refused (the library takes them all for loopback)
 *	255.255.255.255       DHCP
 *	multicast, 240/4      dropped
 *	all others            TCP, UDP, ping
 *
 * "Answers": what a published port began. By TCP that is every segment that does not
 * open a connection, as the library resets those that belong to none. By UDP nothing
 * in a datagram tells, so each that goes to the guest opens the way back, for a time.
 * The resolver's address is good for its port only, because what is behind it may
 * well be 127.0.0.1.
 *
 * By what the table would have to guess at, nothing passes: VLAN tags, IPv6, options
 * of IPv4, fragments (which show no ports; VM_NET_MTU makes them needless),
 * senders that are not of the guest's network, lengths that do not add up. This
 * leaves the library little to misunderstand.
 *
 * What is refused is answered at once, by a reset or ICMP, so that a program in the
 * guest fails rather than hangs. Multicast and broadcast are never answered.
 *
 * Not refused are the host's other addresses: what listens on those, or on 0.0.0.0,
 * is open to everybody on the host's network, and to the guest.
 */
#include "runner/net/gate.h"

#include <string.h>

#include "runner/base/cleanup.h"

#define ETHER_SIZE 14
#define ETHER_IPV4 0x0800
#define ETHER_ARP 0x0806
#define ARP_SIZE 28
#define IPV4_SIZE 20
#define TCP_SIZE 20
#define UDP_SIZE 8
#define ICMP_SIZE 8

#define PROTO_ICMP 1
#define PROTO_TCP 6
#define PROTO_UDP 17

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

#define ICMP_ECHO 8
#define ICMP_UNREACHABLE 3
#define ICMP_CODE_PORT 3
#define ICMP_CODE_PROHIBITED 13
#define ICMP_QUOTE (IPV4_SIZE + 8)

#define PORT_DNS 53
#define PORT_DHCP_SERVER 67
#define PORT_TFTP 69

/* As long as the library keeps an idle UDP socket. */
#define FLOW_MS 240000

/* An IPv4 packet without options, complete and not fragmented. */
struct packet {
	uint32_t src; /* host byte order */
	uint32_t dst;
	uint8_t proto;
	const uint8_t *body;
	size_t len; /* of .body: TCP, UDP or ICMP with their data */
};

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static void put32(uint8_t *p, uint32_t value)
{
	put16(p, value >> 16);
	put16(p + 2, value);
}

/* Whether its own header is there, and its own lengths are true. */
static bool is_whole(const struct packet *p)
{
	size_t header;

	switch (p->proto) {
	case PROTO_TCP:
		if (p->len < TCP_SIZE)
			return false;
		header = (size_t)(p->body[12] >> 4) * 4;
		return header >= TCP_SIZE && header <= p->len;
	case PROTO_UDP:
		return p->len >= UDP_SIZE && get16(p->body + 4) == p->len;
	case PROTO_ICMP:
		return p->len >= ICMP_SIZE;
	default:
		return false;
	}
}

static bool parse(const uint8_t *frame, size_t len, struct packet *ret)
{
	const uint8_t *ip = frame + ETHER_SIZE;
	size_t total;

	if (len < ETHER_SIZE + IPV4_SIZE || get16(frame + 12) != ETHER_IPV4)
		return false;
	total = get16(ip + 2);
	/* 0x45: version 4, a header of 20 bytes. The mask leaves out "don't fragment". */
	if (ip[0] != 0x45 || total < IPV4_SIZE || total > len - ETHER_SIZE ||
	    get16(ip + 6) & 0xbfff)
		return false;
	*ret = (struct packet){
		.src = get32(ip + 12),
		.dst = get32(ip + 16),
		.proto = ip[9],
		.body = ip + IPV4_SIZE,
		.len = total - IPV4_SIZE,
	};
	return is_whole(ret);
}

static bool is_dhcp(const struct packet *p)
{
	return p->proto == PROTO_UDP && get16(p->body + 2) == PORT_DHCP_SERVER;
}

static bool is_echo(const struct packet *p)
{
	return p->proto == PROTO_ICMP && p->body[0] == ICMP_ECHO;
}

static bool is_in(uint32_t addr, uint32_t network, uint32_t mask)
{
	return (addr & mask) == network;
}

/* An address that the guest may have given itself. */
static bool is_guest(uint32_t addr)
{
	return is_in(addr, NET_NETWORK, NET_NETMASK) && addr != NET_NETWORK &&
	       addr != NET_GATEWAY && addr != NET_RESOLVER && addr != (NET_NETWORK | ~NET_NETMASK);
}

/* An answer to what the host's side began. */
static bool is_answer(const struct gate *gate, const struct packet *p, uint64_t now_ms)
{
	if (p->proto == PROTO_TCP)
		return (p->body[13] & (TCP_SYN | TCP_ACK)) != TCP_SYN;
	if (p->proto != PROTO_UDP)
		return false;
	for (unsigned int i = 0; i < GATE_FLOWS; i++) {
		const struct gate_flow *f = &gate->flows[i];

		if (f->until_ms > now_ms && f->guest_port == get16(p->body) &&
		    f->host_port == get16(p->body + 2))
			return true;
	}
	return false;
}

static enum gate_verdict check_gateway(const struct gate *gate, const struct packet *p,
				       uint64_t now_ms)
{
	if (is_echo(p) || is_dhcp(p))
		return GATE_PASS;
	if (p->proto == PROTO_ICMP)
		return GATE_DROP;
	/* The library has a server of its own for that, which nobody needs. */
	if (p->proto == PROTO_UDP && get16(p->body + 2) == PORT_TFTP)
		return GATE_REFUSE;
	return gate->host_loopback || is_answer(gate, p, now_ms) ? GATE_PASS : GATE_REFUSE;
}

static enum gate_verdict check_resolver(const struct packet *p)
{
	if (is_echo(p))
		return GATE_PASS;
	if (p->proto == PROTO_ICMP)
		return GATE_DROP;
	return get16(p->body + 2) == PORT_DNS ? GATE_PASS : GATE_REFUSE;
}

static enum gate_verdict check_packet(const struct gate *gate, const struct packet *p,
				      uint64_t now_ms)
{
	if (p->dst == 0xffffffff)
		return is_dhcp(p) && (p->src == 0 || is_guest(p->src)) ? GATE_PASS : GATE_DROP;
	/* 224/4 and 240/4, and the network's own broadcast. */
	if (!is_guest(p->src) || p->dst >= NET_ADDR(224, 0, 0, 0) ||
	    p->dst == (NET_NETWORK | ~NET_NETMASK))
		return GATE_DROP;
	if (is_in(p->dst, NET_ADDR(127, 0, 0, 0), NET_ADDR(255, 0, 0, 0)) ||
	    is_in(p->dst, 0, NET_ADDR(255, 0, 0, 0)))
		return GATE_REFUSE;
	if (p->dst == NET_GATEWAY)
		return check_gateway(gate, p, now_ms);
	if (p->dst == NET_RESOLVER)
		return check_resolver(p);
	if (is_in(p->dst, NET_NETWORK, NET_NETMASK))
		return GATE_REFUSE;
	return p->proto == PROTO_ICMP && !is_echo(p) ? GATE_DROP : GATE_PASS;
}

/* Of Ethernet and IPv4, complete; the library does not look. */
static bool is_arp(const uint8_t *frame, size_t len)
{
	static const uint8_t kind[] = { 0, 1, 0x08, 0, 6, 4 };

	return len >= ETHER_SIZE + ARP_SIZE && get16(frame + 12) == ETHER_ARP &&
	       !memcmp(frame + ETHER_SIZE, kind, sizeof(kind));
}

void gate_init(struct gate *gate, bool host_loopback, const struct port_forward *ports,
	       unsigned int n_ports)
{
	*gate = (struct gate){
		.host_loopback = host_loopback,
		.ports = ports,
		.n_ports = n_ports,
	};
}

enum gate_verdict gate_check(const struct gate *gate, const uint8_t *frame, size_t len,
			     uint64_t now_ms)
{
	struct packet p;

	/* Nobody has a multicast address, and a refusal would go there. */
	if (len < ETHER_SIZE || frame[6] & 1)
		return GATE_DROP;
	if (is_arp(frame, len))
		return GATE_PASS;
	return parse(frame, len, &p) ? check_packet(gate, &p, now_ms) : GATE_DROP;
}

static bool is_published(const struct gate *gate, uint16_t guest_port)
{
	for (unsigned int i = 0; i < gate->n_ports; i++)
		if (gate->ports[i].udp && gate->ports[i].guest_port == guest_port)
			return true;
	return false;
}

void gate_note(struct gate *gate, const uint8_t *frame, size_t len, uint64_t now_ms)
{
	struct gate_flow flow;
	struct packet p;

	if (!gate->n_ports || !parse(frame, len, &p) || p.proto != PROTO_UDP ||
	    p.src != NET_GATEWAY || !is_published(gate, get16(p.body + 2)))
		return;
	flow = (struct gate_flow){
		.guest_port = get16(p.body + 2),
		.host_port = get16(p.body),
		.until_ms = now_ms + FLOW_MS,
	};
	for (unsigned int i = 0; i < GATE_FLOWS; i++) {
		if (gate->flows[i].guest_port == flow.guest_port &&
		    gate->flows[i].host_port == flow.host_port) {
			gate->flows[i] = flow;
			return;
		}
	}
	gate->flows[gate->oldest] = flow;
	gate->oldest = (gate->oldest + 1) % GATE_FLOWS;
}

static uint16_t checksum(const uint8_t *data, size_t len, uint32_t sum)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += get16(data + i);
	if (len & 1)
		sum += (uint32_t)data[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Headers of an answer to @frame from @src. */
static void answer_headers(const uint8_t *frame, uint32_t src, uint8_t proto, size_t body_len,
			   uint8_t *ret)
{
	uint8_t *ip = ret + ETHER_SIZE;

	memcpy(ret, frame + 6, 6);
	memcpy(ret + 6, frame, 6);
	/* It may have been sent to everybody, which nobody is. */
	ret[6] &= 0xfe;
	put16(ret + 12, ETHER_IPV4);
	memset(ip, 0, IPV4_SIZE);
	ip[0] = 0x45;
	put16(ip + 2, (uint32_t)(IPV4_SIZE + body_len));
	put16(ip + 6, 0x4000);
	ip[8] = 64;
	ip[9] = proto;
	put32(ip + 12, src);
	memcpy(ip + 16, frame + ETHER_SIZE + 12, 4);
	put16(ip + 10, checksum(ip, IPV4_SIZE, 0));
}

static size_t reset(const uint8_t *frame, const struct packet *p, uint8_t *ret)
{
	uint8_t *tcp = ret + ETHER_SIZE + IPV4_SIZE, flags = p->body[13];
	size_t data = p->len - (size_t)(p->body[12] >> 4) * 4;

	if (flags & TCP_RST)
		return 0;
	answer_headers(frame, p->dst, PROTO_TCP, TCP_SIZE, ret);
	memset(tcp, 0, TCP_SIZE);
	memcpy(tcp, p->body + 2, 2);
	memcpy(tcp + 2, p->body, 2);
	tcp[12] = TCP_SIZE / 4 << 4;
	if (flags & TCP_ACK) {
		memcpy(tcp + 4, p->body + 8, 4);
		tcp[13] = TCP_RST;
	} else {
		put32(tcp + 8, get32(p->body + 4) + (uint32_t)data + !!(flags & TCP_SYN) +
				       !!(flags & TCP_FIN));
		tcp[13] = TCP_RST | TCP_ACK;
	}
	put16(tcp + 16, checksum(tcp, TCP_SIZE,
				 (p->src >> 16) + (p->src & 0xffff) + (p->dst >> 16) +
					 (p->dst & 0xffff) + PROTO_TCP + TCP_SIZE));
	return ETHER_SIZE + IPV4_SIZE + TCP_SIZE;
}

static size_t unreachable(const uint8_t *frame, uint8_t code, uint8_t *ret)
{
	uint8_t *icmp = ret + ETHER_SIZE + IPV4_SIZE;

	/* From the router: what it could not reach may be no address that anybody sends from. */
	answer_headers(frame, NET_GATEWAY, PROTO_ICMP, ICMP_SIZE + ICMP_QUOTE, ret);
	memset(icmp, 0, ICMP_SIZE);
	icmp[0] = ICMP_UNREACHABLE;
	icmp[1] = code;
	memcpy(icmp + ICMP_SIZE, frame + ETHER_SIZE, ICMP_QUOTE);
	put16(icmp + 2, checksum(icmp, ICMP_SIZE + ICMP_QUOTE, 0));
	return ETHER_SIZE + IPV4_SIZE + ICMP_SIZE + ICMP_QUOTE;
}

size_t gate_refusal(const uint8_t *frame, size_t len, uint8_t ret[GATE_REFUSAL_MAX])
{
	struct packet p;

	if (!parse(frame, len, &p))
		return 0;
	if (p.proto == PROTO_TCP)
		return reset(frame, &p, ret);
	return unreachable(frame, p.proto == PROTO_UDP ? ICMP_CODE_PORT : ICMP_CODE_PROHIBITED,
			   ret);
}
