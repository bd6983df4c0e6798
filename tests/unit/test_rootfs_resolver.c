/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"

#include "rootfs-tools/edit/resolver.h"
#include "runner/base/cleanup.h"

static void expect_parse(const char *value, const char *addr, const char *names)
{
	_cleanup_free_ char *got_addr = NULL, *got_names = NULL;
	struct err e = { 0 };

	if (resolver_hosts_parse(value, &got_addr, &got_names, &e) != 0)
		fail_msg("%s", e.text);
	assert_string_equal(got_addr, addr);
	assert_string_equal(got_names, names);
}

static void expect_no_parse(const char *value)
{
	char *addr = NULL, *names = NULL;
	struct err e = { 0 };

	assert_int_equal(resolver_hosts_parse(value, &addr, &names, &e), -EINVAL);
	assert_null(addr);
	assert_null(names);
	assert_true(e.text[0] != '\0');
}

static void entries(void **state)
{
	char monster[5000];

	(void)state;
	expect_parse("10.0.0.1:db", "10.0.0.1", "db");
	expect_parse("10.0.0.1:db,db.example,x-1", "10.0.0.1", "db db.example x-1");
	expect_parse("fd00::1:db", "fd00::1", "db");
	expect_parse("FD00:0:0::0001:db", "fd00::1", "db");
	expect_parse("[fd00::1]:db", "fd00::1", "db");
	expect_parse("::1:db", "::1", "db");
	expect_parse("[10.0.0.1]:db", "10.0.0.1", "db");
	expect_no_parse("");
	expect_no_parse(":");
	expect_no_parse("db");
	expect_no_parse("10.0.0.1");
	expect_no_parse("10.0.0.1:");
	expect_no_parse("10.0.0.1:a,");
	expect_no_parse("10.0.0.1:,a");
	expect_no_parse("10.0.0.1:a b");
	expect_no_parse("10.0.0.1:a\nb");
	expect_no_parse("10.0.0.1:a#b");
	expect_no_parse("10.0.0.1\n:a");
	expect_no_parse("10.0.0.256:a");
	expect_no_parse("[]:a");
	expect_no_parse("[:a");
	expect_no_parse("fd00::1");
	memset(monster, 'x', sizeof(monster) - 1);
	monster[sizeof(monster) - 1] = '\0';
	expect_no_parse(monster);
	memcpy(monster, "1.1.1.1:", 8);
	expect_no_parse(monster);
	monster[4000] = ':';
	expect_no_parse(monster);
}

static void expect_hosts(const char *text, size_t len, const char *addr, const char *names,
			 const char *want)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };

	resolver_hosts_set(text, len, addr, names, &out);
	assert_string_equal(strbuf_str(&out), want);
}

static void names_get_an_address(void **state)
{
	(void)state;
#define EXPECT(text, addr, names, want) expect_hosts(text, sizeof(text) - 1, addr, names, want)
	EXPECT("", "10.0.0.1", "a", "10.0.0.1\ta\n");
	EXPECT("127.0.0.1 localhost", "10.0.0.1", "a", "127.0.0.1 localhost\n10.0.0.1\ta\n");
	/* The first line that has a name counts: so it has to go from there. */
	EXPECT("10.0.0.9 a\n10.0.0.8\tb A c # a\n#10.0.0.9 a\n", "10.0.0.1", "a d",
	       "10.0.0.8\tb c # a\n#10.0.0.9 a\n10.0.0.1\ta d\n");
	/* Each family has its own. */
	EXPECT("fd00::9 a\n10.0.0.9 a\n", "10.0.0.1", "a", "fd00::9 a\n10.0.0.1\ta\n");
	EXPECT("fd00::9 a\n10.0.0.9 a\n", "fd00::1", "a", "10.0.0.9 a\nfd00::1\ta\n");
	/* Odd lines stay. */
	EXPECT("\n \nno a\n10.0.0.9\na a\n 10.0.0.9 ab ba a.b\r\n", "10.0.0.1", "a",
	       "\n \nno a\n10.0.0.9\na a\n 10.0.0.9 ab ba a.b\r\n10.0.0.1\ta\n");
	/* Again: as it is. */
	EXPECT("10.0.0.1\ta d\n", "10.0.0.1", "a d", "10.0.0.1\ta d\n");
#undef EXPECT
}

static void hostile_hosts(void **state)
{
	static const char nul[] = "10.0.0.9 a\0a a\n10.0.0.9\0 a\n";
	_cleanup_strbuf_ struct strbuf out = { 0 };
	char *exact = malloc(10);

	(void)state;
	resolver_hosts_set(nul, sizeof(nul) - 1, "10.0.0.1", "a", &out);
	assert_int_equal(out.len, sizeof(nul) - 1 - 2 + sizeof("10.0.0.1\ta\n") - 1);
	assert_memory_equal(out.data, "10.0.0.9 a\0a\n10.0.0.9\0 a\n", 24);
	assert_non_null(exact);
	for (size_t i = 0; i < 10; i++)
		exact[i] = "10.0.0.9 a"[i];
	expect_hosts(exact, 10, "10.0.0.1", "a", "10.0.0.1\ta\n");
	expect_hosts(exact, 9, "10.0.0.1", "a", "10.0.0.9 \n10.0.0.1\ta\n");
	free(exact);
}

static void servers(void **state)
{
	static const char text[] = "# c\nnameserver 1.1.1.1\nsearch a b\n\tnameserver  ::1\n"
				   "nameservers x\noptions edns0";
	_cleanup_strbuf_ struct strbuf out = { 0 }, again = { 0 };

	(void)state;
	resolver_conf_set(text, sizeof(text) - 1, "192.0.2.1 2001:db8::1", &out);
	assert_string_equal(strbuf_str(&out), "nameserver 192.0.2.1\nnameserver 2001:db8::1\n# c\n"
					      "search a b\nnameservers x\noptions edns0\n");
	resolver_conf_set(out.data, out.len, "192.0.2.1 2001:db8::1", &again);
	assert_string_equal(strbuf_str(&again), strbuf_str(&out));
}

static void addresses(void **state)
{
	static const char *const bad[] = { "",
					   "1.2.3",
					   "1.2.3.4.5",
					   "1.2.3.4%eth0",
					   "fe80::1%",
					   "fe80::1%a b",
					   "::1\n",
					   "1.2.3.4 ",
					   "fe80::1%0123456789abcdef",
					   "localhost" };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(resolver_check_address("1.2.3.4", &e), 0);
	assert_int_equal(resolver_check_address("2001:db8::1", &e), 0);
	assert_int_equal(resolver_check_address("fe80::1%eth0", &e), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(resolver_check_address(bad[i], &e), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries),	 cmocka_unit_test(names_get_an_address),
		cmocka_unit_test(hostile_hosts), cmocka_unit_test(servers),
		cmocka_unit_test(addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
