/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"

#include "rootfs-tools/archive/acl.h"
#include "runner/base/cleanup.h"

#define ACCESS ARCHIVE_ENTRY_ACL_TYPE_ACCESS

static const struct archive_lib *lib;

static int load(void **state)
{
	struct err e;

	(void)state;
	lib = archive_lib_load(&e);
	return lib ? 0 : -1;
}

/* user::rwx user:33:r-- group::r-x group:44:--x mask::r-x other::--- */
static const uint8_t value[] = {
	2,    0,    0,	  0,	0x01, 0,    7,	0,    0xff, 0xff, 0xff, 0xff, 0x02,
	0,    4,    0,	  33,	0,    0,    0,	0x04, 0,    5,	  0,	0xff, 0xff,
	0xff, 0xff, 0x08, 0,	1,    0,    44, 0,    0,    0,	  0x10, 0,    5,
	0,    0xff, 0xff, 0xff, 0xff, 0x20, 0,	0,    0,    0xff, 0xff, 0xff, 0xff,
};

static struct archive_entry *new_entry(void)
{
	struct archive_entry *entry = lib->archive_entry_new();

	assert_non_null(entry);
	lib->archive_entry_set_mode(entry, S_IFREG | 0750);
	return entry;
}

static void there_and_back(void **state)
{
	static const int types[] = { ACCESS, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		_cleanup_strbuf_ struct strbuf back = { 0 };
		struct archive_entry *entry = new_entry();

		assert_int_equal(acl_from_entry(lib, entry, types[i], &back), 0);
		assert_int_equal(acl_to_entry(lib, entry, types[i], value, sizeof(value)), 0);
		assert_int_equal(acl_from_entry(lib, entry, types[1 - i], &back), 0);
		assert_int_equal(acl_from_entry(lib, entry, types[i], &back), 1);
		assert_int_equal(back.len, sizeof(value));
		assert_memory_equal(back.data, value, sizeof(value));
		lib->archive_entry_free(entry);
	}
}

static void no_mask(void **state)
{
	_cleanup_strbuf_ struct strbuf back = { 0 };
	struct archive_entry *entry = new_entry();

	(void)state;
	/* In another order, too. */
	lib->archive_entry_acl_add_entry(entry, ACCESS, 1, ARCHIVE_ENTRY_ACL_GROUP, 44, NULL);
	lib->archive_entry_acl_add_entry(entry, ACCESS, 4, ARCHIVE_ENTRY_ACL_USER, 33, NULL);
	assert_int_equal(acl_from_entry(lib, entry, ACCESS, &back), 1);
	assert_int_equal(back.len, sizeof(value));
	assert_memory_equal(back.data, value, sizeof(value));
	lib->archive_entry_free(entry);
}

static void names_only(void **state)
{
	_cleanup_strbuf_ struct strbuf back = { 0 };
	struct archive_entry *entry = new_entry();

	(void)state;
	lib->archive_entry_acl_add_entry(entry, ACCESS, 4, ARCHIVE_ENTRY_ACL_USER, -1, "lisa");
	assert_int_equal(acl_from_entry(lib, entry, ACCESS, &back), -ENOTSUP);
	lib->archive_entry_free(entry);
}

static void expect_none(const uint8_t *data, size_t len)
{
	struct archive_entry *entry = new_entry();
	uint8_t *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, data, len);
	assert_int_equal(acl_to_entry(lib, entry, ACCESS, copy, len), -EINVAL);
	free(copy);
	lib->archive_entry_free(entry);
}

static void hostile_values(void **state)
{
	uint8_t bad[sizeof(value)];

	(void)state;
	for (size_t len = 0; len < sizeof(value); len++)
		if (len < 4 || (len - 4) % 8)
			expect_none(value, len);
	memcpy(bad, value, sizeof(bad));
	bad[0] = 3;
	expect_none(bad, sizeof(bad));
	memcpy(bad, value, sizeof(bad));
	bad[12] = 0x40;
	expect_none(bad, sizeof(bad));
	bad[12] = 0x02;
	bad[14] = 8;
	expect_none(bad, sizeof(bad));
	bad[14] = 7;
	/* An id that the archive's format has no sign for. */
	bad[19] = 0x80;
	expect_none(bad, sizeof(bad));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(no_mask),
		cmocka_unit_test(names_only),
		cmocka_unit_test(hostile_values),
	};

	return cmocka_run_group_tests(tests, load, NULL);
}
