/* SPDX-License-Identifier: MIT */
/*
 * Guests that behave, their streams, signals, terminals and deadlines. What fails
 * stands in test_supervise_failures.c, what lies in test_supervise_forged.c.
 */
#include "tests/unit/scenario.h"

#include <sys/ioctl.h>
#include <termios.h>

/* --- set-ups and checks --- */

static void noise(uint8_t buf[1 << 20])
{
	fill_noise(buf, 1 << 20);
}

static void give_noise(struct supervisor *s)
{
	static uint8_t buf[1 << 20];
	int fd = memfd_create("input", MFD_CLOEXEC);

	(void)s;
	noise(buf);
	CHILD_CHECK(fs_write_all(fd, buf, sizeof(buf)) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	scenario_stream(fd, STDIN_FILENO);
}

static void check_noise(const struct supervisor *s)
{
	static uint8_t want[1 << 20], got[(1 << 20) + 1];

	(void)s;
	noise(want);
	CHILD_CHECK(pread(STDOUT_FILENO, got, sizeof(got), 0) == sizeof(want));
	CHILD_CHECK(!memcmp(want, got, sizeof(want)));
}

static void output_is_closed(struct supervisor *s)
{
	int fds[2];

	(void)s;
	CHILD_CHECK(pipe2(fds, O_CLOEXEC) == 0);
	scenario_stream(fds[1], STDOUT_FILENO);
	close(fds[0]);
}

static void output_is_full(struct supervisor *s)
{
	(void)s;
	scenario_stream(open("/dev/full", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
}

static void input_is_a_directory(struct supervisor *s)
{
	(void)s;
	scenario_stream(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), STDIN_FILENO);
}

static void be_verbose(struct supervisor *s)
{
	s->world.spec.verbose = VERBOSE_CLEAN;
}

static void be_verbose_and_raw(struct supervisor *s)
{
	s->world.spec.verbose = VERBOSE_RAW;
}

static int terminal_master = -1;

static void have_a_terminal(struct supervisor *s)
{
	const struct winsize size = { .ws_row = 30, .ws_col = 100 };
	int fd;

	terminal_master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	CHILD_CHECK(grantpt(terminal_master) == 0 && unlockpt(terminal_master) == 0);
	fd = open(ptsname(terminal_master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	CHILD_CHECK(ioctl(fd, TIOCSWINSZ, &size) == 0);
	scenario_stream(fd, STDIN_FILENO);
	s->in.tty = true;
}

static bool terminal_is_raw(void)
{
	struct termios t;

	CHILD_CHECK(tcgetattr(STDIN_FILENO, &t) == 0);
	return !(t.c_lflag & (ICANON | ECHO | ISIG));
}

/* Some time after READY was sent. */
static void wait_until_raw(void)
{
	for (int i = 0; i < 5000 && !terminal_is_raw(); i++)
		usleep(1000);
	CHILD_CHECK(terminal_is_raw());
}

static void check_terminal(const struct supervisor *s)
{
	(void)s;
	CHILD_CHECK(!terminal_is_raw());
}

/* --- the guests --- */

static void exits(struct fake_guest *g)
{
	guest_start(g);
	guest_exited(g, g->number);
	guest_wait_for_the_end(g);
}

static void is_killed(struct fake_guest *g)
{
	guest_start(g);
	guest_exit(g, PROTO_SIGNALED, g->number);
	guest_wait_for_the_end(g);
}

static void prints(struct fake_guest *g)
{
	guest_start(g);
	guest_print(g, PROTO_STDOUT, "out\n");
	guest_print(g, PROTO_STDERR, "err\n");
	guest_print(g, PROTO_STDOUT, "more");
	guest_send(g, PROTO_EOF, PROTO_STDOUT, NULL, 0);
	guest_send(g, PROTO_EOF, PROTO_STDERR, NULL, 0);
	guest_exited(g, 3);
	guest_wait_for_the_end(g);
}

/* Sends back what there is room for. Return: bytes sent. */
static uint32_t echo(struct fake_guest *g, struct strbuf *pending)
{
	uint32_t n = g->room[PROTO_STDOUT];

	n = n < pending->len ? n : (uint32_t)pending->len;
	n = n < PROTO_MAX_DATA ? n : PROTO_MAX_DATA;
	if (n) {
		guest_send(g, PROTO_DATA, PROTO_STDOUT, pending->data, n);
		guest_send_u32(g, PROTO_CREDIT, PROTO_STDIN, n);
		strbuf_consume(pending, n);
		g->room[PROTO_STDOUT] -= n;
	}
	return n;
}

static void copies(struct fake_guest *g)
{
	struct strbuf pending = { 0 };
	struct proto_frame f;
	bool eof = false;

	guest_start(g);
	while (!eof || pending.len) {
		CHILD_CHECK(wire_next(&g->agent, &f) == 1);
		if (f.type == PROTO_CREDIT)
			g->room[f.stream] += proto_get32(f.payload);
		else if (f.type == PROTO_DATA)
			strbuf_add(&pending, f.payload, f.len);
		else
			eof = f.type == PROTO_EOF;
		CHILD_CHECK(pending.len <= PROTO_WINDOW);
		while (echo(g, &pending))
			;
	}
	strbuf_free(&pending);
	guest_exited(g, 0);
	guest_wait_for_the_end(g);
}

static void prints_much_and_is_gone(struct fake_guest *g)
{
	static const uint8_t data[25000];
	int size = 212992;

	CHILD_CHECK(setsockopt(g->agent.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) == 0);
	guest_start(g);
	guest_freeze_vmrun(g);
	for (int i = 0; i < 8; i++)
		guest_send(g, PROTO_DATA, PROTO_STDOUT, data, sizeof(data));
	guest_exited(g, 5);
	guest_qemu_ended(g, 0);
	guest_thaw_vmrun(g);
}

static void check_much(const struct supervisor *s)
{
	struct stat st;

	(void)s;
	CHILD_CHECK(fstat(STDOUT_FILENO, &st) == 0 && st.st_size == 200000);
	CHILD_CHECK(ftruncate(STDOUT_FILENO, 0) == 0);
}

static void exits_and_crashes(struct fake_guest *g)
{
	guest_start(g);
	guest_say(g, GUEST_PANIC);
	guest_exited(g, 0);
	guest_qemu_ended(g, SIGSEGV);
}

static void warns(struct fake_guest *g)
{
	guest_send(g, PROTO_WARN, 0, "early\n", 6);
	guest_start(g);
	guest_send(g, PROTO_WARN, 0, "", 0);
	guest_send(g, PROTO_WARN, 0, "late \x1b[2J", 9);
	guest_exited(g, 0);
	guest_wait_for_the_end(g);
}

static void warns_again_and_again(struct fake_guest *g)
{
	guest_start(g);
	for (int i = 0; i < 10000; i++)
		guest_send(g, PROTO_WARN, 0, "w", 1);
	guest_exited(g, 0);
	guest_wait_for_the_end(g);
}

static void floods_the_console(struct fake_guest *g)
{
	static char line[8192];

	memset(line, 'x', sizeof(line) - 1);
	guest_start(g);
	for (int i = 0; i < 64; i++)
		guest_say(g, line);
	guest_exited(g, 0);
	guest_wait_for_the_end(g);
}

static void talks_on_the_console(struct fake_guest *g)
{
	guest_start(g);
	guest_say(g, "one\r\n\x1b[31mtwo\n");
	guest_exited(g, 0);
	guest_wait_for_the_end(g);
}

/* As a serial port does: a byte at a time. */
static void talks_bytewise_on_the_console(struct fake_guest *g)
{
	static const char text[] = "sm\xc3\xb8rrebr\xc3\xb8" "d\xe2\x82\xac\x9b\xc2\x9b" "2J\r\n";

	guest_start(g);
	for (size_t i = 0; text[i]; i++) {
		CHILD_CHECK(fs_write_all(g->console, text + i, 1) == 0);
		usleep(1000);
	}
	guest_exited(g, 0);
	guest_wait_for_the_end(g);
}

static void kills_for_memory(struct fake_guest *g)
{
	guest_start(g);
	guest_say(g, "[ 9.0] Out of memory: Killed process 7 (cc1) total-vm:1kB\r\n[ 9.1] more\n");
	guest_exit(g, PROTO_SIGNALED, SIGKILL);
	guest_wait_for_the_end(g);
}

/* Until SIGTERM comes; what else comes is credit. */
static void await_term(struct fake_guest *g)
{
	struct proto_frame f;

	do
		CHILD_CHECK(wire_next(&g->agent, &f) == 1);
	while (f.type == PROTO_CREDIT);
	CHILD_CHECK(f.type == PROTO_SIGNAL && proto_get32(f.payload) == SIGTERM);
}

static void dies_of_sigterm(struct fake_guest *g)
{
	guest_start(g);
	await_term(g);
	guest_exit(g, PROTO_SIGNALED, SIGTERM);
	guest_wait_for_the_end(g);
}

static void ignores_sigterm(struct fake_guest *g)
{
	struct proto_frame f;

	guest_start(g);
	await_term(g);
	CHILD_CHECK(wire_next(&g->agent, &f) == 0);
}

/* More than a pipe holds, so that vmrun keeps some of it. */
static void print_into_the_void(struct fake_guest *g)
{
	static const uint8_t data[20000];

	for (int i = 0; i < 5; i++)
		guest_send(g, PROTO_DATA, PROTO_STDOUT, data, sizeof(data));
}

static void prints_and_exits(struct fake_guest *g)
{
	guest_start(g);
	print_into_the_void(g);
	guest_exited(g, 0);
	guest_wait_for_the_end(g);
}

static void prints_and_dies_of_sigterm(struct fake_guest *g)
{
	guest_start(g);
	print_into_the_void(g);
	await_term(g);
	guest_exit(g, PROTO_SIGNALED, SIGTERM);
	guest_wait_for_the_end(g);
}

static void prints_exits_and_is_interrupted(struct fake_guest *g)
{
	guest_start(g);
	print_into_the_void(g);
	guest_exited(g, 0);
	guest_signal_vmrun(g, SIGINT);
	guest_wait_for_the_end(g);
}

static void has_no_input(struct fake_guest *g)
{
	struct proto_frame f;

	guest_start(g);
	guest_expect(g, PROTO_EOF, &f);
	guest_exited(g, 0);
	guest_wait_for_the_end(g);
}

static void learns_that_nobody_reads(struct fake_guest *g)
{
	struct proto_frame f;

	guest_start(g);
	guest_print(g, PROTO_STDOUT, "out");
	guest_expect(g, PROTO_CLOSE, &f);
	CHILD_CHECK(f.stream == PROTO_STDOUT);
	guest_exit(g, PROTO_SIGNALED, SIGPIPE);
	guest_wait_for_the_end(g);
}

static void passes_signals_on(struct fake_guest *g)
{
	static const int signals[] = { SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGTERM };

	guest_start(g);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		/* Without a terminal its size means nothing. */
		guest_signal_vmrun(g, SIGWINCH);
		guest_signal_vmrun(g, signals[i]);
		guest_expect_signal(g, signals[i]);
	}
	guest_exited(g, 130);
	guest_wait_for_the_end(g);
}

static void is_interrupted_before_its_command(struct fake_guest *g)
{
	guest_greet(g);
	guest_signal_vmrun(g, SIGHUP);
	guest_wait_for_the_end(g);
}

static void is_left_before_its_command(struct fake_guest *g)
{
	guest_greet(g);
	wait_until_raw();
	CHILD_CHECK(write(terminal_master, "\x03", 1) == 1);
	guest_wait_for_the_end(g);
}

static void is_interrupted_at_its_start(struct fake_guest *g)
{
	guest_signal_vmrun(g, SIGINT);
	guest_wait_for_the_end(g);
}

static void needs_sigterm_twice(struct fake_guest *g)
{
	struct proto_frame f;

	guest_start(g);
	/* Two that belong together, as an impatient supervisor sends them ... */
	for (int i = 0; i < 2; i++) {
		guest_signal_vmrun(g, SIGTERM);
		guest_expect_signal(g, SIGTERM);
	}
	/* ... and one after the grace period. */
	usleep(2100000);
	guest_signal_vmrun(g, SIGTERM);
	CHILD_CHECK(wire_next(&g->agent, &f) == 0);
}

static void uses_the_terminal(struct fake_guest *g)
{
	const struct winsize size = { .ws_row = 40, .ws_col = 120 };
	struct proto_frame f;

	guest_start(g);
	CHILD_CHECK(g->tty && g->rows == 30 && g->columns == 100);
	wait_until_raw();
	CHILD_CHECK(ioctl(STDIN_FILENO, TIOCSWINSZ, &size) == 0);
	guest_signal_vmrun(g, SIGWINCH);
	guest_expect(g, PROTO_RESIZE, &f);
	CHILD_CHECK(f.len == 4 && proto_get16(f.payload) == 40 &&
		    proto_get16(f.payload + 2) == 120);
	CHILD_CHECK(write(terminal_master, "\x03", 1) == 1);
	guest_expect(g, PROTO_DATA, &f);
	CHILD_CHECK(f.len == 1 && f.payload[0] == 0x03);
	guest_exited(g, 0);
	guest_wait_for_the_end(g);
}

static void is_left_by_escape(struct fake_guest *g)
{
	guest_start(g);
	wait_until_raw();
	CHILD_CHECK(write(terminal_master, "\x1d\x1d\x1d", 3) == 3);
	guest_wait_for_the_end(g);
}

static void says_nothing(struct fake_guest *g)
{
	guest_say(g, "[ 0.0] Booting\n");
	guest_wait_for_the_end(g);
}

static void takes_its_time(struct fake_guest *g)
{
	guest_start(g);
	usleep(1000000);
	guest_exited(g, 0);
	guest_wait_for_the_end(g);
}

static void starts_no_command(struct fake_guest *g)
{
	guest_greet(g);
	guest_wait_for_the_end(g);
}

/* --- the scenarios --- */

/* As many as are let through. */
#define EIGHT "w\nw\nw\nw\nw\nw\nw\nw\n"
#define FLOOD EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT

#define TIMED_OUT(seconds) "the command did not end within " #seconds " s (--timeout)"

static const struct scenario scenarios[] = {
	{ "exit 0", exits, .number = 0, .code = 0 },
	{ "exit 42", exits, .number = 42, .code = 42 },
	{ "exit 255", exits, .number = 255, .code = 255 },
	{ "killed by 9", is_killed, .number = 9, .code = 137 },
	{ "killed by 64", is_killed, .number = 64, .code = 192 },
	{ "output", prints, .code = 3, .out = "out\nmore", .err = "err\n" },
	{ "1 MB through", copies, .set_up = give_noise, .check = check_noise, .code = 0,
	  .out = "" },
	{ "much output, then gone", prints_much_and_is_gone, .check = check_much, .code = 5 },
	{ "a crash after the exit", exits_and_crashes, .code = 0 },
	{ "warnings", warns, .code = 0, .warning = "early?\n\nlate ?[2J\n" },
	{ "a flood of warnings", warns_again_and_again, .code = 0, .warning = FLOOD },
	{ "a flood on the console", floods_the_console, .code = 0 },
	{ "the console is shown", talks_on_the_console, .set_up = be_verbose, .code = 0,
	  .err = "one\n?[31mtwo\n" },
	{ "the console is shown as it comes", talks_on_the_console, .set_up = be_verbose_and_raw,
	  .code = 0, .err = "one\r\n\x1b[31mtwo\n" },
	{ "the console is shown in bytes", talks_bytewise_on_the_console, .set_up = be_verbose,
	  .code = 0, .err = "sm\xc3\xb8rrebr\xc3\xb8" "d\xe2\x82\xac???2J\n" },
	{ "killed for want of memory", kills_for_memory, .code = 137,
	  .message = "the guest ran out of memory (Out of memory: Killed process 7 (cc1) "
		     "total-vm:1kB); give it more with -m" },

	{ "signals are passed on", passes_signals_on, .code = 130 },
	{ "interrupted before its command", is_interrupted_before_its_command,
	  .outcome = VM_INTERRUPTED, .code = 129 },
	{ "Ctrl-C before its command", is_left_before_its_command, .set_up = have_a_terminal,
	  .check = check_terminal, .outcome = VM_INTERRUPTED, .code = 130 },
	{ "interrupted at its start", is_interrupted_at_its_start, .outcome = VM_INTERRUPTED,
	  .code = 130 },
	{ "SIGTERM twice", needs_sigterm_twice, .slow = true, .outcome = VM_INTERRUPTED,
	  .code = 143 },
	{ "interrupted while output waits", prints_exits_and_is_interrupted,
	  .set_up = nobody_reads_output, .outcome = VM_INTERRUPTED, .code = 130 },
	{ "a terminal", uses_the_terminal, .set_up = have_a_terminal, .check = check_terminal,
	  .code = 0 },
	{ "left by escape", is_left_by_escape, .set_up = have_a_terminal, .check = check_terminal,
	  .outcome = VM_INTERRUPTED, .code = 129,
	  .message = "the guest was ended by Ctrl-] three times" },

	{ "timeout", dies_of_sigterm, .timeout_ms = 700, .message = TIMED_OUT(0.7), .slow = true,
	  .outcome = VM_TIMEOUT, .code = 124 },
	{ "timeout ignored", ignores_sigterm, .timeout_ms = 700, .message = TIMED_OUT(0.7),
	  .slow = true, .outcome = VM_TIMEOUT, .code = 124 },
	{ "timeout at the start", says_nothing, .timeout_ms = 100, .message = TIMED_OUT(0.1),
	  .outcome = VM_TIMEOUT, .code = 124 },
	{ "timeout while output waits", prints_and_exits, .set_up = nobody_reads_output,
	  .timeout_ms = 700, .message = TIMED_OUT(0.7), .slow = true, .outcome = VM_TIMEOUT,
	  .code = 124 },
	{ "timeout, and then output waits", prints_and_dies_of_sigterm,
	  .set_up = nobody_reads_output, .timeout_ms = 700, .message = TIMED_OUT(0.7), .slow = true,
	  .outcome = VM_TIMEOUT, .code = 124 },
	{ "no sign of life", says_nothing, .start_deadline_ms = 700, .slow = true,
	  .outcome = VM_NO_LIFE, .code = 125, .message = "the guest gave no sign of life within ",
	  .tail = "  [ 0.0] Booting\n" },

	{ "longer than the start may take", takes_its_time, .start_deadline_ms = 700, .slow = true,
	  .code = 0 },
	{ "no command in time", starts_no_command, .start_deadline_ms = 700, .slow = true,
	  .outcome = VM_FAILED, .code = 125,
	  .message = "the guest did not start its command within " },

	{ "no input to read", has_no_input, .set_up = input_is_a_directory, .outcome = VM_FAILED,
	  .code = 125, .message = "cannot read standard input: Is a directory" },
	{ "the reader is gone", learns_that_nobody_reads, .set_up = output_is_closed,
	  .code = 128 + SIGPIPE },
	{ "the disk is full", learns_that_nobody_reads, .set_up = output_is_full,
	  .code = 128 + SIGPIPE,
	  .warning = "cannot write standard output: No space left on device\n" },
	{ "the disk is full, unnoticed", prints_and_exits, .set_up = output_is_full,
	  .outcome = VM_FAILED, .code = 125,
	  .message = "cannot write standard output: No space left on device" },
};

int main(void)
{
	return scenario_run_all(scenarios, ARRAY_SIZE(scenarios));
}
