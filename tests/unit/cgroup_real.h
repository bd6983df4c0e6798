/* SPDX-License-Identifier: MIT */
/*
 * The tests of test_cgroup.c that need a kernel's own tree, with what may be assumed of
 * it: see tests/e2e/cgroup.sh, which makes /sys/fs/cgroup/user (ours, with all three
 * controllers) and runs us in the group "leaf" below it.
 */
#ifndef VMRUN_TESTS_CGROUP_REAL_H
#define VMRUN_TESTS_CGROUP_REAL_H

#include "tests/unit/fixture.h"
#include "tests/unit/child.h"

#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>

#include "runner/host/cgroup.h"

#define REAL_PLACE "/sys/fs/cgroup/user"

/* 272 MiB in all. */
static const struct cgroup_limits real_limits = { .guest_memory = 16 << 20, .cpus = 3 };

static struct cgroup real_make(void)
{
	struct cgroup cg = CGROUP_INIT;
	struct err e;

	if (cgroup_make(&real_limits, &cg, &e) != 0)
		fail_msg("%s", e.text);
	return cg;
}

static void real_expect(const struct cgroup *cg, const char *file, const char *text)
{
	char buf[200];
	int fd = openat(cg->fd, file, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	assert_true(fd >= 0);
	n = read(fd, buf, sizeof(buf) - 1);
	assert_true(n > 0);
	buf[n - 1] = '\0';
	assert_string_equal(buf, text);
	close(fd);
}

/* As a jail is: its first process in namespaces of its own. */
static pid_t real_spawn(const struct cgroup *cg, void (*f)(void))
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWCGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)cg->fd,
	};
	long pid;

	fflush(NULL);
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0) {
		f();
		_exit(0);
	}
	assert_true(pid > 0);
	return (pid_t)pid;
}

static bool real_is_there(const struct cgroup *cg, const char *name)
{
	return faccessat(cg->place.fd, name, F_OK, 0) == 0;
}

/* The group of which @name is the name is gone once @cg is removed. */
static void real_remove(struct cgroup *cg)
{
	char path[200];

	snprintf(path, sizeof(path), REAL_PLACE "/%s", cg->name);
	assert_int_equal(access(path, F_OK), 0);
	cgroup_remove(cg);
	assert_int_equal(access(path, F_OK), -1);
}

static void real_limits_are_set(void **state)
{
	struct cgroup cg = real_make();

	(void)state;
	assert_string_equal(cg.place.path, REAL_PLACE);
	assert_int_equal(cg.place.controllers, CGROUP_MEMORY | CGROUP_PIDS | CGROUP_CPU);
	assert_int_equal(cg.memory, (272 << 20) + (16 << 14));
	assert_int_equal(cg.tasks, CGROUP_TASKS_MAX);
	assert_int_equal(cg.cpu_percent, 400);
	real_expect(&cg, "memory.max", "285474816");
	real_expect(&cg, "memory.swap.max", "16777216");
	real_expect(&cg, "memory.oom.group", "1");
	real_expect(&cg, "pids.max", "512");
	real_expect(&cg, "cpu.max", "400000 100000");
	real_remove(&cg);
}

static void real_hog(void)
{
	size_t size = (size_t)400 << 20;
	volatile char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
				0);

	if (p == MAP_FAILED)
		_exit(1);
	for (size_t i = 0; i < size; i += 4096)
		p[i] = 1;
}

static void real_hog_beside_others(void)
{
	if (fork() == 0)
		real_hog();
	pause();
}

/* Whichever of them asked for too much, all are gone. */
static void real_memory(void **state)
{
	static void (*const hogs[])(void) = { real_hog, real_hog_beside_others };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct cgroup cg = real_make();
		pid_t pid = real_spawn(&cg, hogs[i]);
		char said[200];
		int status;

		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		assert_true(cgroup_verdict(&cg, said, sizeof(said)));
		assert_string_equal(said,
				    "QEMU was killed: it used more than its limit of 272 MiB");
		real_remove(&cg);
	}
}

static void real_quick(void)
{
}

static void real_no_verdict(void **state)
{
	struct cgroup cg = real_make();
	char said[200];
	int status;
	pid_t pid = real_spawn(&cg, real_quick);

	(void)state;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_false(cgroup_verdict(&cg, said, sizeof(said)));
	real_remove(&cg);
}

static void real_fork_bomb(void)
{
	unsigned int n = 1;

	for (; n < 2 * CGROUP_TASKS_MAX; n++) {
		pid_t pid = fork();

		if (pid == 0)
			pause();
		if (pid < 0)
			break;
	}
	_exit(n == CGROUP_TASKS_MAX && errno == EAGAIN ? 0 : 1);
}

static void real_tasks(void **state)
{
	struct cgroup cg = real_make();
	pid_t pid = real_spawn(&cg, real_fork_bomb);
	int status;

	(void)state;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	real_remove(&cg);
}

static void real_sleep(void)
{
	for (int i = 0; i < 50; i++)
		if (fork() == 0)
			break;
	pause();
}

/* Killed, but nobody has waited for it: the kernel takes its time. */
static void real_draining(void **state)
{
	struct cgroup cg = real_make();
	pid_t pid = real_spawn(&cg, real_sleep);

	(void)state;
	usleep(200000);
	kill(pid, SIGKILL);
	real_remove(&cg);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* What lives on keeps it, without the owner too; when that has ended, it is stale. */
static void real_stale(void **state)
{
	struct cgroup cg = real_make(), other;
	pid_t pid = real_spawn(&cg, real_sleep);
	char name[48];

	(void)state;
	snprintf(name, sizeof(name), "%s", cg.name);
	cgroup_remove(&cg);
	other = real_make();
	assert_true(real_is_there(&other, name));
	real_remove(&other);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	other = real_make();
	assert_string_equal(other.name, name);
	real_remove(&other);
}

static void real_race(void)
{
	for (int i = 0; i < 300; i++) {
		struct cgroup cg = CGROUP_INIT;
		struct err e;

		CHILD_CHECK(cgroup_make(&real_limits, &cg, &e) == 0);
		CHILD_CHECK(cg.memory != 0);
		CHILD_CHECK(real_is_there(&cg, cg.name));
		cgroup_remove(&cg);
	}
}

static void real_several_at_once(void **state)
{
	pid_t pids[4];

	(void)state;
	for (int i = 0; i < 4; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			real_race();
			_exit(0);
		}
	}
	for (int i = 0; i < 4; i++)
		assert_child_succeeds(pids[i]);
}

static void real_described(void **state)
{
	struct strbuf out = { 0 };

	(void)state;
	cgroup_describe(&real_limits, &out);
	assert_string_equal(strbuf_str(&out),
			    "memory 272 MiB, swap 16 MiB, 512 tasks, CPU 400%, in " REAL_PLACE);
	strbuf_free(&out);
}

static void real_expect_none(const char *why)
{
	struct cgroup cg = CGROUP_INIT;
	struct err e;

	assert_true(cgroup_make(&real_limits, &cg, &e) < 0);
	if (!strstr(e.text, why))
		fail_msg("\"%s\" does not say \"%s\"", e.text, why);
}

static void real_not_delegated(void **state)
{
	(void)state;
	real_expect_none("no group is delegated to the caller here");
}

static void real_limited(void **state)
{
	(void)state;
	real_expect_none("memory.max of /sys/fs/cgroup/user/leaf already limits vmrun");
}

/* @how: how we were put into the tree. */
static int real_main(const char *how)
{
	const struct CMUnitTest delegated[] = {
		cmocka_unit_test(real_limits_are_set),	cmocka_unit_test(real_memory),
		cmocka_unit_test(real_no_verdict),	cmocka_unit_test(real_tasks),
		cmocka_unit_test(real_draining),	cmocka_unit_test(real_stale),
		cmocka_unit_test(real_several_at_once), cmocka_unit_test(real_described),
	};
	const struct CMUnitTest closed[] = { cmocka_unit_test(real_not_delegated) };
	const struct CMUnitTest limited[] = { cmocka_unit_test(real_limited) };

	if (!strcmp(how, "delegated"))
		return cmocka_run_group_tests(delegated, NULL, NULL);
	if (!strcmp(how, "closed"))
		return cmocka_run_group_tests(closed, NULL, NULL);
	if (!strcmp(how, "limited"))
		return cmocka_run_group_tests(limited, NULL, NULL);
	return 2;
}

#endif
