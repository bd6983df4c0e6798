/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"

#include "rootfs-tools/edit/authorized_keys.h"
#include "rootfs-tools/edit/interfaces.h"
#include "rootfs-tools/edit/locale.h"
#include "runner/base/cleanup.h"

#define STANZA "auto /e[nt]*/1=vmrun\niface vmrun inet dhcp\n"

static void expect_interfaces(const char *text, const char *want)
{
	_cleanup_strbuf_ struct strbuf out = { 0 }, again = { 0 };

	interfaces_set(text, strlen(text), STANZA, &out);
	assert_string_equal(strbuf_str(&out), want);
	interfaces_set(out.data, out.len, STANZA, &again);
	assert_string_equal(strbuf_str(&again), want);
}

static void interfaces(void **state)
{
	(void)state;
	expect_interfaces("", STANZA);
	expect_interfaces("# c\nauto lo\niface lo inet loopback\n\nsource interfaces.d/*",
			  "# c\nauto lo\niface lo inet loopback\n\nsource interfaces.d/*\n" STANZA);
	expect_interfaces("auto lo eth0 wlan0\nallow-hotplug eth0\niface eth0 inet static\n"
			  "\taddress 10.0.0.1/24\n\n# kept\n  up x\niface wlan0 inet dhcp\n\tup y\n"
			  "iface enp3s0 inet6 auto\n up z\nmapping wlan1\n script s\n",
			  "auto lo wlan0\n\n# kept\niface wlan0 inet dhcp\n\tup y\nmapping wlan1\n"
			  " script s\n" STANZA);
	/* Lines that go on. */
	expect_interfaces("auto lo \\\n eth0 \\\n eth1\niface eth0 \\\n inet dhcp\n\tup a \\\n b\n",
			  "auto lo\n" STANZA);
	expect_interfaces("iface lo inet loopback \\", "iface lo inet loopback \\\n\n" STANZA);
	expect_interfaces("\\", "\\\n\n" STANZA);
	expect_interfaces("iface", "iface\n" STANZA);
	expect_interfaces("auto", "auto\n" STANZA);
}

static void conf(void **state)
{
	static const char text[] = "# LANG=x\nLANG=en_US.UTF-8\nLC_TIME=C\n  LANG=y\nLANGUAGE=z";
	_cleanup_strbuf_ struct strbuf out = { 0 }, empty = { 0 };

	(void)state;
	locale_conf_set(text, sizeof(text) - 1, "de_DE.UTF-8", &out);
	assert_string_equal(strbuf_str(&out), "# LANG=x\nLANG=de_DE.UTF-8\nLC_TIME=C\n"
					      "LANG=de_DE.UTF-8\nLANGUAGE=z\n");
	locale_conf_set("", 0, "C", &empty);
	assert_string_equal(strbuf_str(&empty), "LANG=C\n");
}

static void expect_gen(const char *text, const char *locale, const char *want)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };

	locale_gen_enable(text, strlen(text), locale, &out);
	assert_string_equal(strbuf_str(&out), want);
}

static void gen(void **state)
{
	static const char *const bad[] = { "", ".", "..", "../x", "@x", "-x", "de_DE;x", "de DE" };
	struct locale_parts parts;

	(void)state;
	expect_gen("# de_DE ISO-8859-1\n# de_DE.UTF-8 UTF-8\n# de_DE.UTF-8x\n", "de_DE.UTF-8",
		   "# de_DE ISO-8859-1\nde_DE.UTF-8 UTF-8\n# de_DE.UTF-8x\n");
	expect_gen("de_DE.UTF-8 UTF-8", "de_DE.UTF-8", "de_DE.UTF-8 UTF-8\n");
	expect_gen("#de_DE ISO-8859-1", "de_DE", "de_DE ISO-8859-1\n");
	expect_gen("", "de_DE.UTF-8", "de_DE.UTF-8 UTF-8\n");
	expect_gen("#", "de_DE.ISO-8859-15@euro", "#\nde_DE.ISO-8859-15@euro ISO-8859-15\n");
	expect_gen("", "de_DE", "de_DE ISO-8859-1\n");
	assert_int_equal(locale_parse("de_DE.ISO-8859-15@euro", &parts), 0);
	assert_string_equal(parts.input, "de_DE@euro");
	assert_string_equal(parts.charset, "ISO-8859-15");
	assert_int_equal(locale_parse("sr@latin", &parts), 0);
	assert_string_equal(parts.input, "sr@latin");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(locale_parse(bad[i], &parts), -EINVAL);
	assert_true(locale_is_built_in("C") && locale_is_built_in("POSIX") &&
		    locale_is_built_in("C.UTF-8") && locale_is_built_in("C.utf8"));
	assert_false(locale_is_built_in("C.") || locale_is_built_in("de_DE.UTF-8"));
}

#define ED "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"

static int check_keys(const char *text, size_t len, struct err *e)
{
	return authorized_keys_check(text, len, "key.pub", e);
}

static void keys(void **state)
{
	static const char *const bad[] = {
		"",
		"\n\n",
		"# only\n",
		"ssh-ed25519\n",
		"ssh-ed25519 BBBB\n",
		"AAAAC3 ssh-ed25519\n",
		ED "x\nnonsense\n",
		ED "x\x1b[2J\n",
	};
	static const char options[] = "# c\r\n\nfrom=\"a b\",no-pty " ED "x";
	static const char private[] = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n";
	struct err e = { 0 };

	(void)state;
	assert_int_equal(check_keys(ED "x c\n", strlen(ED "x c\n"), &e), 0);
	assert_int_equal(check_keys(options, sizeof(options) - 1, &e), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(check_keys(bad[i], strlen(bad[i]), &e), -EINVAL);
	assert_int_equal(check_keys(ED "x\0", strlen(ED) + 2, &e), -EINVAL);
	assert_int_equal(check_keys(private, sizeof(private) - 1, &e), -EINVAL);
	assert_non_null(strstr(e.text, "but a private one"));
}

static void expect_added(const char *text, const char *new, const char *want)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };

	authorized_keys_add(text, strlen(text), new, strlen(new), &out);
	assert_string_equal(strbuf_str(&out), want);
}

static void keys_are_added(void **state)
{
	(void)state;
	expect_added("", "a\nb", "a\nb\n");
	expect_added("a", "a\nb\n# c\n\n", "a\nb\n");
	expect_added("x a\n", "a\r\n", "x a\na\n");
	expect_added("a\r\n", "a\n", "a\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interfaces),
		cmocka_unit_test(conf),
		cmocka_unit_test(gen),
		cmocka_unit_test(keys),
		cmocka_unit_test(keys_are_added),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
