/* SPDX-License-Identifier: MIT */
#include "tests/unit/child.h"
#include "tests/unit/template_bytes.h"
#include "tests/unit/template_world.h"

#include <signal.h>
#include <sys/resource.h>

#include "runner/proto/proto.h"

#define STATE_SIZE 300001u /* no multiple of anything */
#define MIB (1u << 20)

struct world {
	struct fixture fx;
	uint8_t state[STATE_SIZE];
	int memory_fd;
	int state_fd;
	int fd; /* the template, empty at first */
	struct template_info info;
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	fixture_make(&w->fx);
	fill_noise(w->state, sizeof(w->state));
	w->memory_fd = world_memory();
	w->state_fd = fixture_memfd(w->state, sizeof(w->state));
	w->fd = open(w->fx.dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	assert_true(w->fd >= 0);
	w->info = world_info;
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	close(w->memory_fd);
	close(w->state_fd);
	close(w->fd);
	fixture_remove(&w->fx);
	free(w);
	return 0;
}

static void write_template(struct world *w)
{
	struct err e = { 0 };

	if (template_file_write(w->fd, w->memory_fd, w->state_fd, &w->info, &e) < 0)
		fail_msg("%s", e.text);
}

static void assert_good(const struct world *w)
{
	struct template_info info;
	struct err e = { 0 };

	if (template_file_check(w->fd, w->info.key, &info, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(info.memory, w->info.memory);
	assert_int_equal(info.state_size, STATE_SIZE);
	assert_int_equal(info.created, w->info.created);
	assert_int_equal(info.cpus, w->info.cpus);
	assert_int_equal(info.accel, w->info.accel);
	assert_memory_equal(info.qemu_version, w->info.qemu_version, sizeof(info.qemu_version));
	assert_memory_equal(info.key, w->info.key, sizeof(info.key));
	assert_string_equal(info.kernel_version, w->info.kernel_version);
}

/* Refused, for the reason that @words tell, and without a trace in the output. */
static void assert_bad(const struct world *w, const char *words)
{
	struct template_info info, before;
	struct err e = { 0 };

	memset(&info, 0x5a, sizeof(info));
	before = info;
	assert_int_equal(template_file_check(w->fd, w->info.key, &info, &e), -EBADMSG);
	assert_int_equal(e.errnum, EBADMSG);
	if (!strstr(e.text, words))
		fail_msg("\"%s\" says nothing of \"%s\"", e.text, words);
	assert_memory_equal(&info, &before, sizeof(info));
}

static uint64_t trailer_at(const struct world *w)
{
	return w->info.memory + STATE_SIZE;
}

static void flip(int fd, uint64_t at, uint8_t bits)
{
	uint8_t byte;

	world_get(fd, &byte, 1, at);
	byte ^= bits;
	world_put(fd, &byte, 1, at);
}

static void assert_same_memory(const struct world *w)
{
	static uint8_t is[MIB], should[MIB];

	for (uint64_t at = 0; at < WORLD_MEMORY; at += MIB) {
		world_get(w->fd, is, MIB, at);
		world_get(w->memory_fd, should, MIB, at);
		assert_memory_equal(is, should, MIB);
	}
}

static void what_is_written_is_read(void **state)
{
	static uint8_t noise[3 * MIB];
	struct world *w = *state;
	uint8_t *copy = malloc(STATE_SIZE);

	/* The first page, the last, a byte in a page, and more than one portion of copying. */
	fill_noise(noise, sizeof(noise));
	world_put(w->memory_fd, noise, WORLD_PAGE, 0);
	world_put(w->memory_fd, noise, WORLD_PAGE, WORLD_MEMORY - WORLD_PAGE);
	world_put(w->memory_fd, "x", 1, 5 * WORLD_PAGE + 17);
	world_put(w->memory_fd, "y", 1, 7 * WORLD_PAGE - 1);
	world_put(w->memory_fd, noise, 2 * MIB + 3 * WORLD_PAGE, 9 * MIB + 5 * WORLD_PAGE);
	write_template(w);
	assert_int_equal(w->info.state_size, STATE_SIZE);
	assert_int_equal(world_size(w->fd), WORLD_MEMORY + STATE_SIZE + TEMPLATE_TRAILER_SIZE);
	assert_good(w);
	assert_same_memory(w);
	assert_non_null(copy);
	world_get(w->fd, copy, STATE_SIZE, WORLD_MEMORY);
	assert_memory_equal(copy, w->state, STATE_SIZE);
	free(copy);
}

static void the_bytes_of_a_trailer(void **state)
{
	struct world *w = *state;
	uint8_t t[TEMPLATE_TRAILER_SIZE], digest[32];

	write_template(w);
	world_get(w->fd, t, sizeof(t), trailer_at(w));
	assert_memory_equal(t + TRAILER_MAGIC, "vmrun template\n", 16);
	assert_int_equal(proto_get32(t + TRAILER_FORMAT), 1);
	assert_int_equal(proto_get32(t + TRAILER_CPUS), 2);
	assert_int_equal(proto_get64(t + TRAILER_MEMORY), 64 << 20);
	assert_int_equal(proto_get64(t + TRAILER_STATE_SIZE), STATE_SIZE);
	assert_int_equal(proto_get64(t + TRAILER_CREATED), 1700000000);
	assert_int_equal(proto_get32(t + TRAILER_ACCEL), ACCEL_TCG);
	assert_int_equal(proto_get32(t + TRAILER_QEMU_VERSION), 7);
	assert_int_equal(proto_get32(t + TRAILER_QEMU_VERSION + 4), 2);
	assert_int_equal(proto_get32(t + TRAILER_QEMU_VERSION + 8), 19);
	assert_memory_equal(t + TRAILER_KEY, world_info.key, 32);
	trailer_sha256(w->state, STATE_SIZE, digest);
	assert_memory_equal(t + TRAILER_STATE_DIGEST, digest, 32);
	assert_string_equal((char *)t + TRAILER_KERNEL_VERSION, "6.1.0-56-amd64");
	trailer_sha256(t, TRAILER_DIGEST, digest);
	assert_memory_equal(t + TRAILER_DIGEST, digest, 32);
}

static void zeros_take_no_room(void **state)
{
	static uint8_t noise[MIB], zeros[4 * MIB];
	struct world *w = *state;

	/* Zeros that are there, not only holes; with pages between them that are not. */
	fill_noise(noise, sizeof(noise));
	world_put(w->memory_fd, zeros, sizeof(zeros), 16 * MIB);
	world_put(w->memory_fd, noise, WORLD_PAGE, 17 * MIB);
	world_put(w->memory_fd, noise, WORLD_PAGE, 17 * MIB + 2 * WORLD_PAGE);
	world_put(w->memory_fd, noise, MIB, 40 * MIB);
	write_template(w);
	assert_same_memory(w);
	assert_true(world_disk(w->fd) >= MIB + STATE_SIZE);
	assert_true(world_disk(w->fd) <= MIB + STATE_SIZE + 16 * WORLD_PAGE);
	assert_good(w);
}

static void every_byte_of_the_trailer_counts(void **state)
{
	struct world *w = *state;
	struct template_info info;
	struct err e;

	write_template(w);
	for (unsigned int i = 0; i < TEMPLATE_TRAILER_SIZE; i++) {
		flip(w->fd, trailer_at(w) + i, (uint8_t)(1 << i % 8));
		if (template_file_check(w->fd, w->info.key, &info, &e) != -EBADMSG ||
		    template_file_check(w->fd, NULL, &info, &e) != -EBADMSG)
			fail_msg("byte %u of the trailer may be anything", i);
		flip(w->fd, trailer_at(w) + i, (uint8_t)(1 << i % 8));
	}
	assert_good(w);
	flip(w->fd, trailer_at(w) + TRAILER_MAGIC, 1);
	assert_bad(w, "does not end as a template does");
	flip(w->fd, trailer_at(w) + TRAILER_MAGIC, 1);
	flip(w->fd, trailer_at(w) + TRAILER_FORMAT, 2);
	assert_bad(w, "its format is 3, not 1");
	flip(w->fd, trailer_at(w) + TRAILER_FORMAT, 2);
	flip(w->fd, trailer_at(w) + TRAILER_CPUS, 1);
	assert_bad(w, "trailer was changed");
}

static void every_byte_of_the_state_counts(void **state)
{
	static const uint32_t at[] = { 0, 1, 65535, 65536, 131072, STATE_SIZE - 1 };
	struct world *w = *state;
	struct template_info info;
	struct err e;

	write_template(w);
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		flip(w->fd, WORLD_MEMORY + at[i], 0x80);
		assert_bad(w, "state of its devices was changed");
		/* Who only lists templates does not read it. */
		assert_int_equal(template_file_check(w->fd, NULL, &info, &e), 0);
		assert_int_equal(info.state_size, STATE_SIZE);
		flip(w->fd, WORLD_MEMORY + at[i], 0x80);
	}
	assert_good(w);
}

static void another_key(void **state)
{
	struct world *w = *state;

	write_template(w);
	w->info.key[31] ^= 1;
	assert_bad(w, "another key");
}

static void files_of_another_length(void **state)
{
	struct world *w = *state;
	uint8_t trailer[TEMPLATE_TRAILER_SIZE];
	off_t size;

	write_template(w);
	size = world_size(w->fd);
	world_get(w->fd, trailer, sizeof(trailer), trailer_at(w));

	assert_int_equal(ftruncate(w->fd, size - 1), 0);
	assert_bad(w, "does not end as a template does");
	assert_int_equal(ftruncate(w->fd, size + 1), 0);
	assert_bad(w, "does not end as a template does");
	/* With a good trailer, but not in its place. */
	world_put(w->fd, trailer, sizeof(trailer), trailer_at(w) - 1);
	assert_int_equal(ftruncate(w->fd, size - 1), 0);
	assert_bad(w, "too short");
	world_put(w->fd, trailer, sizeof(trailer), trailer_at(w) + 1);
	assert_bad(w, "too long");
	assert_int_equal(ftruncate(w->fd, 0), 0);
	assert_bad(w, "only 0 bytes");
	assert_int_equal(ftruncate(w->fd, TEMPLATE_TRAILER_SIZE), 0);
	assert_bad(w, "only 4096 bytes");
	world_put(w->fd, trailer, sizeof(trailer), 0);
	assert_bad(w, "only 4096 bytes");
	assert_int_equal(ftruncate(w->fd, (off_t)1 << 41), 0);
	assert_bad(w, "does not end as a template does");
}

static void assert_not_a_file(int fd)
{
	struct template_info info;
	struct err e = { 0 };

	assert_int_equal(template_file_check(fd, world_info.key, &info, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "not a regular file"));
}

static void what_is_no_file(void **state)
{
	const struct world *w = *state;
	struct template_info info;
	struct err e = { 0 };
	int pipe_fds[2], null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	assert_not_a_file(pipe_fds[0]);
	assert_not_a_file(null);
	assert_not_a_file(w->fx.fd);
	assert_int_equal(template_file_check(-1, NULL, &info, &e), -EBADF);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	close(null);
}

/* A trailer whose checksum is right and whose content is not. */
static void assert_refused(uint8_t trailer[TEMPLATE_TRAILER_SIZE], const char *words)
{
	struct template_info info, before;
	uint8_t digest[32] = { 0 };
	struct err e = { 0 };

	memset(&info, 0x5a, sizeof(info));
	before = info;
	trailer_seal(trailer);
	assert_int_equal(template_trailer_parse(trailer, &info, digest, &e), -EBADMSG);
	if (!strstr(e.text, words))
		fail_msg("\"%s\" says nothing of \"%s\"", e.text, words);
	assert_memory_equal(&info, &before, sizeof(info));
	assert_int_equal(digest[0] | digest[31], 0);
}

static void refused_32(const struct world *w, unsigned int at, uint32_t v, const char *words)
{
	uint8_t t[TEMPLATE_TRAILER_SIZE];

	world_get(w->fd, t, sizeof(t), trailer_at(w));
	proto_put32(t + at, v);
	assert_refused(t, words);
}

static void refused_64(const struct world *w, unsigned int at, uint64_t v, const char *words)
{
	uint8_t t[TEMPLATE_TRAILER_SIZE];

	world_get(w->fd, t, sizeof(t), trailer_at(w));
	proto_put64(t + at, v);
	assert_refused(t, words);
}

static void numbers_out_of_bounds(void **state)
{
	struct world *w = *state;

	write_template(w);
	refused_32(w, TRAILER_FORMAT, 0, "format is 0");
	refused_32(w, TRAILER_FORMAT, UINT32_MAX, "format is 4294967295");
	refused_64(w, TRAILER_MEMORY, 0, "size of the memory");
	refused_64(w, TRAILER_MEMORY, 63 << 20, "size of the memory");
	refused_64(w, TRAILER_MEMORY, (64 << 20) + WORLD_PAGE, "size of the memory");
	refused_64(w, TRAILER_MEMORY, ((uint64_t)1 << 40) + MIB, "size of the memory");
	refused_64(w, TRAILER_MEMORY, UINT64_MAX - MIB + 1, "size of the memory");
	refused_64(w, TRAILER_STATE_SIZE, 0, "size of the state");
	refused_64(w, TRAILER_STATE_SIZE, TEMPLATE_STATE_MAX + 1, "size of the state");
	refused_64(w, TRAILER_STATE_SIZE, UINT64_MAX, "size of the state");
	refused_64(w, TRAILER_CREATED, UINT64_MAX, "time of creation");
	refused_32(w, TRAILER_CPUS, 0, "number of vCPUs");
	refused_32(w, TRAILER_CPUS, SPEC_CPUS_MAX + 1, "number of vCPUs");
	refused_32(w, TRAILER_ACCEL, ACCEL_AUTO, "accelerator");
	refused_32(w, TRAILER_ACCEL, ACCEL_TCG + 1, "accelerator");
}

static void the_last_numbers_in_bounds(void **state)
{
	struct world *w = *state;
	uint8_t t[TEMPLATE_TRAILER_SIZE], digest[32];
	struct template_info info;
	struct err e;

	write_template(w);
	world_get(w->fd, t, sizeof(t), trailer_at(w));
	proto_put64(t + TRAILER_MEMORY, (uint64_t)1 << 40);
	proto_put64(t + TRAILER_STATE_SIZE, TEMPLATE_STATE_MAX);
	proto_put64(t + TRAILER_CREATED, INT64_MAX);
	proto_put32(t + TRAILER_CPUS, SPEC_CPUS_MAX);
	proto_put32(t + TRAILER_ACCEL, ACCEL_KVM);
	trailer_seal(t);
	assert_int_equal(template_trailer_parse(t, &info, digest, &e), 0);
	assert_int_equal(info.memory, (uint64_t)1 << 40);
	assert_int_equal(info.state_size, TEMPLATE_STATE_MAX);
	assert_true(info.created == INT64_MAX);
	assert_memory_equal(digest, t + TRAILER_STATE_DIGEST, 32);
}

static void hostile_kernel_versions(void **state)
{
	static const char evil[] = "6.1\033]0;owned\a\n\x7f";
	struct world *w = *state;
	uint8_t t[TEMPLATE_TRAILER_SIZE], digest[32];
	struct template_info info;
	struct err e;

	write_template(w);
	world_get(w->fd, t, sizeof(t), trailer_at(w));
	memcpy(t + TRAILER_KERNEL_VERSION, evil, sizeof(evil));
	trailer_seal(t);
	assert_int_equal(template_trailer_parse(t, &info, digest, &e), 0);
	assert_string_equal(info.kernel_version, "6.1?]0;owned???");
	memset(t + TRAILER_KERNEL_VERSION, 'x', sizeof(info.kernel_version) - 1);
	trailer_seal(t);
	assert_int_equal(template_trailer_parse(t, &info, digest, &e), 0);
	assert_int_equal(strlen(info.kernel_version), sizeof(info.kernel_version) - 1);
	memset(t + TRAILER_KERNEL_VERSION, 'x', sizeof(info.kernel_version));
	assert_refused(t, "version of the kernel");
}

/* What cannot be read later is not written. */
static void assert_not_written(struct world *w, int errnum)
{
	struct template_info before = w->info;
	struct err e = { 0 };

	assert_int_equal(template_file_write(w->fd, w->memory_fd, w->state_fd, &w->info, &e),
			 -errnum);
	assert_int_equal(e.errnum, errnum);
	assert_true(*e.text != '\0');
	assert_memory_equal(&w->info, &before, sizeof(before));
}

static void infos_out_of_bounds(void **state)
{
	struct world *w = *state;

	w->info.memory = WORLD_MEMORY + 1;
	assert_not_written(w, EINVAL);
	w->info.memory = UINT64_MAX - MIB + 1;
	assert_not_written(w, EINVAL);
	w->info = world_info;
	w->info.cpus = 0;
	assert_not_written(w, EINVAL);
	w->info = world_info;
	w->info.accel = ACCEL_AUTO;
	assert_not_written(w, EINVAL);
	w->info = world_info;
	w->info.created = -1;
	assert_not_written(w, EINVAL);
	w->info = world_info;
	memset(w->info.kernel_version, 'x', sizeof(w->info.kernel_version));
	assert_not_written(w, EINVAL);
	assert_int_equal(world_size(w->fd), 0);
}

static void a_guest_that_does_not_fit(void **state)
{
	struct world *w = *state;

	/* Less memory than said, and more. */
	w->info.memory = 2 * WORLD_MEMORY;
	assert_not_written(w, EINVAL);
	w->info.memory = WORLD_MEMORY;
	assert_int_equal(ftruncate(w->memory_fd, (off_t)WORLD_MEMORY + WORLD_PAGE), 0);
	assert_not_written(w, EINVAL);
	assert_int_equal(ftruncate(w->memory_fd, (off_t)WORLD_MEMORY), 0);

	assert_int_equal(ftruncate(w->state_fd, 0), 0);
	assert_not_written(w, ENODATA);
	assert_int_equal(ftruncate(w->state_fd, (off_t)TEMPLATE_STATE_MAX + 1), 0);
	assert_not_written(w, EFBIG);
	assert_int_equal(ftruncate(w->state_fd, 1), 0);
	write_template(w);
}

static void bad_descriptors(void **state)
{
	struct world *w = *state;
	int good = w->fd;

	w->fd = -1;
	assert_not_written(w, EBADF);
	/* The disk is full. */
	w->fd = open("/dev/full", O_RDWR | O_CLOEXEC);
	assert_not_written(w, ENOSPC);
	close(w->fd);
	w->fd = good;
	close(w->memory_fd);
	w->memory_fd = -1;
	assert_not_written(w, EBADF);
	close(w->state_fd);
	w->state_fd = -1;
	assert_not_written(w, EBADF);
}

/* The file may only grow so far: a write in the middle of it comes up short. */
static void write_limited(const void *arg)
{
	struct world *w = (struct world *)arg;
	struct rlimit limit = { .rlim_cur = WORLD_MEMORY + STATE_SIZE / 2 };
	struct template_info info = w->info;
	struct err e = { 0 };

	CHILD_CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	limit.rlim_max = limit.rlim_cur;
	CHILD_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	CHILD_CHECK(template_file_write(w->fd, w->memory_fd, w->state_fd, &info, &e) == -EFBIG);
	CHILD_CHECK(strstr(e.text, "cannot write the state of the devices: "));

	limit.rlim_cur = limit.rlim_max = 1000;
	CHILD_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	CHILD_CHECK(template_file_write(w->fd, w->memory_fd, w->state_fd, &info, &e) == -EFBIG);
	CHILD_CHECK(info.state_size == 0);
}

static void no_room(void **state)
{
	struct world *w = *state;

	run_unprivileged(write_limited, w);
	assert_bad(w, "does not end as a template does");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_written_is_read),
		TEST(the_bytes_of_a_trailer),
		TEST(zeros_take_no_room),
		TEST(every_byte_of_the_trailer_counts),
		TEST(every_byte_of_the_state_counts),
		TEST(another_key),
		TEST(files_of_another_length),
		TEST(what_is_no_file),
		TEST(numbers_out_of_bounds),
		TEST(the_last_numbers_in_bounds),
		TEST(hostile_kernel_versions),
		TEST(infos_out_of_bounds),
		TEST(a_guest_that_does_not_fit),
		TEST(bad_descriptors),
		TEST(no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
