/* SPDX-License-Identifier: MIT */
#include "runner/vm/obituary.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static void explain_panic(const struct console *console, const char *panic, char *buf, size_t size)
{
	char killed[160];

	if (strstr(panic, "System is deadlocked on memory") || strcasestr(panic, "out of memory"))
		snprintf(buf, size, "the guest ran out of memory; give it more with -m");
	else if (console_line(console, OBITUARY_OOM_KILL, killed, sizeof(killed)))
		snprintf(buf, size,
			 "the guest ran out of memory (%s) and its kernel panicked; give it more "
			 "with -m",
			 killed);
	else
		snprintf(buf, size, "the guest's kernel panicked: %s", panic + strlen(CONSOLE_PANIC));
}

/* The last line that is no mere warning; into @buf without the program's name. */
static void last_words(const char *words, char *buf, size_t size)
{
	buf[0] = '\0';
	while (*words) {
		size_t len = strcspn(words, "\n");
		const char *text = memmem(words, len, ": ", 2);

		text = text ? text + 2 : words;
		if (len && !memmem(words, len, "warning: ", 9))
			snprintf(buf, size, "%.*s", (int)(words + len - text), text);
		words += len + (words[len] == '\n');
	}
}

void obituary(const struct console *console, const char *qemu_words, bool ended, int status,
	      char *buf, size_t size)
{
	char line[200], words[240];

	last_words(qemu_words, words, sizeof(words));
	if (console_line(console, CONSOLE_PANIC, line, sizeof(line)))
		explain_panic(console, line, buf, size);
	else if (ended && WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		snprintf(buf, size,
			 "QEMU was killed for a system call that its jail forbids: it was attacked, or "
			 "is newer than vmrun knows; --seccomp=log helps to tell which");
	else if (ended && WIFSIGNALED(status))
		snprintf(buf, size, "QEMU was killed by signal %d (%s)%s%s", WTERMSIG(status),
			 strsignal(WTERMSIG(status)), *words ? ": " : "", words);
	else if (ended && WEXITSTATUS(status) != 0)
		snprintf(buf, size, "QEMU failed (exit status %d): %s", WEXITSTATUS(status),
			 *words ? words : "it gave no reason");
	else if (console_line(console, OBITUARY_AGENT, line, sizeof(line)))
		snprintf(buf, size, "the guest's agent gave up: %s", line + strlen(OBITUARY_AGENT));
	else if (console_line(console, "reboot: Power down", line, sizeof(line)) ||
		 console_line(console, "reboot: System halted", line, sizeof(line)) ||
		 console_line(console, "reboot: Restarting system", line, sizeof(line)))
		snprintf(buf, size, "the guest was shut down before its command's exit was known");
	else if (ended)
		snprintf(buf, size, "the guest ended before its command's exit was known");
	else
		snprintf(buf, size, "the jail was killed, and the guest with it");
}
