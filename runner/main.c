/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <unistd.h>

#include "runner/cmd_run.h"

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

int main(int argc, char *argv[])
{
	if (open_stdio() < 0)
		return 125;
	return cmd_run(argc, argv);
}
