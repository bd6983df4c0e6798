/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"

#include <dirent.h>
#include <sys/socket.h>

#include "runner/vm/channel.h"

struct world {
	int ours;
	int theirs;
	unsigned int n_fds; /* open now; all the same at the end */
};

static unsigned int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static int set_up(void **state)
{
	static struct world w;
	int pair[2];

	w.n_fds = count_fds();
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	w.ours = pair[0];
	w.theirs = pair[1];
	*state = &w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	close(w->ours);
	close(w->theirs);
	return count_fds() == w->n_fds ? 0 : -1;
}

/* One packet of any content with any number of descriptors. */
static void send_raw(int fd, const void *data, size_t len, unsigned int n_fds)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(8 * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n_fds) {
		int fds[8] = { 0, 0, 0, 0, 0, 0, 0, 0 };

		assert_true(n_fds <= 8);
		hdr.msg_control = control.buf;
		hdr.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(&control.align), fds, n_fds * sizeof(int));
	}
	assert_int_equal(sendmsg(fd, &hdr, 0), len);
}

static void expect_refused(const struct world *w)
{
	struct channel_msg got = { .kind = CHANNEL_GO };
	int fd = 99;

	assert_int_equal(channel_recv(w->ours, &got, &fd), -EPROTO);
	assert_int_equal(got.kind, CHANNEL_GO);
	assert_int_equal(fd, 99);
}

static void messages_arrive_whole(void **state)
{
	const struct world *w = *state;
	struct channel_msg msg = { .kind = CHANNEL_REPORT,
				   .report = { .kernel_version = "6.1.0-9-amd64",
					       .kernel_path = "/boot/vmlinuz-6.1.0-9-amd64",
					       .pvh = true,
					       .initramfs_size = UINT64_MAX } };
	struct channel_msg got;

	memset(msg.report.kernel_digest, 0xa5, sizeof(msg.report.kernel_digest));
	assert_int_equal(channel_send(w->theirs, &msg, -1), 0);
	assert_int_equal(channel_recv(w->ours, &got, NULL), 0);
	assert_int_equal(got.kind, CHANNEL_REPORT);
	assert_string_equal(got.report.kernel_version, "6.1.0-9-amd64");
	assert_string_equal(got.report.kernel_path, "/boot/vmlinuz-6.1.0-9-amd64");
	assert_true(got.report.pvh);
	assert_true(got.report.initramfs_size == UINT64_MAX);
	assert_memory_equal(got.report.kernel_digest, msg.report.kernel_digest, 32);

	msg = (struct channel_msg){ .kind = CHANNEL_ENDED, .status = 0x8b };
	assert_int_equal(channel_send(w->theirs, &msg, -1), 0);
	msg = (struct channel_msg){ .kind = CHANNEL_ERROR };
	assert_int_equal(err_msg(&msg.err, ENOENT, "no kernel"), -ENOENT);
	assert_int_equal(channel_send(w->theirs, &msg, -1), 0);
	assert_int_equal(channel_recv(w->ours, &got, NULL), 0);
	assert_int_equal(got.kind, CHANNEL_ENDED);
	assert_int_equal(got.status, 0x8b);
	assert_int_equal(channel_recv(w->ours, &got, NULL), 0);
	assert_int_equal(got.kind, CHANNEL_ERROR);
	assert_int_equal(got.err.errnum, ENOENT);
	assert_string_equal(got.err.text, "no kernel");
}

static void a_descriptor_goes_along(void **state)
{
	const struct world *w = *state;
	struct channel_msg msg = { .kind = CHANNEL_CACHED }, got;
	int file = fixture_memfd("content", 7), fd = -2;
	char buf[8];

	assert_int_equal(channel_send(w->theirs, &msg, file), 0);
	assert_int_equal(channel_recv(w->ours, &got, &fd), 0);
	assert_true(fd >= 0 && fd != file);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(pread(fd, buf, sizeof(buf), 0), 7);
	assert_memory_equal(buf, "content", 7);
	close(fd);
	close(file);
	/* None came: that is told, too. */
	assert_int_equal(channel_send(w->theirs, &msg, -1), 0);
	assert_int_equal(channel_recv(w->ours, &got, &fd), 0);
	assert_int_equal(fd, -1);
}

static void an_unwanted_descriptor_is_closed(void **state)
{
	const struct world *w = *state;
	struct channel_msg msg = { .kind = CHANNEL_RUNNING }, got;

	assert_int_equal(channel_send(w->theirs, &msg, 0), 0);
	assert_int_equal(channel_recv(w->ours, &got, NULL), 0);
	assert_int_equal(got.kind, CHANNEL_RUNNING);
	/* tear_down() counts. */
}

static void too_many_descriptors(void **state)
{
	const struct world *w = *state;
	struct channel_msg msg = { .kind = CHANNEL_MADE }, got;

	for (unsigned int n = 2; n <= 8; n++) {
		send_raw(w->theirs, &msg, sizeof(msg), n);
		expect_refused(w);
		send_raw(w->theirs, &msg, sizeof(msg), n);
		assert_int_equal(channel_recv(w->ours, &got, NULL), -EPROTO);
	}
}

static void packets_of_a_wrong_size(void **state)
{
	const struct world *w = *state;
	static char big[sizeof(struct channel_msg) + 1];
	int kind = CHANNEL_RUNNING;

	memcpy(big, &kind, sizeof(kind));
	for (unsigned int n_fds = 0; n_fds <= 1; n_fds++) {
		static const size_t sizes[] = { 1, sizeof(kind), sizeof(big) - 2, sizeof(big) };

		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			send_raw(w->theirs, big, sizes[i], n_fds);
			expect_refused(w);
		}
	}
}

static void wrong_kinds(void **state)
{
	static const int kinds[] = { 0, -1, CHANNEL_ERROR + 1, INT32_MAX, INT32_MIN };
	const struct world *w = *state;
	struct channel_msg msg = { 0 };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		memcpy(&msg.kind, &kinds[i], sizeof(msg.kind));
		send_raw(w->theirs, &msg, sizeof(msg), 0);
		expect_refused(w);
		send_raw(w->theirs, &msg, sizeof(msg), 1);
		expect_refused(w);
	}
}

/* Every byte that is not checked is 0xff, or what a terminal would obey. */
static void hostile_strings(void **state)
{
	static const enum channel_kind kinds[] = { CHANNEL_KERNEL, CHANNEL_REPORT };
	const struct world *w = *state;
	struct channel_msg msg, got;

	for (size_t i = 0; i < 2; i++) {
		memset(&msg, 0xff, sizeof(msg));
		msg.kind = kinds[i];
		send_raw(w->theirs, &msg, sizeof(msg), 0);
		assert_int_equal(channel_recv(w->ours, &got, NULL), 0);
		assert_int_equal(strlen(got.report.kernel_version),
				 sizeof(got.report.kernel_version) - 1);
		assert_int_equal(strlen(got.report.kernel_path),
				 sizeof(got.report.kernel_path) - 1);
		/* A bool is one: UBSan looks. */
		assert_int_equal(got.report.pvh, true);
	}
	memset(&msg, '\x1b', sizeof(msg));
	msg.kind = CHANNEL_ERROR;
	msg.err.errnum = EIO;
	send_raw(w->theirs, &msg, sizeof(msg), 0);
	assert_int_equal(channel_recv(w->ours, &got, NULL), 0);
	assert_int_equal(strspn(got.err.text, "?"), sizeof(got.err.text) - 1);
	assert_int_equal(got.err.text[sizeof(got.err.text) - 1], 0);
}

/* The receiver returns -errnum: it must be a failure. */
static void errors_that_are_none(void **state)
{
	static const int errnums[] = { 0, -1, -ENOENT, INT32_MIN, 4096, INT32_MAX };
	const struct world *w = *state;
	struct channel_msg msg = { .kind = CHANNEL_ERROR };

	for (size_t i = 0; i < sizeof(errnums) / sizeof(errnums[0]); i++) {
		msg.err.errnum = errnums[i];
		send_raw(w->theirs, &msg, sizeof(msg), 0);
		expect_refused(w);
	}
}

static void the_peer_is_gone(void **state)
{
	struct world *w = *state;
	struct channel_msg msg = { .kind = CHANNEL_ENDED, .status = 1 }, got = { .status = 7 };

	/* What it said before is still heard. */
	assert_int_equal(channel_send(w->theirs, &msg, -1), 0);
	close(w->theirs);
	assert_int_equal(channel_recv(w->ours, &got, NULL), 0);
	assert_int_equal(got.status, 1);
	got.status = 7;
	assert_int_equal(channel_recv(w->ours, &got, NULL), -EPIPE);
	assert_int_equal(got.status, 7);
	/* No SIGPIPE: this process would be gone. */
	assert_int_equal(channel_send(w->ours, &msg, -1), -EPIPE);
	w->theirs = fixture_memfd("", 0);
	assert_int_equal(channel_send(w->theirs, &msg, -1), -ENOTSOCK);
	assert_int_equal(channel_recv(w->theirs, &got, NULL), -ENOTSOCK);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(messages_arrive_whole),
		TEST(a_descriptor_goes_along),
		TEST(an_unwanted_descriptor_is_closed),
		TEST(too_many_descriptors),
		TEST(packets_of_a_wrong_size),
		TEST(wrong_kinds),
		TEST(hostile_strings),
		TEST(errors_that_are_none),
		TEST(the_peer_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
