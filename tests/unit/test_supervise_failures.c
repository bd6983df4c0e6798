/* SPDX-License-Identifier: MIT */
/* Guests that fail, however they do it: what is told of them, and the exit code. */
#include "tests/unit/scenario.h"

static void too_long_a_command(struct supervisor *s)
{
	static char longer[PROTO_MAX_PAYLOAD];

	memset(longer, 'x', sizeof(longer) - 1);
	strvec_add(&s->world.spec.command, longer);
}

static void cannot_run(struct fake_guest *g)
{
	size_t len = strlen(g->text);
	uint8_t buf[256];

	CHILD_CHECK(len <= sizeof(buf) - 4);
	proto_put32(buf, g->number);
	memcpy(buf + 4, g->text, len);
	guest_greet(g);
	guest_send(g, PROTO_FAIL, 0, buf, (uint32_t)(4 + len));
	guest_wait_for_the_end(g);
}

static void is_refused_its_command(struct fake_guest *g)
{
	guest_send_u32(g, PROTO_HELLO, 0, PROTO_VERSION);
	guest_wait_for_the_end(g);
}

static void has_no_modules(struct fake_guest *g)
{
	guest_send(g, PROTO_FAIL, 0, "\175\0\0\0no modules", 14);
	guest_wait_for_the_end(g);
}

static void prints_and_breaks_the_protocol(struct fake_guest *g)
{
	guest_start(g);
	guest_freeze_vmrun(g);
	guest_print(g, PROTO_STDOUT, "before it");
	guest_send(g, PROTO_RUN, 0, NULL, 0);
	guest_thaw_vmrun(g);
	guest_wait_for_the_end(g);
}

static void qemu_cannot_start(struct fake_guest *g)
{
	guest_freeze_vmrun(g);
	for (int i = 0; i < 200; i++)
		guest_qemu_says(g, "qemu: warning: x\n");
	guest_qemu_says(g, "qemu: no room\x1b[2J\n");
	guest_qemu_ended(g, 1 << 8);
	guest_thaw_vmrun(g);
}

static void qemu_is_killed(struct fake_guest *g)
{
	guest_start(g);
	guest_freeze_vmrun(g);
	guest_print(g, PROTO_STDOUT, "half of it");
	guest_qemu_ended(g, SIGKILL);
	guest_thaw_vmrun(g);
}

/* Its output is taken late, but it is taken. */
static void qemu_is_killed_before_a_slow_reader(struct fake_guest *g)
{
	static uint8_t data[20000];
	size_t n_read = 0;

	guest_start(g);
	for (int i = 0; i < 5; i++)
		guest_send(g, PROTO_DATA, PROTO_STDOUT, data, sizeof(data));
	guest_qemu_ended(g, SIGKILL);
	usleep(300000);
	while (n_read < 5 * sizeof(data)) {
		ssize_t n = read(scenario_reader, data, sizeof(data));

		CHILD_CHECK(n > 0);
		n_read += (size_t)n;
	}
}

static void powers_off(struct fake_guest *g)
{
	guest_start(g);
	guest_say(g, "[ 5.0] reboot: Power down\n");
	guest_qemu_ended(g, 0);
}

static void panics(struct fake_guest *g)
{
	char unseen[20001];

	guest_start(g);
	guest_freeze_vmrun(g);
	/* More than is read at once, nothing to see of it, in one write: it must fit the socket. */
	memset(unseen, '\r', sizeof(unseen) - 1);
	unseen[sizeof(unseen) - 1] = '\0';
	guest_say(g, unseen);
	guest_say(g, "[ 1.0] before\n" GUEST_PANIC "[ 1.0] Call Trace:\n");
	guest_qemu_ended(g, 0);
	guest_thaw_vmrun(g);
}

static void loses_its_jail(struct fake_guest *g)
{
	guest_start(g);
	close(g->agent.fd);
	close(g->console);
	close(g->stderr_fd);
	close(g->channel);
}

/* PID 1 is gone, and what it leaves behind does not go. */
static void outlives_its_jail(struct fake_guest *g)
{
	guest_start(g);
	close(g->channel);
	guest_wait_for_the_end(g);
}

static void loses_its_agent(struct fake_guest *g)
{
	char byte;

	guest_start(g);
	guest_say(g, "still here\n");
	close(g->agent.fd);
	CHILD_CHECK(read(g->console, &byte, 1) == 0);
}

static void loses_its_agent_first(struct fake_guest *g)
{
	guest_start(g);
	shutdown(g->agent.fd, SHUT_RDWR);
	usleep(50000);
	guest_qemu_ended(g, SIGBUS);
}

static void is_cut_off(struct fake_guest *g)
{
	uint8_t header[PROTO_HEADER_SIZE];

	guest_start(g);
	proto_header(header, PROTO_EXIT, 0, 8);
	CHILD_CHECK(fs_write_all(g->agent.fd, header, sizeof(header)) == 0);
	CHILD_CHECK(fs_write_all(g->agent.fd, "\1\0\0\0\0\0\0", 7) == 0);
	guest_qemu_ended(g, 0);
}

/* More than a pipe takes and the window holds; nobody reads what was within it. */
static void overruns_the_window(struct fake_guest *g)
{
	static const uint8_t data[PROTO_MAX_DATA];
	unsigned int i = 0;

	guest_start(g);
	while (i < 100 && wire_send(&g->agent, PROTO_DATA, PROTO_STDOUT, data, sizeof(data)) == 0)
		i++;
	CHILD_CHECK(i < 100);
}

static void lies_about_the_jail(struct fake_guest *g)
{
	struct channel_msg msg = { .kind = CHANNEL_RUNNING };

	guest_start(g);
	close(g->agent.fd);
	close(g->console);
	close(g->stderr_fd);
	CHILD_CHECK(channel_send(g->channel, &msg, -1) == 0);
}

static const struct scenario scenarios[] = {
	{ "not found", cannot_run, .number = 127, .text = "'x\n' not found; install it",
	  .outcome = VM_FAILED, .code = 127, .message = "'x?' not found; install it" },
	{ "not executable", cannot_run, .number = 126, .text = "no", .outcome = VM_FAILED,
	  .code = 126, .message = "no" },
	{ "failure 0", cannot_run, .number = 0, .text = "zero", .outcome = VM_FAILED, .code = 125,
	  .message = "zero" },
	{ "failure 124", cannot_run, .number = 124, .text = "a", .outcome = VM_FAILED, .code = 125,
	  .message = "a" },
	{ "failure 256", cannot_run, .number = 256, .text = "b", .outcome = VM_FAILED, .code = 125,
	  .message = "b" },
	{ "failure -129", cannot_run, .number = (uint32_t)-129, .text = "c", .outcome = VM_FAILED,
	  .code = 125, .message = "c" },
	/* It lives: no other accelerator would help. */
	{ "failure before the greeting", has_no_modules, .outcome = VM_FAILED, .code = 125,
	  .message = "no modules" },
	{ "too long a command", is_refused_its_command, .set_up = too_long_a_command,
	  .outcome = VM_FAILED, .code = 125, .message = "an argument is longer than" },

	{ "QEMU cannot start", qemu_cannot_start, .outcome = VM_NO_LIFE, .code = 125,
	  .message = "QEMU failed (exit status 1): no room?[2J" },
	{ "QEMU is killed", qemu_is_killed, .outcome = VM_FAILED, .code = 125,
	  .message = "QEMU was killed by signal 9 (Killed)", .out = "half of it" },
	{ "QEMU is killed, the reader is slow", qemu_is_killed_before_a_slow_reader,
	  .set_up = nobody_reads_output, .outcome = VM_FAILED, .code = 125,
	  .message = "QEMU was killed by signal 9 (Killed)" },
	{ "power off", powers_off, .outcome = VM_FAILED, .code = 125,
	  .message = "the guest was shut down before its command's exit was known",
	  .tail = "  [ 5.0] reboot: Power down\n" },
	{ "panic", panics, .outcome = VM_FAILED, .code = 125,
	  .message = "the guest's kernel panicked: boom",
	  .tail = "  [ 1.0] before\n  [ 1.0] Kernel panic - not syncing: boom\n" },
	{ "the jail is gone", loses_its_jail, .outcome = VM_FAILED, .code = 125,
	  .message = "the jail was killed, and the guest with it" },
	{ "the jail is gone, the guest is not", outlives_its_jail, .slow = true,
	  .outcome = VM_FAILED, .code = 125,
	  .message = "the jail was killed, and the guest with it" },
	{ "the agent is gone", loses_its_agent, .slow = true, .outcome = VM_FAILED, .code = 125,
	  .message = "the guest's agent was lost while the guest ran on",
	  .tail = "  still here\n" },
	{ "the agent goes first", loses_its_agent_first, .outcome = VM_FAILED, .code = 125,
	  .message = "QEMU was killed by signal 7 (Bus error)" },
	{ "half an exit", is_cut_off, .outcome = VM_FAILED, .code = 125,
	  .message = "the guest ended before its command's exit was known" },
	{ "output before a failure", prints_and_breaks_the_protocol, .outcome = VM_FAILED,
	  .code = 125, .message = "the guest's agent broke the protocol", .out = "before it" },
	{ "over the window", overruns_the_window, .set_up = nobody_reads_output, .slow = true,
	  .outcome = VM_FAILED, .code = 125, .message = "the guest's agent broke the protocol" },
	{ "a lie on the channel", lies_about_the_jail, .outcome = VM_FAILED, .code = 125,
	  .message = "the jail was killed, and the guest with it" },
};

int main(void)
{
	return scenario_run_all(scenarios, ARRAY_SIZE(scenarios));
}
