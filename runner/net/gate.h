/* SPDX-License-Identifier: MIT */
/*
 * Which frames of the guest's the host's side takes. gate.c opens with the rules.
 */
#ifndef VMRUN_NET_GATE_H
#define VMRUN_NET_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runner/spec/vm_spec.h"

/* Host byte order. They are what QEMU's own user network gives out. */
#define NET_ADDR(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define NET_NETWORK NET_ADDR(10, 0, 2, 0)
#define NET_NETMASK NET_ADDR(255, 255, 255, 0)
#define NET_GATEWAY NET_ADDR(10, 0, 2, 2)
#define NET_RESOLVER NET_ADDR(10, 0, 2, 3)
#define NET_GUEST NET_ADDR(10, 0, 2, 15)

enum gate_verdict {
	GATE_PASS,
	GATE_DROP,   /* not to be answered */
	GATE_REFUSE, /* to be answered, so that the guest's program need not wait */
};

/* Conversations by UDP that the host's side began, through a published port. */
#define GATE_FLOWS 256

struct gate_flow {
	uint16_t guest_port;
	uint16_t host_port;
	uint64_t until_ms; /* 0: no flow */
};

struct gate {
	bool host_loopback;
	const struct port_forward *ports; /* borrowed */
	unsigned int n_ports;
	struct gate_flow flows[GATE_FLOWS];
	unsigned int oldest;
};

void gate_init(struct gate *gate, bool host_loopback, const struct port_forward *ports,
	       unsigned int n_ports);

/**
 * gate_check() - what to do with a frame from the guest.
 * @now_ms: of any clock that only goes forward.
 *
 * One that passes is complete: its headers are all there, and their lengths are
 * within the frame.
 */
enum gate_verdict gate_check(const struct gate *gate, const uint8_t *frame, size_t len,
			     uint64_t now_ms);

/** gate_note() - look at a frame that goes to the guest: it may answer what it is asked. */
void gate_note(struct gate *gate, const uint8_t *frame, size_t len, uint64_t now_ms);

/* Headers of Ethernet, IPv4, ICMP, and what is quoted: IPv4 and eight bytes more. */
#define GATE_REFUSAL_MAX 96

/**
 * gate_refusal() - the answer to a frame that was refused.
 * @ret: a TCP reset, or "port unreachable", or "prohibited"; at most GATE_REFUSAL_MAX.
 *
 * Return: its length, 0 if there is none.
 */
size_t gate_refusal(const uint8_t *frame, size_t len, uint8_t ret[GATE_REFUSAL_MAX]);

#endif
