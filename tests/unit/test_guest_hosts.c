/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "initramfs/guest/hosts.h"

#define LOCAL                                         \
	"127.0.0.1\tlocalhost\n"                      \
	"::1\tlocalhost ip6-localhost ip6-loopback\n" \
	"ff02::1\tip6-allnodes\n"                     \
	"ff02::2\tip6-allrouters\n"

/* Memory of just that size, so that ASan sees a read beyond it. */
static char *clone(const void *data, size_t len)
{
	char *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, data, len);
	return copy;
}

static void expect(const char *text, const char *hostname, const char *added)
{
	size_t len = text ? strlen(text) : 0;
	char *copy = text ? clone(text, len) : NULL;
	char out[HOSTS_ADDED_MAX];

	hosts_add(copy, len, hostname, out);
	assert_string_equal(out, added);
	free(copy);
}

static void nothing_there(void **state)
{
	(void)state;
	expect(NULL, "vm", LOCAL "127.0.1.1\tvm\n");
	expect("", "vm", LOCAL "127.0.1.1\tvm\n");
	expect(NULL, NULL, LOCAL);
	expect(NULL, "localhost", LOCAL);
}

static void only_what_is_missing(void **state)
{
	(void)state;
	expect("127.0.0.1 localhost\n", "vm", "127.0.1.1\tvm\n");
	expect("127.0.0.1 localhost\n127.0.1.1\tvm.example vm\n", "vm", "");
	expect("10.0.0.1 vm\n", "vm", LOCAL);
	expect("::1 a b localhost\r\n1.2.3.4 vm\r\n", "vm", "");
}

static void an_unfinished_last_line_is_finished(void **state)
{
	(void)state;
	expect("127.0.0.1 localhost", "vm", "\n127.0.1.1\tvm\n");
	expect("127.0.0.1 localhost vm", "vm", "");
	expect("x", NULL, "\n" LOCAL);
}

static void a_name_is_a_whole_word_behind_an_address(void **state)
{
	(void)state;
	expect("127.0.0.1 localhost vmx xvm vm.x\n", "vm", "127.0.1.1\tvm\n");
	expect("127.0.0.1 localhost # vm\n", "vm", "127.0.1.1\tvm\n");
	expect("127.0.0.1 localhost\n#1.2.3.4 vm\n", "vm", "127.0.1.1\tvm\n");
	expect("127.0.0.1 localhost\n  vm\n", "vm", "127.0.1.1\tvm\n");
	expect("127.0.0.1 localhost\n  vm vm#\n", "vm", "");
}

static void the_longest_name_fits(void **state)
{
	char name[65];
	char out[HOSTS_ADDED_MAX];

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	hosts_add("x", 1, name, out);
	assert_non_null(strstr(out, name));
	assert_int_equal(out[strlen(out) - 1], '\n');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_there),
		cmocka_unit_test(only_what_is_missing),
		cmocka_unit_test(an_unfinished_last_line_is_finished),
		cmocka_unit_test(a_name_is_a_whole_word_behind_an_address),
		cmocka_unit_test(the_longest_name_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
