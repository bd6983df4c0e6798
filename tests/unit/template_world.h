/* SPDX-License-Identifier: MIT */
/* Small guests to make templates of. */
#ifndef VMRUN_TESTS_TEMPLATE_WORLD_H
#define VMRUN_TESTS_TEMPLATE_WORLD_H

#include "tests/unit/fixture.h"

#include "runner/spec/vm_spec.h"
#include "runner/vm/template_file.h"

#define WORLD_MEMORY ((uint64_t)64 << 20)
#define WORLD_PAGE 4096u

static const struct template_info world_info = {
	.key = { 0x00, 0x01, 0xab, [30] = 0x7f, [31] = 0xff },
	.memory = WORLD_MEMORY,
	.created = 1700000000,
	.cpus = 2,
	.accel = ACCEL_TCG,
	.qemu_version = { 7, 2, 19 },
	.kernel_version = "6.1.0-56-amd64",
};

/* The memory of a guest that touched nothing yet. */
static inline int world_memory(void)
{
	int fd = memfd_create("memory", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)WORLD_MEMORY), 0);
	return fd;
}

static inline void world_put(int fd, const void *data, size_t len, uint64_t at)
{
	assert_int_equal(pwrite(fd, data, len, (off_t)at), len);
}

static inline void world_get(int fd, void *data, size_t len, uint64_t at)
{
	assert_int_equal(pread(fd, data, len, (off_t)at), len);
}

static inline off_t world_size(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_size;
}

/* Bytes on the disk. */
static inline uint64_t world_disk(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

#endif
