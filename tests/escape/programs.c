/* SPDX-License-Identifier: MIT */
/* To run a program that is not QEMU, and to reach hardware by a device node. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tests/escape/escape.h"

#define MEMFD_SECRET 447 /* SYS_memfd_secret, which older headers do not have */

static enum verdict shell(void)
{
	static const char *const shells[] = { "/bin/sh", "/usr/bin/sh", "/bin/bash", "/bin/busybox",
					      "/usr/bin/dash" };
	char script[] = "printf 'out\\ta shell was executed\\n' >&2", dash_c[] = "-c", sh[] = "sh";
	char *const argv[] = { sh, dash_c, script, NULL };
	char *const envp[] = { NULL };

	for (size_t i = 0; i < ARRAY_SIZE(shells); i++)
		execve(shells[i], argv, envp);
	return refused("execve");
}

/* A copy of this program where the guest's files are. */
static const char *plant(mode_t mode)
{
	const char *path = path_in(writable_dir());

	if (copy_self(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755)) < 0)
		return NULL;
	return chmod(path, mode) < 0 ? NULL : path;
}

static enum verdict from_volume(void)
{
	const char *path = plant(0755);

	return path ? exec_proof(AT_FDCWD, path, 0) : refused("planting a program");
}

static enum verdict setuid_program(void)
{
	const char *path = plant(0755);

	/* chown() clears the bits: they come last. */
	if (!path || chown(path, (uid_t)number(scene.uid), (gid_t)-1) < 0 || chmod(path, 04755) < 0)
		return refused("planting a setuid program");
	return exec_proof(AT_FDCWD, path, 0);
}

static enum verdict by_descriptor(void)
{
	const char *path = plant(0755);
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	return fd < 0 ? refused("planting a program") : exec_proof(fd, "", AT_EMPTY_PATH);
}

static enum verdict map_library(void)
{
	const char *path = plant(0644);
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		return refused("planting a library");
	if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED)
		return refused("mmap(PROT_EXEC)");
	return out("mapped a file of the volume as code");
}

static enum verdict memory_file(void)
{
	int fd = memfd_create("escape", 0);

	if (fd < 0)
		return refused("memfd_create");
	if (copy_self(dup(fd)) < 0)
		return refused("filling it");
	return exec_proof(fd, "", AT_EMPTY_PATH);
}

static enum verdict secret_memory(void)
{
	return judge(syscall(MEMFD_SECRET, 0), "memfd_secret");
}

static enum verdict other_process(void)
{
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return judge(pid, "fork");
}

static enum verdict make_device(mode_t type, unsigned int maj, unsigned int min)
{
	const char *path = path_in(writable_dir());
	int fd;

	if (mknod(path, type | 0666, makedev(maj, min)) < 0)
		return refused("mknod");
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return judge(fd, "opening the device");
}

static enum verdict make_memory_device(void)
{
	return make_device(S_IFCHR, 1, 1);
}

static enum verdict make_null_device(void)
{
	return make_device(S_IFCHR, 1, 3);
}

static enum verdict make_disk(void)
{
	struct stat st;

	/* The one that the volume lies on, if it lies on one. */
	if (stat(writable_dir(), &st) < 0)
		return refused("stat");
	return make_device(S_IFBLK, major(st.st_dev), minor(st.st_dev));
}

static enum verdict open_device(const char *const *paths, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (open(paths[i], O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) >= 0)
			return out("opened %s", paths[i]);
	return refused(paths[0]);
}

static enum verdict memory_device(void)
{
	static const char *const paths[] = { "/dev/mem", "/dev/port", "/dev/kmem", "/dev/nvram" };

	return open_device(paths, ARRAY_SIZE(paths));
}

static enum verdict disk_device(void)
{
	static const char *const paths[] = {
		"/dev/sda",	    "/dev/vda", "/dev/nvme0n1", "/dev/loop0", "/dev/mapper/control",
		"/dev/loop-control"
	};

	return open_device(paths, ARRAY_SIZE(paths));
}

static enum verdict network_device(void)
{
	static const char *const paths[] = { "/dev/net/tun", "/dev/vhost-net", "/dev/vhost-vsock",
					     "/dev/vsock" };

	return open_device(paths, ARRAY_SIZE(paths));
}

static enum verdict fuse_device(void)
{
	static const char *const paths[] = { "/dev/fuse", "/dev/cuse" };

	return open_device(paths, ARRAY_SIZE(paths));
}

static enum verdict other_devices(void)
{
	static const char *const paths[] = { "/dev/kmsg",	    "/dev/input/event0",
					     "/dev/uinput",	    "/dev/dri/card0",
					     "/dev/dri/renderD128", "/dev/snd/controlC0",
					     "/dev/userfaultfd",    "/dev/rfkill" };

	return open_device(paths, ARRAY_SIZE(paths));
}

static enum verdict kvm_device(void)
{
	static const char *const paths[] = { "/dev/kvm" };

	if (number(scene.kvm) == 1)
		return held("it is meant to be there");
	return open_device(paths, ARRAY_SIZE(paths));
}

static enum verdict any_device(void)
{
	static const char *const meant[] = { ".", "..", "null", "urandom", "kvm" };
	struct dirent *entry;
	DIR *d = opendir("/dev");
	size_t i = 0;

	if (!d)
		return refused("/dev");
	while ((entry = readdir(d))) {
		for (i = 0; i < ARRAY_SIZE(meant) && strcmp(entry->d_name, meant[i]) != 0; i++)
			;
		if (i == ARRAY_SIZE(meant))
			break;
	}
	if (entry)
		out("there is /dev/%.200s", entry->d_name);
	closedir(d);
	return i == ARRAY_SIZE(meant) ? OUT : held("none but those that QEMU needs");
}

static const struct attempt attempts[] = {
	{ "exec-shell", "run a shell", shell },
	{ "exec-volume", "run a program from a volume", from_volume },
	{ "exec-setuid", "run one that is setuid", setuid_program },
	{ "exec-fd", "run one by its descriptor", by_descriptor },
	{ "exec-library", "load a library from a volume", map_library },
	{ "exec-memfd", "run a program from memory", memory_file },
	{ "memfd-secret", "make memory that the kernel cannot see", secret_memory },
	{ "fork", "start a second process", other_process },
	{ "mknod-mem", "make and open a device node: /dev/mem", make_memory_device },
	{ "mknod-null", "/dev/null", make_null_device },
	{ "mknod-disk", "the disk that the volume lies on", make_disk },
	{ "device-mem", "open /dev/mem, /dev/port", memory_device },
	{ "device-disk", "open a disk", disk_device },
	{ "device-net", "open /dev/net/tun, /dev/vhost-*", network_device },
	{ "device-fuse", "open /dev/fuse", fuse_device },
	{ "device-kvm", "open /dev/kvm where it is not used", kvm_device },
	{ "device-other", "open kmsg, input, dri, snd", other_devices },
	{ "device-any", "find a device that QEMU does not need", any_device },
};

GROUP(programs, attempts);
