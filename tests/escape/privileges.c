/* SPDX-License-Identifier: MIT */
/* To be more than QEMU is: ids, capabilities, limits, priorities. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/escape/escape.h"

/* What a 9p server needs, and all that there may be. */
#define CAPS_MEANT \
	(1ull << CAP_CHOWN | 1ull << CAP_DAC_OVERRIDE | 1ull << CAP_FOWNER | 1ull << CAP_FSETID)

static uid_t other_id(void)
{
	return (uid_t)number(scene.uid);
}

/* Raw: musl's functions would ask all threads, by a signal. */
static enum verdict setuid_other(void)
{
	return judge(syscall(SYS_setresuid, other_id(), other_id(), other_id()), "setresuid");
}

static enum verdict setgid_other(void)
{
	return judge(syscall(SYS_setresgid, other_id(), other_id(), other_id()), "setresgid");
}

static enum verdict setfsuid_other(void)
{
	syscall(SYS_setfsuid, other_id());
	return syscall(SYS_setfsuid, -1) == (long)other_id() ? out("setfsuid succeeded") :
							       held("setfsuid: not changed");
}

static enum verdict groups(void)
{
	gid_t group = other_id();

	return judge(syscall(SYS_setgroups, 1, &group), "setgroups");
}

static enum verdict caps_raise(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = ~0u, .permitted = ~0u, .inheritable = ~0u },
		{ .effective = 0x1ff, .permitted = 0x1ff, .inheritable = 0x1ff },
	};

	return judge(syscall(SYS_capset, &header, data), "capset");
}

static enum verdict caps_ambient(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	/* An ambient one has to be inheritable. */
	if (syscall(SYS_capget, &header, data) == 0) {
		data[0].inheritable = data[0].permitted;
		data[1].inheritable = data[1].permitted;
		syscall(SYS_capset, &header, data);
	}
	return judge(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0),
		     "prctl(PR_CAP_AMBIENT_RAISE)");
}

static enum verdict caps_more_than(const char *path, unsigned long long meant)
{
	static const char *const sets[] = { "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb" };
	char value[64];

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		if (!status_line(path, sets[i], value, sizeof(value)))
			return refused(path);
		if (strtoull(value, NULL, 16) & ~meant)
			return out("%s %s", sets[i], value);
	}
	return held("none in any set");
}

static const char *first_status(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)first_pid());
	return path;
}

static enum verdict caps_own(void)
{
	return caps_more_than("/proc/self/status", CAPS_MEANT);
}

static enum verdict status_is(const char *path, const char *key, const char *wanted)
{
	char value[64];

	if (!status_line(path, key, value, sizeof(value)))
		return refused(path);
	return strcmp(value, wanted) ? out("%s: %s is %s", path, key, value) :
				       held("%s is %s", key, value);
}

/* The first process gives things up once QEMU runs, and this may have been faster. */
static enum verdict in_the_end(enum verdict (*look)(void))
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	enum verdict verdict = look();

	for (int i = 0; verdict == OUT && i < 50; i++) {
		nanosleep(&pause, NULL);
		verdict = look();
	}
	return verdict;
}

static enum verdict look_at_caps(void)
{
	return caps_more_than(first_status(), 0);
}

static enum verdict caps_first(void)
{
	return in_the_end(look_at_caps);
}

static enum verdict no_new_privs(void)
{
	return status_is("/proc/self/status", "NoNewPrivs", "1");
}

static enum verdict filter(void)
{
	return status_is("/proc/self/status", "Seccomp", "2");
}

static enum verdict look_at_filter(void)
{
	return status_is(first_status(), "Seccomp", "2");
}

static enum verdict filter_first(void)
{
	return in_the_end(look_at_filter);
}

static enum verdict securebits(void)
{
	return judge(prctl(PR_SET_SECUREBITS, 0, 0, 0, 0), "prctl(PR_SET_SECUREBITS)");
}

static enum verdict set_mm(void)
{
	/* PR_SET_MM_EXE_FILE: to look like another program. */
	int fd = open("/proc/1/exe", O_RDONLY | O_CLOEXEC);

	return judge(prctl(PR_SET_MM, 13, fd < 0 ? 0 : fd, 0, 0), "prctl(PR_SET_MM)");
}

static enum verdict set_ptracer(void)
{
	/* Any process may trace this one, where Yama is. */
	return judge(prctl(0x59616d61, -1L, 0, 0, 0), "prctl(PR_SET_PTRACER)");
}

static enum verdict core_scheduling(void)
{
	/* PR_SCHED_CORE_SHARE_FROM the first process. */
	return judge(prctl(62, 3, first_pid(), 0, 0), "prctl(PR_SCHED_CORE)");
}

static enum verdict open_for_writing(const char *path)
{
	return judge(open(path, O_WRONLY | O_CLOEXEC), path);
}

static enum verdict uid_map(void)
{
	return open_for_writing("/proc/self/uid_map");
}

static enum verdict setgroups_file(void)
{
	return open_for_writing("/proc/self/setgroups");
}

static enum verdict loginuid(void)
{
	return open_for_writing("/proc/self/loginuid");
}

static enum verdict oom_score(void)
{
	return open_for_writing("/proc/self/oom_score_adj");
}

static enum verdict core_dump(void)
{
	struct rlimit now, more = { 1 << 20, 1 << 20 };

	if (getrlimit(RLIMIT_CORE, &now) == 0 && now.rlim_max > 1)
		return out("a core of %llu bytes may be dumped", (unsigned long long)now.rlim_max);
	return judge(setrlimit(RLIMIT_CORE, &more), "setrlimit(RLIMIT_CORE)");
}

static enum verdict raise_limit(int which, const char *what)
{
	struct rlimit now;

	if (getrlimit(which, &now) < 0)
		return refused("getrlimit");
	if (now.rlim_max == RLIM_INFINITY)
		return out("there is no limit of %s", what);
	now.rlim_max++;
	return judge(setrlimit(which, &now), what);
}

static enum verdict raise_files(void)
{
	return raise_limit(RLIMIT_NOFILE, "open files");
}

static enum verdict raise_locked(void)
{
	return raise_limit(RLIMIT_MEMLOCK, "locked memory");
}

static enum verdict raise_queues(void)
{
	return raise_limit(RLIMIT_MSGQUEUE, "message queues");
}

static enum verdict nice_up(void)
{
	return judge(setpriority(PRIO_PROCESS, 0, -20), "setpriority");
}

static enum verdict real_time(void)
{
	struct sched_param param = { .sched_priority = 1 };

	/* musl's refuses by itself. */
	return judge(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &param), "sched_setscheduler");
}

static enum verdict deadline(void)
{
	struct {
		unsigned int size, policy;
		unsigned long long flags;
		int nice;
		unsigned int priority;
		unsigned long long runtime, deadline, period;
	} attr = { .size = sizeof(attr),
		   .policy = 6,
		   .runtime = 1000000,
		   .deadline = 10000000,
		   .period = 10000000 };

	return judge(syscall(SYS_sched_setattr, 0, &attr, 0), "sched_setattr");
}

static enum verdict io_real_time(void)
{
	return judge(syscall(SYS_ioprio_set, 1, 0, 1 << 13), "ioprio_set");
}

static const struct attempt attempts[] = {
	{ "setuid", "become another id of the guest's", setuid_other },
	{ "setgid", "another group", setgid_other },
	{ "setfsuid", "for files only", setfsuid_other },
	{ "setgroups", "more groups", groups },
	{ "capset", "raise capabilities", caps_raise },
	{ "caps-ambient", "an ambient one", caps_ambient },
	{ "caps-own", "have more than four, in any set", caps_own },
	{ "caps-first", "the first process has any", caps_first },
	{ "no-new-privs", "gain some by exec", no_new_privs },
	{ "filter-own", "have no filter of system calls", filter },
	{ "filter-first", "the first process has none", filter_first },
	{ "securebits", "unlock what root's id gives", securebits },
	{ "prctl-mm", "look like another program", set_mm },
	{ "prctl-ptracer", "be traced by anyone", set_ptracer },
	{ "prctl-sched-core", "share a core's scheduling", core_scheduling },
	{ "uid-map", "write an id map", uid_map },
	{ "setgroups-file", "write /proc/self/setgroups", setgroups_file },
	{ "loginuid", "write the login id", loginuid },
	{ "oom-score", "have others killed first", oom_score },
	{ "core-dump", "have a core written", core_dump },
	{ "limit-files", "raise the limit of open files", raise_files },
	{ "limit-locked", "of locked memory", raise_locked },
	{ "limit-queues", "of message queues", raise_queues },
	{ "nice", "go before all others", nice_up },
	{ "sched-fifo", "in real time", real_time },
	{ "sched-deadline", "by a deadline", deadline },
	{ "ioprio", "on the disk", io_real_time },
};

GROUP(privileges, attempts);
