/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"

#include <signal.h>

#include "runner/vm/obituary.h"

#define EXITED(code) ((code) << 8)

#define SHUT_DOWN "the guest was shut down before its command's exit was known"
#define MEMORY "the guest ran out of memory; give it more with -m"

static const struct {
	const char *console;
	const char *words; /* QEMU's */
	bool ended;
	int status;
	const char *verdict;
} cases[] = {
	{ "", "", true, EXITED(0), "the guest ended before its command's exit was known" },
	{ "", "", false, 0, "the jail was killed, and the guest with it" },
	/* What was not told does not count. */
	{ "", "qemu: some words\n", false, SIGKILL, "the jail was killed, and the guest with it" },

	{ "", "", true, EXITED(1), "QEMU failed (exit status 1): it gave no reason" },
	{ "", "qemu-system-x86_64: cannot allocate\n", true, EXITED(1),
	  "QEMU failed (exit status 1): cannot allocate" },
	{ "", "qemu-system-x86_64: -m size=1: too small\nqemu-system-x86_64: the end\n", true,
	  EXITED(2), "QEMU failed (exit status 2): the end" },
	{ "", "qemu: the reason\nqemu: warning: never mind\n\n\n", true, EXITED(1),
	  "QEMU failed (exit status 1): the reason" },
	{ "", "qemu: warning: never mind\n", true, EXITED(1),
	  "QEMU failed (exit status 1): it gave no reason" },
	{ "", "no colon and no newline", true, EXITED(255),
	  "QEMU failed (exit status 255): no colon and no newline" },
	{ "", "\n\n: \n", true, EXITED(1), "QEMU failed (exit status 1): it gave no reason" },
	/* A warning without a reason is no word about a good end. */
	{ "", "qemu: warning: never mind\n", true, EXITED(0),
	  "the guest ended before its command's exit was known" },

	{ "", "", true, SIGKILL, "QEMU was killed by signal 9 (Killed)" },
	{ "", "qemu: error: failed to set MSR 0x48\n", true, SIGABRT | 0x80,
	  "QEMU was killed by signal 6 (Aborted): error: failed to set MSR 0x48" },
	{ "", "", true, SIGSYS | 0x80,
	  "QEMU was killed for a system call that its jail forbids: it was attacked, or is newer "
	  "than vmrun knows; --seccomp=log helps to tell which" },

	{ "[ 1.0] " CONSOLE_PANIC "VFS: Unable to mount root fs\r\n[ 1.0] CPU: 0\n", "", true,
	  EXITED(0), "the guest's kernel panicked: VFS: Unable to mount root fs" },
	{ CONSOLE_PANIC "\x1b[2Jred\n", "", true, EXITED(0),
	  "the guest's kernel panicked: ?[2Jred" },
	{ CONSOLE_PANIC, "", true, EXITED(0), "the guest's kernel panicked: " },
	/* However QEMU or the jail then went, the panic was the cause. */
	{ CONSOLE_PANIC "boom\n", "qemu: x\n", true, SIGKILL, "the guest's kernel panicked: boom" },
	{ CONSOLE_PANIC "boom\n", "", false, 0, "the guest's kernel panicked: boom" },

	{ CONSOLE_PANIC "System is deadlocked on memory\n", "", true, EXITED(0), MEMORY },
	{ CONSOLE_PANIC "Out of memory: compulsory panic_on_oom is enabled\n", "", true, EXITED(0),
	  MEMORY },
	{ CONSOLE_PANIC "Out of memory and no killable processes...\n", "", true, EXITED(0),
	  MEMORY },
	{ OBITUARY_OOM_KILL " 1 (init) total-vm:1000kB\n" CONSOLE_PANIC "Attempted to kill init!\n",
	  "", true, EXITED(0),
	  "the guest ran out of memory (" OBITUARY_OOM_KILL " 1 (init) total-vm:1000kB) and its "
	  "kernel panicked; give it more with -m" },
	/* A process killed, and the guest lived on. */
	{ OBITUARY_OOM_KILL " 99 (cc1)\n", "", true, EXITED(0),
	  "the guest ended before its command's exit was known" },

	{ "[ 9.0] reboot: Power down\n", "", true, EXITED(0), SHUT_DOWN },
	{ "[ 9.0] reboot: System halted\n", "", true, EXITED(0), SHUT_DOWN },
	{ "[ 9.0] reboot: Restarting system\n", "", true, EXITED(0), SHUT_DOWN },
	{ "[ 9.0] reboot: Power down\n", "", true, SIGSEGV,
	  "QEMU was killed by signal 11 (Segmentation fault)" },
};

static void verdicts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct console c = { 0 };
		char buf[400];

		console_feed(&c, cases[i].console, strlen(cases[i].console));
		obituary(&c, cases[i].words, cases[i].ended, cases[i].status, buf, sizeof(buf));
		assert_string_equal(buf, cases[i].verdict);
		console_free(&c);
	}
}

/* What a guest and a QEMU in its hands say has no bound: the verdict has. */
static void long_words_are_cut(void **state)
{
	static char flood[100000];
	struct console c = { 0 };
	char buf[400];

	(void)state;
	memset(flood, 'x', sizeof(flood) - 1);
	obituary(&c, flood, true, EXITED(1), buf, sizeof(buf));
	assert_int_equal(strncmp(buf, "QEMU failed (exit status 1): xxx", 32), 0);
	assert_true(strlen(buf) < sizeof(buf));
	console_feed(&c, OBITUARY_OOM_KILL, strlen(OBITUARY_OOM_KILL));
	console_feed(&c, flood, 30000);
	console_feed(&c, "\n" CONSOLE_PANIC, 1 + strlen(CONSOLE_PANIC));
	console_feed(&c, flood, 30000);
	obituary(&c, flood, true, EXITED(1), buf, sizeof(buf));
	assert_true(strlen(buf) < sizeof(buf));
	assert_non_null(strstr(buf, "; give it more with -m"));
	console_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts),
		cmocka_unit_test(long_words_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
