/* SPDX-License-Identifier: MIT */
/*
 * For what holds only for an ordinary user, in tests that root may run too. A
 * child must not use cmocka's assertions: they would go on with the next test.
 */
#ifndef VMRUN_TESTS_CHILD_H
#define VMRUN_TESTS_CHILD_H

#include "tests/unit/fixture.h"

#include <grp.h>
#include <sys/prctl.h>

#define NOBODY 65534

/* In a child: fail with the place and the condition. */
#define CHILD_CHECK(condition)                                                                    \
	do {                                                                                      \
		if (!(condition)) {                                                               \
			fprintf(stderr, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #condition, \
				errno);                                                           \
			_exit(1);                                                                 \
		}                                                                                 \
	} while (0)

static inline void assert_child_succeeds(pid_t pid)
{
	int status;

	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Runs @f in a child; it is as the caller, or nobody if that is root. */
static inline void run_unprivileged(void (*f)(const void *arg), const void *arg)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (geteuid() == 0) {
			const gid_t group = NOBODY;

			CHILD_CHECK(setgroups(1, &group) == 0);
			CHILD_CHECK(setgid(NOBODY) == 0);
			CHILD_CHECK(setuid(NOBODY) == 0);
			/* Its /proc is root's else. */
			CHILD_CHECK(prctl(PR_SET_DUMPABLE, 1) == 0);
		}
		f(arg);
		_exit(0);
	}
	assert_child_succeeds(pid);
}

#endif
