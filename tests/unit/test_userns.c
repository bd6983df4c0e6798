/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"
#include "tests/unit/child.h"

#include <sched.h>

#include "runner/jail/userns.h"

static void maps_of_only_the_own_id(void **state)
{
	static const struct {
		struct id_map map;
		bool own; /* of id 1000 */
	} cases[] = {
		{ { { { 0, 1000, 1 } }, 1 }, true },
		{ { { { 1000, 1000, 1 } }, 1 }, true },
		{ { { { 0, 1001, 1 } }, 1 }, false },
		{ { { { 1000, 0, 1 } }, 1 }, false },
		{ { { { 0, 1000, 2 } }, 1 }, false },
		{ { { { 0, 999, 2 } }, 1 }, false },
		{ { { { 0, 1000, 0 } }, 1 }, false },
		{ { { { 0, 1000, 1 }, { 1, 100000, 65536 } }, 2 }, false },
		{ { { { 0, 100000, 1 }, { 1, 1000, 1 } }, 2 }, false },
		{ { { { 0, 1000, 1 } }, 0 }, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (userns_only_own_id(&cases[i].map, 1000) != cases[i].own)
			fail_msg("case %zu is wrong", i);
}

/* Why none can be made: always a failure, and one line that says more than errno. */
static void explanations(void **state)
{
	static const int errnums[] = { EPERM, ENOSPC, EINVAL, ENOSYS, EUSERS };

	(void)state;
	for (size_t i = 0; i < sizeof(errnums) / sizeof(errnums[0]); i++) {
		struct err e = { 0 };

		assert_int_equal(userns_explain(errnums[i], &e), -errnums[i]);
		assert_int_equal(e.errnum, errnums[i]);
		assert_non_null(strstr(e.text, "user namespace"));
		assert_null(strchr(e.text, '\n'));
	}
}

static void read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	CHILD_CHECK(n >= 0);
	buf[n] = '\0';
	close(fd);
}

/* In the new namespace, once its maps are there. */
static void look_from_inside(int ready, int go, uid_t uid, gid_t gid)
{
	char text[128], want[128], byte;

	CHILD_CHECK(unshare(CLONE_NEWUSER) == 0);
	CHILD_CHECK(write(ready, "r", 1) == 1);
	CHILD_CHECK(read(go, &byte, 1) == 1);
	CHILD_CHECK(getuid() == 0 && geteuid() == 0);
	CHILD_CHECK(getgid() == 7 && getegid() == 7);
	read_file("/proc/self/uid_map", text, sizeof(text));
	snprintf(want, sizeof(want), "%10u %10u %10u\n", 0u, uid, 1u);
	CHILD_CHECK(!strcmp(text, want));
	read_file("/proc/self/gid_map", text, sizeof(text));
	snprintf(want, sizeof(want), "%10u %10u %10u\n", 7u, gid, 1u);
	CHILD_CHECK(!strcmp(text, want));
	/* Else leaving a group would be a way past files that deny it. */
	read_file("/proc/self/setgroups", text, sizeof(text));
	CHILD_CHECK(!strcmp(text, "deny\n"));
}

/* The map of the own id alone needs no helper and no privilege. */
static void map_own_id(const void *arg)
{
	const struct id_map uids = { .e = { { 0, geteuid(), 1 } }, .n = 1 };
	const struct id_map gids = { .e = { { 7, getegid(), 1 } }, .n = 1 };
	int ready[2], go[2], status;
	uid_t uid = geteuid();
	gid_t gid = getegid();
	struct err e;
	char byte;
	pid_t pid;

	(void)arg;
	CHILD_CHECK(pipe(ready) == 0 && pipe(go) == 0);
	pid = fork();
	CHILD_CHECK(pid >= 0);
	if (pid == 0) {
		close(go[1]);
		look_from_inside(ready[1], go[0], uid, gid);
		_exit(0);
	}
	close(ready[1]);
	CHILD_CHECK(read(ready[0], &byte, 1) == 1);
	CHILD_CHECK(userns_write_maps(pid, &uids, &gids, &e) == 0);
	CHILD_CHECK(write(go[1], "g", 1) == 1);
	CHILD_CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	/* It is gone now. */
	CHILD_CHECK(userns_write_maps(pid, &uids, &gids, &e) < 0);
	CHILD_CHECK(strstr(e.text, "user namespace"));
}

static void the_own_id_is_mapped_directly(void **state)
{
	(void)state;
	run_unprivileged(map_own_id, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_of_only_the_own_id),
		cmocka_unit_test(explanations),
		cmocka_unit_test(the_own_id_is_mapped_directly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
