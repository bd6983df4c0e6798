/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"

#include <sys/xattr.h>

#include "rootfs-tools/edit/edit.h"
#include "runner/base/cleanup.h"

struct world {
	struct fixture fx;
	struct edits_said said;
	struct edits t;
	struct err e;
	char text[4096];
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	fixture_make(&w->fx);
	w->t = (struct edits){ .root = w->fx.fd, .said = &w->said };
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	edits_free(&w->t);
	fixture_remove(&w->fx);
	free(w);
	return 0;
}

static const struct edit_kind *find(const struct edit_kind *family, const char *name)
{
	while (strcmp(family->name, name) != 0)
		family++;
	return family;
}

static int parse(struct world *w, const struct edit_kind *family, const char *name,
		 const char *value, struct edit *ret)
{
	*ret = (struct edit){ .kind = find(family, name), .value = value, .fd = -1 };
	return ret->kind->parse(ret, value, &w->e);
}

/* Parses, then applies: to check if .t.check says so. */
static int try(struct world *w, const struct edit_kind *family, const char *name, const char *value)
{
	struct edit edit;
	int r = parse(w, family, name, value, &edit);

	edit.inside = edit.fd;
	if (r == 0)
		r = edit.kind->apply(&w->t, &edit, &w->e);
	edit_free(&edit);
	return r;
}

static void expect(struct world *w, const struct edit_kind *family, const char *name,
		   const char *value)
{
	if (try(w, family, name, value) != 0)
		fail_msg("--%s %s: %s", name, value, w->e.text);
}

static const char *content(struct world *w, const char *name)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	assert_int_equal(fs_read_host(fixture_path(&w->fx, name), sizeof(w->text) - 1, &text, &len),
			 0);
	memcpy(w->text, text, len + 1);
	return w->text;
}

static bool has(const struct world *w, const char *name)
{
	struct stat st;

	return fstatat(w->fx.fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static mode_t mode(const struct world *w, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(w->fx.fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_mode & 07777;
}

static void paths(void **state)
{
	static const char *const bad[] = { "",	 "a",	"./a",	   "/",	   "//",
					   "/.", "/..", "/a/../b", "/a/.." };
	char monster[5000], *got = NULL;
	struct world *w = *state;

	assert_int_equal(edits_normalise("//a/./b//.c..d/", &got, &w->e), 0);
	assert_string_equal(got, "/a/b/.c..d");
	free(got);
	got = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(edits_normalise(bad[i], &got, &w->e), -EINVAL);
	memset(monster, 'x', sizeof(monster) - 1);
	monster[0] = '/';
	monster[sizeof(monster) - 1] = '\0';
	assert_int_equal(edits_normalise(monster, &got, &w->e), -ENAMETOOLONG);
	assert_null(got);
}

/* What is checked is seen by what is checked later, and nothing is written. */
static void a_check(void **state)
{
	struct world *w = *state;

	fixture_puts(&w->fx, "etc/passwd", "root:x:0:0::/root:/bin/sh\n");
	fixture_puts(&w->fx, "etc/hosts", "127.0.1.1 old\n");
	fixture_puts(&w->fx, "etc/hostname", "old\n");
	w->t.check = true;
	assert_int_equal(try(w, edit_users, "password", "bob:locked"), -ENOENT);
	assert_non_null(strstr(w->e.text, "no user 'bob'"));
	expect(w, edit_users, "user", "bob");
	expect(w, edit_users, "password", "bob:locked");
	assert_int_equal(try(w, edit_users, "user", "bob"), -EEXIST);
	expect(w, edit_names, "hostname", "new");
	expect(w, edit_names, "hosts", "10.0.0.1:db");
	assert_int_equal(w->t.n_staged, 5);
	assert_string_equal(content(w, "etc/passwd"), "root:x:0:0::/root:/bin/sh\n");
	assert_string_equal(content(w, "etc/hosts"), "127.0.1.1 old\n");
	assert_false(has(w, "home") || has(w, "etc/shadow"));
	edits_free(&w->t);
	w->t = (struct edits){ .root = w->fx.fd, .said = &w->said };
	/* Of the ids that a test has, none would be bob's. */
	fixture_mkdir(&w->fx, "home");
	fixture_mkdir(&w->fx, "home/bob");
	expect(w, edit_users, "user", "bob:/bin/zsh");
	assert_int_equal(w->said.warnings.n, 1);
	expect(w, edit_users, "password", "bob:disabled");
	expect(w, edit_names, "hostname", "new");
	expect(w, edit_names, "hosts", "10.0.0.1:db");
	assert_non_null(strstr(content(w, "etc/passwd"), "bob:x:1000:1000:"));
	assert_non_null(strstr(content(w, "etc/passwd"), ":/home/bob:/bin/zsh\n"));
	assert_non_null(strstr(content(w, "etc/shadow"), "bob:*:"));
	assert_string_equal(content(w, "etc/hosts"), "127.0.1.1 new\n10.0.0.1\tdb\n");
	assert_int_equal(mode(w, "etc/shadow"), 0600);
}

static void what_is_deleted_is_gone(void **state)
{
	struct world *w = *state;

	fixture_puts(&w->fx, "real", "x");
	fixture_symlink(&w->fx, "/real", "etc/hosts");
	fixture_mkdir(&w->fx, "d");
	for (int check = 1; check >= 0; check--) {
		edits_free(&w->t);
		w->t.check = check;
		assert_int_equal(try(w, edit_names, "hosts", "10.0.0.1:db"), -ELOOP);
		assert_int_equal(try(w, edit_files, "write", "/d:x"), -EISDIR);
		expect(w, edit_files, "delete", "/etc/h*");
		expect(w, edit_names, "hosts", "10.0.0.1:db");
		expect(w, edit_files, "delete", "/d");
		expect(w, edit_files, "write", "/d:x");
		expect(w, edit_files, "delete", "/[d]");
		assert_int_equal(try(w, edit_files, "write", "/d/e:x"), -ENOENT);
	}
	assert_string_equal(content(w, "etc/hosts"), "10.0.0.1\tdb\n");
	assert_string_equal(content(w, "real"), "x");
}

static void attributes_stay(void **state)
{
	struct world *w = *state;
	char value[8];

	fixture_puts(&w->fx, "etc/hosts", "");
	assert_int_equal(chmod(fixture_path(&w->fx, "etc/hosts"), 04640), 0);
	assert_int_equal(setxattr(fixture_path(&w->fx, "etc/hosts"), "user.x", "1", 1, 0), 0);
	expect(w, edit_names, "hosts", "10.0.0.1:db");
	assert_int_equal(mode(w, "etc/hosts"), 0640);
	assert_int_equal(getxattr(fixture_path(&w->fx, "etc/hosts"), "user.x", value, 8), 1);
	expect(w, edit_files, "write", "/etc/hosts:x:y");
	assert_string_equal(content(w, "etc/hosts"), "x:y");
	assert_int_equal(mode(w, "etc/hosts"), 0640);
	expect(w, edit_files, "write", "/new:");
	assert_string_equal(content(w, "new"), "");
	assert_int_equal(mode(w, "new"), 0644);
}

/* Nothing of these is followed, waited for, or read without an end. */
static void hostile_files(void **state)
{
	static const char *const links[] = { "etc/passwd", "etc/hosts" };
	struct world *w = *state;

	fixture_puts(&w->fx, "outside", "root:x:0:0::/root:/bin/sh\n");
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		fixture_symlink(&w->fx, "/outside", links[i]);
	assert_int_equal(try(w, edit_users, "root-password", "locked"), -ELOOP);
	assert_int_equal(try(w, edit_names, "hosts", "10.0.0.1:db"), -ELOOP);
	assert_non_null(strstr(w->e.text, "is not followed"));
	/* These are taken the place of. */
	fixture_symlink(&w->fx, "/outside", "etc/resolv.conf");
	expect(w, edit_names, "dns", "192.0.2.1");
	assert_string_equal(content(w, "etc/resolv.conf"), "nameserver 192.0.2.1\n");
	fixture_symlink(&w->fx, "/outside", "file");
	expect(w, edit_files, "write", "/file:x");
	assert_string_equal(content(w, "file"), "x");
	assert_string_equal(content(w, "outside"), "root:x:0:0::/root:/bin/sh\n");

	assert_int_equal(unlink(fixture_path(&w->fx, "etc/passwd")), 0);
	fixture_puts(&w->fx, "etc/passwd", "root:x:0:0::/root:/bin/sh\n");
	fixture_fifo(&w->fx, "etc/shadow");
	assert_int_equal(try(w, edit_users, "root-password", "locked"), -EINVAL);
	assert_int_equal(unlink(fixture_path(&w->fx, "etc/shadow")), 0);
	fixture_sparse(&w->fx, "etc/shadow", (off_t)1 << 40);
	assert_int_equal(try(w, edit_users, "root-password", "locked"), -EFBIG);
	assert_int_equal(unlink(fixture_path(&w->fx, "etc/hosts")), 0);
	fixture_sparse(&w->fx, "etc/hosts", EDITS_TEXT_MAX + 1);
	assert_int_equal(try(w, edit_names, "hosts", "10.0.0.1:db"), -EFBIG);
	/* A hostname needs none of it. */
	expect(w, edit_names, "hostname", "x");
}

#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI x\n"

static void keys(void **state)
{
	struct world *w = *state;
	char value[5000];

	fixture_puts(&w->fx, "key.pub", KEY);
	snprintf(value, sizeof(value), "root:%s", fixture_path(&w->fx, "key.pub"));
	fixture_puts(&w->fx, "etc/passwd", "root:x:0:0::/root:/bin/sh\nnone:x:0:0::none:\n");
	assert_int_equal(try(w, edit_users, "ssh-authorized-key", value), -ENOENT);
	fixture_mkdir(&w->fx, "root");
	expect(w, edit_users, "ssh-authorized-key", value);
	expect(w, edit_users, "ssh-authorized-key", value);
	assert_string_equal(content(w, "root/.ssh/authorized_keys"), KEY);
	assert_int_equal(mode(w, "root/.ssh"), 0700);
	assert_int_equal(mode(w, "root/.ssh/authorized_keys"), 0600);
	snprintf(value, sizeof(value), "none:%s", fixture_path(&w->fx, "key.pub"));
	assert_int_equal(try(w, edit_users, "ssh-authorized-key", value), -EINVAL);
	snprintf(value, sizeof(value), "root:%s", fixture_path(&w->fx, "key.pub"));
	assert_int_equal(unlink(fixture_path(&w->fx, "root/.ssh/authorized_keys")), 0);
	fixture_symlink(&w->fx, "/key.pub", "root/.ssh/authorized_keys");
	assert_int_equal(try(w, edit_users, "ssh-authorized-key", value), -EINVAL);
	assert_int_equal(unlink(fixture_path(&w->fx, "root/.ssh/authorized_keys")), 0);
	assert_int_equal(rmdir(fixture_path(&w->fx, "root/.ssh")), 0);
	fixture_symlink(&w->fx, "/", "root/.ssh");
	assert_int_equal(try(w, edit_users, "ssh-authorized-key", value), -ENOTDIR);
	assert_false(has(w, "authorized_keys"));
}

static void zones(void **state)
{
	static const char *const bad[] = { "", "../../etc", "/etc", "a b", "a.b", "a\n" };
	struct world *w = *state;
	struct edit edit;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(parse(w, edit_locale, "timezone", bad[i], &edit), -EINVAL);
		edit_free(&edit);
	}
	fixture_puts(&w->fx, "etc/localtime", "old");
	assert_int_equal(try(w, edit_locale, "timezone", "Europe/Berlin"), -ENOENT);
	fixture_puts(&w->fx, "usr/share/zoneinfo/Europe/Berlin", "TZif2...");
	fixture_puts(&w->fx, "usr/share/zoneinfo/tzdata", "text");
	fixture_fifo(&w->fx, "usr/share/zoneinfo/fifo");
	assert_int_equal(try(w, edit_locale, "timezone", "tzdata"), -EINVAL);
	assert_int_equal(try(w, edit_locale, "timezone", "fifo"), -EINVAL);
	assert_int_equal(try(w, edit_locale, "timezone", "Europe"), -EISDIR);
	expect(w, edit_locale, "timezone", "Europe/Berlin");
	assert_true(readlinkat(w->fx.fd, "etc/localtime", w->text, sizeof(w->text)) == 33);
	assert_memory_equal(w->text, "/usr/share/zoneinfo/Europe/Berlin", 33);
	assert_false(has(w, "etc/timezone"));
	fixture_puts(&w->fx, "etc/debian_version", "12");
	expect(w, edit_locale, "timezone", "Europe/Berlin");
	assert_string_equal(content(w, "etc/timezone"), "Europe/Berlin\n");
}

static void locales(void **state)
{
	struct world *w = *state;

	fixture_mkdir(&w->fx, "etc");
	expect(w, edit_locale, "locale", "de_DE.UTF-8");
	assert_string_equal(content(w, "etc/locale.conf"), "LANG=de_DE.UTF-8\n");
	assert_int_equal(w->said.warnings.n, 0);
	fixture_puts(&w->fx, "etc/debian_version", "12");
	expect(w, edit_locale, "locale", "C.UTF-8");
	assert_string_equal(content(w, "etc/default/locale"), "LANG=C.UTF-8\n");
	assert_int_equal(w->said.warnings.n, 0);
	expect(w, edit_locale, "locale", "de_DE.UTF-8");
	assert_int_equal(w->said.warnings.n, 1);
	assert_false(w->said.locale_def);
	fixture_puts(&w->fx, "etc/locale.gen", "# de_DE.UTF-8 UTF-8\n");
	fixture_puts(&w->fx, "usr/share/i18n/locales/de_DE", "");
	fixture_puts(&w->fx, "usr/bin/localedef", "");
	expect(w, edit_locale, "locale", "de_DE.UTF-8");
	assert_true(w->said.locale_def);
	assert_string_equal(content(w, "etc/locale.gen"), "de_DE.UTF-8 UTF-8\n");
	expect(w, edit_locale, "locale", "C.UTF-8");
	assert_false(w->said.locale_def);
}

static void interfaces(void **state)
{
	static const char *const bad[] = { "",
					   "10.0.0.1",
					   "10.0.0.1/",
					   "10.0.0.1/33",
					   "10.0.0.1/0",
					   "fd00::1/129",
					   "10.0.0.1/24,",
					   "10.0.0.1/24,fd00::1",
					   "10.0.0.1/24,x",
					   "10.0.0.1,10.0.0.1/24",
					   "x/24",
					   "10.0.0.1/24\n",
					   "10.0.0.1/24,10.0.0.1,10.0.0.1" };
	static const char networkd[] = "etc/systemd/network/05-vmrun.network";
	static const char nm[] = "etc/NetworkManager/system-connections/vmrun.nmconnection";
	struct world *w = *state;
	struct edit edit;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(parse(w, edit_network, "static-ip", bad[i], &edit), -EINVAL);
		edit_free(&edit);
	}
	assert_int_equal(try(w, edit_network, "dhcp", ""), -ENOENT);
	fixture_puts(&w->fx, "lib/systemd/systemd-networkd", "");
	w->t.check = true;
	expect(w, edit_network, "dhcp", "");
	assert_false(has(w, "etc/systemd"));
	w->t.check = false;
	fixture_mkdir(&w->fx, "etc");
	expect(w, edit_network, "dhcp", "");
	assert_non_null(strstr(content(w, networkd), "Name=en* eth*\n\n[Network]\nDHCP=yes\n"));
	assert_true(has(w, "etc/systemd/system/multi-user.target.wants/systemd-networkd.service"));
	expect(w, edit_network, "static-ip", "fd00::2/64,fd00::1");
	assert_non_null(strstr(content(w, networkd), "Address=fd00::2/64\nGateway=fd00::1\n"));
	fixture_puts(&w->fx, "sbin/ifup", "");
	expect(w, edit_network, "static-ip", "10.0.0.2/24");
	assert_string_equal(content(w, "etc/network/interfaces"),
			    "auto lo\niface lo inet loopback\nauto eth0\niface eth0 inet static\n"
			    "\taddress 10.0.0.2/24\n");
	fixture_puts(&w->fx, "lib/ifupdown/settle-dad.sh", "");
	expect(w, edit_network, "static-ip", "fd00::2/64,fd00::1");
	assert_string_equal(content(w, "etc/network/interfaces"),
			    "auto lo\niface lo inet loopback\nauto /e[nt]*/1=vmrun\n"
			    "iface vmrun inet6 static\n\taddress fd00::2/64\n\tgateway fd00::1\n");
	fixture_puts(&w->fx, "usr/sbin/NetworkManager", "");
	expect(w, edit_network, "static-ip", "10.0.0.2/24,10.0.0.1");
	assert_non_null(strstr(content(w, nm), "method=manual\naddress1=10.0.0.2/24,10.0.0.1\n"));
	assert_int_equal(mode(w, nm), 0600);
	expect(w, edit_network, "dhcp", "");
	assert_null(strstr(content(w, nm), "manual"));
}

/* What is no directory in the way of one. */
static void hostile_dirs(void **state)
{
	struct world *w = *state;

	fixture_puts(&w->fx, "lib/systemd/systemd-networkd", "");
	fixture_symlink(&w->fx, "../../..", "etc/systemd");
	expect(w, edit_network, "dhcp", "");
	assert_true(has(w, "network/05-vmrun.network"));
	assert_int_equal(unlink(fixture_path(&w->fx, "etc/systemd")), 0);
	fixture_fifo(&w->fx, "etc/systemd");
	assert_int_equal(try(w, edit_network, "dhcp", ""), -ENOTDIR);
	fixture_puts(&w->fx, "etc/passwd", "root:x:0:0::/root:/bin/sh\n");
	fixture_symlink(&w->fx, "loop", "home");
	fixture_symlink(&w->fx, "home", "loop");
	assert_int_equal(try(w, edit_users, "user", "bob"), -ELOOP);
}

/* Of a password nothing is ever repeated. */
static void sources(void **state)
{
	static const char *const bad[] = {
		"root:password:hunter2", "root:hunter2", "root:file:", "root:",
		"root:stdin ",		 "hunter2",	 ":hunter2"
	};
	struct world *w = *state;
	struct edit edit;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(parse(w, edit_users, "password", bad[i], &edit), -EINVAL);
		assert_null(strstr(w->e.text, "hunter2"));
		edit_free(&edit);
	}
	assert_int_equal(parse(w, edit_users, "root-password", "password:hunter2", &edit), -EINVAL);
	assert_non_null(strstr(w->e.text, "ps shows") ? w->e.text : strstr(w->e.text, "in ps"));
	edit_free(&edit);
}

static void copies(void **state)
{
	struct world *w = *state;
	char value[5000];

	fixture_puts(&w->fx, "host/file", "content");
	fixture_puts(&w->fx, "host/dir/f", "f");
	fixture_symlink(&w->fx, "/x", "host/dir/link");
	/* Who they are setuid to does not own the copies. */
	assert_int_equal(chmod(fixture_path(&w->fx, "host/file"), 06751), 0);
	assert_int_equal(chmod(fixture_path(&w->fx, "host/dir/f"), 06750), 0);
	fixture_mkdir(&w->fx, "srv");
#define COPY(src, dst) \
	(snprintf(value, sizeof(value), "%s:%s", fixture_path(&w->fx, src), dst), value)
	expect(w, edit_files, "copy-in", COPY("host/file", "/srv"));
	assert_string_equal(content(w, "srv/file"), "content");
	assert_int_equal(mode(w, "srv/file"), 0751);
	expect(w, edit_files, "copy-in", COPY("host/file", "/srv/other"));
	assert_string_equal(content(w, "srv/other"), "content");
	expect(w, edit_files, "copy-in", COPY("host/file", "/"));
	assert_string_equal(content(w, "file"), "content");
	assert_int_equal(try(w, edit_files, "copy-in", COPY("host/file", "/none/x")), -ENOENT);
	assert_int_equal(try(w, edit_files, "copy-in", COPY("host/file", "/none/")), -ENOTDIR);
	expect(w, edit_files, "copy-in", COPY("host/dir/.", "/srv"));
	assert_int_equal(mode(w, "srv/dir/f"), 0750);
	assert_string_equal(content(w, "srv/dir/f"), "f");
	assert_true(readlinkat(w->fx.fd, "srv/dir/link", w->text, 9) == 2);
	assert_int_equal(try(w, edit_files, "copy-in", COPY("host/dir/", "/srv")), -EEXIST);
	expect(w, edit_files, "copy-in", COPY("host/dir", "/srv/d2"));
	assert_true(has(w, "srv/d2/f"));
	/* A link in the place is taken away, not followed. */
	fixture_symlink(&w->fx, "/host/file", "srv/link");
	expect(w, edit_files, "copy-in", COPY("host/dir/f", "/srv/link"));
	assert_string_equal(content(w, "srv/link"), "f");
	assert_string_equal(content(w, "host/file"), "content");
	fixture_fifo(&w->fx, "host/fifo");
	assert_int_equal(try(w, edit_files, "copy-in", COPY("host/fifo", "/srv")), -EINVAL);
	assert_int_equal(try(w, edit_files, "copy-in", COPY("host/file", "relative")), -EINVAL);
	assert_int_equal(try(w, edit_files, "copy-in", COPY("host/file", "/../x")), -EINVAL);
#undef COPY
}

static void packages(void **state)
{
	static const char *const bad[] = { "", "-y", "--force", "a b", "a\nb" };
	_cleanup_strvec_ struct strvec words = { 0 };
	struct world *w = *state;
	struct edit edit, later;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(parse(w, edit_guest, "package", bad[i], &edit), -EINVAL);
		edit_free(&edit);
	}
	assert_int_equal(try(w, edit_guest, "package", "hello"), -ENOENT);
	fixture_puts(&w->fx, "usr/bin/apt-get", "");
	assert_int_equal(parse(w, edit_guest, "package", "$(reboot)", &edit), 0);
	assert_int_equal(parse(w, edit_guest, "package", "';x", &later), 0);
	edit.kind->merge(&edit, &later);
	edit_free(&later);
	assert_int_equal(edit.kind->apply(&w->t, &edit, &w->e), 0);
	edit.kind->guest(&edit, &w->said, &words);
	assert_int_equal(words.n, 7);
	assert_string_equal(words.v[5], "$(reboot)");
	assert_string_equal(words.v[6], "';x");
	assert_null(strstr(words.v[3], "reboot"));
	edit_free(&edit);
}

/* What begins with a dash is no option of sh's. */
static void commands(void **state)
{
	_cleanup_strvec_ struct strvec words = { 0 };
	struct world *w = *state;
	struct edit edit;

	assert_int_equal(parse(w, edit_guest, "run", "-x", &edit), 0);
	edit.kind->guest(&edit, &w->said, &words);
	assert_int_equal(words.n, 5);
	assert_string_equal(words.v[2], "--");
	assert_string_equal(words.v[3], "-x");
	edit_free(&edit);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(paths),	       TEST(a_check),	    TEST(what_is_deleted_is_gone),
		TEST(attributes_stay), TEST(hostile_files), TEST(keys),
		TEST(zones),	       TEST(locales),	    TEST(interfaces),
		TEST(hostile_dirs),    TEST(sources),	    TEST(copies),
		TEST(packages),	       TEST(commands),
	};

	umask(022);
	return cmocka_run_group_tests(tests, fixture_become_root, NULL);
}
