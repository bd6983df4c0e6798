/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * What a system expects to find mounted is the same for every run. So it is
 * mounted before there is one, in the initramfs, at the very places where
 * vmrun-init itself needs some of it; mounts_api() then only moves it into the
 * root. What is below another of them (/dev/pts) moves along with that.
 *
 * An error of the first part is kept, for there is nobody to tell it to yet. In
 * the second one, what goes wrong is a place that the base lacks: only then is it
 * made, since to look costs a conversation with the host.
 */
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
	bool inner; /* below one that is further up */
};

static const struct api_mount mounts[] = {
	{ "proc", "/proc", STRICT, NULL, 0, NEEDED, false },
	{ "sysfs", "/sys", STRICT, NULL, 0, EXPECTED, false },
	{ "cgroup2", "/sys/fs/cgroup", STRICT, NULL, 0, EXTRA, true },
	{ "devtmpfs", "/dev", MS_NOSUID, NULL, 0, NEEDED, false },
	{ "devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5",
	  0, NEEDED, true },
	{ "mqueue", "/dev/mqueue", STRICT, NULL, 0, EXTRA, true },
	{ NULL, "/dev/shm", PLAIN, NULL, 01777, EXPECTED, true },
	{ NULL, "/run", PLAIN, NULL, 0755, EXPECTED, false },
	{ NULL, "/tmp", PLAIN, NULL, 01777, EXPECTED, false },
};

#define N_MOUNTS (sizeof(mounts) / sizeof(mounts[0]))

static struct {
	int fd; /* O_PATH, of its root; -1 for an inner one, or one that failed */
	int r;	/* 0, or -errno */
} prepared[N_MOUNTS];

static const struct {
	const char *target, *path;
} links[] = {
	{ "/proc/self/fd", "/dev/fd" },
	{ "/proc/self/fd/0", "/dev/stdin" },
	{ "/proc/self/fd/1", "/dev/stdout" },
	{ "/proc/self/fd/2", "/dev/stderr" },
};

/* --- before the run --- */

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

static int mount_one(const struct api_mount *m, int initramfs, int *ret_fd)
{
	int r;

	mkdir(m->dir, 0755);
	if (!m->type)
		r = mount_part(m, initramfs);
	else
		r = mount(m->type, m->dir, m->type, m->flags, m->options) < 0 ? -errno : 0;
	if (r < 0 || m->inner)
		return r;
	*ret_fd = open(m->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0 ? -errno : 0;
}

void mounts_prepare(int initramfs)
{
	for (size_t i = 0; i < N_MOUNTS; i++) {
		prepared[i].fd = -1;
		prepared[i].r = mount_one(&mounts[i], initramfs, &prepared[i].fd);
	}
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (symlink(links[i].target, links[i].path) < 0 && errno != EEXIST)
			report_warn("cannot make %s: %s", links[i].path, strerror(errno));
}

/* --- in the run --- */

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

/* Return: 0 or -errno; @ret_mkdir_errno, unless no directory had to be made. */
static int move_in(int fd, const char *dir, int *ret_mkdir_errno)
{
	int r = place_move(fd, dir);

	if (r != -ENOENT)
		return r;
	if (mkdir(dir, 0755) < 0)
		*ret_mkdir_errno = errno;
	return place_move(fd, dir);
}

int mounts_api(struct fail *f)
{
	for (size_t i = 0; i < N_MOUNTS; i++) {
		const struct api_mount *m = &mounts[i];
		int mkdir_errno = 0;
		int r = prepared[i].r;

		if (prepared[i].fd >= 0)
			r = move_in(prepared[i].fd, m->dir, &mkdir_errno);
		if (r < 0 && m->need == NEEDED)
			return fail_text(f, ENOENT, "cannot mount %s: %s", m->dir,
					 why(m->dir, mkdir_errno, -r));
		if (r < 0 && m->need == EXPECTED)
			report_warn("cannot mount %s: %s", m->dir, why(m->dir, mkdir_errno, -r));
	}
	return 0;
}
