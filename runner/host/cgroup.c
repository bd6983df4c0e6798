/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * The group bounds what a QEMU that runs the guest's code can take from the host:
 * memory, tasks, time on CPUs. It is no boundary that an honest guest should feel, so
 * the bounds are what a run may ever need, and some.
 *
 *  memory  The guest's; 1/64 of it for its page tables; 256 MiB for QEMU (30 MiB before
 *	    the guest starts), the initramfs and an unpacked kernel. Under emulation, too:
 *	    1 GiB of translated code, which is QEMU's own bound, 1/4 of that to keep
 *	    account of it (measured: 127 MiB for 846), and for each vCPU the tables
 *	    of addresses looked up: at most 2^22 entries, and no more than the
 *	    guest has pages. A guest of 512 MiB that ran all that it had came to 1400
 *	    MiB in 100 s, of which the code was the most, and growing.
 *  swap    The guest's memory once more: it may be swapped out, and nothing beyond.
 *  tasks   CGROUP_TASKS_MAX.
 *  CPU     One more than the guest has: for the emulated devices.
 *
 * All in the group are killed if one is for want of memory: half a jail serves nobody.
 *
 * A group is a directory, and stays until somebody removes it. We do, when the jail is
 * gone. If we are killed, the next vmrun that comes by does: each holds a flock on its
 * own, so one whose lock can be had has no owner, and the kernel removes none that
 * still holds a process. Between mkdir() and flock() a new one looks like one without
 * owner: so the owner looks again once it has the lock, and makes another if its own
 * is gone. And between open() and flock() an old one may have given way to a new one of
 * the same name: so who wants to remove one looks again, too. What then has the name is
 * what is locked, and nobody removes one without its lock.
 */
#include "runner/host/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/base/fs.h"

#define NAME_PREFIX "vmrun-"
#define MIB ((uint64_t)1 << 20)
#define MEMORY_QEMU (256 * MIB)
#define MEMORY_CODE ((1024 + 256) * MIB)
#define MEMORY_LOOKUPS (512 * MIB) /* of a vCPU */
#define CPU_PERIOD_US 100000u
#define MAKE_TRIES 16
#define REMOVE_MS 1000

static int write_file(int dir, const char *name, const char *text)
{
	_cleanup_close_ int fd = openat(dir, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static int write_number(int dir, const char *name, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	return write_file(dir, name, text);
}

/* Whether @name still is what was opened as @fd, and not removed, or another by now. */
static bool is_named(int parent, const char *name, int fd)
{
	struct stat opened, there;

	return fstat(fd, &opened) == 0 && fstatat(parent, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       opened.st_dev == there.st_dev && opened.st_ino == there.st_ino;
}

/* @ret_fd: open and locked. Return: -EAGAIN if another name is to be tried. */
static int make_one(int parent, const char *name, int *ret_fd)
{
	_cleanup_close_ int fd = -1;

	if (mkdirat(parent, name, 0755) < 0)
		return errno == EEXIST ? -EAGAIN : -errno;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	if (!is_named(parent, name, fd))
		return -EAGAIN;
	*ret_fd = steal_fd(&fd);
	return 0;
}

static int make_dir(struct cgroup *cg, struct err *e)
{
	int r = -EAGAIN;

	/* Another's PID may be the same, from another PID namespace. */
	for (int i = 0; r == -EAGAIN && i < MAKE_TRIES; i++) {
		snprintf(cg->name, sizeof(cg->name), i ? NAME_PREFIX "%d-%d" : NAME_PREFIX "%d",
			 (int)getpid(), i);
		r = make_one(cg->place.fd, cg->name, &cg->fd);
	}
	if (r < 0)
		return err_errno(e, -r, "cannot make the group %s/%s", cg->place.path, cg->name);
	return 0;
}

/* As make_dir() names them: units of systemd may begin alike. */
static bool is_ours(const char *name)
{
	size_t n;

	if (strncmp(name, NAME_PREFIX, strlen(NAME_PREFIX)))
		return false;
	name += strlen(NAME_PREFIX);
	n = strspn(name, "0123456789");
	if (n && name[n] == '-') {
		name += n + 1;
		n = strspn(name, "0123456789");
	}
	return n && name[n] == '\0';
}

static void remove_if_stale(int parent, const char *name)
{
	_cleanup_close_ int fd = openat(parent, name,
					O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && is_named(parent, name, fd))
		unlinkat(parent, name, AT_REMOVEDIR);
}

static void remove_stale(int parent)
{
	int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir) {
		cleanup_close(&fd);
		return;
	}
	while ((entry = readdir(dir)))
		if (is_ours(entry->d_name))
			remove_if_stale(parent, entry->d_name);
	closedir(dir);
}

static uint64_t memory_of(const struct cgroup_limits *limits)
{
	uint64_t guest = limits->guest_memory;
	uint64_t lookups = guest / 8 < MEMORY_LOOKUPS ? guest / 8 : MEMORY_LOOKUPS;
	uint64_t ret = guest + guest / 64 + MEMORY_QEMU;

	return limits->emulated ? ret + MEMORY_CODE + limits->cpus * lookups : ret;
}

static int limit_memory(const struct cgroup_limits *limits, struct cgroup *cg)
{
	uint64_t memory = memory_of(limits);
	int r = write_number(cg->fd, "memory.max", memory);

	if (r < 0)
		return r;
	cg->memory = memory;
	/* Neither is there on every kernel. */
	if (write_number(cg->fd, "memory.swap.max", limits->guest_memory) == 0)
		cg->swap = limits->guest_memory;
	(void)!write_number(cg->fd, "memory.oom.group", 1);
	return 0;
}

static int limit_tasks(const struct cgroup_limits *limits, struct cgroup *cg)
{
	int r = write_number(cg->fd, "pids.max", CGROUP_TASKS_MAX);

	(void)limits;
	if (r == 0)
		cg->tasks = CGROUP_TASKS_MAX;
	return r;
}

static int limit_cpu(const struct cgroup_limits *limits, struct cgroup *cg)
{
	unsigned int cpus = limits->cpus + 1;
	char text[64];
	int r;

	snprintf(text, sizeof(text), "%llu %u", (unsigned long long)cpus * CPU_PERIOD_US,
		 CPU_PERIOD_US);
	r = write_file(cg->fd, "cpu.max", text);
	if (r == 0)
		cg->cpu_percent = cpus * 100;
	return r;
}

static const struct {
	enum cgroup_controller controller;
	const char *what;
	int (*set)(const struct cgroup_limits *limits, struct cgroup *cg);
} limiters[] = {
	{ CGROUP_MEMORY, "memory", limit_memory },
	{ CGROUP_PIDS, "tasks", limit_tasks },
	{ CGROUP_CPU, "CPU", limit_cpu },
};

static int set_limits(const struct cgroup_limits *limits, struct cgroup *cg, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(limiters); i++) {
		int r = cg->place.controllers & limiters[i].controller ?
				limiters[i].set(limits, cg) :
				0;

		if (r < 0)
			return err_errno(e, -r, "cannot limit %s in %s/%s", limiters[i].what,
					 cg->place.path, cg->name);
	}
	return 0;
}

int cgroup_make_in(struct cgroup_place *place, const struct cgroup_limits *limits,
		   struct cgroup *ret, struct err *e)
{
	struct cgroup cg = CGROUP_INIT;
	int r;

	cg.place = *place;
	place->fd = -1;
	remove_stale(cg.place.fd);
	r = make_dir(&cg, e);
	if (r == 0)
		r = set_limits(limits, &cg, e);
	if (r < 0)
		cgroup_remove(&cg);
	else
		*ret = cg;
	return r;
}

int cgroup_make(const struct cgroup_limits *limits, struct cgroup *ret, struct err *e)
{
	struct cgroup_place place;
	int r = cgroup_place_find("/proc/self/cgroup", "/proc/self/mountinfo", &place, e);

	return r < 0 ? r : cgroup_make_in(&place, limits, ret, e);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Until the last process has left it, or @until. A change is told as POLLPRI. */
static void wait_empty(int fd, uint64_t until)
{
	_cleanup_close_ int events = openat(fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	char text[128];

	for (uint64_t now = now_ms(); events >= 0 && now < until; now = now_ms()) {
		struct pollfd p = { .fd = events, .events = POLLPRI };
		ssize_t n = fs_pread_all(events, text, sizeof(text) - 1, 0);

		if (n < 0)
			return;
		text[n] = '\0';
		if (!strstr(text, "populated 1"))
			return;
		poll(&p, 1, (int)(until - now));
	}
}

void cgroup_remove(struct cgroup *cg)
{
	if (cg->fd >= 0 && unlinkat(cg->place.fd, cg->name, AT_REMOVEDIR) < 0 && errno == EBUSY) {
		wait_empty(cg->fd, now_ms() + REMOVE_MS);
		unlinkat(cg->place.fd, cg->name, AT_REMOVEDIR);
	}
	cleanup_close(&cg->fd);
	cleanup_close(&cg->place.fd);
}

/* The value of a line "@key N" in memory.events. */
static uint64_t count(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
		if (!strncmp(line, key, len) && line[len] == ' ')
			return strtoull(line + len + 1, NULL, 10);
	return 0;
}

bool cgroup_verdict(const struct cgroup *cg, char *buf, size_t size)
{
	_cleanup_close_ int fd = cg->fd < 0 ? -1 :
					      openat(cg->fd, "memory.events", O_RDONLY | O_CLOEXEC);
	char text[512];
	ssize_t n = fd < 0 ? 0 : fs_pread_all(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	if (!count(text, "oom_kill"))
		return false;
	/* The kernel counts a kill here whosever limit was reached, but "oom" for ours only. */
	if (count(text, "oom"))
		snprintf(buf, size, "QEMU was killed: it used more than its limit of %llu MiB",
			 (unsigned long long)(cg->memory / MIB));
	else
		snprintf(buf, size, "QEMU was killed: the host ran out of memory");
	return true;
}

static void describe(const struct cgroup *cg, struct strbuf *out)
{
	const char *sep = "";

	if (cg->memory) {
		strbuf_printf(out, "memory %llu MiB", (unsigned long long)(cg->memory / MIB));
		sep = ", ";
	}
	if (cg->swap) {
		strbuf_printf(out, "%sswap %llu MiB", sep, (unsigned long long)(cg->swap / MIB));
		sep = ", ";
	}
	if (cg->tasks) {
		strbuf_printf(out, "%s%u tasks", sep, cg->tasks);
		sep = ", ";
	}
	if (cg->cpu_percent)
		strbuf_printf(out, "%sCPU %u%%", sep, cg->cpu_percent);
	strbuf_printf(out, ", in %s", cg->place.path);
	for (size_t i = 0; i < ARRAY_SIZE(limiters); i++)
		if (!(cg->place.controllers & limiters[i].controller))
			strbuf_printf(out, "; %s is not delegated", limiters[i].what);
}

void cgroup_describe(const struct cgroup_limits *limits, struct strbuf *out)
{
	struct cgroup cg = CGROUP_INIT;
	struct err e;

	if (cgroup_make(limits, &cg, &e) == 0)
		describe(&cg, out);
	else
		strbuf_printf(out, "none: %s; the resource limits hold alone", e.text);
	cgroup_remove(&cg);
}
