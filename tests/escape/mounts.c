/* SPDX-License-Identifier: MIT */
/*
 * To change what is mounted: what is read-only is so by a flag that who may mount could
 * clear, and a new mount could show what is hidden.
 */
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/escape/escape.h"

/* mount(2), of which the musl and the kernel headers do not want to be seen together. */
#define MS_REMOUNT_BIND (32u | 4096u)
#define MS_BIND_REC (4096u | 16384u)
#define UMOUNT_DETACH 2
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

static long do_mount(const char *source, const char *target, const char *type, unsigned long flags,
		     const char *data)
{
	return syscall(SYS_mount, source, target, type, flags, data);
}

static enum verdict remount_root(void)
{
	return judge(do_mount(NULL, "/", NULL, MS_REMOUNT_BIND, NULL), "remounting /");
}

static enum verdict remount_base(void)
{
	return judge(do_mount(NULL, "/vm/root", NULL, MS_REMOUNT_BIND, NULL),
		     "remounting the base");
}

static enum verdict remount_proc(void)
{
	return judge(do_mount(NULL, "/proc", NULL, 32u, NULL), "remounting /proc");
}

static enum verdict clear_flags(const char *path)
{
	struct mount_attr attr = { .attr_clr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
					       MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC };

	return judge(syscall(SYS_mount_setattr, AT_FDCWD, path, 0, &attr, sizeof(attr)),
		     "mount_setattr");
}

static enum verdict setattr_root(void)
{
	return clear_flags("/");
}

static enum verdict setattr_base(void)
{
	return clear_flags("/vm/root");
}

static enum verdict setattr_volume(void)
{
	return clear_flags("/vm/volumes/0");
}

static enum verdict tmpfs(void)
{
	return judge(do_mount("none", writable_dir(), "tmpfs", 0, NULL), "mounting a tmpfs");
}

static enum verdict proc(void)
{
	return judge(do_mount("none", writable_dir(), "proc", 0, NULL), "mounting a /proc");
}

static enum verdict sysfs(void)
{
	return judge(do_mount("none", writable_dir(), "sysfs", 0, NULL), "mounting a /sys");
}

static enum verdict cgroup(void)
{
	return judge(do_mount("none", writable_dir(), "cgroup2", 0, NULL), "mounting cgroups");
}

static enum verdict devpts(void)
{
	return judge(do_mount("none", writable_dir(), "devpts", 0, "newinstance"),
		     "mounting a /dev/pts");
}

static enum verdict mqueue(void)
{
	return judge(do_mount("none", writable_dir(), "mqueue", 0, NULL), "mounting mqueues");
}

static enum verdict bpf(void)
{
	return judge(do_mount("none", writable_dir(), "bpf", 0, NULL),
		     "mounting a bpf file system");
}

static enum verdict overlay(void)
{
	char options[PATH_SIZE];

	snprintf(options, sizeof(options), "lowerdir=/:%s,userxattr", writable_dir());
	return judge(do_mount("none", writable_dir(), "overlay", 0, options),
		     "mounting an overlay");
}

static enum verdict bind(void)
{
	return judge(do_mount("/", writable_dir(), NULL, MS_BIND_REC, NULL), "binding /");
}

static enum verdict propagate(void)
{
	/* MS_SHARED | MS_REC: mounts made here would be seen elsewhere. */
	return judge(do_mount(NULL, "/", NULL, (1u << 20) | 16384u, NULL), "sharing mounts");
}

static enum verdict disk(void)
{
	static const char *const disks[] = { "/dev/vda", "/dev/sda", "/dev/nvme0n1" };

	for (size_t i = 0; i < ARRAY_SIZE(disks); i++)
		if (do_mount(disks[i], writable_dir(), "ext4", 1, NULL) == 0)
			return out("mounted %s", disks[i]);
	return refused("mounting a disk");
}

static enum verdict context(void)
{
	return judge(syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC), "fsopen");
}

static enum verdict reconfigure(void)
{
	return judge(syscall(SYS_fspick, AT_FDCWD, "/", FSPICK_CLOEXEC), "fspick");
}

static enum verdict clone_tree(void)
{
	return judge(syscall(SYS_open_tree, AT_FDCWD, "/",
			     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE),
		     "open_tree");
}

static enum verdict move(void)
{
	return judge(syscall(SYS_move_mount, AT_FDCWD, "/vm/root", AT_FDCWD, writable_dir(), 0),
		     "move_mount");
}

static enum verdict unmount(const char *path)
{
	return judge(syscall(SYS_umount2, path, UMOUNT_DETACH), "umount2");
}

static enum verdict unmount_proc(void)
{
	return unmount("/proc");
}

static enum verdict unmount_base(void)
{
	return unmount("/vm/root");
}

static enum verdict unmount_root(void)
{
	return unmount("/");
}

static enum verdict pivot(void)
{
	return judge(syscall(SYS_pivot_root, ".", "."), "pivot_root");
}

static enum verdict pivot_to_base(void)
{
	return judge(syscall(SYS_pivot_root, "/vm/volumes/0", "/vm/volumes/0"), "pivot_root");
}

static const struct attempt attempts[] = {
	{ "remount-root", "make / writable: mount", remount_root },
	{ "remount-base", "a read-only base", remount_base },
	{ "remount-proc", "/proc", remount_proc },
	{ "setattr-root", "clear flags of /: mount_setattr", setattr_root },
	{ "setattr-base", "of the base", setattr_base },
	{ "setattr-volume", "of a volume: noexec, nosuid, nodev", setattr_volume },
	{ "mount-tmpfs", "mount a tmpfs", tmpfs },
	{ "mount-proc", "a whole /proc", proc },
	{ "mount-sysfs", "a /sys", sysfs },
	{ "mount-cgroup", "cgroups", cgroup },
	{ "mount-devpts", "a /dev/pts", devpts },
	{ "mount-mqueue", "message queues", mqueue },
	{ "mount-bpf", "a bpf file system", bpf },
	{ "mount-overlay", "an overlay", overlay },
	{ "mount-bind", "/ elsewhere", bind },
	{ "mount-shared", "have mounts propagate", propagate },
	{ "mount-disk", "a disk of the host's", disk },
	{ "fsopen", "a new file system, by the new calls", context },
	{ "fspick", "take hold of / to reconfigure it", reconfigure },
	{ "open-tree", "clone the mounts", clone_tree },
	{ "move-mount", "move the base", move },
	{ "umount-proc", "unmount /proc", unmount_proc },
	{ "umount-base", "the base", unmount_base },
	{ "umount-root", "/", unmount_root },
	{ "pivot-root", "change the root", pivot },
	{ "pivot-volume", "to a volume", pivot_to_base },
};

GROUP(mounts, attempts);
