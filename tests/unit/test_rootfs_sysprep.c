/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"

#include "rootfs-tools/edit/sysprep_ops.h"
#include "runner/base/cleanup.h"

/* --- the table --- */

static void the_table(void **state)
{
	const char *name, *help, *before = "";
	bool on;
	unsigned int i;

	(void)state;
	for (i = 0; sysprep_describe(i, &name, &help, &on); i++) {
		const struct sysprep_op *op = &sysprep_ops[i];

		assert_true(strcmp(before, name) < 0);
		assert_true(strlen(name) < 25 && *help);
		assert_int_equal(sysprep_index(name), i);
		assert_true(op->rules || op->run);
		for (const struct sweep_rule *rule = op->rules; rule && rule->pattern; rule++) {
			assert_true(*rule->pattern == '/' || !strncmp(rule->pattern, "~/", 2));
			assert_true(sweep_is_plain(rule->pattern + (*rule->pattern == '~')));
			assert_int_equal(rule->action == SWEEP_UNSET, rule->variables != NULL);
			/* Braces are no wildcards. */
			assert_null(strpbrk(rule->pattern, "{} "));
		}
		before = name;
	}
	assert_int_equal(i, sysprep_n_ops);
	assert_int_equal(sysprep_index("nothing"), -1);
}

static uint64_t bit(const char *name)
{
	int i = sysprep_index(name);

	assert_true(i >= 0);
	return UINT64_C(1) << i;
}

static uint64_t choose(const char *enable, const char *disable)
{
	struct err e = { 0 };
	uint64_t ret;

	if (sysprep_choose(enable, disable, &ret, &e) != 0)
		fail_msg("%s", e.text);
	return ret;
}

static void expect_refused(const char *enable, const char *disable, const char *text)
{
	uint64_t ret = 7;
	struct err e = { 0 };

	assert_int_equal(sysprep_choose(enable, disable, &ret, &e), -EINVAL);
	assert_string_equal(e.text, text);
	assert_int_equal(ret, 7);
}

static void choice(void **state)
{
	uint64_t defaults = choose(NULL, NULL);

	(void)state;
	assert_true(defaults & bit("machine-id"));
	assert_false(defaults & bit("user-account"));
	assert_int_equal(choose("defaults", NULL), defaults);
	assert_int_equal(choose("utmp,machine-id", NULL), bit("utmp") | bit("machine-id"));
	assert_int_equal(choose("user-account,defaults", "utmp"),
			 (defaults | bit("user-account")) & ~bit("utmp"));
	assert_int_equal(choose("all", "defaults"), choose("all", NULL) & ~defaults);
	assert_int_equal(choose(NULL, "all"), 0);
	expect_refused("ssh-hostkey", NULL,
		       "unknown operation 'ssh-hostkey'; did you mean ssh-hostkeys?");
	expect_refused(NULL, "utmp,log-files",
		       "unknown operation 'log-files'; did you mean logfiles?");
	expect_refused("utmp,", NULL, "unknown operation ''; see vmrun rootfs sysprep --list");
	expect_refused("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", NULL,
		       "unknown operation 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'; see vmrun "
		       "rootfs "
		       "sysprep --list");
}

/* --- operations --- */

static void tell(void *arg, enum sweep_change change, const char *path)
{
	strbuf_printf(arg, "%c%s ", "-0+"[change], path);
}

/* One operation on the fixture's tree; what it told, in its order, and its losses. */
static void expect_run(const struct fixture *fx, const char *op, const struct sysprep_options *o,
		       const char *want, struct losses *losses)
{
	static const struct sysprep_options none;
	const struct sysprep_op *what = &sysprep_ops[sysprep_index(op)];

	for (int dry_run = 1; dry_run >= 0; dry_run--) {
		_cleanup_strbuf_ struct strbuf told = { 0 };
		struct err e = { 0 };
		struct sysprep p = {
			.options = o ? o : &none,
			.sweep = { .root = fx->fd,
				   .dry_run = dry_run,
				   .losses = losses,
				   .tell = tell,
				   .arg = &told },
		};
		int r = 0;

		losses->n = 0;
		for (const struct sweep_rule *rule = what->rules; r == 0 && rule && rule->pattern;
		     rule++)
			r = sweep(&p.sweep, rule, &e);
		if (r == 0 && what->run)
			r = what->run(&p, &e);
		if (r < 0)
			fail_msg("%s: %s", op, e.text);
		assert_string_equal(strbuf_str(&told), want);
		sweep_free(&p.sweep);
	}
}

static void expect_text(const struct fixture *fx, const char *name, const char *want)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	assert_int_equal(fs_read_host(fixture_path(fx, name), 65536, &text, &len), 0);
	assert_string_equal(text, want);
}

static bool is_there(const struct fixture *fx, const char *name)
{
	struct stat st;

	return fstatat(fx->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void machine_ids(void **state)
{
	static const char id[] = "0123456789abcdef0123456789abcdef\n";
	const struct fixture *fx = *state;
	struct losses losses = { 0 };

	expect_run(fx, "machine-id", NULL, "", &losses);
	fixture_puts(fx, "etc/machine-id", id);
	fixture_puts(fx, "var/lib/dbus/machine-id", id);
	/* Nobody makes one, but clone fills an empty one. */
	expect_run(fx, "machine-id", NULL, "0/etc/machine-id -/var/lib/dbus/machine-id ", &losses);
	fixture_puts(fx, "etc/machine-id", id);
	fixture_puts(fx, "usr/bin/dbus-uuidgen", "");
	expect_run(fx, "machine-id", NULL, "-/etc/machine-id ", &losses);
	fixture_puts(fx, "usr/lib/systemd/systemd", "");
	fixture_puts(fx, "etc/machine-id", id);
	assert_int_equal(chmod(fixture_path(fx, "etc/machine-id"), 0444), 0);
	expect_run(fx, "machine-id", NULL, "0/etc/machine-id ", &losses);
	expect_text(fx, "etc/machine-id", "");
	expect_run(fx, "machine-id", NULL, "", &losses);
	expect_run(fx, "flag-reconfiguration", NULL, "+/.unconfigured +/etc/machine-id ", &losses);
	expect_text(fx, "etc/machine-id", "uninitialized\n");
	expect_run(fx, "machine-id", NULL, "", &losses);
	expect_run(fx, "flag-reconfiguration", NULL, "", &losses);
	expect_text(fx, "etc/machine-id", "uninitialized\n");
	assert_int_equal(losses.n, 0);
	assert_int_equal(unlinkat(fx->fd, "etc/machine-id", 0), 0);
	fixture_fifo(fx, "etc/machine-id");
	expect_run(fx, "machine-id", NULL, "", &losses);
	assert_int_equal(losses.n, 1);
}

#define UNIT "etc/systemd/system/vmrun-ssh-hostkeys.service"
#define WANTED "etc/systemd/system/multi-user.target.wants/vmrun-ssh-hostkeys.service"

static void host_keys_at_boot(void **state)
{
	const struct fixture *fx = *state;
	struct losses losses = { 0 };
	char target[128] = "";

	/* No sshd: nothing would use them. */
	fixture_puts(fx, "etc/ssh/ssh_host_rsa_key", "k");
	fixture_puts(fx, "usr/bin/ssh-keygen", "");
	fixture_puts(fx, "usr/lib/systemd/systemd", "");
	expect_run(fx, "ssh-hostkeys", NULL, "-/etc/ssh/ssh_host_rsa_key ", &losses);
	fixture_puts(fx, "usr/sbin/sshd", "");
	fixture_puts(fx, "usr/lib/systemd/system/sshd-keygen@.service", "");
	expect_run(fx, "ssh-hostkeys", NULL, "", &losses);
	assert_int_equal(unlinkat(fx->fd, "usr/lib/systemd/system/sshd-keygen@.service", 0), 0);
	expect_run(fx, "ssh-hostkeys", NULL, "+/" UNIT " +/" WANTED " ", &losses);
	assert_true(readlinkat(fx->fd, WANTED, target, sizeof(target) - 1) > 0);
	assert_string_equal(target, "/" UNIT);
	expect_run(fx, "ssh-hostkeys", NULL, "", &losses);
	/* Not where a symlink leads. */
	assert_int_equal(unlinkat(fx->fd, UNIT, 0), 0);
	fixture_puts(fx, "outside", "o");
	fixture_symlink(fx, "/outside", UNIT);
	expect_run(fx, "ssh-hostkeys", NULL, "+/" UNIT " ", &losses);
	expect_text(fx, "outside", "o");
	assert_int_equal(losses.n, 0);
}

static void host_keys_by_a_script(void **state)
{
	const struct fixture *fx = *state;
	struct losses losses = { 0 };
	_cleanup_free_ char *text = NULL;
	size_t len;

	fixture_puts(fx, "usr/bin/ssh-keygen", "");
	fixture_puts(fx, "usr/sbin/sshd", "");
	fixture_puts(fx, "etc/init.d/ssh", "ssh-keygen -A; . /etc/default/ssh\n");
	fixture_puts(fx, "etc/default/ssh", "SSHD_OPTS=");
	expect_run(fx, "ssh-hostkeys", NULL, "", &losses);
	fixture_puts(fx, "etc/init.d/ssh", ". /etc/default/ssh\n");
	expect_run(fx, "ssh-hostkeys", NULL, "+/etc/default/ssh ", &losses);
	assert_int_equal(fs_read_host(fixture_path(fx, "etc/default/ssh"), 4096, &text, &len), 0);
	assert_non_null(strstr(text, "SSHD_OPTS=\n# By vmrun"));
	expect_run(fx, "ssh-hostkeys", NULL, "", &losses);
	assert_int_equal(losses.n, 0);
}

static void hardware_database(void **state)
{
	const struct fixture *fx = *state;
	struct losses losses = { 0 };

	fixture_puts(fx, "etc/.updated", "");
	expect_run(fx, "udev-hwdb", NULL, "", &losses);
	fixture_puts(fx, "etc/udev/hwdb.bin", "");
	expect_run(fx, "udev-hwdb", NULL, "-/etc/udev/hwdb.bin -/etc/.updated ", &losses);
}

static void logs(void **state)
{
	const struct fixture *fx = *state;
	struct losses losses = { 0 };
	struct stat st;

	fixture_puts(fx, "var/log/wtmp", "w");
	assert_int_equal(chmod(fixture_path(fx, "var/log/wtmp"), 0664), 0);
	expect_run(fx, "logfiles", NULL, "0/var/log/wtmp ", &losses);
	assert_int_equal(fstatat(fx->fd, "var/log/wtmp", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0664);
	fixture_puts(fx, "var/log/a.log.1", "w");
	expect_run(fx, "logfiles", NULL, "-/var/log/a.log.1 ", &losses);
	fixture_puts(fx, "var/log/x/a-20260102.gz", "w");
	expect_run(fx, "logfiles", NULL, "-/var/log/x/a-20260102.gz ", &losses);
	fixture_puts(fx, "var/log/x/a-20260102", "w");
	expect_run(fx, "logfiles", NULL, "-/var/log/x/a-20260102 ", &losses);
	fixture_puts(fx, "var/log/journal/0123/system.journal", "w");
	expect_run(fx, "logfiles", NULL, "-/var/log/journal/0123/ ", &losses);
	assert_true(is_there(fx, "var/log/journal"));
	assert_int_equal(losses.n, 0);
}

/* --- users --- */

static void make_users(const struct fixture *fx)
{
	fixture_puts(fx, "etc/passwd",
		     "root:x:0:0::/root:/bin/sh\n"
		     "toor:x:0:0::/home/toor:/bin/sh\n"
		     "daemon:x:1:1::/home/daemon:/bin/sh\n"
		     "ann:x:1000:1000::/home/ann:/bin/sh\n"
		     "bob:x:1001:1001::/home/bob:/bin/sh\n"
		     "up:x:1002:1002::/home/../etc:/bin/sh\n"
		     "home:x:1003:1003::/home/:/bin/sh\n"
		     "srv:x:1004:1004::/srv/srv:/bin/sh\n"
		     "over:x:1005:1005::/home/staff:/bin/sh\n"
		     "glob:x:1006:1006::/home/*:/bin/sh\n"
		     "nobody:x:65534:65534::/home/nobody:/bin/sh\n"
		     "below:x:500:500::/home/staff/below:/bin/sh\n");
	fixture_puts(fx, "etc/shadow", "root:*:1::::::\nann:h:1::::::\nbob:h:1::::::\n");
	fixture_puts(fx, "home/ann/x", "");
	fixture_puts(fx, "home/bob/x", "");
	fixture_puts(fx, "home/toor/x", "");
	fixture_puts(fx, "home/staff/below/x", "");
	fixture_puts(fx, "srv/srv/x", "");
}

static void all_people(void **state)
{
	const struct fixture *fx = *state;
	struct losses losses = { 0 };

	make_users(fx);
	expect_run(fx, "user-account", NULL, "+/etc/passwd +/etc/shadow -/home/ann/ -/home/bob/ ",
		   &losses);
	assert_int_equal(losses.n, 1);
	assert_string_equal(losses.text[0],
			    "'/home/staff' is left, as somebody lives there who stays");
	assert_true(is_there(fx, "home/staff/below/x") && is_there(fx, "home/toor/x") &&
		    is_there(fx, "srv/srv/x") && is_there(fx, "etc/passwd"));
	expect_text(fx, "etc/shadow", "root:*:1::::::\n");
	expect_run(fx, "user-account", NULL, "", &losses);
}

static void some_people(void **state)
{
	const struct fixture *fx = *state;
	const struct sysprep_options keep = { .keep_users = "ann,up,home,srv,over,glob,none" };
	const struct sysprep_options named = { .remove_users = "ann,root,toor,daemon" };
	struct losses losses = { 0 };

	make_users(fx);
	expect_run(fx, "user-account", &keep, "+/etc/passwd +/etc/shadow -/home/bob/ ", &losses);
	assert_int_equal(losses.n, 1);
	assert_string_equal(losses.text[0], "there is no user 'none'");
	expect_run(fx, "user-account", &named, "+/etc/passwd +/etc/shadow -/home/ann/ ", &losses);
	assert_int_equal(losses.n, 2);
	assert_string_equal(losses.text[0], "'root' is root, and stays");
	assert_string_equal(losses.text[1], "'toor' is root, and stays");
}

static void limits_of_ids(void **state)
{
	const struct fixture *fx = *state;
	struct losses losses = { 0 };

	make_users(fx);
	fixture_puts(fx, "etc/login.defs",
		     "#UID_MIN 1\nUID_MIN\nUID_MINOR 2\n UID_MIN\t1001\nUID_MAX 1001x\n");
	expect_run(fx, "user-account", NULL, "+/etc/passwd +/etc/shadow -/home/bob/ ", &losses);
	assert_true(is_there(fx, "home/ann"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_set_up, fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table),
		cmocka_unit_test(choice),
		TEST(machine_ids),
		TEST(host_keys_at_boot),
		TEST(host_keys_by_a_script),
		TEST(hardware_database),
		TEST(logs),
		TEST(all_people),
		TEST(some_people),
		TEST(limits_of_ids),
	};

	return cmocka_run_group_tests(tests, fixture_become_root, NULL);
}
