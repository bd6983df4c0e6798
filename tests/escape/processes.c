/* SPDX-License-Identifier: MIT */
/*
 * Other processes: the victim is one of the caller's, on the host; the first is the
 * jail's own PID 1, which has QEMU's ids, holds the way to vmrun, and once had more
 * rights than QEMU has.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/escape/escape.h"

#define DESCRIPTORS_TRIED 64

static pid_t victim(void)
{
	return (pid_t)number(scene.victim);
}

static enum verdict kill_victim(void)
{
	return judge(kill(victim(), SIGCONT), "kill");
}

static enum verdict kill_all(void)
{
	/* Signal 0 is never delivered, and tells whether one would be. */
	return judge(kill(-1, 0), "kill(-1)");
}

static enum verdict queue_signal(void)
{
	siginfo_t info = { .si_signo = SIGCONT, .si_code = SI_QUEUE };

	return judge(syscall(SYS_rt_sigqueueinfo, victim(), SIGCONT, &info), "rt_sigqueueinfo");
}

static enum verdict thread_signal(void)
{
	return judge(syscall(SYS_tgkill, victim(), victim(), SIGCONT), "tgkill");
}

static enum verdict signal_by_descriptor(void)
{
	int n = 0;

	for (int fd = -1; (fd = next_fd(fd)) >= 0; n++)
		if (is_listed(scene.sockets, fd) && fcntl(fd, F_SETOWN, victim()) == 0)
			return out("descriptor %d would signal the victim", fd);
	return refused("fcntl(F_SETOWN)");
}

static enum verdict pidfd(void)
{
	return judge(syscall(SYS_pidfd_open, victim(), 0), "pidfd_open");
}

static enum verdict pidfd_of_first(void)
{
	long fd = syscall(SYS_pidfd_open, first_pid(), 0);

	if (fd < 0)
		return refused("pidfd_open");
	for (int i = 0; i < DESCRIPTORS_TRIED; i++)
		if (syscall(SYS_pidfd_getfd, fd, i, 0) >= 0)
			return out("took descriptor %d of the first process", i);
	return refused("pidfd_getfd");
}

static enum verdict read_memory(pid_t pid, const char *hex)
{
	char buf[256];
	void *addr = (void *)strtoul(hex, NULL, 16); /* NOLINT(performance-no-int-to-ptr) */
	struct iovec local = { buf, sizeof(buf) }, remote = { addr, sizeof(buf) };
	ssize_t n = process_vm_readv(pid, &local, 1, &remote, 1, 0);

	if (n < 0 && errno != EFAULT)
		return refused("process_vm_readv");
	return out("read its memory%s", n > 0 && has_token(buf, (size_t)n) ? ": the token" : "");
}

static enum verdict read_victim(void)
{
	return read_memory(victim(), scene.victim_addr);
}

static enum verdict read_first(void)
{
	return read_memory(first_pid(), scene.first_addr);
}

static enum verdict open_memory(pid_t pid, const char *hex)
{
	char path[64], buf[256];
	off_t at = (off_t)strtoul(hex, NULL, 16);
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return refused(path);
	n = pread(fd, buf, sizeof(buf), at);
	return n > 0 ? out("read %s%s", path, has_token(buf, (size_t)n) ? ": the token" : "") :
		       refused("pread");
}

static enum verdict mem_of_victim(void)
{
	return open_memory(victim(), scene.victim_addr);
}

static enum verdict mem_of_first(void)
{
	return open_memory(first_pid(), scene.first_addr);
}

static enum verdict trace(pid_t pid)
{
	long r = ptrace(PTRACE_SEIZE, pid, NULL, NULL);

	if (r == 0)
		ptrace(PTRACE_DETACH, pid, NULL, NULL);
	return judge(r, "ptrace");
}

static enum verdict trace_victim(void)
{
	return trace(victim());
}

static enum verdict trace_first(void)
{
	return trace(first_pid());
}

/* A file of /proc/@pid that tells of it what only its owner should know. */
static enum verdict read_proc(pid_t pid, const char *name)
{
	char path[64], text[4096];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	n = read_text(path, text, sizeof(text));
	if (n < 0)
		return refused(path);
	return n > 0 ? out("read %s: %.60s", path, text) : held("%s is empty", path);
}

static enum verdict victim_seen(void)
{
	return read_proc(victim(), "cmdline");
}

static enum verdict victim_environ(void)
{
	return read_proc(victim(), "environ");
}

static enum verdict victim_descriptor(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%ld", (int)victim(), number(scene.victim_fd));
	return read_secret(AT_FDCWD, path);
}

static enum verdict first_environ(void)
{
	return read_proc(first_pid(), "environ");
}

static enum verdict first_maps(void)
{
	return read_proc(first_pid(), "maps");
}

static enum verdict first_descriptors(void)
{
	char path[64];
	ssize_t n = -1;

	for (int fd = 0; fd < DESCRIPTORS_TRIED && n < 0; fd++) {
		char target[256];

		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)first_pid(), fd);
		n = readlink(path, target, sizeof(target));
	}
	return judge(n, path);
}

static enum verdict first_program(void)
{
	char path[64], target[PATH_SIZE];

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)first_pid());
	return judge(readlink(path, target, sizeof(target)), path);
}

static enum verdict first_oom(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)first_pid());
	return judge(open(path, O_WRONLY | O_CLOEXEC), path);
}

static enum verdict others(void)
{
	pid_t self = (pid_t)syscall(SYS_getpid);
	int n = 0;

	/* The first, and this: in the jail, and from outside by other numbers. */
	for (pid_t pid = 0; (pid = next_pid(pid));)
		n += pid != self && pid != first_pid();
	return n ? out("%d other processes are seen", n) : held("there are no others");
}

static enum verdict same_files(void)
{
	return judge(syscall(SYS_kcmp, first_pid(), getpid(), KCMP_FILES, 0, 0), "kcmp");
}

static enum verdict advise(void)
{
	struct iovec range = { (void *)&range, sizeof(range) };
	long fd = syscall(SYS_pidfd_open, first_pid(), 0);

	if (fd < 0)
		return refused("pidfd_open");
	return judge(syscall(SYS_process_madvise, fd, &range, 1, MADV_DONTNEED, 0),
		     "process_madvise");
}

static enum verdict pages(void)
{
	return judge(syscall(SYS_migrate_pages, first_pid(), 0, NULL, NULL), "migrate_pages");
}

static enum verdict limits_of_victim(void)
{
	struct rlimit old;

	return judge(syscall(SYS_prlimit64, victim(), RLIMIT_NOFILE, NULL, &old), "prlimit64");
}

static enum verdict limits_of_first(void)
{
	struct rlimit old, more = { 1, 1 };

	return judge(syscall(SYS_prlimit64, first_pid(), RLIMIT_CORE, &more, &old), "prlimit64");
}

static enum verdict affinity(void)
{
	unsigned long mask[16] = { 1 };

	return judge(syscall(SYS_sched_setaffinity, victim(), sizeof(mask), mask),
		     "sched_setaffinity");
}

static enum verdict nice_victim(void)
{
	return judge(setpriority(PRIO_PROCESS, (id_t)victim(), 19), "setpriority");
}

static enum verdict io_of_victim(void)
{
	/* IOPRIO_WHO_PROCESS; the idle class. */
	return judge(syscall(SYS_ioprio_set, 1, victim(), 3 << 13), "ioprio_set");
}

static const struct attempt attempts[] = {
	{ "kill-victim", "signal a process of the caller's", kill_victim },
	{ "kill-all", "signal every process", kill_all },
	{ "kill-queue", "by rt_sigqueueinfo", queue_signal },
	{ "kill-thread", "by tgkill", thread_signal },
	{ "kill-owner", "as the owner of a descriptor's signals", signal_by_descriptor },
	{ "pidfd-victim", "take hold of it: pidfd_open", pidfd },
	{ "pidfd-first", "take the first process's descriptors", pidfd_of_first },
	{ "vm-read-victim", "read its memory: process_vm_readv", read_victim },
	{ "vm-read-first", "the first process's", read_first },
	{ "mem-victim", "by /proc/N/mem", mem_of_victim },
	{ "mem-first", "by /proc/1/mem", mem_of_first },
	{ "ptrace-victim", "trace it", trace_victim },
	{ "ptrace-first", "trace the first process", trace_first },
	{ "proc-victim", "see its command line", victim_seen },
	{ "proc-victim-environ", "its environment", victim_environ },
	{ "proc-victim-fd", "open its descriptor", victim_descriptor },
	{ "proc-first-environ", "the first process's environment", first_environ },
	{ "proc-first-maps", "its memory's layout", first_maps },
	{ "proc-first-fd", "its descriptors", first_descriptors },
	{ "proc-first-exe", "its program", first_program },
	{ "proc-first-oom", "have it killed first", first_oom },
	{ "proc-others", "see other processes", others },
	{ "kcmp-first", "compare with it", same_files },
	{ "madvise-first", "throw its pages away", advise },
	{ "migrate-first", "move its pages", pages },
	{ "prlimit-victim", "read the victim's limits", limits_of_victim },
	{ "prlimit-first", "change the first process's", limits_of_first },
	{ "affinity-victim", "pin the victim to a processor", affinity },
	{ "nice-victim", "slow it down", nice_victim },
	{ "ioprio-victim", "slow its disk down", io_of_victim },
};

GROUP(processes, attempts);
