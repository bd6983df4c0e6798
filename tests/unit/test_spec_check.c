/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runner/spec/spec_check.h"

static int set_up(void **state)
{
	static struct vm_spec spec;

	vm_spec_init(&spec);
	*state = &spec;
	return 0;
}

static int tear_down(void **state)
{
	vm_spec_free(*state);
	return 0;
}

static void expect_good(const struct vm_spec *spec)
{
	struct err e = { 0 };

	if (spec_check(spec, &e) != 0)
		fail_msg("%s", e.text);
}

static void expect_bad(const struct vm_spec *spec, const char *word, const char *another)
{
	struct err e = { 0 };

	assert_int_equal(spec_check(spec, &e), -EINVAL);
	if (!strstr(e.text, word) || !strstr(e.text, another))
		fail_msg("'%s' or '%s' not in: %s", word, another, e.text);
}

static void add_volume(struct vm_spec *spec, const char *src, const char *dst)
{
	spec->volumes = realloc(spec->volumes, (spec->n_volumes + 1) * sizeof(*spec->volumes));
	assert_non_null(spec->volumes);
	spec->volumes[spec->n_volumes++] = (struct volume){ .src = strdup(src),
							    .dst = strdup(dst) };
}

static void add_port(struct vm_spec *spec, const char *ip, uint16_t host, uint16_t guest, bool udp)
{
	struct port_forward p = { .host_port = host, .guest_port = guest, .udp = udp };

	snprintf(p.host_ip, sizeof(p.host_ip), "%s", ip);
	spec->ports = realloc(spec->ports, (spec->n_ports + 1) * sizeof(*spec->ports));
	assert_non_null(spec->ports);
	spec->ports[spec->n_ports++] = p;
}

static void defaults_are_good(void **state)
{
	struct vm_spec *spec = *state;

	assert_int_equal(spec->memory, 512 << 20);
	expect_good(spec);
}

static void memory_has_bounds(void **state)
{
	struct vm_spec *spec = *state;

	spec->memory = (64 << 20) - 1;
	expect_bad(spec, "--memory: 63 MiB", "64m");
	spec->memory = 0;
	expect_bad(spec, "--memory: 0 MiB", "64m");
	spec->memory = 64 << 20;
	expect_good(spec);
	spec->memory = UINT64_C(1) << 40;
	expect_good(spec);
	spec->memory++;
	expect_bad(spec, "--memory", "1t");
	spec->memory = UINT64_MAX;
	expect_bad(spec, "--memory", "1t");
}

static void cpus_have_bounds(void **state)
{
	struct vm_spec *spec = *state;

	spec->cpus = 256;
	expect_good(spec);
	spec->cpus = 257;
	expect_bad(spec, "--cpus: 257", "256");
}

static void volumes_need_places_of_their_own(void **state)
{
	struct vm_spec *spec = *state;

	add_volume(spec, "a", "/mnt");
	add_volume(spec, "a", "/mnt/below");
	add_volume(spec, "b", "/mnt2");
	expect_good(spec);
	add_volume(spec, "c,d", "/mnt/below");
	expect_bad(spec, "'a' and 'c,d'", "'/mnt/below'");
}

static void outer_volumes_come_first(void **state)
{
	struct vm_spec *spec = *state;

	add_volume(spec, "a", "/mnt");
	add_volume(spec, "b", "/mnt/below");
	add_volume(spec, "c", "/mnt/below/deep");
	add_volume(spec, "d", "/mn");
	add_volume(spec, "e", "/mnt/be");
	expect_good(spec);
	add_volume(spec, "f", "/srv/x/y");
	add_volume(spec, "g", "/srv");
	expect_bad(spec, "'/srv/x/y' would be hidden below '/srv'", "outer volume first");
}

static void ports_need_a_network(void **state)
{
	struct vm_spec *spec = *state;

	spec->network = NET_NONE;
	expect_good(spec);
	add_port(spec, "127.0.0.1", 80, 80, false);
	expect_bad(spec, "--publish", "--network=none");
	spec->network = NET_USER;
	expect_good(spec);
	spec->network = NET_AUTO;
	expect_good(spec);
}

static void one_host_port_goes_to_one_place(void **state)
{
	struct vm_spec *spec = *state;

	add_port(spec, "127.0.0.1", 8080, 80, false);
	add_port(spec, "127.0.0.1", 8080, 80, true);
	add_port(spec, "127.0.0.2", 8080, 81, false);
	add_port(spec, "127.0.0.1", 8081, 80, false);
	expect_good(spec);
	add_port(spec, "127.0.0.1", 8080, 443, false);
	expect_bad(spec, "TCP port 8080", "to 80 and 443");
	spec->n_ports--;
	add_port(spec, "0.0.0.0", 8080, 444, true);
	expect_bad(spec, "UDP port 8080", "to 80 and 444");
	spec->n_ports--;
	add_port(spec, "0.0.0.0", 9, 9, false);
	expect_good(spec);
	add_port(spec, "10.0.0.1", 9, 10, false);
	expect_bad(spec, "TCP port 9 ", "to 9 and 10");
}

static void command_and_environment_are_bounded(void **state)
{
	struct vm_spec *spec = *state;
	size_t len = (1 << 20) - 100;
	char *big = malloc(len + 1);

	assert_non_null(big);
	memset(big, 'x', len);
	big[len] = '\0';
	strvec_add(&spec->command, big);
	strvec_add(&spec->env, big);
	expect_good(spec);
	for (int i = 0; i < 100; i++)
		strvec_add(&spec->command, "");
	expect_bad(spec, "command", "2048");
	free(big);
}

static void hostile_text_stays_on_one_line(void **state)
{
	struct vm_spec *spec = *state;
	struct err e = { 0 };

	add_volume(spec, "a\n\033[2J", "/x\n");
	add_volume(spec, "b", "/x\n");
	assert_int_equal(spec_check(spec, &e), -EINVAL);
	assert_null(strpbrk(e.text, "\n\033"));
}

static void free_takes_null_and_twice(void **state)
{
	struct vm_spec *spec = *state;

	add_volume(spec, "a", "/a");
	vm_spec_free(spec);
	assert_int_equal(spec->n_volumes, 0);
	vm_spec_free(spec);
	vm_spec_free(NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(defaults_are_good),
		TEST(memory_has_bounds),
		TEST(cpus_have_bounds),
		TEST(volumes_need_places_of_their_own),
		TEST(outer_volumes_come_first),
		TEST(ports_need_a_network),
		TEST(one_host_port_goes_to_one_place),
		TEST(command_and_environment_are_bounded),
		TEST(hostile_text_stays_on_one_line),
		TEST(free_takes_null_and_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
