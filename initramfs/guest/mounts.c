/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "initramfs/guest/guest.h"
#include "initramfs/guest/report.h"

/* What to do about one that cannot be mounted. */
enum need { NEEDED /* fail */, EXPECTED /* warn */, EXTRA /* nothing */ };

#define PLAIN (MS_NOSUID | MS_NODEV)
#define STRICT (PLAIN | MS_NOEXEC)

struct api_mount {
	const char *type; /* NULL: a part of the tmpfs for volatile files */
	const char *dir;
	unsigned long flags;
	const char *options;
	mode_t mode; /* of a part */
	enum need need;
};

static const struct api_mount mounts[] = {
	{ "proc", "/proc", STRICT, NULL, 0, NEEDED },
	{ "sysfs", "/sys", STRICT, NULL, 0, EXPECTED },
	{ "cgroup2", "/sys/fs/cgroup", STRICT, NULL, 0, EXTRA },
	{ "devtmpfs", "/dev", MS_NOSUID, NULL, 0, NEEDED },
	{ "devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5",
	  0, NEEDED },
	{ "mqueue", "/dev/mqueue", STRICT, NULL, 0, EXTRA },
	{ NULL, "/dev/shm", PLAIN, NULL, 01777, EXPECTED },
	{ NULL, "/run", PLAIN, NULL, 0755, EXPECTED },
	{ NULL, "/tmp", PLAIN, NULL, 01777, EXPECTED },
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
	if (stat(dir, &st) == 0 && !S_ISDIR(st.st_mode))
		return "it is no directory in the base";
	if (stat(dir, &st) < 0 && lstat(dir, &st) == 0)
		return "it is a symbolic link to nowhere in the base";
	return strerror(mount_errno);
}

/* Return: 0 or -errno. */
static int mount_part(const struct api_mount *m, int initramfs)
{
	char part[64];
	int r;

	snprintf(part, sizeof(part), ROOT_VOLATILE "/%s", strrchr(m->dir, '/') + 1);
	if (mkdirat(initramfs, part, 0) < 0 || fchmodat(initramfs, part, m->mode, 0) < 0)
		return -errno;
	r = place_bind(initramfs, part, m->dir);
	if (r < 0)
		return r;
	r = mount(NULL, m->dir, NULL, MS_REMOUNT | MS_BIND | m->flags, NULL);
	return r < 0 ? -errno : 0;
}

static int mount_one(const struct api_mount *m, int initramfs)
{
	if (!m->type)
		return mount_part(m, initramfs);
	return mount(m->type, m->dir, m->type, m->flags, m->options) < 0 ? -errno : 0;
}

int mounts_api(int initramfs, struct fail *f)
{
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		const struct api_mount *m = &mounts[i];
		int mkdir_errno = mkdir(m->dir, 0755) < 0 ? errno : 0;
		int r = mount_one(m, initramfs);

		if (r < 0 && m->need == NEEDED)
			return fail_text(f, ENOENT, "cannot mount %s: %s", m->dir,
					 why(m->dir, mkdir_errno, -r));
		if (r < 0 && m->need == EXPECTED)
			report_warn("cannot mount %s: %s", m->dir, why(m->dir, mkdir_errno, -r));
	}
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (symlink(links[i].target, links[i].path) < 0 && errno != EEXIST)
			report_warn("cannot make %s: %s", links[i].path, strerror(errno));
	return 0;
}
