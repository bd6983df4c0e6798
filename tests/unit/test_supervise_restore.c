/* SPDX-License-Identifier: MIT */
/*
 * Guests that wake up from a template: they are given their orders unasked, and
 * until their READY any failure is one that another attempt may make good.
 */
#include "tests/unit/scenario.h"

static void restored(struct supervisor *s)
{
	s->world.in.start = START_RESTORE;
}

/* On a terminal that must not be touched before READY: standard input is a pipe. */
static void restored_on_a_terminal(struct supervisor *s)
{
	restored(s);
	s->in.tty = true;
}

static void qemu_says(struct fake_guest *g, const char *line)
{
	CHILD_CHECK(fs_write_all(g->qmp, line, strlen(line)) == 0);
}

#define GREETING \
	"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 2, \"major\": 7}}}}\r\n"
#define RETURN "{\"return\": {}}\r\n"
#define RESUME "{\"event\": \"RESUME\", \"timestamp\": {\"seconds\": 1, \"microseconds\": 1}}\r\n"

static void wakes_up(struct fake_guest *g)
{
	qemu_says(g, GREETING RETURN RETURN RETURN RESUME);
	guest_take_orders(g);
	guest_send(g, PROTO_STARTED, 0, NULL, 0);
	guest_print(g, PROTO_STDOUT, "awake\n");
	guest_exited(g, 7);
	guest_wait_for_the_end(g);
}

static void is_told_the_state(struct fake_guest *g)
{
	char buf[4096] = "";
	size_t len = 0;
	ssize_t n;

	do {
		n = read(g->qmp, buf + len, sizeof(buf) - 1 - len);
		CHILD_CHECK(n > 0);
		len += (size_t)n;
	} while (!strstr(buf, "\"fd:9\"") && len < sizeof(buf) - 1);
	CHILD_CHECK(strstr(buf, "x-ignore-shared") && strstr(buf, "migrate-incoming"));
	guest_take_orders(g);
	guest_send(g, PROTO_STARTED, 0, NULL, 0);
	guest_exited(g, 0);
	guest_wait_for_the_end(g);
}

static void says_nothing(struct fake_guest *g)
{
	qemu_says(g, GREETING RETURN RETURN RETURN RESUME);
	guest_wait_for_the_end(g);
}

static void state_does_not_load(struct fake_guest *g)
{
	qemu_says(g, GREETING
		  "{\"error\": {\"class\": \"GenericError\", \"desc\": \"load failed\"}}\r\n");
	guest_wait_for_the_end(g);
}

static void qemu_dies(struct fake_guest *g)
{
	guest_freeze_vmrun(g);
	guest_qemu_says(g, "qemu: load of migration failed\n");
	guest_qemu_ended(g, 1 << 8);
	guest_thaw_vmrun(g);
}

static void greets_again(struct fake_guest *g)
{
	guest_send_u32(g, PROTO_HELLO, 0, PROTO_VERSION);
	guest_wait_for_the_end(g);
}

static void starts_unready(struct fake_guest *g)
{
	guest_send(g, PROTO_STARTED, 0, NULL, 0);
	guest_exited(g, 0);
	guest_wait_for_the_end(g);
}

/* After READY it is too late for another attempt, whatever QEMU says. */
static void dies_at_work(struct fake_guest *g)
{
	guest_take_orders(g);
	guest_freeze_vmrun(g);
	guest_qemu_ended(g, 0);
	guest_thaw_vmrun(g);
}

int main(void)
{
	static const struct scenario scenarios[] = {
		{ .name = "it wakes up",
		  .set_up = restored,
		  .guest = wakes_up,
		  .outcome = VM_COMMAND,
		  .code = 7,
		  .out = "awake\n" },
		{ .name = "QEMU is told where the state is",
		  .set_up = restored,
		  .guest = is_told_the_state,
		  .outcome = VM_COMMAND,
		  .code = 0 },
		{ .name = "it sleeps on",
		  .set_up = restored_on_a_terminal,
		  .guest = says_nothing,
		  .start_deadline_ms = 200,
		  .slow = true,
		  .outcome = VM_NO_LIFE,
		  .code = 125,
		  .message = "gave no sign of life" },
		{ .name = "its state does not load",
		  .set_up = restored,
		  .guest = state_does_not_load,
		  .outcome = VM_NO_LIFE,
		  .code = 125,
		  .message = "load failed" },
		{ .name = "QEMU dies of it",
		  .set_up = restored,
		  .guest = qemu_dies,
		  .outcome = VM_NO_LIFE,
		  .code = 125,
		  .message = "load of migration failed" },
		{ .name = "it greets",
		  .set_up = restored,
		  .guest = greets_again,
		  .outcome = VM_NO_LIFE,
		  .code = 125,
		  .message = "another protocol" },
		{ .name = "it is not ready",
		  .set_up = restored,
		  .guest = starts_unready,
		  .outcome = VM_NO_LIFE,
		  .code = 125,
		  .message = "before its greeting" },
		{ .name = "it dies at work",
		  .set_up = restored,
		  .guest = dies_at_work,
		  .outcome = VM_FAILED,
		  .code = 125,
		  .message = "guest" },
	};

	return scenario_run_all(scenarios, ARRAY_SIZE(scenarios));
}
