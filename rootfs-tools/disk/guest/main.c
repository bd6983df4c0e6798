/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "rootfs-tools/disk/guest/reader.h"

/* One for each level of a tree. */
#define NOFILE 65536

__attribute__((format(printf, 2, 0))) static void say(const char *kind, const char *fmt, va_list ap)
{
	char text[1024];

	vsnprintf(text, sizeof(text), fmt, ap);
	for (char *p = text; *p; p++)
		if (*p == '\n')
			*p = '?';
	fprintf(stderr, "%s: %s\n", kind, text);
}

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("error", fmt, ap);
	va_end(ap);
	exit(1);
}

void note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("note", fmt, ap);
	va_end(ap);
}

int main(int argc, char *argv[])
{
	const struct rlimit nofile = { NOFILE, NOFILE };
	static struct disk disk;
	uint64_t n;

	setrlimit(RLIMIT_NOFILE, &nofile);
	disk_scan(&disk);
	root_mount(&disk, argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 10) : 0);
	fstab_mount(&disk);
	n = walk();
	tar_end();
	fprintf(stderr, "end: %" PRIu64 "\n", n);
	return 0;
}
