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

#include "initramfs/guest/conf.h"

static struct conf conf;
static struct fail fail;

static int tear_down(void **state)
{
	(void)state;
	conf_free(&conf);
	conf_free(&conf);
	fail = (struct fail){ 0 };
	return 0;
}

/* From memory of just that size, so that ASan sees a read beyond it. */
static int add(uint16_t key, const void *value, size_t len)
{
	uint8_t *payload = malloc(len + 2);
	int r;

	assert_non_null(payload);
	proto_put16(payload, key);
	if (len)
		memcpy(payload + 2, value, len);
	r = conf_add(&conf, payload, len + 2, &fail);
	free(payload);
	return r;
}

static int add_text(uint16_t key, const char *text)
{
	return add(key, text, strlen(text));
}

static int add_root(uint32_t mode, uint32_t cache)
{
	uint8_t value[8];

	proto_put32(value, mode);
	proto_put32(value + 4, cache);
	return add(PROTO_KEY_ROOT, value, sizeof(value));
}

static int add_volume(uint32_t index, uint32_t read_only, uint32_t cache, const char *dst)
{
	uint8_t value[8192];

	proto_put32(value, index);
	proto_put32(value + 4, read_only);
	proto_put32(value + 8, cache);
	snprintf((char *)value + 12, sizeof(value) - 12, "%s", dst);
	return add(PROTO_KEY_VOLUME, value, 12 + strlen(dst));
}

static void everything(void **state)
{
	static const uint8_t seed[CONF_SEED_MIN] = { 1, 2, 3 };

	(void)state;
	assert_int_equal(add(PROTO_KEY_SEED, seed, sizeof(seed)), 0);
	assert_int_equal(add(PROTO_KEY_CLOCK, "\1\0\0\0\0\0\0\1", 8), 0);
	assert_int_equal(add_root(PROTO_ROOT_EPHEMERAL, PROTO_CACHE_LOOSE), 0);
	assert_int_equal(add_volume(3, 1, PROTO_CACHE_MMAP, "/data"), 0);
	assert_int_equal(add_volume(0, 0, PROTO_CACHE_MMAP, "/..data/...x"), 0);
	assert_int_equal(add_text(PROTO_KEY_HOSTNAME, "vm-1.example"), 0);
	assert_int_equal(add(PROTO_KEY_NETWORK, "\1\0\0\0", 4), 0);
	assert_int_equal(add_text(PROTO_KEY_USER, "ann:adm"), 0);
	assert_int_equal(add_text(PROTO_KEY_WORKDIR, "/srv"), 0);
	assert_int_equal(add_text(PROTO_KEY_ENV, "A="), 0);
	assert_int_equal(add_text(PROTO_KEY_ENV, "A=b=c"), 0);
	assert_int_equal(add_text(PROTO_KEY_ARG, "echo"), 0);
	assert_int_equal(add_text(PROTO_KEY_ARG, ""), 0);
	assert_int_equal(add(PROTO_KEY_TTY, "\x18\0\x50\1", 4), 0);
	assert_int_equal(conf_check(&conf, &fail), 0);

	assert_int_equal(conf.seed_len, sizeof(seed));
	assert_memory_equal(conf.seed, seed, sizeof(seed));
	assert_true(conf.clock_ns == 0x0100000000000001u);
	assert_int_equal(conf.root_mode, PROTO_ROOT_EPHEMERAL);
	assert_int_equal(conf.root_cache, PROTO_CACHE_LOOSE);
	assert_int_equal(conf.n_volumes, 2);
	assert_int_equal(conf.volumes[0].index, 3);
	assert_true(conf.volumes[0].read_only);
	assert_string_equal(conf.volumes[0].dst, "/data");
	assert_string_equal(conf.volumes[1].dst, "/..data/...x");
	assert_int_equal(conf.volume_cache, PROTO_CACHE_MMAP);
	assert_string_equal(conf.hostname, "vm-1.example");
	assert_true(conf.network);
	assert_string_equal(conf.user, "ann:adm");
	assert_string_equal(conf.workdir, "/srv");
	assert_int_equal(conf.env.n, 2);
	assert_string_equal(conf.env.v[1], "A=b=c");
	assert_null(conf.env.v[2]);
	assert_int_equal(conf.args.n, 2);
	assert_string_equal(conf.args.v[0], "echo");
	assert_string_equal(conf.args.v[1], "");
	assert_null(conf.args.v[2]);
	assert_true(conf.tty);
	assert_int_equal(conf.rows, 24);
	assert_int_equal(conf.columns, 336);
}

static void what_is_needed(void **state)
{
	static const uint8_t seed[CONF_SEED_MAX];

	(void)state;
	assert_int_equal(conf_check(&conf, &fail), -EPROTO);
	assert_string_equal(fail.text, "vmrun sent no setting SEED");
	assert_int_equal(fail.code, FAIL_VMRUN);
	assert_int_equal(add(PROTO_KEY_SEED, seed, sizeof(seed)), 0);
	assert_int_equal(conf_check(&conf, &fail), -EPROTO);
	assert_int_equal(add(PROTO_KEY_CLOCK, "\0\0\0\0\0\0\0", 8), 0);
	assert_int_equal(conf_check(&conf, &fail), -EPROTO);
	assert_string_equal(fail.text, "vmrun sent no setting ROOT");
	assert_int_equal(add_root(PROTO_ROOT_RW, PROTO_CACHE_NONE), 0);
	assert_int_equal(conf_check(&conf, &fail), 0);
}

static void every_length_is_checked(void **state)
{
	static const struct {
		uint16_t key;
		size_t min, max;
	} fixed[] = {
		{ PROTO_KEY_SEED, CONF_SEED_MIN, CONF_SEED_MAX },
		{ PROTO_KEY_CLOCK, 8, 8 },
		{ PROTO_KEY_ROOT, 8, 8 },
		{ PROTO_KEY_NETWORK, 4, 4 },
		{ PROTO_KEY_TTY, 4, 4 },
	};
	static const uint8_t zeros[CONF_SEED_MAX + 2];

	(void)state;
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		for (size_t len = 0; len < sizeof(zeros); len++) {
			bool good = len >= fixed[i].min && len <= fixed[i].max;

			assert_int_equal(add(fixed[i].key, zeros, len), good ? 0 : -EPROTO);
			conf_free(&conf);
		}
	for (size_t len = 0; len < 13; len++)
		assert_int_equal(add(PROTO_KEY_VOLUME, zeros, len), -EPROTO);
	assert_int_equal(add_text(PROTO_KEY_HOSTNAME, ""), -EPROTO);
	assert_int_equal(add_text(PROTO_KEY_USER, ""), -EPROTO);
	assert_int_equal(add_text(PROTO_KEY_WORKDIR, ""), -EPROTO);
	assert_int_equal(add_text(PROTO_KEY_ENV, ""), -EPROTO);
}

static void keys(void **state)
{
	(void)state;
	assert_int_equal(conf_add(&conf, (const uint8_t *)"\1", 1, &fail), -EPROTO);
	assert_int_equal(conf_add(&conf, NULL, 0, &fail), -EPROTO);
	assert_int_equal(add_text(0, "x"), -EPROTO);
	assert_int_equal(add_text(PROTO_KEY_MAX + 1, "x"), -EPROTO);
	assert_int_equal(add_text(0xffff, "x"), -EPROTO);
	assert_string_equal(fail.text, "vmrun sent a setting that its guest does not know");
}

static void what_comes_once_comes_once(void **state)
{
	(void)state;
	assert_int_equal(add_text(PROTO_KEY_USER, "a"), 0);
	assert_int_equal(add_text(PROTO_KEY_USER, "b"), -EPROTO);
	assert_string_equal(conf.user, "a");
	assert_int_equal(add_text(PROTO_KEY_HOSTNAME, "a"), 0);
	assert_int_equal(add_text(PROTO_KEY_HOSTNAME, "b"), -EPROTO);
	assert_int_equal(add_text(PROTO_KEY_WORKDIR, "/a"), 0);
	assert_int_equal(add_text(PROTO_KEY_WORKDIR, "/b"), -EPROTO);
}

static void strings_hold_no_nul(void **state)
{
	(void)state;
	assert_int_equal(add(PROTO_KEY_ARG, "a\0b", 3), -EPROTO);
	assert_int_equal(add(PROTO_KEY_ARG, "a", 2), -EPROTO);
	assert_int_equal(add(PROTO_KEY_ENV, "A=\0", 3), -EPROTO);
	assert_int_equal(add(PROTO_KEY_USER, "a\0", 2), -EPROTO);
	assert_int_equal(add(PROTO_KEY_WORKDIR, "/\0", 2), -EPROTO);
	assert_int_equal(conf.args.n, 0);
	assert_int_equal(conf.env.n, 0);
}

static void bad_values(void **state)
{
	static const char *const paths[] = { "data",  "./data", "/..", "/a/../b",
					     "/a/..", "/../",	"/",   "/a/" };
	char longest[4097] = "/";

	(void)state;
	assert_int_equal(add_root(PROTO_ROOT_EPHEMERAL + 1, 0), -EPROTO);
	assert_int_equal(add_root(0, PROTO_CACHE_LOOSE + 1), -EPROTO);
	assert_int_equal(add(PROTO_KEY_NETWORK, "\2\0\0\0", 4), -EPROTO);
	assert_int_equal(add(PROTO_KEY_CLOCK, "\0\0\0\0\0\0\0\xff", 8), -EPROTO);
	assert_int_equal(add_text(PROTO_KEY_HOSTNAME, "a b"), -EPROTO);
	assert_int_equal(add_text(PROTO_KEY_HOSTNAME, "a\n1.2.3.4 b"), -EPROTO);
	assert_int_equal(add_text(PROTO_KEY_ENV, "NOVALUE"), -EPROTO);
	assert_int_equal(add_text(PROTO_KEY_ENV, "=x"), -EPROTO);
	assert_int_equal(add_text(PROTO_KEY_WORKDIR, "srv"), -EPROTO);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		assert_int_equal(add_volume(0, 0, 0, paths[i]), -EPROTO);
	assert_int_equal(add_volume(0, 2, 0, "/a"), -EPROTO);
	assert_int_equal(add_volume(0, 0, PROTO_CACHE_LOOSE + 1, "/a"), -EPROTO);
	memset(longest + 1, 'x', sizeof(longest) - 2);
	longest[4096] = '\0';
	assert_int_equal(add_volume(0, 0, 0, longest), -EPROTO);
	longest[4095] = '\0';
	assert_int_equal(add_volume(0, 0, 0, longest), 0);
	assert_int_equal(conf.n_volumes, 1);
}

static void volumes_share_one_cache_policy(void **state)
{
	(void)state;
	assert_int_equal(add_volume(0, 0, PROTO_CACHE_MMAP, "/a"), 0);
	assert_int_equal(add_volume(1, 0, PROTO_CACHE_LOOSE, "/b"), -EPROTO);
	assert_int_equal(add_volume(1, 0, PROTO_CACHE_MMAP, "/b"), 0);
}

static void counts_are_bounded(void **state)
{
	(void)state;
	for (int i = 0; i < CONF_VOLUMES_MAX; i++)
		assert_int_equal(add_volume(0, 0, 0, "/a"), 0);
	assert_int_equal(add_volume(0, 0, 0, "/a"), -EPROTO);
	for (int i = 0; i < CONF_ENV_MAX; i++)
		assert_int_equal(add_text(PROTO_KEY_ENV, "A=b"), 0);
	assert_int_equal(add_text(PROTO_KEY_ENV, "A=b"), -EPROTO);
	assert_int_equal(conf.env.n, CONF_ENV_MAX);
	for (int i = 0; i < CONF_ARGS_MAX; i++)
		assert_int_equal(add_text(PROTO_KEY_ARG, ""), 0);
	assert_int_equal(add_text(PROTO_KEY_ARG, ""), -EPROTO);
	assert_int_equal(conf.args.n, CONF_ARGS_MAX);
}

static void the_whole_is_bounded(void **state)
{
	const size_t len = PROTO_MAX_PAYLOAD - 2;
	char *big = malloc(len + 1);
	size_t sent = 0;

	(void)state;
	assert_non_null(big);
	memset(big, 'x', len);
	big[len] = '\0';
	for (; sent + PROTO_MAX_PAYLOAD <= PROTO_MAX_CONF; sent += PROTO_MAX_PAYLOAD)
		assert_int_equal(add_text(PROTO_KEY_ARG, big), 0);
	assert_int_equal(add_text(PROTO_KEY_ARG, big), -EPROTO);
	free(big);
}

#define TEST(f) cmocka_unit_test_teardown(f, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(everything),
		TEST(what_is_needed),
		TEST(every_length_is_checked),
		TEST(keys),
		TEST(what_comes_once_comes_once),
		TEST(strings_hold_no_nul),
		TEST(bad_values),
		TEST(volumes_share_one_cache_policy),
		TEST(counts_are_bounded),
		TEST(the_whole_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
