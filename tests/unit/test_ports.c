/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"
#include "tests/unit/child.h"

#include <netinet/in.h>
#include <sched.h>
#include <sys/capability.h>
#include <sys/socket.h>

#include "runner/host/ports.h"

/* A socket bound to a port that the kernel chose; the port. */
static int bind_any(int type, bool listening, uint16_t *ret_port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
	if (listening)
		assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	*ret_port = ntohs(addr.sin_port);
	return fd;
}

static void no_ports(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(ports_check(NULL, 0, &e), 0);
}

static void a_free_port_stays_free(void **state)
{
	struct port_forward p[2] = { { .host_ip = "127.0.0.1", .guest_port = 80 },
				     { .host_ip = "127.0.0.1", .guest_port = 53, .udp = true } };
	struct err e = { 0 };

	(void)state;
	close(bind_any(SOCK_STREAM, false, &p[0].host_port));
	close(bind_any(SOCK_DGRAM, false, &p[1].host_port));
	assert_int_equal(ports_check(p, 2, &e), 0);
	assert_int_equal(ports_check(p, 2, &e), 0);
}

static void a_port_in_use(void **state)
{
	struct port_forward p[2] = { { .host_ip = "127.0.0.1", .guest_port = 80 },
				     { .host_ip = "127.0.0.1", .guest_port = 80 } };
	struct err e = { 0 };
	char want[128];
	int fd;

	(void)state;
	close(bind_any(SOCK_STREAM, false, &p[0].host_port));
	fd = bind_any(SOCK_STREAM, true, &p[1].host_port);
	assert_int_equal(ports_check(p, 2, &e), -EADDRINUSE);
	assert_int_equal(e.errnum, EADDRINUSE);
	snprintf(want, sizeof(want),
		 "-p: port %u of 127.0.0.1 is in use on the host; choose another", p[1].host_port);
	assert_string_equal(e.text, want);
	/* Any address means this one too. */
	memcpy(p[1].host_ip, "0.0.0.0", sizeof("0.0.0.0"));
	assert_int_equal(ports_check(p, 2, &e), -EADDRINUSE);
	close(fd);

	p[1].udp = true;
	fd = bind_any(SOCK_DGRAM, false, &p[1].host_port);
	assert_int_equal(ports_check(p, 2, &e), -EADDRINUSE);
	close(fd);
}

/* The same number for the other protocol is another port. */
static void protocols_are_apart(void **state)
{
	struct port_forward p = { .host_ip = "127.0.0.1", .guest_port = 80 };
	struct err e = { 0 };
	int fd = bind_any(SOCK_DGRAM, false, &p.host_port);

	(void)state;
	assert_int_equal(ports_check(&p, 1, &e), 0);
	close(fd);
}

static void addresses_that_are_not_ours(void **state)
{
	struct port_forward p = { .host_ip = "192.0.2.1", .host_port = 8080, .guest_port = 80 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(ports_check(&p, 1, &e), -EADDRNOTAVAIL);
	assert_non_null(strstr(e.text, "-p: cannot bind 192.0.2.1:8080: "));
	memcpy(p.host_ip, "1.2.3\n", sizeof("1.2.3\n"));
	assert_int_equal(ports_check(&p, 1, &e), -EINVAL);
	assert_string_equal(e.text, "-p: '1.2.3?' is no IPv4 address");
	p.host_ip[0] = '\0';
	assert_int_equal(ports_check(&p, 1, &e), -EINVAL);
}

/* In a network namespace of its own the limit is the kernel's 1024, whatever the host's is. */
static void bind_privileged(const void *arg)
{
	struct port_forward p = { .host_ip = "0.0.0.0", .host_port = 80, .guest_port = 80 };
	cap_t none = cap_init();
	struct err e;

	(void)arg;
	CHILD_CHECK(unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0);
	CHILD_CHECK(ports_check(&p, 1, &e) == 0);
	CHILD_CHECK(none && cap_set_proc(none) == 0);
	CHILD_CHECK(ports_check(&p, 1, &e) == -EACCES);
	CHILD_CHECK(!strcmp(e.text, "-p: ports below 1024 need privilege on the host; choose "
				    "another than 80, or lower "
				    "net.ipv4.ip_unprivileged_port_start"));
	p.host_port = 1024;
	CHILD_CHECK(ports_check(&p, 1, &e) == 0);
	cap_free(none);
}

static void a_privileged_port(void **state)
{
	(void)state;
	run_unprivileged(bind_privileged, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_ports),
		cmocka_unit_test(a_free_port_stays_free),
		cmocka_unit_test(a_port_in_use),
		cmocka_unit_test(protocols_are_apart),
		cmocka_unit_test(addresses_that_are_not_ours),
		cmocka_unit_test(a_privileged_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
