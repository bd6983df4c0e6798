/* SPDX-License-Identifier: MIT */
/* What a template's key depends on, and what not. */
#include "tests/unit/plan_world.h"

#include <stdlib.h>

#include "runner/base/cleanup.h"

static const uint8_t boots[64] = { 1, 2, 3 };

static void key_of(struct plan_world *w, uint8_t ret[32])
{
	w->in.start = START_MAKE;
	plan_world_make(w);
	plan_template_key(&w->plan, boots, sizeof(boots), ret);
}

static void set_text(char **field, const char *text)
{
	free(*field);
	*field = strdup(text);
	assert_non_null(*field);
}

/* --- of what shapes the guest --- */

static void more_memory(struct plan_world *w)
{
	w->spec.memory += 1 << 20;
}

static void more_cpus(struct plan_world *w)
{
	w->spec.cpus = 2;
}

static void appended(struct plan_world *w)
{
	set_text(&w->spec.append, "quiet");
}

static void by_kvm(struct plan_world *w)
{
	w->in.accel = ACCEL_KVM;
}

static void another_qemu(struct plan_world *w)
{
	snprintf(w->facts.qemu, sizeof(w->facts.qemu), "/opt/bin/qemu-system-x86_64");
}

static void updated_qemu(struct plan_world *w)
{
	w->facts.qemu_id.mtime_ns++;
}

static void qemu_of_same_age(struct plan_world *w)
{
	w->facts.qemu_id.ino++;
}

/* --- of the run alone --- */

static void named(struct plan_world *w)
{
	set_text(&w->spec.name, "web");
	set_text(&w->spec.hostname, "web.example");
}

static void another_base(struct plan_world *w)
{
	w->in.base_path = "/srv/other";
	w->spec.root_mode = ROOT_EPHEMERAL;
	w->spec.cache = CACHE_LOOSE;
}

static void another_command(struct plan_world *w)
{
	strvec_add(&w->spec.command, "--help");
	strvec_add(&w->spec.env, "A=b");
	set_text(&w->spec.user, "nobody");
	set_text(&w->spec.workdir, "/tmp");
}

static void with_volumes(struct plan_world *w)
{
	assert_int_equal(spec_value_volume(&w->spec, "/tmp:/mnt:ro", &w->e), 0);
}

static void with_disks(struct plan_world *w)
{
	static const struct disk_image raw = { .fd = -1, .format = DISK_RAW };

	assert_int_equal(spec_value_disk(&w->spec, "/tmp/disk:ro", &w->e), 0);
	w->in.disks = &raw;
}

static void with_ports(struct plan_world *w)
{
	assert_int_equal(spec_value_port(&w->spec, "8080:80", &w->e), 0);
}

static void without_network(struct plan_world *w)
{
	w->spec.network = NET_NONE;
}

static void another_layout(struct plan_world *w)
{
	w->idmap.kind = IDMAP_SINGLE;
	w->idmap.uids.n = 1;
}

static const struct change {
	const char *name;
	void (*make)(struct plan_world *w);
	bool another_key;
} changes[] = {
	{ "memory", more_memory, true },
	{ "CPUs", more_cpus, true },
	{ "kernel command line", appended, true },
	{ "accelerator", by_kvm, true },
	{ "QEMU's path", another_qemu, true },
	{ "QEMU's time", updated_qemu, true },
	{ "QEMU's inode", qemu_of_same_age, true },
	{ "names", named, false },
	{ "base", another_base, false },
	{ "command", another_command, false },
	{ "volumes", with_volumes, false },
	{ "disks", with_disks, false },
	{ "ports", with_ports, false },
	{ "no network", without_network, false },
	{ "id map", another_layout, false },
};

static void test_changes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		struct plan_world was, is;
		uint8_t a[32], b[32];

		plan_world_init(&was);
		plan_world_init(&is);
		key_of(&was, a);
		changes[i].make(&is);
		key_of(&is, b);
		if ((memcmp(a, b, 32) != 0) != changes[i].another_key)
			fail_msg("%s: the key is %s", changes[i].name,
				 changes[i].another_key ? "the same" : "another");
		plan_world_free(&was);
		plan_world_free(&is);
	}
}

static void test_boot_files(void **state)
{
	struct plan_world w;
	uint8_t what[64] = { 0 }, a[32], b[32];

	(void)state;
	plan_world_init(&w);
	w.in.start = START_MAKE;
	plan_world_make(&w);
	plan_template_key(&w.plan, what, sizeof(what), a);
	for (size_t i = 0; i < sizeof(what); i++) {
		what[i] ^= 1;
		plan_template_key(&w.plan, what, sizeof(what), b);
		assert_memory_not_equal(a, b, 32);
		what[i] ^= 1;
	}
	plan_template_key(&w.plan, what, sizeof(what) - 1, b);
	assert_memory_not_equal(a, b, 32);
	plan_world_free(&w);
}

/* Under KVM the guest has the host's CPU; under emulation always the same. */
static void test_cpu(void **state)
{
	static const enum accel accels[] = { ACCEL_TCG, ACCEL_KVM };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(accels); i++) {
		struct plan_world w;
		uint8_t a[32], b[32];

		plan_world_init(&w);
		w.in.accel = accels[i];
		key_of(&w, a);
		w.facts.cpu_id[5] ^= 1;
		key_of(&w, b);
		assert_int_equal(memcmp(a, b, 32) != 0, accels[i] == ACCEL_KVM);
		plan_world_free(&w);
	}
}

static void test_host_cpu(void **state)
{
	uint8_t a[32], b[32] = { 0 };

	(void)state;
	host_cpu_id(a);
	for (int i = 0; i < 100; i++) {
		host_cpu_id(b);
		assert_memory_equal(a, b, 32);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_boot_files),
		cmocka_unit_test(test_cpu),
		cmocka_unit_test(test_host_cpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
