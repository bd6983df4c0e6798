/* SPDX-License-Identifier: MIT */
/* What tests of unpacking share: root of a user namespace that has one id. */
#ifndef VMRUN_TESTS_UNPACK_WORLD_H
#define VMRUN_TESTS_UNPACK_WORLD_H

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static inline int unpack_world_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n < 0 ? -1 : 0;
}

/* Before the process has threads. Return: 0 or -1. */
static inline int unpack_world_enter(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char uids[32], gids[32];

	snprintf(uids, sizeof(uids), "0 %u 1", uid);
	snprintf(gids, sizeof(gids), "0 %u 1", gid);
	if (unshare(CLONE_NEWUSER) < 0)
		return -1;
	if (unpack_world_write("/proc/self/setgroups", "deny") < 0 ||
	    unpack_world_write("/proc/self/uid_map", uids) < 0 ||
	    unpack_world_write("/proc/self/gid_map", gids) < 0)
		return -1;
	return 0;
}

#endif
