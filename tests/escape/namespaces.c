/* SPDX-License-Identifier: MIT */
/*
 * To leave the jail's namespaces, or to make some where more is allowed. The attempts
 * called shares-* look whether one is the host's: then all that it separates is shared.
 */
#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/escape/escape.h"

static enum verdict unshare_by(int flags)
{
	return judge(unshare(flags), "unshare");
}

static enum verdict unshare_user(void)
{
	return unshare_by(CLONE_NEWUSER);
}

static enum verdict unshare_mnt(void)
{
	return unshare_by(CLONE_NEWNS);
}

static enum verdict unshare_pid(void)
{
	return unshare_by(CLONE_NEWPID);
}

static enum verdict unshare_net(void)
{
	return unshare_by(CLONE_NEWNET);
}

static enum verdict unshare_ipc(void)
{
	return unshare_by(CLONE_NEWIPC);
}

static enum verdict unshare_uts(void)
{
	return unshare_by(CLONE_NEWUTS);
}

static enum verdict unshare_cgroup(void)
{
	return unshare_by(CLONE_NEWCGROUP);
}

static enum verdict unshare_time(void)
{
	return unshare_by(0x80); /* CLONE_NEWTIME */
}

static enum verdict cloned(long pid, const char *what)
{
	if (pid == 0)
		_exit(0);
	return judge(pid, what);
}

static enum verdict clone_user(void)
{
	return cloned(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0), "clone");
}

static enum verdict clone3_user(void)
{
	struct clone_args args = { .flags = CLONE_NEWUSER | CLONE_NEWNS, .exit_signal = SIGCHLD };

	return cloned(syscall(SYS_clone3, &args, sizeof(args)), "clone3");
}

static enum verdict clone_parent(void)
{
	/* The child's parent would be PID 1's: vmrun. */
	return cloned(syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0), "clone");
}

/* --- into the host's --- */

static const struct {
	const char *name;
	const char **inode;
} kinds[] = {
	{ "user", &scene.user_ns },	{ "mnt", &scene.mnt_ns }, { "pid", &scene.pid_ns },
	{ "net", &scene.net_ns },	{ "ipc", &scene.ipc_ns }, { "uts", &scene.uts_ns },
	{ "cgroup", &scene.cgroup_ns },
};

static bool is_of_host(int fd, const char *inode)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && *inode &&
	       (unsigned long long)st.st_ino == strtoull(inode, NULL, 10);
}

static enum verdict enter_host(void)
{
	char path[64];
	int seen = 0;

	for (pid_t pid = 0; (pid = next_pid(pid));) {
		for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
			int fd;

			snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, kinds[i].name);
			fd = open(path, O_RDONLY | O_CLOEXEC);
			seen += fd >= 0;
			/* Where one is in it already, that succeeds and says nothing. */
			if (pid != getpid() && is_of_host(fd, *kinds[i].inode) && setns(fd, 0) == 0)
				return out("entered the host's %s namespace", kinds[i].name);
			close(fd);
		}
	}
	return held("%d namespaces seen, none of the host's entered", seen);
}

static enum verdict enter_by_pidfd(void)
{
	long fd = syscall(SYS_pidfd_open, number(scene.victim), 0);

	if (fd < 0)
		return refused("pidfd_open");
	return judge(setns((int)fd, CLONE_NEWNS), "setns");
}

static enum verdict enter_first(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)first_pid());
	return judge(open(path, O_RDONLY | O_CLOEXEC), path);
}

static enum verdict parent(void)
{
	int fd = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);

	return judge(ioctl(fd, NS_GET_PARENT), "ioctl(NS_GET_PARENT)");
}

static enum verdict owner(void)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int user = ioctl(fd, NS_GET_USERNS);

	if (user < 0)
		return refused("ioctl(NS_GET_USERNS)");
	return is_of_host(user, scene.user_ns) ? out("got the host's user namespace") :
						 held("it is the jail's");
}

static enum verdict shares(size_t kind)
{
	char path[64], target[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[kind].name);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return refused(path);
	target[n] = '\0';
	return **kinds[kind].inode && strstr(target, *kinds[kind].inode) ?
		       out("%s is the host's", target) :
		       held("%s is not the host's", target);
}

static enum verdict shares_user(void)
{
	return shares(0);
}

static enum verdict shares_mnt(void)
{
	return shares(1);
}

static enum verdict shares_pid(void)
{
	return shares(2);
}

static enum verdict shares_net(void)
{
	return shares(3);
}

static enum verdict shares_ipc(void)
{
	return shares(4);
}

static enum verdict shares_uts(void)
{
	return shares(5);
}

static enum verdict shares_cgroup(void)
{
	return shares(6);
}

static const struct attempt attempts[] = {
	{ "unshare-user", "make a user namespace", unshare_user },
	{ "unshare-mnt", "a mount namespace", unshare_mnt },
	{ "unshare-pid", "a PID namespace", unshare_pid },
	{ "unshare-net", "a network namespace", unshare_net },
	{ "unshare-ipc", "an IPC namespace", unshare_ipc },
	{ "unshare-uts", "a UTS namespace", unshare_uts },
	{ "unshare-cgroup", "a cgroup namespace", unshare_cgroup },
	{ "unshare-time", "a time namespace", unshare_time },
	{ "clone-user", "a process in a user namespace: clone", clone_user },
	{ "clone3-user", "clone3", clone3_user },
	{ "clone-parent", "a child of vmrun's", clone_parent },
	{ "setns-host", "enter a namespace of the host's", enter_host },
	{ "setns-pidfd", "by the victim's pidfd", enter_by_pidfd },
	{ "ns-first", "take hold of the first process's", enter_first },
	{ "ns-parent", "of the parent of its own", parent },
	{ "ns-owner", "of the owner of its network", owner },
	{ "shares-user", "be in the host's user namespace", shares_user },
	{ "shares-mnt", "mount namespace", shares_mnt },
	{ "shares-pid", "PID namespace", shares_pid },
	{ "shares-net", "network namespace", shares_net },
	{ "shares-ipc", "IPC namespace", shares_ipc },
	{ "shares-uts", "UTS namespace", shares_uts },
	{ "shares-cgroup", "cgroup namespace", shares_cgroup },
};

GROUP(namespaces, attempts);
