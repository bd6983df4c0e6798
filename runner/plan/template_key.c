/* SPDX-License-Identifier: MIT */
#include <nettle/sha2.h>
#include <string.h>

#include "runner/plan/vm_plan.h"

/* Counts up whenever what a guest does before its HELLO changes unseen by the key. */
#define KEY_VERSION "vmrun template 1"

/* With its length in front, so that no two lists of fields hash the same bytes. */
static void add(struct sha256_ctx *sha, const void *data, size_t len)
{
	const uint64_t size = len;

	sha256_update(sha, sizeof(size), (const uint8_t *)&size);
	sha256_update(sha, len, data);
}

void plan_template_key(const struct vm_plan *making, const void *what, size_t len, uint8_t ret[32])
{
	const struct host_facts *facts = making->in.facts;
	struct sha256_ctx sha;

	sha256_init(&sha);
	add(&sha, KEY_VERSION, strlen(KEY_VERSION));
	add(&sha, VMRUN_VERSION, strlen(VMRUN_VERSION));
	add(&sha, what, len);
	add(&sha, &facts->qemu_id, sizeof(facts->qemu_id));
	for (size_t i = 0; i < making->qemu_argv.n; i++)
		add(&sha, making->qemu_argv.v[i], strlen(making->qemu_argv.v[i]));
	if (making->in.accel == ACCEL_KVM)
		add(&sha, facts->cpu_id, sizeof(facts->cpu_id));
	sha256_digest(&sha, 32, ret);
}
