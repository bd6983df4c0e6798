/* SPDX-License-Identifier: MIT */
/*
 * Groups of control, over directories that look like them. What only the kernel does
 * (limits that bite, groups that cannot be removed) is tested by tests/e2e/cgroup.sh,
 * which runs this program in a guest, with an argument: see cgroup_real.h.
 */
#include "tests/unit/cgroup_real.h"

#define ALL (CGROUP_MEMORY | CGROUP_PIDS | CGROUP_CPU)

static const struct cgroup_limits some_limits = { .guest_memory = 512 << 20,
						  .cpus = 1,
						  .emulated = true };

/* A group below FIXTURE/tree: what it has, what it enables, whether it has a process. */
static void group(const struct fixture *fx, const char *path, const char *has, const char *enabled,
		  bool busy)
{
	const struct {
		const char *name, *text;
	} files[] = {
		{ "cgroup.controllers", has },
		{ "cgroup.subtree_control", enabled },
		{ "cgroup.procs", busy ? "4711\n" : "" },
		{ "cgroup.type", "domain\n" },
	};
	char name[256];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(name, sizeof(name), "tree%s/%s", path, files[i].name);
		fixture_puts(fx, name, files[i].text);
	}
}

static void put(const struct fixture *fx, const char *name, const char *text)
{
	fixture_puts(fx, name, text);
}

/* As if we were in the group @own, and the part @root of the tree were mounted. */
static int find_at(const struct fixture *fx, const char *own, const char *root,
		   struct cgroup_place *ret, struct err *e)
{
	char text[8192], self[128];

	snprintf(text, sizeof(text), "4:memory:/v1\n1:name=systemd:/x\n0::%s\n", own);
	put(fx, "self", text);
	snprintf(text, sizeof(text),
		 "20 1 0:1 / / rw - ext4 /dev/vda rw\n"
		 "21 20 0:2 / %s/v1 rw shared:3 - cgroup cgroup rw,memory\n"
		 "22 20 0:3 %s %s/tree rw,nosuid shared:4 master:5 - cgroup2 cgroup2 rw\n",
		 fx->dir, root, fx->dir);
	put(fx, "mountinfo", text);
	snprintf(self, sizeof(self), "%s/self", fx->dir);
	return cgroup_place_find(self, fixture_path(fx, "mountinfo"), ret, e);
}

static void expect_place(const struct fixture *fx, const char *own, const char *where,
			 unsigned int controllers)
{
	struct cgroup_place place = { .fd = -1 };
	char path[256];
	struct err e;

	if (find_at(fx, own, "/", &place, &e) != 0)
		fail_msg("%s: %s", own, e.text);
	snprintf(path, sizeof(path), "%s/tree%s", fx->dir, where);
	assert_string_equal(place.path, path);
	assert_int_equal(place.controllers, controllers);
	close(place.fd);
}

static void expect_none(const struct fixture *fx, const char *own, const char *why)
{
	struct cgroup_place place = { .fd = -7 };
	struct err e = { 0 };

	assert_true(find_at(fx, own, "/", &place, &e) < 0);
	if (!strstr(e.text, why))
		fail_msg("\"%s\" does not say \"%s\"", e.text, why);
	assert_int_equal(place.fd, -7);
}

#define SERVICE "/user.slice/user-1000.slice/user@1000.service"

/* A terminal in a session of systemd's instance for the user. */
static void user_session(const struct fixture *fx)
{
	group(fx, "", "cpuset cpu io memory pids", "cpu memory pids", true);
	group(fx, SERVICE, "cpu memory pids", "memory pids", false);
	group(fx, SERVICE "/app.slice", "memory pids", "memory pids", false);
	group(fx, SERVICE "/app.slice/term.scope", "memory pids", "", true);
	put(fx, "tree" SERVICE "/app.slice/term.scope/pids.max", "4915\n");
	put(fx, "tree" SERVICE "/app.slice/term.scope/memory.max", "max\n");
	put(fx, "tree" SERVICE "/app.slice/term.scope/cpu.max", "max 100000\n");
}

static void systemd_user_session(void **state)
{
	user_session(*state);
	expect_place(*state, SERVICE "/app.slice/term.scope", SERVICE "/app.slice",
		     CGROUP_MEMORY | CGROUP_PIDS);
}

/* One that can limit memory before one that is nearer, and that before nothing. */
static void memory_first(void **state)
{
	const struct fixture *fx = *state;

	user_session(fx);
	group(fx, SERVICE "/app.slice/term.scope", "pids", "pids", false);
	group(fx, SERVICE "/app.slice/term.scope/leaf", "pids", "", true);
	expect_place(fx, SERVICE "/app.slice/term.scope/leaf", SERVICE "/app.slice",
		     CGROUP_MEMORY | CGROUP_PIDS);
	group(fx, SERVICE "/app.slice", "cpu pids", "cpu pids", false);
	group(fx, SERVICE, "cpu pids", "cpu pids", false);
	group(fx, "", "cpu pids", "cpu pids", true);
	expect_place(fx, SERVICE "/app.slice/term.scope/leaf", SERVICE "/app.slice/term.scope",
		     CGROUP_PIDS);
}

/* Our own group is given to us, but we are in it: nothing can be enabled there. */
static void delegated_scope(void **state)
{
	const struct fixture *fx = *state;

	user_session(fx);
	group(fx, SERVICE "/app.slice/run.scope", "memory pids cpu", "", true);
	expect_place(fx, SERVICE "/app.slice/run.scope", SERVICE "/app.slice",
		     CGROUP_MEMORY | CGROUP_PIDS);
	/* With DelegateSubgroup=: the group itself is empty. */
	group(fx, SERVICE "/app.slice/run.scope", "memory pids cpu", "memory pids cpu", false);
	group(fx, SERVICE "/app.slice/run.scope/leaf", "memory pids cpu", "", true);
	expect_place(fx, SERVICE "/app.slice/run.scope/leaf", SERVICE "/app.slice/run.scope", ALL);
}

/* Real root in the root of the whole tree, which may hold processes as well. */
static void root_of_the_tree(void **state)
{
	const struct fixture *fx = *state;

	group(fx, "", "cpu memory pids", "cpu memory pids", true);
	assert_int_equal(unlink(fixture_path(fx, "tree/cgroup.type")), 0);
	expect_place(fx, "/", "", ALL);
}

/* The root of a container's namespace looks alike, and may not. */
static void root_of_a_container(void **state)
{
	const struct fixture *fx = *state;

	group(fx, "", "cpu memory pids", "", true);
	expect_none(fx, "/", "no group is delegated");
}

static void hybrid_host(void **state)
{
	const struct fixture *fx = *state;

	group(fx, "", "", "", true);
	group(fx, "/job", "", "", true);
	expect_none(fx, "/job", "no controllers");
	group(fx, "", "hugetlb rdma memoryless", "", true);
	expect_none(fx, "/job", "no controllers");
}

static void threaded_groups_take_no_process(void **state)
{
	const struct fixture *fx = *state;

	group(fx, "", "cpu pids", "", true);
	group(fx, "/a", "cpu pids", "cpu pids", true);
	put(fx, "tree/a/cgroup.type", "domain threaded\n");
	group(fx, "/a/b", "cpu pids", "", true);
	expect_none(fx, "/a/b", "no group is delegated");
}

/* A limit that somebody has set for us holds for the guest as well. */
static void limits_are_not_left(void **state)
{
	static const struct {
		const char *file, *limit, *none;
	} cases[] = {
		{ "memory.max", "1073741824\n", "max\n" },
		{ "memory.high", "0\n", "max\n" },
		{ "memory.swap.max", "0\n", "max\n" },
		{ "cpu.max", "50000 100000\n", "max 100000\n" },
		{ "cpuset.cpus", "0-1\n", "\n" },
		{ "io.max", "8:16 rbps=2097152 wbps=max riops=max wiops=max\n", "" },
		{ "pids.max", "100\n", "512\n" },
		{ "pids.max", "0\n", "max\n" },
	};
	const struct fixture *fx = *state;
	char name[256];

	user_session(fx);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(name, sizeof(name), "tree" SERVICE "/app.slice/term.scope/%s",
			 cases[i].file);
		put(fx, name, cases[i].limit);
		expect_none(fx, SERVICE "/app.slice/term.scope", cases[i].file);
		put(fx, name, cases[i].none);
		expect_place(fx, SERVICE "/app.slice/term.scope", SERVICE "/app.slice",
			     CGROUP_MEMORY | CGROUP_PIDS);
	}
	/* Of the group in which the new one will be: it stays below that. */
	put(fx, "tree" SERVICE "/app.slice/memory.max", "1073741824\n");
	expect_place(fx, SERVICE "/app.slice/term.scope", SERVICE "/app.slice",
		     CGROUP_MEMORY | CGROUP_PIDS);
}

/* What may be written decides, not who owns it. */
static void check_login(const void *arg)
{
	struct cgroup_place place;
	struct err e;

	CHILD_CHECK(cgroup_place_find(((const char *const *)arg)[0], ((const char *const *)arg)[1],
				      &place, &e) < 0);
	CHILD_CHECK(strstr(e.text, "no group is delegated"));
}

static void login_session(void **state)
{
	struct fixture *fx = *state;
	struct cgroup_place place = { .fd = -1 };
	char self[128], mountinfo[128];
	const char *const arg[] = { self, mountinfo };
	struct err e;

	group(fx, "", "cpu memory pids", "cpu memory pids", true);
	group(fx, "/user.slice", "cpu memory pids", "cpu memory pids", false);
	group(fx, "/user.slice/session-3.scope", "memory pids", "", true);
	assert_int_equal(find_at(fx, "/user.slice/session-3.scope", "/", &place, &e), 0);
	close(place.fd);
	snprintf(self, sizeof(self), "%s/self", fx->dir);
	snprintf(mountinfo, sizeof(mountinfo), "%s/mountinfo", fx->dir);
	/* Not writable for us: neither the directories, nor what is in them. */
	for (int i = 0; i < 3; i++) {
		static const char *const dirs[] = { "tree", "tree/user.slice",
						    "tree/user.slice/session-3.scope" };
		char name[128];

		snprintf(name, sizeof(name), "%s/cgroup.procs", dirs[i]);
		assert_int_equal(chmod(fixture_path(fx, name), 0444), 0);
		snprintf(name, sizeof(name), "%s/cgroup.subtree_control", dirs[i]);
		assert_int_equal(chmod(fixture_path(fx, name), 0444), 0);
	}
	assert_int_equal(chmod(fx->dir, 0755), 0);
	run_unprivileged(check_login, arg);
}

/* Only a part of the tree is mounted: a container without a namespace for groups. */
static void part_of_the_tree(void **state)
{
	const struct fixture *fx = *state;
	struct cgroup_place place = { .fd = -1 };
	struct err e;

	group(fx, "", "memory", "memory", false);
	group(fx, "/leaf", "memory", "", true);
	assert_int_equal(find_at(fx, "/docker/abc/leaf", "/docker/abc", &place, &e), 0);
	assert_int_equal(place.controllers, CGROUP_MEMORY);
	close(place.fd);
	assert_true(find_at(fx, "/docker/abcd/leaf", "/docker/abc", &place, &e) < 0);
	assert_non_null(strstr(e.text, "not below any mount"));
	/* We are outside of our namespace's root. */
	assert_true(find_at(fx, "/../leaf", "/docker/abc", &place, &e) < 0);
	assert_true(find_at(fx, "/leaf", "/..", &place, &e) < 0);
}

static int find_raw(const struct fixture *fx, const char *self, const char *mountinfo,
		    struct cgroup_place *ret, struct err *e)
{
	char path[128];

	put(fx, "self", self);
	put(fx, "mountinfo", mountinfo);
	snprintf(path, sizeof(path), "%s/self", fx->dir);
	return cgroup_place_find(path, fixture_path(fx, "mountinfo"), ret, e);
}

static void odd_texts(void **state)
{
	static const struct {
		const char *self, *mountinfo, *why;
	} cases[] = {
		{ "", "", "no cgroup v2" },
		{ "0:", "", "no cgroup v2" },
		{ "0::relative\n", "", "no cgroup v2" },
		{ "1:memory:/\n", "", "no cgroup v2" },
		{ "0::/\n", "", "not mounted" },
		{ "0::/", "\n\n \n - \n - cgroup2 \n1 2 - cgroup2 c rw\n", "not mounted" },
		{ "0::/\n", "1 2 0:3 / /x rw - cgroup cgroup rw\n", "not mounted" },
		{ "0::/\n", "1 2 0:3 / /x rw - cgroup22 cgroup rw\n", "not mounted" },
		{ "0::/a\n", "1 2 0:3 /b /x rw - cgroup2 cgroup rw\n", "not below" },
		{ "0::/a\n", "1 2 0:3 / /nowhere\\0 rw - cgroup2 cgroup rw\n", "no controllers" },
	};
	const struct fixture *fx = *state;
	struct cgroup_place place;
	struct err e;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(find_raw(fx, cases[i].self, cases[i].mountinfo, &place, &e) < 0);
		if (!strstr(e.text, cases[i].why))
			fail_msg("%zu: \"%s\" does not say \"%s\"", i, e.text, cases[i].why);
	}
}

static void spaces_in_the_mount_point(void **state)
{
	const struct fixture *fx = *state;
	struct cgroup_place place = { .fd = -1 };
	char mountinfo[256], path[128];
	struct err e;

	fixture_puts(fx, "a b\\c/cgroup.controllers", "pids");
	fixture_puts(fx, "a b\\c/cgroup.subtree_control", "pids");
	fixture_puts(fx, "a b\\c/cgroup.procs", "");
	snprintf(mountinfo, sizeof(mountinfo), "1 2 0:3 / %s/a\\040b\\134c rw - cgroup2 x rw",
		 fx->dir);
	if (find_raw(fx, "0::/", mountinfo, &place, &e) != 0)
		fail_msg("%s", e.text);
	snprintf(path, sizeof(path), "%s/a b\\c", fx->dir);
	assert_string_equal(place.path, path);
	assert_int_equal(place.controllers, CGROUP_PIDS);
	close(place.fd);
}

/* --- what comes and goes, in a place that has no controllers --- */

static struct cgroup_place plain_place(const struct fixture *fx)
{
	struct cgroup_place place = { .fd = open(fx->dir, O_RDONLY | O_CLOEXEC) };

	assert_true(place.fd >= 0);
	snprintf(place.path, sizeof(place.path), "%s", fx->dir);
	return place;
}

static struct cgroup make(const struct fixture *fx)
{
	struct cgroup_place place = plain_place(fx);
	struct cgroup cg = CGROUP_INIT;
	struct err e;

	if (cgroup_make_in(&place, &some_limits, &cg, &e) != 0)
		fail_msg("%s", e.text);
	assert_int_equal(place.fd, -1);
	return cg;
}

static bool is_there(const struct fixture *fx, const char *name)
{
	return faccessat(fx->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void made_and_removed(void **state)
{
	const struct fixture *fx = *state;
	struct cgroup cg = make(fx);
	char name[48];

	snprintf(name, sizeof(name), "vmrun-%d", (int)getpid());
	assert_string_equal(cg.name, name);
	assert_true(is_there(fx, name));
	assert_int_equal(cg.memory, 0);
	cgroup_remove(&cg);
	assert_false(is_there(fx, name));
	assert_int_equal(cg.fd, -1);
	assert_int_equal(cg.place.fd, -1);
	/* Again, and one that never was. */
	cgroup_remove(&cg);
}

/* Others of the same PID (of another namespace), in use. */
static void names_that_are_taken(void **state)
{
	const struct fixture *fx = *state;
	struct cgroup a = make(fx), b = make(fx), c = make(fx);

	assert_true(strcmp(a.name, b.name) && strcmp(b.name, c.name) && strcmp(a.name, c.name));
	assert_true(is_there(fx, a.name) && is_there(fx, b.name) && is_there(fx, c.name));
	cgroup_remove(&b);
	assert_true(is_there(fx, a.name) && !is_there(fx, b.name) && is_there(fx, c.name));
	cgroup_remove(&a);
	cgroup_remove(&c);
}

static void stale_ones_are_removed(void **state)
{
	static const char *const others[] = { "other",	       "vmrun-",     "vmrun-x",
					      "vmrun-1.scope", "vmrun-1-",   "vmrun-1-2-3",
					      "vmrun--1",      "vmrun-1-2.x" };
	const struct fixture *fx = *state;
	struct cgroup owned = make(fx), cg;

	fixture_mkdir(fx, "vmrun-1");
	fixture_mkdir(fx, "vmrun-99999999-3");
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		fixture_mkdir(fx, others[i]);
	fixture_mkdir(fx, "target");
	fixture_symlink(fx, "target", "vmrun-2");
	fixture_puts(fx, "vmrun-3/keeps-it", "");
	fixture_puts(fx, "vmrun-4", "");
	cg = make(fx);
	assert_false(is_there(fx, "vmrun-1"));
	assert_false(is_there(fx, "vmrun-99999999-3"));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_true(is_there(fx, others[i]));
	assert_true(is_there(fx, "target"));
	assert_true(is_there(fx, "vmrun-3"));
	assert_true(is_there(fx, "vmrun-4"));
	assert_true(is_there(fx, owned.name));
	cgroup_remove(&owned);
	cgroup_remove(&cg);
}

/* The owner was killed. */
static void left_behind(const void *arg)
{
	make(arg);
}

static void of_one_that_was_killed(void **state)
{
	const struct fixture *fx = *state;
	struct cgroup cg;
	char name[48];
	pid_t pid = fork();

	if (pid == 0) {
		left_behind(fx);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	snprintf(name, sizeof(name), "vmrun-%d", (int)pid);
	assert_true(is_there(fx, name));
	cg = make(fx);
	assert_false(is_there(fx, name));
	cgroup_remove(&cg);
}

/*
 * Several at once, each of which takes the new ones of the others for stale until they
 * are locked: each ends up with one that is there.
 */
static void race(const struct fixture *fx)
{
	for (int i = 0; i < 200; i++) {
		struct cgroup_place place = { .fd = openat(fx->fd, ".", O_RDONLY | O_CLOEXEC) };
		struct cgroup cg = CGROUP_INIT;
		struct stat st, there;
		struct err e;

		CHILD_CHECK(cgroup_make_in(&place, &some_limits, &cg, &e) == 0);
		CHILD_CHECK(fstat(cg.fd, &st) == 0);
		CHILD_CHECK(fstatat(fx->fd, cg.name, &there, 0) == 0);
		CHILD_CHECK(st.st_ino == there.st_ino);
		cgroup_remove(&cg);
	}
}

static void several_at_once(void **state)
{
	const struct fixture *fx = *state;
	pid_t pids[6];

	for (int i = 0; i < 6; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			race(fx);
			_exit(0);
		}
	}
	for (int i = 0; i < 6; i++)
		assert_child_succeeds(pids[i]);
}

static void a_limit_that_cannot_be_set(void **state)
{
	const struct fixture *fx = *state;
	struct cgroup_place place = plain_place(fx);
	struct cgroup cg = CGROUP_INIT;
	char name[48];
	struct err e = { 0 };

	place.controllers = CGROUP_MEMORY;
	assert_int_equal(cgroup_make_in(&place, &some_limits, &cg, &e), -ENOENT);
	assert_non_null(strstr(e.text, "cannot limit memory in "));
	assert_int_equal(cg.fd, -1);
	snprintf(name, sizeof(name), "vmrun-%d", (int)getpid());
	assert_false(is_there(fx, name));
}

static void verdicts(void **state)
{
	static const struct {
		const char *events, *says;
	} cases[] = {
		{ "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n", NULL },
		{ "low 0\nmax 12\noom 1\noom_kill 3\n", "more than its limit of 99 MiB" },
		{ "oom 1\noom_kill 0\n", NULL },
		{ "oom 0\noom_kill 1\n", "the host ran out of memory" },
		{ "oom_kill 1", "the host ran out of memory" },
		{ "", NULL },
		{ "oom_killer 1\n\n\nxoom_kill 1\noom_kill", NULL },
	};
	const struct fixture *fx = *state;
	struct cgroup cg = CGROUP_INIT;
	char buf[200] = "untouched";

	assert_false(cgroup_verdict(&cg, buf, sizeof(buf)));
	cg = make(fx);
	assert_false(cgroup_verdict(&cg, buf, sizeof(buf)));
	cg.memory = 99 << 20;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char name[64];

		snprintf(name, sizeof(name), "%s/memory.events", cg.name);
		put(fx, name, cases[i].events);
		snprintf(buf, sizeof(buf), "untouched");
		assert_int_equal(cgroup_verdict(&cg, buf, sizeof(buf)), cases[i].says != NULL);
		assert_non_null(strstr(buf, cases[i].says ? cases[i].says : "untouched"));
		assert_int_equal(unlink(fixture_path(fx, name)), 0);
	}
	cgroup_remove(&cg);
}

static void described(void **state)
{
	struct strbuf out = { 0 };

	(void)state;
	cgroup_describe(&some_limits, &out);
	assert_true(out.len > 0);
	assert_null(strchr(strbuf_str(&out), '\n'));
	strbuf_free(&out);
}

#define test(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		test(systemd_user_session),
		test(memory_first),
		test(delegated_scope),
		test(root_of_the_tree),
		test(root_of_a_container),
		test(hybrid_host),
		test(threaded_groups_take_no_process),
		test(limits_are_not_left),
		test(login_session),
		test(part_of_the_tree),
		test(odd_texts),
		test(spaces_in_the_mount_point),
		test(made_and_removed),
		test(names_that_are_taken),
		test(stale_ones_are_removed),
		test(of_one_that_was_killed),
		test(several_at_once),
		test(a_limit_that_cannot_be_set),
		test(verdicts),
		test(described),
	};

	if (argc == 2)
		return real_main(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
