/* SPDX-License-Identifier: MIT */
#include <cpuid.h>
#include <nettle/sha2.h>
#include <string.h>
#include <sys/utsname.h>

#include "runner/host/host_facts.h"

/*
 * Leaves that tell model and features, with masks for the registers EAX to EDX:
 * what differs from one core to the next (APIC ids, leaf 1 EBX) or says which kind
 * of core this is (leaf 7 EDX bit 15, hybrid) is no part of a machine's identity.
 */
static const struct {
	unsigned int leaf, subleaf;
	uint32_t masks[4];
} leaves[] = {
	{ 0x0, 0, { ~0u, ~0u, ~0u, ~0u } },	    { 0x1, 0, { ~0u, 0, ~0u, ~0u } },
	{ 0x7, 0, { ~0u, ~0u, ~0u, ~(1u << 15) } }, { 0x7, 1, { ~0u, ~0u, ~0u, ~0u } },
	{ 0x80000001, 0, { ~0u, ~0u, ~0u, ~0u } },  { 0x80000008, 0, { ~0u, ~0u, 0, 0 } },
};

void host_cpu_id(uint8_t ret[32])
{
	struct sha256_ctx sha;
	struct utsname host;

	sha256_init(&sha);
	for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
		uint32_t r[4] = { 0 };

		__get_cpuid_count(leaves[i].leaf, leaves[i].subleaf, &r[0], &r[1], &r[2], &r[3]);
		for (int j = 0; j < 4; j++)
			r[j] &= leaves[i].masks[j];
		sha256_update(&sha, sizeof(r), (const uint8_t *)r);
	}
	/* What KVM passes on of it is up to the host's kernel. */
	if (uname(&host) == 0)
		sha256_update(&sha, strlen(host.release), (const uint8_t *)host.release);
	sha256_digest(&sha, 32, ret);
}
