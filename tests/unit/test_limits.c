/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"
#include "tests/unit/child.h"

#include <sched.h>

#include "runner/jail/limits.h"
#include "runner/jail/stages.h"

static const struct jail_limit *find(int resource)
{
	size_t n;
	const struct jail_limit *l = jail_limits(&n);

	for (size_t i = 0; i < n; i++)
		if (l[i].resource == resource)
			return &l[i];
	return NULL;
}

static void apply(enum jail_kind kind)
{
	static struct jail jail;
	struct err e = { 0 };

	jail.kind = kind;
	if (limits_apply(&jail, &e) != 0)
		fprintf(stderr, "%s\n", e.text);
	CHILD_CHECK(e.errnum == 0);
}

static struct rlimit now(int resource)
{
	struct rlimit r;

	CHILD_CHECK(getrlimit((__rlimit_resource_t)resource, &r) == 0);
	return r;
}

static void the_table_is_whole(void **state)
{
	size_t n;
	const struct jail_limit *l = jail_limits(&n);

	(void)state;
	assert_true(n >= 8);
	for (size_t i = 0; i < n; i++) {
		assert_non_null(l[i].name);
		assert_non_null(l[i].why);
		assert_ptr_equal(find(l[i].resource), &l[i]);
	}
}

/* Each is what the table says, or the caller's own where that is less; soft and hard. */
static void check_all(const void *arg)
{
	enum jail_kind kind = *(const enum jail_kind *)arg;
	struct rlimit before[RLIM_NLIMITS], after;
	size_t n;
	const struct jail_limit *l = jail_limits(&n);

	for (int i = 0; i < RLIM_NLIMITS; i++)
		before[i] = now(i);
	apply(kind);
	for (int i = 0; i < RLIM_NLIMITS; i++)
		if (!find(i)) {
			after = now(i);
			CHILD_CHECK(!memcmp(&after, &before[i], sizeof(after)));
		}
	for (size_t i = 0; i < n; i++) {
		rlim_t value = jail_limit_value(&l[i], kind);
		const struct rlimit *was = &before[l[i].resource];

		after = now(l[i].resource);
		if (value == LIMIT_KEEP) {
			CHILD_CHECK(!memcmp(&after, was, sizeof(after)));
		} else if (value == LIMIT_HARD) {
			CHILD_CHECK(after.rlim_cur == was->rlim_max);
			CHILD_CHECK(after.rlim_max == was->rlim_max);
		} else {
			CHILD_CHECK(after.rlim_max ==
				    (value < was->rlim_max ? value : was->rlim_max));
			CHILD_CHECK(after.rlim_cur == (l[i].resource == RLIMIT_CORE ? after.rlim_max :
						       value < was->rlim_cur	     ? value :
										       was->rlim_cur));
		}
	}
}

static void both_kinds(void **state)
{
	static const enum jail_kind kinds[] = { JAIL_VMM, JAIL_NETWORK };

	(void)state;
	run_unprivileged(check_all, &kinds[0]);
	run_unprivileged(check_all, &kinds[1]);
}

static void check_for_good(const void *arg)
{
	struct rlimit more = { 2, 2 };

	(void)arg;
	apply(JAIL_VMM);
	CHILD_CHECK(setrlimit(RLIMIT_CORE, &more) < 0 && errno == EPERM);
	CHILD_CHECK(setrlimit(RLIMIT_MEMLOCK, &more) < 0 && errno == EPERM);
	CHILD_CHECK(setrlimit(RLIMIT_RTPRIO, &more) < 0 && errno == EPERM);
}

static void they_cannot_be_raised_again(void **state)
{
	(void)state;
	run_unprivileged(check_for_good, NULL);
}

/* The caller's own limits are less than ours: they stay. */
static void check_less(const void *arg)
{
	struct rlimit files = { 10, 100 }, signals = { 3, 4 };

	(void)arg;
	CHILD_CHECK(setrlimit(RLIMIT_NOFILE, &files) == 0);
	CHILD_CHECK(setrlimit(RLIMIT_SIGPENDING, &signals) == 0);
	apply(JAIL_NETWORK);
	CHILD_CHECK(now(RLIMIT_NOFILE).rlim_cur == 10 && now(RLIMIT_NOFILE).rlim_max == 100);
	CHILD_CHECK(now(RLIMIT_SIGPENDING).rlim_cur == 3 && now(RLIMIT_SIGPENDING).rlim_max == 4);
	apply(JAIL_VMM);
	CHILD_CHECK(now(RLIMIT_NOFILE).rlim_cur == 100);
}

static void none_is_raised_over_the_callers(void **state)
{
	(void)state;
	run_unprivileged(check_less, NULL);
}

static void check_no_fork(const void *arg)
{
	pid_t pid;

	(void)arg;
	apply(JAIL_NETWORK);
	pid = fork();
	if (pid == 0)
		_exit(0);
	CHILD_CHECK(pid < 0 && errno == EAGAIN);
}

static void the_network_helper_starts_nothing(void **state)
{
	(void)state;
	run_unprivileged(check_no_fork, NULL);
}

/*
 * Several user namespaces of one user, together over a limit that each of them has:
 * what lets any number of guests run beside each other with RLIMIT_NPROC. Each forks
 * until it may not; all of them stay until the last is done.
 */
#define SPACES 4
#define TASKS 20

static void fill_namespace(int done, int go)
{
	struct rlimit tasks = { TASKS, TASKS };
	unsigned char n = 0;
	char byte;
	pid_t pid;

	CHILD_CHECK(unshare(CLONE_NEWUSER) == 0);
	CHILD_CHECK(setrlimit(RLIMIT_NPROC, &tasks) == 0);
	for (; n < TASKS + 5; n++) {
		pid = fork();
		if (pid == 0)
			_exit(read(go, &byte, 1) == 0 ? 0 : 1);
		if (pid < 0)
			break;
	}
	CHILD_CHECK(write(done, &n, 1) == 1);
	_exit(read(go, &byte, 1) == 0 ? 0 : 1);
}

static void check_namespaces(const void *arg)
{
	int done[2], go[2];
	unsigned char n;

	(void)arg;
	CHILD_CHECK(pipe(done) == 0 && pipe(go) == 0);
	for (int i = 0; i < SPACES; i++) {
		pid_t pid = fork();

		CHILD_CHECK(pid >= 0);
		if (pid == 0) {
			close(go[1]);
			fill_namespace(done[1], go[0]);
		}
	}
	close(done[1]);
	for (int i = 0; i < SPACES; i++) {
		CHILD_CHECK(read(done[0], &n, 1) == 1);
		CHILD_CHECK(n == TASKS - 1);
	}
	close(go[1]);
}

static void processes_are_counted_by_namespace(void **state)
{
	(void)state;
	if (jail_limit_value(find(RLIMIT_NPROC), JAIL_VMM) != LIMIT_KEEP)
		run_unprivileged(check_namespaces, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_whole),
		cmocka_unit_test(both_kinds),
		cmocka_unit_test(they_cannot_be_raised_again),
		cmocka_unit_test(none_is_raised_over_the_callers),
		cmocka_unit_test(the_network_helper_starts_nothing),
		cmocka_unit_test(processes_are_counted_by_namespace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
