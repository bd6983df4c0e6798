/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runner/base/cleanup.h"
#include "runner/spec/vm_spec.h"
#include "runner/vm/template_print.h"

#define NOW INT64_C(1790000000) /* 2026-09-21 14:13:20 UTC */
#define MIB (UINT64_C(1) << 20)

#define KEY_A "9aafdbef307f1dbc2245d90cc9ab3ce3e9f1216e02b0b5d085ca29c908ea620d"
#define KEY_B "9aafdbef307f1dbc2245d90cc9ab3ce3e9f1216e02b0b5d085ca29c908ea620e"
#define KEY_C "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct template_entry entry(const char *key)
{
	struct template_entry t = {
		.info = {
			.memory = 512 * MIB,
			.created = NOW - 3 * 86400,
			.cpus = 1,
			.accel = ACCEL_TCG,
			.qemu_version = { 7, 2, 22 },
			.kernel_version = "6.12.48+deb13-amd64",
		},
		.disk = 94 * MIB,
		.last_used = NOW - 59,
	};

	memcpy(t.name, key, 64);
	memcpy(t.name + 64, ".template", sizeof(".template"));
	return t;
}

static struct template_entry bad_entry(const char *key)
{
	struct template_entry t = { .disk = 4096, .last_used = NOW - 7200, .bad = true };

	memcpy(t.name, key, 64);
	return t;
}

static void expect_table(const struct template_entry *t, size_t n, const char *expected)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };

	template_print_table(t, n, NOW, &out);
	assert_false(out.failed);
	assert_string_equal(strbuf_str(&out), expected);
}

static void no_templates(void **state)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };

	(void)state;
	expect_table(NULL, 0, "KEY  KERNEL  MEM  CPUS  ACCEL  QEMU  SIZE  AGE  USED\n");
	template_print_json(NULL, 0, &out);
	assert_string_equal(strbuf_str(&out), "[]\n");
}

static void a_table(void **state)
{
	struct template_entry t[] = { entry(KEY_A), entry(KEY_C), bad_entry(KEY_B) };

	(void)state;
	t[0].in_use = true;
	t[1].info.memory = 2048 * MIB;
	t[1].info.cpus = 16;
	t[1].info.accel = ACCEL_KVM;
	t[1].disk = 1300 * MIB;
	expect_table(
		t, 3,
		"KEY           KERNEL                MEM  CPUS  ACCEL  QEMU    SIZE  AGE    USED\n"
		"9aafdbef307f  6.12.48+deb13-amd64  512M     1  tcg    7.2.22   94M   3d  in use\n"
		"001122334455  6.12.48+deb13-amd64    2G    16  kvm    7.2.22  1.2G   3d     59s\n"
		"9aafdbef307f  (bad)                   -     -  -      -       0.0M    -      "
		"2h\n");
}

/* Usual values, and what a terminal shows of them. */
static void fits_eighty_columns(void **state)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct template_entry t = entry(KEY_A);
	char *rest, *line;

	(void)state;
	t.in_use = true;
	template_print_table(&t, 1, NOW, &out);
	rest = out.data;
	while ((line = strsep(&rest, "\n")))
		assert_true(strlen(line) <= 80);
}

/* How one template's line says @member. */
static void expect_words(const struct template_entry *t, const char *words)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };

	template_print_table(t, 1, NOW, &out);
	if (!strstr(strbuf_str(&out), words))
		fail_msg("'%s' not in: %s", words, strbuf_str(&out));
}

static void sizes_and_times(void **state)
{
	static const struct {
		uint64_t disk;
		int64_t used;
		const char *words;
	} cases[] = {
		{ 0, 0, "  0.0M" },
		{ MIB / 2, 0, "  0.5M" },
		{ 10 * MIB - 1, 0, "  9.9M" },
		{ 10 * MIB, 0, "  10M" },
		{ 1024 * MIB - 1, 0, "  1023M" },
		{ 1024 * MIB, 0, "  1.0G" },
		{ 25600 * MIB, 0, "  25G" },
		{ UINT64_MAX, 0, "  17179869183G" },
		{ 0, NOW, "  0s\n" },
		{ 0, NOW + 5, "  0s\n" },
		{ 0, INT64_MAX, "  0s\n" },
		{ 0, NOW - 60, "  1m\n" },
		{ 0, NOW - 3599, "  59m\n" },
		{ 0, NOW - 86399, "  23h\n" },
		{ 0, NOW - 86400, "  1d\n" },
		{ 0, INT64_MIN, "d\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct template_entry t = entry(KEY_A);

		t.disk = cases[i].disk;
		t.last_used = cases[i].used;
		expect_words(&t, cases[i].words);
	}
}

static json_t *parse_json(const struct template_entry *t, size_t n)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	json_error_t error;
	json_t *ret;

	template_print_json(t, n, &out);
	assert_false(out.failed);
	ret = json_loads(strbuf_str(&out), JSON_REJECT_DUPLICATES, &error);
	if (!ret)
		fail_msg("%s", error.text);
	assert_int_equal(json_array_size(ret), n);
	return ret;
}

static void as_json(void **state)
{
	struct template_entry t[] = { entry(KEY_A), bad_entry(KEY_B) };
	static const char *const unknown[] = { "kernel_version", "memory_bytes", "cpus",
					       "accel",		 "qemu_version", "created" };
	json_t *list, *first, *second;

	(void)state;
	t[0].in_use = true;
	list = parse_json(t, 2);
	first = json_array_get(list, 0);
	second = json_array_get(list, 1);
#define STRING(name) json_string_value(json_object_get(first, name))
#define NUMBER(name) json_integer_value(json_object_get(first, name))
	assert_string_equal(STRING("key"), KEY_A);
	assert_string_equal(STRING("kernel_version"), "6.12.48+deb13-amd64");
	assert_string_equal(STRING("accel"), "tcg");
	assert_string_equal(STRING("qemu_version"), "7.2.22");
	assert_string_equal(STRING("created"), "2026-09-18T14:13:20Z");
	assert_string_equal(STRING("last_used"), "2026-09-21T14:12:21Z");
	assert_int_equal(NUMBER("memory_bytes"), 512 * MIB);
	assert_int_equal(NUMBER("disk_bytes"), 94 * MIB);
	assert_int_equal(NUMBER("cpus"), 1);
	assert_true(json_is_true(json_object_get(first, "in_use")));
	assert_true(json_is_false(json_object_get(first, "bad")));
	assert_true(json_is_true(json_object_get(second, "bad")));
	assert_true(json_is_false(json_object_get(second, "in_use")));
	assert_int_equal(json_object_size(second), json_object_size(first));
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		assert_true(json_is_null(json_object_get(second, unknown[i])));
	json_decref(list);
}

/* A version comes out of a kernel, and so from anybody. */
static void hostile_version(void **state)
{
	struct template_entry t = entry(KEY_A);
	json_t *list;

	(void)state;
	memset(t.info.kernel_version, 'x', sizeof(t.info.kernel_version));
	memcpy(t.info.kernel_version, "\"\\\xff\xc2\x9b\033[2J\n", 10);
	t.info.kernel_version[sizeof(t.info.kernel_version) - 1] = '\0';
	t.info.created = INT64_MIN;
	t.info.memory = UINT64_MAX;
	list = parse_json(&t, 1);
	assert_memory_equal(json_string_value(
				    json_object_get(json_array_get(list, 0), "kernel_version")),
			    "\"\\????[2J?xxx", 13);
	assert_true(json_is_null(json_object_get(json_array_get(list, 0), "created")));
	json_decref(list);
	expect_words(&t, "  \"\\????[2J?xxx");
}

static void removed(void **state)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };

	(void)state;
	template_print_removed(0, 0, &out);
	template_print_removed(1, MIB + MIB / 2, &out);
	template_print_removed(12, UINT64_MAX, &out);
	assert_string_equal(strbuf_str(&out), "removed 0 templates, 0.0 MiB\n"
					      "removed 1 template, 1.5 MiB\n"
					      "removed 12 templates, 17592186044415.9 MiB\n");
}

static void found_by_digits(void **state)
{
	const struct template_entry t[] = { entry(KEY_A), bad_entry(KEY_B), entry(KEY_C) };
	const struct template_entry *found = NULL;
	struct err e;

	(void)state;
	assert_int_equal(template_find_by_digits(t, 3, "0011", &found, &e), 0);
	assert_ptr_equal(found, &t[2]);
	assert_int_equal(template_find_by_digits(t, 3, KEY_A, &found, &e), 0);
	assert_ptr_equal(found, &t[0]);
	/* A bad one can be named too, and in capitals. */
	assert_int_equal(template_find_by_digits(t, 3,
						 "9AAFDBEF307F1DBC2245D90CC9AB3CE3"
						 "E9F1216E02B0B5D085CA29C908EA620E",
						 &found, &e),
			 0);
	assert_ptr_equal(found, &t[1]);
}

static void not_found_by_digits(void **state)
{
	static const struct {
		const char *digits;
		int error;
		const char *say;
	} cases[] = {
		{ "9aaf", -ENOTUNIQ, "several templates have a key that begins with 9aaf" },
		{ "0012", -ENOENT, "no template has a key that begins with 0012" },
		{ "", -EINVAL, "'' is no key of a template; give 4 or more" },
		{ "001", -EINVAL, "'001' is no key" },
		{ "0011x", -EINVAL, "'0011x' is no key" },
		{ "../0011", -EINVAL, "is no key" },
		{ "0x0011", -EINVAL, "is no key" },
		{ "-0011", -EINVAL, "is no key" },
		{ "00112233\n", -EINVAL, "'00112233?' is no key" },
		{ KEY_C "f", -EINVAL, "is no key" },
		{ KEY_A ".template", -EINVAL, "is no key" },
	};
	const struct template_entry t[] = { entry(KEY_A), entry(KEY_B), entry(KEY_C) };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct template_entry *found = NULL;
		struct err e = { 0 };
		int r = template_find_by_digits(t, 3, cases[i].digits, &found, &e);

		if (r != cases[i].error || e.errnum != -r || !strstr(e.text, cases[i].say))
			fail_msg("'%s': %d: %s", cases[i].digits, r, e.text);
		assert_null(found);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_templates),
		cmocka_unit_test(a_table),
		cmocka_unit_test(fits_eighty_columns),
		cmocka_unit_test(sizes_and_times),
		cmocka_unit_test(as_json),
		cmocka_unit_test(hostile_version),
		cmocka_unit_test(removed),
		cmocka_unit_test(found_by_digits),
		cmocka_unit_test(not_found_by_digits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
