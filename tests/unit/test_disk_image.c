/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/host/disk_image.h"
#include "runner/vm/disk_lock.h"

/* --- formats --- */

struct head {
	uint8_t b[DISK_HEAD_SIZE];
};

/* Version 3, 64 KiB clusters, nothing beside. */
static struct head qcow2(void)
{
	struct head h = { .b = { 'Q', 'F', 'I', 0xfb, 0, 0, 0, 3 } };

	h.b[23] = 16;
	h.b[103] = 104;
	return h;
}

static void is(const struct head *h, size_t len, enum disk_format asked, enum disk_format wanted)
{
	enum disk_format got = DISK_AUTO;
	struct err e;

	if (disk_image_format(h->b, len, asked, &got, &e) != 0)
		fail_msg("%s", e.text);
	assert_int_equal(got, wanted);
}

static void refused(const struct head *h, size_t len, enum disk_format asked, const char *words)
{
	enum disk_format got = DISK_AUTO;
	struct err e;

	assert_true(disk_image_format(h->b, len, asked, &got, &e) < 0);
	assert_non_null(strstr(e.text, words));
	assert_int_equal(got, DISK_AUTO);
}

static void formats(void **state)
{
	struct head h = { 0 };

	(void)state;
	is(&h, sizeof(h.b), DISK_AUTO, DISK_RAW);
	is(&h, 0, DISK_AUTO, DISK_RAW);
	refused(&h, sizeof(h.b), DISK_QCOW2, "is no qcow2 image");
	refused(&h, 0, DISK_QCOW2, "is no qcow2 image");
	h = qcow2();
	is(&h, sizeof(h.b), DISK_AUTO, DISK_QCOW2);
	is(&h, 104, DISK_QCOW2, DISK_QCOW2);
	/* Who says raw means it. */
	is(&h, sizeof(h.b), DISK_RAW, DISK_RAW);
	h.b[7] = 2;
	is(&h, 72, DISK_AUTO, DISK_QCOW2);
	memcpy(h.b, "KDMV", 4);
	refused(&h, sizeof(h.b), DISK_AUTO, "VMDK");
	is(&h, sizeof(h.b), DISK_RAW, DISK_RAW);
}

static void cut_headers(void **state)
{
	struct head h = qcow2();

	(void)state;
	for (size_t len = 4; len < 104; len++)
		refused(&h, len, DISK_AUTO, "cut short");
}

static void what_reaches_beyond(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		const char *words;
	} cases[] = {
		{ 7, 1, "version 2 or 3" },	   { 7, 4, "version 2 or 3" },
		{ 8, 1, "has a backing file" },	   { 15, 1, "has a backing file" },
		{ 23, 8, "is damaged" },	   { 23, 22, "is damaged" },
		{ 20, 1, "is damaged" },	   { 35, 1, "is encrypted" },
		{ 79, 4, "in another file" },	   { 79, 0x20, "features" },
		{ 72, 0x80, "features" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct head h = qcow2();

		h.b[cases[i].at] = cases[i].value;
		refused(&h, sizeof(h.b), DISK_AUTO, cases[i].words);
		refused(&h, sizeof(h.b), DISK_QCOW2, cases[i].words);
	}
	/* Dirty, corrupt, compression, extended L2: QEMU's to judge. */
	for (uint8_t bit = 1; bit < 0x20; bit = (uint8_t)(bit << 1)) {
		struct head h = qcow2();

		h.b[79] = bit;
		if (bit != 4)
			is(&h, sizeof(h.b), DISK_AUTO, DISK_QCOW2);
	}
}

/* --- locks, which belong to open files --- */

static void locks(void **state)
{
	static const struct {
		bool first, second; /* read-only */
		int wanted;
	} cases[] = {
		{ true, true, 0 },
		{ true, false, -EBUSY },
		{ false, true, -EBUSY },
		{ false, false, -EBUSY },
	};
	char path[] = "/tmp/vmrun-test-disk.XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int a = open(path, O_RDWR | O_CLOEXEC), b = open(path, O_RDWR | O_CLOEXEC);
		struct err e;

		assert_int_equal(disk_lock(a, cases[i].first, &e), 0);
		assert_int_equal(disk_lock(b, cases[i].second, &e), cases[i].wanted);
		close(a);
		/* It took nothing that stays in the way. */
		assert_int_equal(disk_lock(b, cases[i].second, &e), 0);
		close(b);
	}
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats),
		cmocka_unit_test(cut_headers),
		cmocka_unit_test(what_reaches_beyond),
		cmocka_unit_test(locks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
