/* SPDX-License-Identifier: MIT */
/*
 * A template as it may be found in the cache. What is taken for good is within bounds,
 * fits the file, and fits a terminal.
 *
 * Input: a byte of enum repair, the first bytes of a trailer, the state. Checksums are
 * not found by trying, so they can be made right.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runner/proto/proto.h"
#include "runner/spec/vm_spec.h"
#include "tests/unit/template_bytes.h"

#define HEAD_SIZE 320u /* the rest of a trailer is zero */
#define MEMORY_MAX ((uint64_t)1 << 40)

enum repair {
	REPAIR_TRAILER = 1,
	REPAIR_STATE_DIGEST = 2,
	REPAIR_STATE_SIZE = 4,
	LENGTHEN = 8,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_info(const struct template_info *info)
{
	const char *end = memchr(info->kernel_version, '\0', sizeof(info->kernel_version));

	if (info->memory < (uint64_t)64 << 20 || info->memory > MEMORY_MAX ||
	    info->state_size == 0 || info->state_size > TEMPLATE_STATE_MAX || info->cpus == 0 ||
	    info->cpus > SPEC_CPUS_MAX || info->created < 0 ||
	    (info->accel != ACCEL_KVM && info->accel != ACCEL_TCG) || !end)
		abort();
	for (const char *p = info->kernel_version; p < end; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			abort();
}

static int parse(const uint8_t *trailer)
{
	uint8_t digest[32], key[32];
	struct template_info info;
	struct err e = { 0 };
	int r = template_trailer_parse(trailer, &info, digest, &e);

	if (r == 0) {
		memcpy(key, trailer + TRAILER_KEY, sizeof(key));
		check_info(&info);
		if (memcmp(info.key, key, sizeof(key)) ||
		    memcmp(digest, trailer + TRAILER_STATE_DIGEST, sizeof(digest)))
			abort();
	} else if (r != -EBADMSG || e.errnum != EBADMSG || !*e.text) {
		abort();
	}
	return r;
}

/* A hole for the memory, as large as the trailer says if that can be, and the rest. */
static uint64_t put_file(int fd, const uint8_t *trailer, const uint8_t *state, size_t state_size,
			 bool longer)
{
	uint64_t at = proto_get64(trailer + TRAILER_MEMORY);

	if (at > MEMORY_MAX)
		at = MEMORY_MAX;
	if (ftruncate(fd, 0) < 0 || pwrite(fd, state, state_size, (off_t)at) != (ssize_t)state_size)
		abort();
	at += state_size + longer;
	if (pwrite(fd, trailer, TEMPLATE_TRAILER_SIZE, (off_t)at) != TEMPLATE_TRAILER_SIZE)
		abort();
	return at + TEMPLATE_TRAILER_SIZE;
}

static void check_file(int fd, uint64_t size, const uint8_t *key, bool parses, bool digest_right)
{
	struct template_info info;
	struct err e = { 0 };
	int r = template_file_check(fd, key, &info, &e);

	if (r != 0) {
		if (r != -EBADMSG || e.errnum != EBADMSG || !*e.text)
			abort();
		return;
	}
	check_info(&info);
	if (!parses || size != info.memory + info.state_size + TEMPLATE_TRAILER_SIZE)
		abort();
	if (key && (!digest_right || memcmp(key, info.key, sizeof(info.key))))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t trailer[TEMPLATE_TRAILER_SIZE] = { 0 }, digest[32], repair;
	const uint8_t *state = data + 1 + HEAD_SIZE;
	static const uint8_t other[32];
	static int fd = -1;
	size_t state_size;
	uint64_t length;
	bool parses, right;

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0)
		abort();
	if (size < 1 + HEAD_SIZE)
		return 0;
	repair = data[0];
	memcpy(trailer, data + 1, HEAD_SIZE);
	state_size = size - 1 - HEAD_SIZE;
	trailer_sha256(state, state_size, digest);
	if (repair & REPAIR_STATE_SIZE)
		proto_put64(trailer + TRAILER_STATE_SIZE, state_size);
	if (repair & REPAIR_STATE_DIGEST)
		memcpy(trailer + TRAILER_STATE_DIGEST, digest, sizeof(digest));
	if (repair & REPAIR_TRAILER)
		trailer_seal(trailer);

	parses = parse(trailer) == 0;
	right = memcmp(trailer + TRAILER_STATE_DIGEST, digest, sizeof(digest)) == 0;
	length = put_file(fd, trailer, state, state_size, repair & LENGTHEN);
	check_file(fd, length, NULL, parses, right);
	check_file(fd, length, trailer + TRAILER_KEY, parses, right);
	check_file(fd, length, other, parses, right);
	return 0;
}
