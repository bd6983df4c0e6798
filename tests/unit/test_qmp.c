/* SPDX-License-Identifier: MIT */
/* Against a QEMU of our own making, and, in the end, against the installed one. */
#include "tests/unit/fixture.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include "runner/base/cleanup.h"
#include "runner/vm/qmp.h"

#define GREETING                                                                       \
	"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": " \
	"7}, \"package\": \"Debian\"}, \"capabilities\": [\"oob\"]}}\r\n"
#define RETURN "{\"return\": {}}\r\n"
#define STATUS(s)                                                                          \
	"{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"MIGRATION\"," \
	" \"data\": {\"status\": \"" s "\"}}\r\n"

#define QEMU_TIMEOUT_MS 30000

struct world {
	struct qmp qmp;
	int qemu;
	pid_t pid; /* of a real one, or 0 */
	struct err e;
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	int pair[2];

	assert_non_null(w);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(qmp_init(&w->qmp, pair[0], &w->e), 0);
	w->qemu = pair[1];
	*state = w;
	return 0;
}

static void end_qemu(struct world *w)
{
	if (w->pid <= 0)
		return;
	kill(w->pid, SIGKILL);
	waitpid(w->pid, NULL, 0);
	w->pid = 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	end_qemu(w);
	qmp_free(&w->qmp);
	cleanup_close(&w->qemu);
	free(w);
	return 0;
}

static void say_bytes(struct world *w, const void *data, size_t len)
{
	assert_int_equal(fs_write_all(w->qemu, data, len), 0);
}

static void say(struct world *w, const char *text)
{
	say_bytes(w, text, strlen(text));
}

static void expect_fine(struct world *w)
{
	if (qmp_read(&w->qmp, &w->e) != 1)
		fail_msg("%s", w->e.text);
}

static void expect_failure(struct world *w, int errnum, const char *text)
{
	w->e = (struct err){ 0 };
	assert_int_equal(qmp_read(&w->qmp, &w->e), -errnum);
	assert_int_equal(w->e.errnum, errnum);
	if (!strstr(w->e.text, text))
		fail_msg("\"%s\" is not in \"%s\"", text, w->e.text);
}

/* --- what QEMU says --- */

static void the_greeting_tells_the_version(void **state)
{
	struct world *w = *state;

	expect_fine(w);
	assert_int_equal(w->qmp.version[0], 0);
	say(w, GREETING);
	expect_fine(w);
	assert_int_equal(w->qmp.version[0], 7);
	assert_int_equal(w->qmp.version[1], 2);
	assert_int_equal(w->qmp.version[2], 22);
	assert_int_equal(w->qmp.returns, 0);
}

static void answers_are_counted(void **state)
{
	struct world *w = *state;

	say(w, GREETING RETURN RETURN);
	expect_fine(w);
	assert_int_equal(w->qmp.returns, 2);
	say(w, "{\"return\": [{\"name\": \"x\"}], \"id\": 3}\n");
	expect_fine(w);
	assert_int_equal(w->qmp.returns, 3);
}

static void events_are_noted(void **state)
{
	struct world *w = *state;

	say(w, GREETING STATUS("setup") STATUS("active") "{\"event\": \"STOP\"}\r\n");
	expect_fine(w);
	assert_false(w->qmp.migrated);
	assert_false(w->qmp.resumed);
	say(w, STATUS("completed"));
	expect_fine(w);
	assert_true(w->qmp.migrated);
	assert_false(w->qmp.resumed);
	say(w, "{\"event\": \"RESUME\"}\r\n");
	expect_fine(w);
	assert_true(w->qmp.resumed);
	assert_int_equal(w->qmp.returns, 0);
}

static void lines_come_in_pieces(void **state)
{
	static const char text[] = GREETING RETURN STATUS("completed") RETURN;
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		say_bytes(w, text + i, 1);
		expect_fine(w);
	}
	assert_int_equal(w->qmp.version[2], 22);
	assert_int_equal(w->qmp.returns, 2);
	assert_true(w->qmp.migrated);
}

static void errors_are_shown_sanitized(void **state)
{
	struct world *w = *state;

	say(w, GREETING RETURN "{\"error\": {\"class\": \"GenericError\", \"desc\": "
			       "\"No \\u001b[31mfile\\n\\u009b\"}}\r\n");
	expect_failure(w, EREMOTEIO, "No ?[31mfile?");
	for (const char *p = w->e.text; *p; p++)
		assert_true(*p >= ' ');
	assert_int_equal(w->qmp.returns, 1);
	/* It is over, but nothing breaks. */
	say(w, RETURN);
	expect_fine(w);
	assert_int_equal(w->qmp.returns, 2);
}

static void a_failed_migration_is_an_error(void **state)
{
	struct world *w = *state;

	say(w, GREETING STATUS("active") STATUS("failed") STATUS("completed"));
	expect_failure(w, EREMOTEIO, "state");
	assert_false(w->qmp.migrated);
}

static void the_end_of_the_stream_is_no_error(void **state)
{
	struct world *w = *state;

	say(w, GREETING RETURN "{\"ret");
	cleanup_close(&w->qemu);
	expect_fine(w);
	assert_int_equal(w->qmp.returns, 1);
	assert_int_equal(qmp_read(&w->qmp, &w->e), 0);
	assert_int_equal(qmp_read(&w->qmp, &w->e), 0);
	assert_int_equal(w->e.errnum, 0);
}

/* A QEMU that is killed with commands unread resets the connection. */
static void a_reset_is_the_end_of_the_stream(void **state)
{
	struct world *w = *state;

	assert_int_equal(qmp_send_restore(&w->qmp, 9, &w->e), 0);
	say(w, GREETING);
	cleanup_close(&w->qemu);
	expect_fine(w);
	assert_int_equal(w->qmp.version[0], 7);
	assert_int_equal(qmp_read(&w->qmp, &w->e), 0);
	assert_int_equal(w->e.errnum, 0);
}

static void what_is_no_qmp_is_refused(void **state)
{
	static const char greeting[] = GREETING;
	static const char *const after_greeting[] = {
		"\r\n",
		"garbage\r\n",
		"{\"return\": {}\r\n",
		"{\"return\": {}} {}\r\n",
		"[]\r\n",
		"[{\"return\": {}}]\r\n",
		"\"return\"\r\n",
		"{}\r\n",
		"{\"id\": 1}\r\n",
		"{\"error\": {}}\r\n",
		"{\"error\": \"text\"}\r\n",
		"{\"error\": {\"desc\": 7}}\r\n",
		"{\"error\": {\"desc\": \"a\\u0000b\"}}\r\n",
		"{\"event\": 7}\r\n",
		"{\"event\": {\"RESUME\": 1}}\r\n",
		"{\"event\": \"MIGRATION\"}\r\n",
		"{\"event\": \"MIGRATION\", \"data\": []}\r\n",
		"{\"event\": \"MIGRATION\", \"data\": {\"status\": {}}}\r\n",
		"{\"event\": \"\xff\xfe\"}\r\n",
		"{\"return\": 1e999}\r\n",
		greeting,
	};
	static const char *const greetings[] = {
		RETURN,
		"{\"event\": \"RESUME\"}\r\n",
		"{\"error\": {\"desc\": \"x\"}}\r\n",
		"{\"QMP\": {}}\r\n",
		"{\"QMP\": 1}\r\n",
		"{\"QMP\": {\"version\": []}}\r\n",
		"{\"QMP\": {\"version\": {\"qemu\": {\"major\": 7, \"minor\": 2}}}}\r\n",
		"{\"QMP\": {\"version\": {\"qemu\": {\"major\": 0, \"minor\": 2, \"micro\": "
		"0}}}}\n",
		"{\"QMP\": {\"version\": {\"qemu\": {\"major\": -7, \"minor\": 2, \"micro\": "
		"0}}}}\n",
		"{\"QMP\": {\"version\": {\"qemu\": {\"major\": 7.5, \"minor\": 2, \"micro\": "
		"0}}}}\n",
		"{\"QMP\": {\"version\": {\"qemu\": {\"major\": \"7\", \"minor\": 2, \"micro\": "
		"0}}}}\n",
		"{\"QMP\": {\"version\": {\"qemu\": {\"major\": 7, \"minor\": 4294967298, "
		"\"micro\": 0}}}}\n",
	};
	void *fresh = NULL;
	struct world *w;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(after_greeting); i++) {
		set_up(&fresh);
		w = fresh;
		say(w, GREETING);
		say(w, after_greeting[i]);
		expect_failure(w, EPROTO, "QMP");
		assert_int_equal(w->qmp.version[0], 7);
		assert_int_equal(w->qmp.returns, 0);
		assert_false(w->qmp.resumed);
		tear_down(&fresh);
	}
	for (size_t i = 0; i < ARRAY_SIZE(greetings); i++) {
		set_up(&fresh);
		w = fresh;
		say(w, greetings[i]);
		expect_failure(w, EPROTO, "QMP");
		assert_int_equal(w->qmp.version[0], 0);
		assert_int_equal(w->qmp.returns, 0);
		assert_false(w->qmp.resumed);
		tear_down(&fresh);
	}
}

/* One line with @len bytes before its "\n"; a valid one. Return: what qmp_read() said last. */
static int read_line_of(struct world *w, size_t len)
{
	static const char answer[] = "{\"return\":1}";
	_cleanup_free_ char *line = malloc(len + 1);
	size_t sent = 0;
	int r = 1;

	assert_non_null(line);
	memset(line, ' ', len);
	memcpy(line, answer, sizeof(answer) - 1);
	line[len] = '\n';
	while (sent < len + 1 && r == 1) {
		size_t n = len + 1 - sent < 5000 ? len + 1 - sent : 5000;

		say_bytes(w, line + sent, n);
		sent += n;
		r = qmp_read(&w->qmp, &w->e);
	}
	return r;
}

static void lines_are_bounded(void **state)
{
	struct world *w = *state;

	say(w, GREETING);
	expect_fine(w);
	assert_int_equal(read_line_of(w, 64 * 1024), 1);
	assert_int_equal(w->qmp.returns, 1);
	assert_int_equal(read_line_of(w, 64 * 1024 + 1), -EMSGSIZE);
	assert_int_equal(w->e.errnum, EMSGSIZE);
	assert_non_null(strstr(w->e.text, "64 KiB"));
	assert_int_equal(w->qmp.returns, 1);
	/* Nor does it ever hold much more, whatever else comes. */
	for (int i = 0; i < 20; i++)
		assert_int_not_equal(read_line_of(w, 4000), 1);
	assert_true(w->qmp.in.len < 256 * 1024);
}

static void endless_lines_are_refused(void **state)
{
	struct world *w = *state;
	char piece[4096];
	int r = 1;

	memset(piece, '[', sizeof(piece));
	for (int i = 0; i < 17 && r == 1; i++) {
		say_bytes(w, piece, sizeof(piece));
		r = qmp_read(&w->qmp, &w->e);
	}
	assert_int_equal(r, -EMSGSIZE);
}

static void nesting_is_bounded(void **state)
{
	static const char *const levels[] = { "[", "{\"return\":" };
	struct world *w = *state;
	char line[60000];

	say(w, GREETING);
	expect_fine(w);
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		size_t step = strlen(levels[i]), used = 0;
		int r;

		for (; used + step < sizeof(line) - 1; used += step)
			memcpy(line + used, levels[i], step);
		line[used++] = '\n';
		say_bytes(w, line, used);
		while ((r = qmp_read(&w->qmp, &w->e)) == 1)
			;
		assert_int_equal(r, -EPROTO);
	}
	assert_int_equal(w->qmp.returns, 0);
}

/* --- what is said to QEMU --- */

struct heard {
	char text[1024];
	size_t len;
	int fd;	      /* that came along, or -1 */
	size_t fd_at; /* how much of the text there was when it had come */
};

/* All that was sent so far, as QEMU reads it. */
static void hear(struct world *w, struct heard *ret)
{
	*ret = (struct heard){ .fd = -1 };
	for (;;) {
		union {
			struct cmsghdr align;
			char buf[CMSG_SPACE(sizeof(int))];
		} control = { 0 };
		struct iovec iov = { .iov_base = ret->text + ret->len,
				     .iov_len = sizeof(ret->text) - 1 - ret->len };
		struct msghdr msg = { .msg_iov = &iov,
				      .msg_iovlen = 1,
				      .msg_control = control.buf,
				      .msg_controllen = sizeof(control.buf) };
		const struct cmsghdr *c;
		ssize_t n = recvmsg(w->qemu, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN)
			return;
		assert_true(n > 0);
		ret->len += (size_t)n;
		c = CMSG_FIRSTHDR(&msg);
		if (!c)
			continue;
		assert_int_equal(c->cmsg_type, SCM_RIGHTS);
		assert_int_equal(ret->fd, -1);
		memcpy(&ret->fd, CMSG_DATA(c), sizeof(int));
		ret->fd_at = ret->len;
	}
}

static void restore_names_the_descriptor(void **state)
{
	struct world *w = *state;
	struct heard heard;

	assert_int_equal(qmp_send_restore(&w->qmp, 9, &w->e), 0);
	hear(w, &heard);
	assert_int_equal(heard.fd, -1);
	assert_string_equal(
		heard.text,
		"{\"execute\":\"qmp_capabilities\"}\n"
		"{\"execute\":\"migrate-set-capabilities\",\"arguments\":"
		"{\"capabilities\":[{\"capability\":\"x-ignore-shared\",\"state\":true}]}}\n"
		"{\"execute\":\"migrate-incoming\",\"arguments\":{\"uri\":\"fd:9\"}}\n");
}

/* QEMU needs it with "getfd" or sooner. */
static void save_sends_the_descriptor(void **state)
{
	static const char with_getfd[] =
		"{\"execute\":\"qmp_capabilities\"}\n"
		"{\"execute\":\"migrate-set-capabilities\",\"arguments\":"
		"{\"capabilities\":[{\"capability\":\"x-ignore-shared\",\"state\":true},"
		"{\"capability\":\"events\",\"state\":true}]}}\n"
		"{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"state\"}}\n";
	static const char migrate[] =
		"{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"fd:state\"}}\n";
	struct world *w = *state;
	int file = fixture_memfd("", 0);
	struct stat ours, theirs;
	struct heard heard;

	assert_int_equal(qmp_send_save(&w->qmp, file, &w->e), 0);
	hear(w, &heard);
	assert_true(heard.fd >= 0);
	assert_int_equal(heard.fd_at, strlen(with_getfd));
	assert_memory_equal(heard.text, with_getfd, strlen(with_getfd));
	assert_string_equal(heard.text + strlen(with_getfd), migrate);
	assert_int_equal(fstat(file, &ours), 0);
	assert_int_equal(fstat(heard.fd, &theirs), 0);
	assert_int_equal(ours.st_ino, theirs.st_ino);
	close(heard.fd);
	/* Ours stays ours. */
	assert_int_equal(fcntl(file, F_GETFD), FD_CLOEXEC);
	close(file);
}

static void a_full_socket_is_an_error(void **state)
{
	struct world *w = *state;
	char junk[4096] = { 0 };

	while (send(w->qmp.fd, junk, sizeof(junk), MSG_DONTWAIT) > 0)
		;
	assert_int_equal(qmp_send_restore(&w->qmp, 9, &w->e), -EAGAIN);
	assert_int_equal(qmp_send_save(&w->qmp, w->qemu, &w->e), -EAGAIN);
	assert_int_equal(w->e.errnum, EAGAIN);
}

/* No SIGPIPE: the caller may not have it ignored. */
static void a_gone_qemu_is_an_error(void **state)
{
	struct world *w = *state;

	cleanup_close(&w->qemu);
	assert_int_equal(qmp_send_restore(&w->qmp, 9, &w->e), -EPIPE);
	assert_int_equal(qmp_send_save(&w->qmp, STDIN_FILENO, &w->e), -EPIPE);
	assert_int_equal(w->e.errnum, EPIPE);
}

/* --- the installed QEMU --- */

/* Its machine is none: it has a state to save and to load, and no guest. */
static void start_qemu(struct world *w, int state_fd)
{
	char chardev[64];
	const char *argv[] = { "qemu-system-x86_64",
			       "-nodefaults",
			       "-no-user-config",
			       "-display",
			       "none",
			       "-machine",
			       "none",
			       "-chardev",
			       chardev,
			       "-mon",
			       "chardev=qmp,mode=control",
			       NULL,
			       NULL,
			       NULL };
	posix_spawn_file_actions_t fa;

	snprintf(chardev, sizeof(chardev), "socket,id=qmp,fd=%d", w->qemu);
	assert_int_equal(posix_spawn_file_actions_init(&fa), 0);
	/* Onto itself: that takes O_CLOEXEC off. */
	posix_spawn_file_actions_adddup2(&fa, w->qemu, w->qemu);
	if (state_fd >= 0) {
		argv[ARRAY_SIZE(argv) - 3] = "-incoming";
		argv[ARRAY_SIZE(argv) - 2] = "defer";
		posix_spawn_file_actions_adddup2(&fa, state_fd, state_fd);
	}
	assert_int_equal(posix_spawnp(&w->pid, argv[0], &fa, NULL, (char *const *)argv, environ),
			 0);
	posix_spawn_file_actions_destroy(&fa);
	cleanup_close(&w->qemu);
}

/* Reads until @done, or to the end. Return: as qmp_read(). */
static int read_until(struct world *w, const bool *done)
{
	struct pollfd p = { .fd = w->qmp.fd, .events = POLLIN };
	int r = 1;

	while (r == 1 && !*done) {
		assert_int_equal(poll(&p, 1, QEMU_TIMEOUT_MS), 1);
		r = qmp_read(&w->qmp, &w->e);
	}
	return r;
}

static void a_real_qemu_saves_and_restores(void **state)
{
	int file = fixture_memfd("", 0);
	struct world *w = *state;
	char magic[4];

	assert_int_equal(qmp_send_save(&w->qmp, file, &w->e), 0);
	start_qemu(w, -1);
	if (read_until(w, &w->qmp.migrated) != 1)
		fail_msg("cannot save: %s", w->e.text);
	end_qemu(w);
	assert_true(w->qmp.version[0] >= 7);
	assert_int_equal(w->qmp.returns, 4);
	assert_int_equal(pread(file, magic, sizeof(magic), 0), sizeof(magic));
	assert_memory_equal(magic, "QEVM", 4);

	tear_down(state);
	set_up(state);
	w = *state;
	/* QEMU goes on from where the descriptor stands. */
	assert_int_equal(lseek(file, 0, SEEK_SET), 0);
	assert_int_equal(qmp_send_restore(&w->qmp, file, &w->e), 0);
	start_qemu(w, file);
	if (read_until(w, &w->qmp.resumed) != 1)
		fail_msg("cannot restore: %s", w->e.text);
	end_qemu(w);
	assert_int_equal(w->qmp.returns, 3);
	close(file);
}

static void a_real_qemu_refuses_a_bad_state(void **state)
{
	static const char bad[] = "no state of any machine";
	int file = fixture_memfd(bad, sizeof(bad));
	struct world *w = *state;

	assert_int_equal(qmp_send_restore(&w->qmp, file, &w->e), 0);
	start_qemu(w, file);
	assert_int_not_equal(read_until(w, &w->qmp.resumed), 1);
	end_qemu(w);
	close(file);
}

static void a_real_qemu_tells_what_it_refuses(void **state)
{
	struct world *w = *state;

	/* Not started with "-incoming defer". */
	assert_int_equal(qmp_send_restore(&w->qmp, 0, &w->e), 0);
	start_qemu(w, -1);
	assert_int_equal(read_until(w, &w->qmp.resumed), -EREMOTEIO);
	assert_non_null(strstr(w->e.text, "-incoming"));
	end_qemu(w);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_greeting_tells_the_version),
		TEST(answers_are_counted),
		TEST(events_are_noted),
		TEST(lines_come_in_pieces),
		TEST(errors_are_shown_sanitized),
		TEST(a_failed_migration_is_an_error),
		TEST(the_end_of_the_stream_is_no_error),
		TEST(a_reset_is_the_end_of_the_stream),
		cmocka_unit_test(what_is_no_qmp_is_refused),
		TEST(lines_are_bounded),
		TEST(endless_lines_are_refused),
		TEST(nesting_is_bounded),
		TEST(restore_names_the_descriptor),
		TEST(save_sends_the_descriptor),
		TEST(a_full_socket_is_an_error),
		TEST(a_gone_qemu_is_an_error),
		TEST(a_real_qemu_saves_and_restores),
		TEST(a_real_qemu_refuses_a_bad_state),
		TEST(a_real_qemu_tells_what_it_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
