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

#include "initramfs/guest/passwd.h"

static const char passwd[] = "# comment\n"
			     "\n"
			     "root:x:0:0:root:/root:/bin/bash\n"
			     "short:x:7\n"
			     ":x:8:8::/:/bin/sh\n"
			     "bad:x:-1:0::/:/bin/sh\n"
			     "bad:x:4294967295:0::/:/bin/sh\n"
			     "bad:x:99999999999:0::/:/bin/sh\n"
			     "bad:x: 5:0::/:/bin/sh\n"
			     "bad:x:12::last:/bad:\n"
			     "bad:x:12:13:the good one:/bad:\n"
			     "ann:x:1000:1001:Ann,,,:/home/ann:/bin/zsh\n"
			     "ben:x:1002:1003:::\n"
			     "eve:x:1004:1004::/home/eve:/bin/sh:more:fields\n"
			     "4711:x:1010:1011::/odd:/bin/sh\n"
			     "+nis\n"
			     "last:x:1020:1021::/last:/bin/last";

static const char group[] = "root:x:0:\n"
			    "adm:x:4:ann,last\n"
			    "nomembers:x:5\n"
			    "wheel:x:10:annie,xann,ann\n"
			    "bad:x:x:ann\n"
			    "own:x:1001:ann\n"
			    "empty:x:11:,,\n"
			    "ben:x:77:root";

static const struct user_db full = { passwd, sizeof(passwd) - 1, group, sizeof(group) - 1 };
static const struct user_db none = { 0 };

static void expect(const struct user_db *db, const char *spec, uint32_t uid, uint32_t gid,
		   const char *name, const char *home, const char *shell)
{
	struct user u;
	struct fail f = { 0 };

	assert_int_equal(user_resolve(spec, db, &u, &f), 0);
	assert_int_equal(u.uid, uid);
	assert_int_equal(u.gid, gid);
	assert_string_equal(u.name, name);
	assert_string_equal(u.home, home);
	assert_string_equal(u.shell, shell);
}

static void refuse(const struct user_db *db, const char *spec, int errnum, const char *text)
{
	struct user u, before;
	struct fail f = { 0 };

	memset(&u, 0x5a, sizeof(u));
	memcpy(&before, &u, sizeof(u));
	assert_int_equal(user_resolve(spec, db, &u, &f), -errnum);
	assert_int_equal(f.code, FAIL_VMRUN);
	assert_string_equal(f.text, text);
	assert_memory_equal(&u, &before, sizeof(u));
}

static void names_and_numbers(void **state)
{
	(void)state;
	expect(&full, NULL, 0, 0, "root", "/root", "/bin/bash");
	expect(&full, "root", 0, 0, "root", "/root", "/bin/bash");
	expect(&full, "0", 0, 0, "root", "/root", "/bin/bash");
	expect(&full, "ann", 1000, 1001, "ann", "/home/ann", "/bin/zsh");
	expect(&full, "1000", 1000, 1001, "ann", "/home/ann", "/bin/zsh");
	expect(&full, "last", 1020, 1021, "last", "/last", "/bin/last");
	expect(&full, "ben", 1002, 1003, "ben", "/", "/bin/sh");
	expect(&full, "4294967294", 4294967294u, 0, "4294967294", "/", "/bin/sh");
	expect(&full, "55", 55, 0, "55", "/", "/bin/sh");
}

static void a_name_of_digits_is_a_name_first(void **state)
{
	(void)state;
	expect(&full, "4711", 1010, 1011, "4711", "/odd", "/bin/sh");
}

static void lines_that_are_no_entry_are_passed_over(void **state)
{
	(void)state;
	expect(&full, "bad", 12, 13, "bad", "/bad", "/bin/sh");
	expect(&full, "7", 7, 0, "7", "/", "/bin/sh");
	expect(&full, "8", 8, 0, "8", "/", "/bin/sh");
	refuse(&full, "eve", ENOENT, "no user 'eve' in the base's /etc/passwd");
}

static void without_files(void **state)
{
	(void)state;
	expect(&none, NULL, 0, 0, "root", "/root", "/bin/sh");
	expect(&none, "root", 0, 0, "root", "/root", "/bin/sh");
	expect(&none, "0", 0, 0, "root", "/root", "/bin/sh");
	expect(&none, "1000:5", 1000, 5, "1000", "/", "/bin/sh");
	refuse(&none, "ann", ENOENT, "no user 'ann' in the base's /etc/passwd");
	refuse(&none, "0:ann", ENOENT, "no group 'ann' in the base's /etc/group");
}

static void unknown(void **state)
{
	(void)state;
	refuse(&full, "nobody", ENOENT, "no user 'nobody' in the base's /etc/passwd");
	refuse(&full, "an", ENOENT, "no user 'an' in the base's /etc/passwd");
	refuse(&full, "annn", ENOENT, "no user 'annn' in the base's /etc/passwd");
	refuse(&full, "", ENOENT, "no user '' in the base's /etc/passwd");
	refuse(&full, ":adm", ENOENT, "no user '' in the base's /etc/passwd");
	refuse(&full, "ann:", ENOENT, "no group '' in the base's /etc/group");
	refuse(&full, "ann:a:b", ENOENT, "no group 'a:b' in the base's /etc/group");
	refuse(&full, "4294967295", ENOENT, "no user '4294967295' in the base's /etc/passwd");
	refuse(&full, "ann:4294967296", ENOENT, "no group '4294967296' in the base's /etc/group");
	refuse(&full, "ann:-1", ENOENT, "no group '-1' in the base's /etc/group");
}

static void supplementary_groups(void **state)
{
	struct user u;
	struct fail f = { 0 };

	(void)state;
	assert_int_equal(user_resolve("1000", &full, &u, &f), 0);
	assert_int_equal(u.n_groups, 2);
	assert_int_equal(u.groups[0], 4);
	assert_int_equal(u.groups[1], 10);
	assert_int_equal(user_resolve(NULL, &full, &u, &f), 0);
	assert_int_equal(u.n_groups, 1);
	assert_int_equal(u.groups[0], 77);
	assert_int_equal(user_resolve("ben", &full, &u, &f), 0);
	assert_int_equal(u.n_groups, 0);
}

static void a_given_group_is_the_only_one(void **state)
{
	struct user u;
	struct fail f = { 0 };

	(void)state;
	assert_int_equal(user_resolve("ann:adm", &full, &u, &f), 0);
	assert_int_equal(u.uid, 1000);
	assert_int_equal(u.gid, 4);
	assert_int_equal(u.n_groups, 0);
	assert_int_equal(user_resolve("ann:4242", &full, &u, &f), 0);
	assert_int_equal(u.gid, 4242);
}

static void too_many_groups(void **state)
{
	const int n = USER_GROUPS_MAX + 2;
	char *text = malloc((size_t)n * 32);
	struct user_db db = full;
	size_t len = 0;

	(void)state;
	assert_non_null(text);
	for (int i = 0; i < n; i++)
		len += (size_t)sprintf(text + len, "g%d:x:%d:ann\n", i, 2000 + i);
	db.group = text;
	db.group_len = len;
	refuse(&db, "ann", E2BIG,
	       "user 'ann' is in more than 1024 groups of the base's /etc/group");
	expect(&db, "ann:g1", 1000, 2001, "ann", "/home/ann", "/bin/zsh");
	free(text);
}

/* A field that does not fit makes its line no entry; one byte less does fit. */
static void long_fields(void **state)
{
	char home[USER_FIELD_MAX + 1], text[USER_FIELD_MAX + 64];
	struct user_db db = { .passwd = text };
	struct user u;
	struct fail f = { 0 };

	(void)state;
	memset(home, 'h', sizeof(home));
	home[USER_FIELD_MAX] = '\0';
	db.passwd_len = (size_t)sprintf(text, "ann:x:1:1::%s:/bin/sh", home);
	refuse(&db, "ann", ENOENT, "no user 'ann' in the base's /etc/passwd");
	home[USER_FIELD_MAX - 1] = '\0';
	db.passwd_len = (size_t)sprintf(text, "ann:x:1:1::%s:/bin/sh", home);
	assert_int_equal(user_resolve("ann", &db, &u, &f), 0);
	assert_string_equal(u.home, home);
}

static void nul_bytes(void **state)
{
	static const char text[] = "ann:x:1:1::/ho\0me:/bin/sh\nann:x:2:2::/ok:/bin/sh\n\0\0";
	const struct user_db db = { text, sizeof(text) - 1, text, sizeof(text) - 1 };

	(void)state;
	expect(&db, "ann", 2, 2, "ann", "/ok", "/bin/sh");
}

/* Cut anywhere, and with nothing behind the end to read (ASan sees it). */
static void cut_files(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(passwd); len++) {
		char *copy = malloc(len ? len : 1);
		struct user_db db = { copy, len, copy, len };
		struct user u;
		struct fail f = { 0 };

		assert_non_null(copy);
		memcpy(copy, passwd, len);
		assert_int_equal(user_resolve("0", &db, &u, &f), 0);
		user_resolve("last:ann", &db, &u, &f);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_numbers),
		cmocka_unit_test(a_name_of_digits_is_a_name_first),
		cmocka_unit_test(lines_that_are_no_entry_are_passed_over),
		cmocka_unit_test(without_files),
		cmocka_unit_test(unknown),
		cmocka_unit_test(supplementary_groups),
		cmocka_unit_test(a_given_group_is_the_only_one),
		cmocka_unit_test(too_many_groups),
		cmocka_unit_test(long_fields),
		cmocka_unit_test(nul_bytes),
		cmocka_unit_test(cut_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
