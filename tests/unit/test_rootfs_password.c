/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"

#include <dlfcn.h>
#include <signal.h>
#include <sys/signalfd.h>

#include "rootfs-tools/edit/password.h"

#define YESCRYPT_LINE "a:$y$j9T$x:1::::::\n"

/* What a login does. */
static bool verifies(const char *text, const char *hash)
{
	void *lib = dlopen("libcrypt.so.1", RTLD_NOW);
	char *(*crypt)(const char *, const char *);
	const char *got;
	void *sym;
	bool same;

	assert_non_null(lib);
	sym = dlsym(lib, "crypt");
	assert_non_null(sym);
	memcpy(&crypt, &sym, sizeof(crypt));
	got = crypt(text, hash);
	same = got && !strcmp(got, hash);
	dlclose(lib);
	return same;
}

static void hashes_verify(void **state)
{
	static const struct {
		enum password_method method;
		const char *prefix;
	} methods[] = { { PASSWORD_SHA512, "$6$" }, { PASSWORD_YESCRYPT, "$y$" } };
	struct password p = { 0 };
	char one[PASSWORD_HASH_MAX], two[PASSWORD_HASH_MAX];
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		snprintf(p.text, sizeof(p.text), "caf\xc3\xa9 %%s:$\t'\"");
		assert_int_equal(password_hash(&p, methods[i].method, one, &e), 0);
		assert_int_equal(password_hash(&p, methods[i].method, two, &e), 0);
		assert_memory_equal(one, methods[i].prefix, 3);
		assert_true(strlen(one) > 60);
		assert_null(strpbrk(one, ": \n"));
		assert_string_not_equal(one, two);
		assert_true(verifies(p.text, one) && verifies(p.text, two));
		assert_false(verifies("cafe", one));
		/* To its last byte. */
		memset(p.text, 'x', PASSWORD_MAX);
		p.text[PASSWORD_MAX] = '\0';
		assert_int_equal(password_hash(&p, methods[i].method, one, &e), 0);
		assert_true(verifies(p.text, one));
		p.text[PASSWORD_MAX - 1] = 'y';
		assert_false(verifies(p.text, one));
		password_wipe(&p);
		assert_int_equal(p.text[0] | p.text[PASSWORD_MAX - 1], 0);
	}
}

static int read_text(const char *text, size_t len, struct password *ret, struct err *e)
{
	int fd = fixture_memfd(text, len);
	int r = password_read(fd, -1, "a test", ret, NULL, e);

	close(fd);
	return r;
}

static void lines_are_read(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *want; /* NULL: refused */
	} cases[] = {
#define CASE(text, want) { text, sizeof(text) - 1, want }
		CASE("secret\n", "secret"),
		CASE("secret", "secret"),
		CASE(" a b \r\nsecond\n", " a b \r"),
		CASE("", NULL),
		CASE("\n", NULL),
		CASE("\nsecond\n", NULL),
		CASE("a\0b\n", NULL),
#undef CASE
	};
	char monster[PASSWORD_MAX + 2];
	struct password p;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		memset(&p, 1, sizeof(p));
		assert_int_equal(read_text(cases[i].text, cases[i].len, &p, &e),
				 cases[i].want ? 0 : -EINVAL);
		if (cases[i].want)
			assert_string_equal(p.text, cases[i].want);
		else
			assert_int_equal(p.text[0], 1);
	}
	memset(monster, 'x', sizeof(monster));
	assert_int_equal(read_text(monster, PASSWORD_MAX, &p, &e), 0);
	assert_int_equal(strlen(p.text), PASSWORD_MAX);
	assert_int_equal(read_text(monster, PASSWORD_MAX + 1, &p, &e), -EINVAL);
}

/* Two options that both read standard input get a line each. */
static void one_line_at_a_time(void **state)
{
	int fd = fixture_memfd("first\nsecond\n", 13);
	struct password p;
	struct err e;

	(void)state;
	assert_int_equal(password_read(fd, -1, "x", &p, NULL, &e), 0);
	assert_string_equal(p.text, "first");
	assert_int_equal(password_read(fd, -1, "x", &p, NULL, &e), 0);
	assert_string_equal(p.text, "second");
	assert_int_equal(password_read(fd, -1, "x", &p, NULL, &e), -EINVAL);
	close(fd);
}

static void files(void **state)
{
	struct fixture fx;
	struct password p;
	sigset_t set, was;
	struct err e;
	int signals, got = 0;

	(void)state;
	fixture_make(&fx);
	fixture_puts(&fx, "pw", "from a file\nand more");
	assert_int_equal(password_read_file(fixture_path(&fx, "pw"), -1, &p, NULL, &e), 0);
	assert_string_equal(p.text, "from a file");
	assert_int_equal(password_read_file(fixture_path(&fx, "none"), -1, &p, NULL, &e), -ENOENT);
	assert_int_equal(password_read_file(fx.dir, -1, &p, NULL, &e), -EISDIR);
	/* Nobody ever writes to it: a signal ends the waiting. */
	fixture_fifo(&fx, "fifo");
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, &was);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	raise(SIGUSR1);
	assert_int_equal(password_read_file(fixture_path(&fx, "fifo"), signals, &p, &got, &e),
			 -EINTR);
	assert_int_equal(got, SIGUSR1);
	sigprocmask(SIG_SETMASK, &was, NULL);
	close(signals);
	fixture_remove(&fx);
}

static void methods(void **state)
{
	struct fixture fx;

	(void)state;
	fixture_make(&fx);
	assert_int_equal(password_method_of(fx.fd, NULL, 0), PASSWORD_SHA512);
	assert_int_equal(password_method_of(fx.fd, "a:$6$x:1::::::\nb:$y:", 20), PASSWORD_SHA512);
	assert_int_equal(password_method_of(fx.fd, YESCRYPT_LINE, sizeof(YESCRYPT_LINE) - 1),
			 PASSWORD_YESCRYPT);
	fixture_puts(&fx, "etc/login.defs", "# ENCRYPT_METHOD YESCRYPT\nENCRYPT_METHOD SHA512\n");
	assert_int_equal(password_method_of(fx.fd, NULL, 0), PASSWORD_SHA512);
	fixture_puts(&fx, "etc/login.defs", "ENCRYPT_METHOD \t yescrypt # x");
	assert_int_equal(password_method_of(fx.fd, NULL, 0), PASSWORD_YESCRYPT);
	fixture_puts(&fx, "etc/login.defs", "ENCRYPT_METHOD");
	assert_int_equal(password_method_of(fx.fd, NULL, 0), PASSWORD_SHA512);
	fixture_puts(&fx, "usr/lib/x86_64-linux-gnu/libcrypt-2.31.so", "");
	assert_int_equal(password_method_of(fx.fd, NULL, 0), PASSWORD_SHA512);
	fixture_puts(&fx, "usr/lib/x86_64-linux-gnu/libcrypt.so.1.1.0", "");
	assert_int_equal(password_method_of(fx.fd, NULL, 0), PASSWORD_YESCRYPT);
	fixture_remove(&fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_verify),
		cmocka_unit_test(lines_are_read),
		cmocka_unit_test(one_line_at_a_time),
		cmocka_unit_test(files),
		cmocka_unit_test(methods),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
