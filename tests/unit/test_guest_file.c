/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "initramfs/guest/file.h"

#define SIZE 16

static char dir[] = "/tmp/test_guest_file.XXXXXX";

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	unlink("file");
	unlink("fifo");
	return chdir("/") == 0 && rmdir(dir) == 0 ? 0 : -1;
}

static void make(const char *text)
{
	int fd = open("file", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void expect(const char *text)
{
	char buf[SIZE];
	size_t len = 99;

	make(text);
	assert_int_equal(file_read("file", buf, sizeof(buf), &len), 0);
	assert_int_equal(len, strlen(text));
	assert_memory_equal(buf, text, len);
}

static void expect_error(const char *path, int r)
{
	char buf[SIZE];
	size_t len = 99;

	assert_int_equal(file_read(path, buf, sizeof(buf), &len), r);
	assert_int_equal(len, 99);
}

static void reads_what_fits(void **state)
{
	(void)state;
	expect("");
	expect("a");
	expect("123456789012345");
}

static void what_does_not_fit_is_refused(void **state)
{
	(void)state;
	make("1234567890123456");
	expect_error("file", -EFBIG);
	make("12345678901234567");
	expect_error("file", -EFBIG);
}

/* Its size is 0, its text is not: no file of a base is like that. */
static void no_more_than_its_size_is_read(void **state)
{
	char buf[SIZE];
	size_t len = 99;

	(void)state;
	assert_int_equal(file_read("/proc/self/status", buf, sizeof(buf), &len), 0);
	assert_int_equal(len, 0);
}

static void reads_in_pieces(void **state)
{
	static char text[20000], buf[sizeof(text) + 1];
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = (char)('a' + i % 26);
	for (size_t n = 1000; n < sizeof(text); n += 1013) {
		char was = text[n];

		text[n] = '\0';
		make(text);
		assert_int_equal(file_read("file", buf, sizeof(buf), &len), 0);
		assert_int_equal(len, n);
		assert_memory_equal(buf, text, n);
		text[n] = was;
	}
}

static void what_is_no_file_is_refused(void **state)
{
	(void)state;
	assert_int_equal(mkfifo("fifo", 0600), 0);
	expect_error("fifo", -EINVAL);
	expect_error(".", -EINVAL);
	expect_error("/dev/zero", -EINVAL);
	expect_error("missing", -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_fits),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(no_more_than_its_size_is_read),
		cmocka_unit_test(reads_in_pieces),
		cmocka_unit_test(what_is_no_file_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
