/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"

#include <limits.h>

#include "rootfs-tools/edit/hostname.h"
#include "rootfs-tools/edit/identity.h"
#include "runner/base/cleanup.h"

static void expect_hosts(const char *text, size_t len, const char *want)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };

	hostname_in_hosts(text, len, "old", "new", &out);
	assert_string_equal(strbuf_str(&out), want);
}

static void names_in_hosts(void **state)
{
	(void)state;
#define EXPECT(text, want) expect_hosts(text, sizeof(text) - 1, want)
	EXPECT("", "");
	EXPECT("127.0.1.1 old\n", "127.0.1.1 new\n");
	EXPECT("127.0.1.1\told.example\told old # old\r\n",
	       "127.0.1.1\told.example\tnew new # old\r\n");
	EXPECT("::1 old", "::1 new");
	EXPECT("  127.0.0.1   older old-er xold old#old",
	       "  127.0.0.1   older old-er xold new#old");
	/* Others' names, and what is no address. */
	EXPECT("10.0.0.1 old\n#127.0.0.1 old\nold old\n\n\n127 old\n::10 old\n",
	       "10.0.0.1 old\n#127.0.0.1 old\nold old\n\n\n127 old\n::10 old\n");
	EXPECT("127.0.0.1", "127.0.0.1");
#undef EXPECT
}

/* A NUL byte ends nothing, and no byte beyond the end is read. */
static void hostile_hosts(void **state)
{
	static const char nul[] = "127.0.0.1 a\0old old\0 old\n127.0.0.1 old";
	_cleanup_strbuf_ struct strbuf out = { 0 };
	char *exact = malloc(13);

	(void)state;
	hostname_in_hosts(nul, sizeof(nul) - 1, "old", "n", &out);
	assert_int_equal(out.len, sizeof(nul) - 1 - 4);
	assert_memory_equal(out.data, "127.0.0.1 a\0old old\0 n\n127.0.0.1 n", out.len);
	assert_non_null(exact);
	memcpy(exact, "127.0.0.1 old", 13);
	expect_hosts(exact, 13, "127.0.0.1 new");
	expect_hosts(exact, 12, "127.0.0.1 ol");
	free(exact);
}

static void expect_hostname(const char *name, const char *want)
{
	char got[HOST_NAME_MAX + 1];

	identity_hostname(name, got);
	assert_string_equal(got, want);
}

static void hostnames(void **state)
{
	char monster[5000], want[64];

	(void)state;
	expect_hostname("web1", "web1");
	expect_hostname("My Server_2", "My-Server-2");
	expect_hostname("..--a..", "a");
	expect_hostname("", "localhost");
	expect_hostname("\xff\n/", "localhost");
	memset(monster, 'x', sizeof(monster) - 1);
	monster[sizeof(monster) - 1] = '\0';
	memset(want, 'x', 63);
	want[63] = '\0';
	expect_hostname(monster, want);
	monster[62] = '-';
	want[62] = '\0';
	expect_hostname(monster, want);
}

static void read_back(const struct fixture *fx, const char *name, char *ret, size_t size)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	assert_int_equal(fs_read_host(fixture_path(fx, name), size - 1, &text, &len), 0);
	memcpy(ret, text, len + 1);
}

static unsigned int renew(const struct fixture *fx)
{
	unsigned int keys = 99;
	struct err e = { 0 };

	if (identity_renew(fx->fd, "new", &keys, &e) != 0)
		fail_msg("%s", e.text);
	return keys;
}

static bool is_there(const struct fixture *fx, const char *name)
{
	struct stat st;

	return fstatat(fx->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void everything_is_new(void **state)
{
	const struct fixture *fx = *state;
	char text[256], second[256];
	struct stat st;

	fixture_puts(fx, "etc/machine-id", "0123456789abcdef0123456789abcdef\n");
	fixture_puts(fx, "var/lib/dbus/machine-id", "0123456789abcdef0123456789abcdef\n");
	fixture_puts(fx, "etc/hostname", "old\n");
	fixture_puts(fx, "etc/hosts", "127.0.1.1 old\n");
	assert_int_equal(chmod(fixture_path(fx, "etc/hosts"), 0640), 0);
	fixture_puts(fx, "etc/ssh/ssh_host_rsa_key", "k");
	fixture_puts(fx, "etc/ssh/ssh_host_rsa_key.pub", "k");
	fixture_puts(fx, "etc/ssh/ssh_host_dsa_key", "k");
	fixture_puts(fx, "etc/ssh/ssh_host_ed25519_key", "k");
	fixture_puts(fx, "etc/ssh/sshd_config", "kept");
	fixture_puts(fx, "var/lib/systemd/random-seed", "s");
	fixture_puts(fx, "var/lib/urandom/random-seed", "s");
	assert_int_equal(renew(fx), 1u << KEY_RSA | 1u << KEY_ED25519);
	read_back(fx, "etc/machine-id", text, sizeof(text));
	assert_int_equal(strspn(text, "0123456789abcdef"), 32);
	assert_string_equal(text + 32, "\n");
	assert_string_not_equal(text, "0123456789abcdef0123456789abcdef\n");
	assert_int_equal(text[12], '4');
	assert_int_equal(fstatat(fx->fd, "var/lib/dbus/machine-id", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISLNK(st.st_mode));
	read_back(fx, "etc/hostname", second, sizeof(second));
	assert_string_equal(second, "new\n");
	read_back(fx, "etc/hosts", second, sizeof(second));
	assert_string_equal(second, "127.0.1.1 new\n");
	assert_int_equal(fstatat(fx->fd, "etc/hosts", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_false(is_there(fx, "etc/ssh/ssh_host_rsa_key") ||
		     is_there(fx, "etc/ssh/ssh_host_rsa_key.pub") ||
		     is_there(fx, "etc/ssh/ssh_host_dsa_key") ||
		     is_there(fx, "etc/ssh/ssh_host_ed25519_key") ||
		     is_there(fx, "var/lib/systemd/random-seed") ||
		     is_there(fx, "var/lib/urandom/random-seed"));
	assert_true(is_there(fx, "etc/ssh/sshd_config"));
	/* And again another; where sshd is configured and has no key it gets all kinds. */
	assert_int_equal(renew(fx), (1u << KEY_END) - 1);
	assert_int_equal(unlinkat(fx->fd, "etc/ssh/sshd_config", 0), 0);
	assert_int_equal(renew(fx), 0);
	read_back(fx, "etc/machine-id", second, sizeof(second));
	assert_string_not_equal(text, second);
}

/* Images for a first boot by systemd stay what they are; an empty machine-id says nothing. */
static void no_identity_yet(void **state)
{
	const struct fixture *fx = *state;
	char text[64];

	fixture_puts(fx, "etc/machine-id", "uninitialized\n");
	assert_int_equal(renew(fx), 0);
	read_back(fx, "etc/machine-id", text, sizeof(text));
	assert_string_equal(text, "uninitialized\n");
	fixture_puts(fx, "etc/machine-id", "");
	renew(fx);
	read_back(fx, "etc/machine-id", text, sizeof(text));
	assert_int_equal(strlen(text), 33);
	assert_int_equal(unlinkat(fx->fd, "etc/machine-id", 0), 0);
	renew(fx);
	assert_false(is_there(fx, "etc/machine-id"));
	/* D-Bus wants one, unless it is systemd's to make. */
	fixture_puts(fx, "usr/bin/dbus-uuidgen", "");
	renew(fx);
	assert_true(is_there(fx, "etc/machine-id"));
	assert_int_equal(unlinkat(fx->fd, "etc/machine-id", 0), 0);
	fixture_puts(fx, "usr/lib/systemd/systemd", "");
	renew(fx);
	assert_false(is_there(fx, "etc/machine-id"));
}

static void an_empty_tree(void **state)
{
	const struct fixture *fx = *state;

	assert_int_equal(renew(fx), 0);
	assert_false(is_there(fx, "etc"));
}

/* What names lead to, inside and outside, stays as it is: they are replaced. */
static void hostile_tree(void **state)
{
	const struct fixture *fx = *state;
	char root[128], text[64];
	unsigned int keys = 99;
	struct err e = { 0 };
	int fd;

	fixture_puts(fx, "outside/target", "outside");
	fixture_puts(fx, "root/inside", "inside");
	fixture_symlink(fx, "../../outside/target", "root/etc/hostname");
	fixture_symlink(fx, "/inside", "root/etc/hosts");
	fixture_fifo(fx, "root/etc/machine-id");
	fixture_fifo(fx, "root/var/lib/dbus/machine-id");
	fixture_symlink(fx, "../../outside", "root/etc/ssh");
	fixture_puts(fx, "outside/ssh_host_rsa_key", "not yours");
	fixture_symlink(fx, "../../../outside", "root/var/lib/systemd");
	fixture_puts(fx, "outside/random-seed", "not yours");
	snprintf(root, sizeof(root), "%s/root", fx->dir);
	fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(identity_renew(fd, "new", &keys, &e), 0);
	assert_int_equal(keys, 0);
	read_back(fx, "outside/target", text, sizeof(text));
	assert_string_equal(text, "outside");
	read_back(fx, "root/inside", text, sizeof(text));
	assert_string_equal(text, "inside");
	read_back(fx, "root/etc/hostname", text, sizeof(text));
	assert_string_equal(text, "new\n");
	assert_true(is_there(fx, "outside/ssh_host_rsa_key") &&
		    is_there(fx, "outside/random-seed"));
	read_back(fx, "root/etc/machine-id", text, sizeof(text));
	assert_int_equal(strlen(text), 33);

	assert_int_equal(unlinkat(fd, "etc/hostname", 0), 0);
	fixture_mkdir(fx, "root/etc/hostname");
	keys = 99;
	assert_int_equal(identity_renew(fd, "new", &keys, &e), -EISDIR);
	assert_string_equal(e.text,
			    "cannot write /etc/hostname of the root directory: Is a directory");
	assert_int_equal(keys, 99);
	close(fd);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_set_up, fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_in_hosts),
		cmocka_unit_test(hostile_hosts),
		cmocka_unit_test(hostnames),
		TEST(everything_is_new),
		TEST(no_identity_yet),
		TEST(an_empty_tree),
		TEST(hostile_tree),
	};

	umask(022);
	return cmocka_run_group_tests(tests, fixture_become_root, NULL);
}
