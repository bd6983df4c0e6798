/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"

#include "rootfs-tools/edit/accounts.h"
#include "rootfs-tools/edit/accounts_files.h"

#define PASSWD                                          \
	"root:x:0:0:root:/root:/bin/bash\n"             \
	"# alice:x:7:7::/x:/x\n"                        \
	"daemon:*:1:1::/usr/sbin:/usr/sbin/nologin\n"   \
	"\n"                                            \
	"alice:x:1000:1000:A,,,:/home/alice:/bin/zsh\n" \
	"bob:secret:1002:100::/home/bob:/bin/sh\n"      \
	"+::::::\n"                                     \
	"cut:x:5\n"

#define TEXT(t)                    \
	{                          \
		(t), sizeof(t) - 1 \
	}

static void find(const char *passwd, size_t len, const char *user, int want, struct account *ret)
{
	struct err e = { 0 };

	assert_int_equal(accounts_find(passwd, len, user, ret, &e), want);
	assert_int_equal(e.text[0] != '\0', want == -EBADMSG);
}

static void names(void **state)
{
	static const char *const good[] = { "a",
					    "_apt",
					    "systemd-network",
					    "A1.b-c",
					    "m$",
					    "0a",
					    "abcdefghijklmnopqrstuvwxyz012345" };
	static const char *const bad[] = {
		"",    "-a",   "1000",	   ".",	       "..",
		"a:b", "a\nb", "a b",	   "a/b",      "$",
		"a$b", "+",    "\xc3\xa4", "root\x7f", "abcdefghijklmnopqrstuvwxyz0123456"
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(accounts_check_name(good[i], &e), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(accounts_check_name(bad[i], &e), -EINVAL);
}

static void users_are_found(void **state)
{
	struct account a;

	(void)state;
	find(PASSWD, sizeof(PASSWD) - 1, "alice", 0, &a);
	assert_int_equal(a.uid, 1000);
	assert_int_equal(a.gid, 1000);
	assert_string_equal(a.name, "alice");
	assert_string_equal(a.home, "/home/alice");
	assert_string_equal(a.shell, "/bin/zsh");
	find(PASSWD, sizeof(PASSWD) - 1, "bob", 0, &a);
	assert_int_equal(a.gid, 100);
	find(PASSWD, sizeof(PASSWD) - 1, "+", -ENOENT, &a);
	find(PASSWD, sizeof(PASSWD) - 1, "cut", -ENOENT, &a);
	find(PASSWD, sizeof(PASSWD) - 1, "", -ENOENT, &a);
	find(PASSWD, sizeof(PASSWD) - 1, "# alice", -ENOENT, &a);
	find(NULL, 0, "root", -ENOENT, &a);
#define FIND(text, user, want) find(text, sizeof(text) - 1, user, want, &a)
	FIND("a:x:1:2::/:/bin/sh", "a", 0); /* no newline */
	FIND("  a:x:1:2::/:/bin/sh", "a", 0);
	FIND("a:x:1:2::/:", "a", 0);
	FIND("a:x:1:2::/one:\na:x:0:0::/two:", "a", 0);
	assert_string_equal(a.home, "/one");
	/* There, and of no use. */
	FIND("a:x:-1:2::/:", "a", -EBADMSG);
	FIND("a:x::2::/:", "a", -EBADMSG);
	FIND("a:x:1:4294967295::/:", "a", -EBADMSG);
	FIND("a:x:1:99999999999999999999999::/:", "a", -EBADMSG);
	FIND("a:x:1:2::/\0/etc:", "a", -EBADMSG);
	/* A NUL byte ends no name. */
	FIND("a\0:x:1:2::/:", "a", -ENOENT);
	FIND("a\0b:x:1:2::/:", "a", -ENOENT);
#undef FIND
}

static void a_line_of_a_megabyte(void **state)
{
	_cleanup_strbuf_ struct strbuf text = { 0 };
	struct account a;

	(void)state;
	strbuf_puts(&text, "long:x:3:3::");
	for (int i = 0; i < 1 << 20; i++)
		strbuf_putc(&text, '/');
	strbuf_puts(&text, ":/bin/sh\nnext:x:4:4::/:/bin/sh\n");
	find(text.data, text.len, "long", -EBADMSG, &a);
	find(text.data, text.len, "next", 0, &a);
	memset(text.data, ':', text.len);
	find(text.data, text.len, "next", -ENOENT, &a);
}

static void hash(const char *shadow, size_t len, const char *user, const char *want)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct err e;

	assert_int_equal(accounts_set_hash(shadow, len, user, "$y$h", 20000, &out, &e), 0);
	assert_int_equal(out.len, strlen(want));
	assert_string_equal(out.data, want);
}

static void hashes_are_set(void **state)
{
	(void)state;
#define HASH(text, want) hash(text, sizeof(text) - 1, "root", want)
	HASH("root:*:19000:0:99999:7:::\n", "root:$y$h:20000:0:99999:7:::\n");
	HASH("# c\n\na:!:1::::::\nroot::1:2:3:4:5:6:7",
	     "# c\n\na:!:1::::::\nroot:$y$h:20000:2:3:4:5:6:7");
	HASH("root:$6$a:1:::::::x:y\nx", "root:$y$h:20000:::::::x:y\nx");
	HASH("", "root:$y$h:20000:0:99999:7:::\n");
	HASH("a:!:1::::::", "a:!:1::::::\nroot:$y$h:20000:0:99999:7:::\n");
	/* Cut short. */
	HASH("root\n", "root:$y$h:20000:0:99999:7:::\n");
	HASH(" root:x\nb:", " root:$y$h:20000:0:99999:7:::\nb:");
	/* Each of them. */
	HASH("root:a:1::::::\nroot:b:2::::::\n", "root:$y$h:20000::::::\nroot:$y$h:20000::::::\n");
	HASH("+root::1::::::\nrooted:a:::::::\n",
	     "+root::1::::::\nrooted:a:::::::\nroot:$y$h:20000:0:99999:7:::\n");
#undef HASH
}

static void refused_hashes(void **state)
{
	static const struct {
		const char *user, *hash;
	} bad[] = { { "root", "" },   { "root", "a:b" }, { "root", "a\nb" }, { "root", "\x80" },
		    { "ro:ot", "!" }, { "ro\not", "!" }, { "", "!" },	     { "+", "!" },
		    { "-x", "!" },    { "# x", "!" },	 { " x", "!" } };
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(accounts_set_hash("", 0, bad[i].user, bad[i].hash, 1, &out, &e),
				 -EINVAL);
	assert_null(out.data);
}

static void passwords_are_shadowed(void **state)
{
	const struct accounts_texts in = { .file = { TEXT(PASSWD), TEXT("bob:!:1::::::\n") } };
	_cleanup_accounts_changed_ struct accounts_changed out = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(accounts_set_password(&in, "nobody", "h", 9, &out, &e), -ENOENT);
	accounts_changed_free(&out);
	assert_int_equal(accounts_set_password(&in, "cut", "h", 9, &out, &e), -ENOENT);
	accounts_changed_free(&out);
	assert_int_equal(accounts_set_password(&in, "bob", "h", 9, &out, &e), 0);
	assert_non_null(
		strstr(out.file[ACCOUNTS_PASSWD].data, "\nbob:x:1002:100::/home/bob:/bin/sh\n"));
	assert_int_equal(out.file[ACCOUNTS_PASSWD].len, sizeof(PASSWD) - 1 - strlen("ecret"));
	assert_string_equal(out.file[ACCOUNTS_SHADOW].data, "bob:h:9::::::\n");
	assert_null(out.file[ACCOUNTS_GROUP].data);
}

static void users_are_added(void **state)
{
	const struct accounts_texts in = { .file = { TEXT(PASSWD),
						     TEXT("root:*:1::::::\ncarol::0::::::"),
						     TEXT("root:x:0:\nown:x:1001:"), TEXT("") } };
	const struct account_new carol = { .name = "carol" };
	_cleanup_accounts_changed_ struct accounts_changed out = { 0 };
	struct account a;
	struct err e;

	(void)state;
	assert_int_equal(accounts_add_user(&in, &carol, 20000, &out, &a, &e), 0);
	assert_int_equal(a.uid, 1003);
	assert_int_equal(a.gid, 1003);
	assert_string_equal(a.home, "/home/carol");
	assert_string_equal(out.file[ACCOUNTS_PASSWD].data,
			    PASSWD "carol:x:1003:1003::/home/carol:/bin/sh\n");
	/* What an earlier carol left, an open door. */
	assert_string_equal(out.file[ACCOUNTS_SHADOW].data, "root:*:1::::::\ncarol:!:20000::::::");
	assert_string_equal(out.file[ACCOUNTS_GROUP].data,
			    "root:x:0:\nown:x:1001:\ncarol:x:1003:\n");
	assert_string_equal(out.file[ACCOUNTS_GSHADOW].data, "carol:!::\n");
	assert_null(out.file[ACCOUNTS_SUBUID].data);
}

static void refused_users(void **state)
{
	static const struct {
		struct account_new new;
		int want;
	} bad[] = {
		{ { .name = "alice" }, -EEXIST },
		{ { .name = "own" }, -EEXIST },
		{ { .name = "cut" }, -EEXIST },
		{ { .name = "a:b" }, -EINVAL },
		{ { .name = "a\nb:x:0:0" }, -EINVAL },
		{ { .name = "a", .comment = "x:y" }, -EINVAL },
		{ { .name = "a", .comment = "x\nroot::0:0" }, -EINVAL },
		{ { .name = "a", .home = "home" }, -EINVAL },
		{ { .name = "a", .home = "/a:b" }, -EINVAL },
		{ { .name = "a", .shell = "/bin/sh\n" }, -EINVAL },
		{ { .name = "a", .shell = "" }, -EINVAL },
		{ { .name = "a", .hash = "" }, -EINVAL },
	};
	const struct accounts_texts in = { .file = { TEXT(PASSWD), TEXT(""),
						     TEXT("own:x:1001:\n") } };
	struct account a;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_accounts_changed_ struct accounts_changed out = { 0 };

		assert_int_equal(accounts_add_user(&in, &bad[i].new, 1, &out, &a, &e), bad[i].want);
	}
}

static void no_id_is_left(void **state)
{
	_cleanup_strbuf_ struct strbuf passwd = { 0 };
	_cleanup_accounts_changed_ struct accounts_changed out = { 0 };
	const struct account_new new = { .name = "new" };
	struct accounts_texts in = { 0 };
	struct account a;
	struct err e;

	(void)state;
	for (unsigned int id = 1000; id <= 60000; id++)
		strbuf_printf(&passwd, "u%u:x:%u:%u::/:\n", id, id, id);
	in.file[ACCOUNTS_PASSWD].text = passwd.data;
	in.file[ACCOUNTS_PASSWD].len = passwd.len;
	assert_int_equal(accounts_add_user(&in, &new, 1, &out, &a, &e), -ENOSPC);
	in.file[ACCOUNTS_PASSWD].len -= strlen("u60000:x:60000:60000::/:\n");
	assert_int_equal(accounts_add_user(&in, &new, 1, &out, &a, &e), 0);
	assert_int_equal(a.uid, 60000);
}

static bool is_person(const struct account *a, void *arg)
{
	++*(unsigned int *)arg;
	return a->uid >= 1000;
}

static void users_are_removed(void **state)
{
	const struct accounts_texts
		in = { .file = {
			       TEXT("root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/"
				    ":\n+::\nbob:x:1002:100::/:\n"
				    "carl:x:1003:1003::/:\ndora:x:1004:1004::/:\nsvc:x:9:1004::/:"),
			       TEXT("root:*:1::::::\nalice:h:1::::::\n# "
				    "alice\nbob:h\ncarl:!:::::::\ndora::"),
			       TEXT("root:x:0:\nalice:x:1000:\nusers:x:100:alice,root,bob\nbob:x:"
				    "77:\n"
				    "carl:x:1003:root,alice\ndora:x:1004:\nsudo:x:27:"
				    "alice\nodd\nlast:x:5:alice,,bob"),
			       TEXT("alice:!::\nusers:!:alice:alice,root,bob\ncarl:!:carl:carl,"
				    "root\nbob:*::\nlast:!:,bob,:x:bob\n"),
			       TEXT("alice:100000:65536\n1002:165536:1\n9:1:1\nroot:200000:"
				    "65536\n"),
			       TEXT("alice:100000:65536\n"),
		       } };
	_cleanup_accounts_changed_ struct accounts_changed out = { 0 };
	unsigned int asked = 0, n = 99;
	struct err e;

	(void)state;
	assert_int_equal(accounts_remove_users(&in, is_person, &asked, &out, &n, &e), 0);
	assert_int_equal(asked, 6);
	assert_int_equal(n, 4);
	assert_string_equal(out.file[ACCOUNTS_PASSWD].data,
			    "root:x:0:0::/root:/bin/sh\n+::\nsvc:x:9:1004::/:");
	assert_string_equal(out.file[ACCOUNTS_SHADOW].data, "root:*:1::::::\n# alice\n");
	/* bob's name, but not his group; carl's has another member; dora's is svc's, too. */
	assert_string_equal(out.file[ACCOUNTS_GROUP].data,
			    "root:x:0:\nusers:x:100:root\nbob:x:77:\ncarl:x:1003:root\n"
			    "dora:x:1004:\nsudo:x:27:\nodd\nlast:x:5:");
	assert_string_equal(out.file[ACCOUNTS_GSHADOW].data,
			    "users:!::root\ncarl:!::root\nbob:*::\nlast:!:,:x:bob\n");
	assert_string_equal(out.file[ACCOUNTS_SUBUID].data, "9:1:1\nroot:200000:65536\n");
	/* Empty, but there. */
	assert_string_equal(out.file[ACCOUNTS_SUBGID].data, "");
}

/* Who has another line that stays, stays. */
static void doubtful_users_stay(void **state)
{
#define TWICE "a:x:0:0::/:\na:x:1000:1000::/:\nb:x:1001:1::/:\nb:x:1001:1::/:\n"
	const struct accounts_texts in = { .file = { TEXT(TWICE), TEXT("a:\nb:\n") } };
	_cleanup_accounts_changed_ struct accounts_changed out = { 0 };
	unsigned int asked = 0, n = 99;
	struct err e;

	(void)state;
	assert_int_equal(accounts_remove_users(&in, is_person, &asked, &out, &n, &e), 0);
	assert_int_equal(n, 1);
	assert_string_equal(out.file[ACCOUNTS_PASSWD].data, "a:x:0:0::/:\na:x:1000:1000::/:\n");
	assert_string_equal(out.file[ACCOUNTS_SHADOW].data, "a:\n");
	assert_null(out.file[ACCOUNTS_GROUP].data);
}

/* --- as files --- */

static void text_is(const struct fixture *fx, const char *name, const char *want, mode_t mode)
{
	_cleanup_free_ char *text = NULL;
	struct stat st;
	size_t len;

	assert_int_equal(fs_read_host(fixture_path(fx, name), 65536, &text, &len), 0);
	assert_string_equal(text, want);
	assert_int_equal(lstat(fixture_path(fx, name), &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | mode);
}

static void files_keep_their_modes(void **state)
{
	_cleanup_accounts_changed_ struct accounts_changed out = { 0 };
	_cleanup_accounts_files_ struct accounts_files files = { 0 };
	struct account_new new = { .name = "new", .hash = "h" };
	struct account account;
	struct fixture fx;
	struct stat was, is;
	struct err e = { 0 };

	(void)state;
	fixture_make(&fx);
	assert_int_equal(accounts_read(fx.fd, &files, &e), -ENOENT);
	fixture_puts(&fx, "usr/passwd", "root:x:0:0::/:\n");
	fixture_symlink(&fx, "../usr/passwd", "etc/passwd");
	fixture_puts(&fx, "etc/shadow", "root:*:1::::::\n");
	assert_int_equal(chmod(fixture_path(&fx, "etc/shadow"), 0640), 0);
	fixture_puts(&fx, "etc/subuid", "u:1:1\n");
	assert_int_equal(lstat(fixture_path(&fx, "etc/subuid"), &was), 0);
	assert_int_equal(accounts_read(fx.fd, &files, &e), 0);
	assert_int_equal(accounts_add_user(&files.texts, &new, 7, &out, &account, &e), 0);
	strbuf_puts(&out.file[ACCOUNTS_SUBUID], "u:1:1\n");
	assert_int_equal(accounts_write(fx.fd, &files, &out, &e), 0);
	text_is(&fx, "etc/passwd", "root:x:0:0::/:\nnew:x:1000:1000::/home/new:/bin/sh\n", 0644);
	text_is(&fx, "usr/passwd", "root:x:0:0::/:\n", 0644);
	text_is(&fx, "etc/shadow", "root:*:1::::::\nnew:h:7:0:99999:7:::\n", 0640);
	text_is(&fx, "etc/group", "new:x:1000:\n", 0644);
	assert_int_equal(lstat(fixture_path(&fx, "etc/subuid"), &is), 0);
	assert_int_equal(was.st_ino, is.st_ino);
	assert_int_equal(access(fixture_path(&fx, "etc/gshadow"), F_OK), -1);
	fixture_remove(&fx);
}

static void hostile_files(void **state)
{
	struct accounts_files files;
	struct fixture fx;
	struct err e = { 0 };

	(void)state;
	fixture_make(&fx);
	fixture_puts(&fx, "outside", "root:x:0:0::/:\n");
	fixture_symlink(&fx, "../../../../../../../../../../../../etc/passwd", "root/etc/passwd");
	close(fx.fd);
	fx.fd = open(fixture_path(&fx, "root"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(accounts_read(fx.fd, &files, &e), -ELOOP);
	assert_int_equal(unlink(fixture_path(&fx, "root/etc/passwd")), 0);
	fixture_fifo(&fx, "root/etc/passwd");
	assert_int_equal(accounts_read(fx.fd, &files, &e), -EINVAL);
	assert_int_equal(unlink(fixture_path(&fx, "root/etc/passwd")), 0);
	fixture_sparse(&fx, "root/etc/passwd", (off_t)1 << 40);
	assert_int_equal(accounts_read(fx.fd, &files, &e), -EFBIG);
	fixture_remove(&fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(users_are_found),
		cmocka_unit_test(a_line_of_a_megabyte),
		cmocka_unit_test(hashes_are_set),
		cmocka_unit_test(refused_hashes),
		cmocka_unit_test(passwords_are_shadowed),
		cmocka_unit_test(users_are_added),
		cmocka_unit_test(refused_users),
		cmocka_unit_test(no_id_is_left),
		cmocka_unit_test(users_are_removed),
		cmocka_unit_test(doubtful_users_stay),
		cmocka_unit_test(files_keep_their_modes),
		cmocka_unit_test(hostile_files),
	};

	umask(022);
	return cmocka_run_group_tests(tests, fixture_become_root, NULL);
}
