/* SPDX-License-Identifier: MIT */
/*
 * The trailer, little-endian; what is not named is zero:
 *
 *	0	magic		40	created		128	SHA-256 of the state
 *	16	format		48	accelerator	160	kernel's version, NUL-terminated
 *	20	vCPUs		52	QEMU's version
 *	24	memory		64	key
 *	32	size of state			4064	SHA-256 of all before
 *
 * It stands at the end, so a file that was cut short has none. Whoever starts a guest
 * waits for template_file_check(): it reads the trailer and the state, nothing else.
 *
 * The guest's memory is mostly pages that it never touched, and they are not in the
 * memory file; others it got zeroed and never used. Neither is written. All is read
 * by pread(), not through a mapping: a file that shrinks meanwhile is then an error,
 * not a SIGBUS.
 */
#include "runner/vm/template_file.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/proto/proto.h"
#include "runner/spec/vm_spec.h"

#define AT_MAGIC 0
#define AT_FORMAT 16
#define AT_CPUS 20
#define AT_MEMORY 24
#define AT_STATE_SIZE 32
#define AT_CREATED 40
#define AT_ACCEL 48
#define AT_QEMU_VERSION 52
#define AT_KEY 64
#define AT_STATE_DIGEST 128
#define AT_KERNEL_VERSION 160
#define AT_DIGEST (TEMPLATE_TRAILER_SIZE - SHA256_DIGEST_SIZE)

#define MAGIC_SIZE 16
#define MIB ((uint64_t)1 << 20)
#define MEMORY_MIN (64 * MIB)
#define MEMORY_MAX ((uint64_t)1 << 40)

#define PAGE 4096u
#define COPY_CHUNK (1u << 20) /* divides every size of memory */
#define READ_CHUNK (64u << 10)

static const uint8_t magic[MAGIC_SIZE] = "vmrun template\n";
static const uint8_t zero_page[PAGE];

/* What of it is out of bounds, or NULL; the state's size is another's to judge. */
static const char *info_problem(const struct template_info *info)
{
	if (info->memory < MEMORY_MIN || info->memory > MEMORY_MAX || info->memory % MIB)
		return "the size of the memory";
	if (info->cpus == 0 || info->cpus > SPEC_CPUS_MAX)
		return "the number of vCPUs";
	if (info->accel != ACCEL_KVM && info->accel != ACCEL_TCG)
		return "the accelerator";
	if (info->created < 0)
		return "the time of creation";
	if (!memchr(info->kernel_version, '\0', sizeof(info->kernel_version)))
		return "the version of the kernel";
	return NULL;
}

static void digest_of(const void *data, size_t len, uint8_t ret[SHA256_DIGEST_SIZE])
{
	struct sha256_ctx sha;

	sha256_init(&sha);
	sha256_update(&sha, len, data);
	sha256_digest(&sha, SHA256_DIGEST_SIZE, ret);
}

static void trailer_compose(const struct template_info *info,
			    const uint8_t state_digest[SHA256_DIGEST_SIZE],
			    uint8_t ret[TEMPLATE_TRAILER_SIZE])
{
	memset(ret, 0, TEMPLATE_TRAILER_SIZE);
	memcpy(ret + AT_MAGIC, magic, MAGIC_SIZE);
	proto_put32(ret + AT_FORMAT, TEMPLATE_FORMAT);
	proto_put32(ret + AT_CPUS, info->cpus);
	proto_put64(ret + AT_MEMORY, info->memory);
	proto_put64(ret + AT_STATE_SIZE, info->state_size);
	proto_put64(ret + AT_CREATED, (uint64_t)info->created);
	proto_put32(ret + AT_ACCEL, info->accel);
	for (unsigned int i = 0; i < ARRAY_SIZE(info->qemu_version); i++)
		proto_put32(ret + AT_QEMU_VERSION + 4 * i, info->qemu_version[i]);
	memcpy(ret + AT_KEY, info->key, sizeof(info->key));
	memcpy(ret + AT_STATE_DIGEST, state_digest, SHA256_DIGEST_SIZE);
	memcpy(ret + AT_KERNEL_VERSION, info->kernel_version, strlen(info->kernel_version));
	digest_of(ret, AT_DIGEST, ret + AT_DIGEST);
}

int template_trailer_parse(const uint8_t buf[TEMPLATE_TRAILER_SIZE], struct template_info *ret,
			   uint8_t ret_state_digest[32], struct err *e)
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct template_info info;
	const char *problem;

	if (memcmp(buf + AT_MAGIC, magic, MAGIC_SIZE))
		return err_msg(e, EBADMSG, "it does not end as a template does");
	if (proto_get32(buf + AT_FORMAT) != TEMPLATE_FORMAT)
		return err_msg(e, EBADMSG, "its format is %u, not %u", proto_get32(buf + AT_FORMAT),
			       TEMPLATE_FORMAT);
	digest_of(buf, AT_DIGEST, digest);
	if (memcmp(digest, buf + AT_DIGEST, sizeof(digest)))
		return err_msg(e, EBADMSG, "its trailer was changed: wrong checksum");

	info.cpus = proto_get32(buf + AT_CPUS);
	info.memory = proto_get64(buf + AT_MEMORY);
	info.state_size = proto_get64(buf + AT_STATE_SIZE);
	info.created = (int64_t)proto_get64(buf + AT_CREATED);
	info.accel = proto_get32(buf + AT_ACCEL);
	for (unsigned int i = 0; i < ARRAY_SIZE(info.qemu_version); i++)
		info.qemu_version[i] = proto_get32(buf + AT_QEMU_VERSION + 4 * i);
	memcpy(info.key, buf + AT_KEY, sizeof(info.key));
	memcpy(info.kernel_version, buf + AT_KERNEL_VERSION, sizeof(info.kernel_version));
	problem = info_problem(&info);
	if (info.state_size == 0 || info.state_size > TEMPLATE_STATE_MAX)
		problem = "the size of the state";
	if (problem)
		return err_msg(e, EBADMSG, "its trailer is out of bounds: %s", problem);
	text_sanitize(info.kernel_version);
	*ret = info;
	memcpy(ret_state_digest, buf + AT_STATE_DIGEST, SHA256_DIGEST_SIZE);
	return 0;
}

static bool page_is_zero(const uint8_t *p)
{
	return memcmp(p, zero_page, PAGE) == 0;
}

/* Writes the runs of pages that are not zero. @len: a multiple of PAGE. */
static int write_sparse(int fd, const uint8_t *buf, size_t len, uint64_t offset)
{
	size_t start, end = 0;
	int r;

	for (;;) {
		for (start = end; start < len && page_is_zero(buf + start); start += PAGE)
			;
		if (start == len)
			return 0;
		for (end = start; end < len && !page_is_zero(buf + end); end += PAGE)
			;
		r = fs_pwrite_all(fd, buf + start, end - start, offset + start);
		if (r < 0)
			return r;
	}
}

/* The next bytes that are not a hole, from @at on. Return: 1, 0: no more, or -errno. */
static int next_data(int fd, uint64_t memory, uint64_t at, uint64_t *ret_start, uint64_t *ret_end)
{
	off_t start, end;

	if (at >= memory)
		return 0;
	start = lseek(fd, (off_t)at, SEEK_DATA);
	if (start < 0)
		return errno == ENXIO ? 0 : -errno;
	if ((uint64_t)start >= memory)
		return 0;
	end = lseek(fd, start, SEEK_HOLE);
	if (end < 0)
		return -errno;
	*ret_start = (uint64_t)start / PAGE * PAGE;
	*ret_end = ((uint64_t)end + PAGE - 1) / PAGE * PAGE;
	if (*ret_end > memory)
		*ret_end = memory;
	return 1;
}

static int write_memory(int fd, int memory_fd, uint64_t memory, uint8_t *chunk, struct err *e)
{
	uint64_t at = 0, end = 0;
	struct stat st;
	int r;

	if (fstat(memory_fd, &st) < 0)
		return err_errno(e, errno, "cannot read the guest's memory");
	if ((uint64_t)st.st_size != memory)
		return err_msg(e, EINVAL, "the guest's memory is %lld bytes, not %llu",
			       (long long)st.st_size, (unsigned long long)memory);
	while ((r = next_data(memory_fd, memory, end, &at, &end)) == 1) {
		while (at < end) {
			size_t len = end - at < COPY_CHUNK ? (size_t)(end - at) : COPY_CHUNK;
			ssize_t n = fs_pread_all(memory_fd, chunk, len, at);

			if (n != (ssize_t)len)
				return err_errno(e, n < 0 ? (int)-n : EIO,
						 "cannot read the guest's memory");
			r = write_sparse(fd, chunk, len, at);
			if (r < 0)
				return err_errno(e, -r, "cannot write the guest's memory");
			at += len;
		}
	}
	return r < 0 ? err_errno(e, -r, "cannot read the guest's memory") : 0;
}

static int write_state(int fd, int state_fd, uint64_t offset, uint8_t *chunk, uint64_t *ret_size,
		       uint8_t ret_digest[SHA256_DIGEST_SIZE], struct err *e)
{
	struct sha256_ctx sha;
	uint64_t size = 0;
	ssize_t n;
	int r;

	sha256_init(&sha);
	while ((n = fs_pread_all(state_fd, chunk, COPY_CHUNK, size)) > 0) {
		if (size + (uint64_t)n > TEMPLATE_STATE_MAX)
			return err_msg(e, EFBIG, "the state of the devices is over %llu bytes",
				       (unsigned long long)TEMPLATE_STATE_MAX);
		sha256_update(&sha, (size_t)n, chunk);
		r = fs_pwrite_all(fd, chunk, (size_t)n, offset + size);
		if (r < 0)
			return err_errno(e, -r, "cannot write the state of the devices");
		size += (uint64_t)n;
	}
	if (n < 0)
		return err_errno(e, (int)-n, "cannot read the state of the devices");
	if (size == 0)
		return err_msg(e, ENODATA, "there is no state of the devices");
	sha256_digest(&sha, SHA256_DIGEST_SIZE, ret_digest);
	*ret_size = size;
	return 0;
}

int template_file_write(int fd, int memory_fd, int state_fd, struct template_info *info,
			struct err *e)
{
	uint8_t trailer[TEMPLATE_TRAILER_SIZE], state_digest[SHA256_DIGEST_SIZE];
	_cleanup_free_ uint8_t *chunk = malloc(COPY_CHUNK);
	struct template_info full = *info;
	const char *problem = info_problem(info);
	int r;

	if (problem)
		return err_msg(e, EINVAL, "a template is out of bounds: %s", problem);
	if (!chunk)
		return err_oom(e);
	/* The state first: what goes wrong with it is known sooner. */
	r = write_state(fd, state_fd, full.memory, chunk, &full.state_size, state_digest, e);
	if (r < 0)
		return r;
	r = write_memory(fd, memory_fd, full.memory, chunk, e);
	if (r < 0)
		return r;
	trailer_compose(&full, state_digest, trailer);
	r = fs_pwrite_all(fd, trailer, sizeof(trailer), full.memory + full.state_size);
	if (r < 0)
		return err_errno(e, -r, "cannot write the trailer");
	/* The memory has no checksum: a name must never stand for what is not on the disk. */
	if (fdatasync(fd) < 0)
		return err_errno(e, errno, "cannot write to the disk");
	info->state_size = full.state_size;
	return 0;
}

static int read_trailer(int fd, uint64_t size, struct template_info *ret,
			uint8_t ret_state_digest[SHA256_DIGEST_SIZE], struct err *e)
{
	uint8_t trailer[TEMPLATE_TRAILER_SIZE], digest[SHA256_DIGEST_SIZE];
	struct template_info info;
	uint64_t should;
	ssize_t n;
	int r;

	if (size < MEMORY_MIN + sizeof(trailer))
		return err_msg(e, EBADMSG, "it has only %llu bytes", (unsigned long long)size);
	n = fs_pread_all(fd, trailer, sizeof(trailer), size - sizeof(trailer));
	if (n < 0)
		return err_errno(e, (int)-n, "cannot read the trailer");
	if (n != sizeof(trailer))
		return err_msg(e, EBADMSG, "it shrank");
	r = template_trailer_parse(trailer, &info, digest, e);
	if (r < 0)
		return r;
	should = info.memory + info.state_size + sizeof(trailer);
	if (size != should)
		return err_msg(e, EBADMSG, "it is too %s: %llu bytes, not %llu",
			       size < should ? "short" : "long", (unsigned long long)size,
			       (unsigned long long)should);
	*ret = info;
	memcpy(ret_state_digest, digest, sizeof(digest));
	return 0;
}

static int check_state(int fd, const struct template_info *info,
		       const uint8_t state_digest[SHA256_DIGEST_SIZE], struct err *e)
{
	uint8_t chunk[READ_CHUNK], digest[SHA256_DIGEST_SIZE];
	uint64_t at = info->memory, end = info->memory + info->state_size;
	struct sha256_ctx sha;

	sha256_init(&sha);
	while (at < end) {
		size_t len = end - at < sizeof(chunk) ? (size_t)(end - at) : sizeof(chunk);
		ssize_t n = fs_pread_all(fd, chunk, len, at);

		if (n < 0)
			return err_errno(e, (int)-n, "cannot read the state of its devices");
		if (n != (ssize_t)len)
			return err_msg(e, EBADMSG, "it shrank");
		sha256_update(&sha, len, chunk);
		at += len;
	}
	sha256_digest(&sha, sizeof(digest), digest);
	if (memcmp(digest, state_digest, sizeof(digest)))
		return err_msg(e, EBADMSG, "the state of its devices was changed: wrong checksum");
	return 0;
}

int template_file_check(int fd, const uint8_t key[32], struct template_info *ret, struct err *e)
{
	uint8_t state_digest[SHA256_DIGEST_SIZE];
	struct template_info info;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return err_errno(e, errno, "cannot read it");
	if (!S_ISREG(st.st_mode))
		return err_msg(e, EBADMSG, "it is not a regular file");
	r = read_trailer(fd, (uint64_t)st.st_size, &info, state_digest, e);
	if (r < 0)
		return r;
	if (key && memcmp(key, info.key, sizeof(info.key)))
		return err_msg(e, EBADMSG, "it was made from something else: another key");
	if (key) {
		r = check_state(fd, &info, state_digest, e);
		if (r < 0)
			return r;
	}
	*ret = info;
	return 0;
}
