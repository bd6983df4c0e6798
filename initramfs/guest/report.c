/* SPDX-License-Identifier: MIT */
#include "initramfs/guest/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "initramfs/guest/fail.h"

#define WARNINGS_MAX 32

static struct link *attached;

static void console(const char *text)
{
	dprintf(STDERR_FILENO, "vmrun-init: %s\n", text);
}

void report_console(const char *fmt, ...)
{
	char text[FAIL_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	console(text);
}

void report_attach(struct link *l)
{
	attached = l;
}

void report_warn(const char *fmt, ...)
{
	static unsigned int warnings;
	char text[FAIL_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!attached || warnings++ >= WARNINGS_MAX ||
	    link_send(attached, PROTO_WARN, 0, text, strlen(text)) < 0)
		console(text);
}
