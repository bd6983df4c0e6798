/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/cmd_print.h"
#include "runner/cmd_rootfs.h"
#include "runner/cmd_run.h"
#include "runner/cmd_sandbox.h"
#include "runner/cmd_template.h"

/* What a first word other than these begins is a run. */
static const struct {
	const char *name;
	int (*run)(int argc, char *argv[]);
} commands[] = {
	{ "rootfs", cmd_rootfs },
	{ "sandbox", cmd_sandbox },
	{ "template", cmd_template },
};

/*
 * A closed standard descriptor would be taken by the first file opened. Read-only,
 * so that a write there fails, as it did.
 */
static int open_stdio(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	return fd < 0 ? -1 : close(fd);
}

static bool called_as(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');

	return !strcmp(slash ? slash + 1 : path, name);
}

int main(int argc, char *argv[])
{
	if (open_stdio() < 0)
		return EXIT_VMRUN;
	if (argc > 0 && called_as(argv[0], "vmrun-rootfs"))
		return cmd_rootfs(argc, argv);
	for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(commands); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	return cmd_run(argc, argv);
}
