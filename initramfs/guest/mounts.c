/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "initramfs/guest/guest.h"
#include "initramfs/guest/report.h"

/* What to do about one that cannot be mounted. */
enum need { NEEDED /* fail */, EXPECTED /* warn */, EXTRA /* nothing */ };

static const struct {
	const char *type, *dir;
	unsigned long flags;
	const char *options;
	enum need need;
} mounts[] = {
	{ "proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, NEEDED },
	{ "sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, EXPECTED },
	{ "cgroup2", "/sys/fs/cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, EXTRA },
	{ "devtmpfs", "/dev", MS_NOSUID, NULL, NEEDED },
	{ "devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC,
	  "newinstance,ptmxmode=0666,mode=0620,gid=5", NEEDED },
	{ "tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777", EXPECTED },
	{ "mqueue", "/dev/mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, EXTRA },
	{ "tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=755,size=20%", EXPECTED },
	{ "tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777", EXPECTED },
};

static const struct {
	const char *target, *path;
} links[] = {
	{ "/proc/self/fd", "/dev/fd" },
	{ "/proc/self/fd/0", "/dev/stdin" },
	{ "/proc/self/fd/1", "/dev/stdout" },
	{ "/proc/self/fd/2", "/dev/stderr" },
};

static const char *why(const char *dir, int mkdir_errno, int mount_errno)
{
	struct stat st;

	if (mkdir_errno == EROFS)
		return "it does not exist in the read-only base; create it there or use "
		       "--ephemeral";
	if (mkdir_errno && mkdir_errno != EEXIST)
		return strerror(mkdir_errno);
	if (stat(dir, &st) < 0 && lstat(dir, &st) == 0 && S_ISLNK(st.st_mode))
		return "it is a symbolic link to nowhere in the base";
	return strerror(mount_errno);
}

int mounts_api(struct fail *f)
{
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		const char *dir = mounts[i].dir, *reason;
		int mkdir_errno = mkdir(dir, 0755) < 0 ? errno : 0;

		if (mount(mounts[i].type, dir, mounts[i].type, mounts[i].flags,
			  mounts[i].options) == 0)
			continue;
		reason = why(dir, mkdir_errno, errno);
		if (mounts[i].need == NEEDED)
			return fail_msg(f, ENOENT, "cannot mount %s: %s", dir, reason);
		if (mounts[i].need == EXPECTED)
			report_warn("cannot mount %s: %s", dir, reason);
	}
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (symlink(links[i].target, links[i].path) < 0 && errno != EEXIST)
			report_warn("cannot make %s: %s", links[i].path, strerror(errno));
	return 0;
}
