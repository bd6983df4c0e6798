/* SPDX-License-Identifier: MIT */
#include "tests/unit/explained.h"

#include <linux/nsfs.h>
#include <sys/ioctl.h>

#include "runner/jail/jail.h"
#include "runner/jail/limits.h"
#include "runner/vm/explain.h"
#include "runner/vm/explain_proc.h"

/* --- lines of /proc --- */

static void extents(void **state)
{
	static const struct {
		const char *text;
		int first; /* what the first line gives */
	} cases[] = {
		{ "", 0 },
		{ "\n", 0 },
		{ "         0     165536      65536\n", 1 },
		{ "0 1 1", 1 },
		{ "0 1", -EINVAL },
		{ "0 1 1 1\n", -EINVAL },
		{ "0 1 x\n", -EINVAL },
		{ "-1 1 1\n", -EINVAL },
		{ "0 99999999999999999999999 1\n", -EINVAL },
		{ "0 1 1;", -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct proc_extent x = { 7, 7, 7 };
		const char *p = cases[i].text;
		int r = proc_next_extent(&p, &x);

		if (r != cases[i].first)
			fail_msg("'%s': %d", cases[i].text, r);
		if (r != 1)
			assert_int_equal(x.inside, 7);
		else
			assert_int_equal(proc_next_extent(&p, &x), 0);
	}
}

static void mount_lines(void **state)
{
	static const struct {
		const char *line;
		int expected;
	} cases[] = {
		{ "", 0 },
		{ "36 35 98:0 /r /t rw,nosuid - ext4 /dev/sda rw\n", 1 },
		{ "36 35 98:0 /r /t rw,nosuid shared:1 master:2 - ext4 /dev/sda rw\n", 1 },
		{ "36 35 98:0 /r /t rw,nosuid - ext4 /dev/sda", 1 },
		{ "36 35 98:0 /r /t rw,nosuid - ext4\n", -EINVAL },
		{ "36 35 98:0 /r /t rw,nosuid ext4 /dev/sda rw\n", -EINVAL },
		{ "36 35 98:0 /r - ext4 /dev/sda rw\n", -EINVAL },
		{ "36 35 98:0 /r t rw - ext4 /dev/sda rw\n", -EINVAL },
		{ "x\n", -EINVAL },
		{ " \n", -EINVAL },
		{ "\n\n", -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = strdup(cases[i].line);
		char *rest = text;
		struct proc_mount m = { .root = "kept" };
		int r = proc_next_mount(&rest, &m);

		if (r != cases[i].expected)
			fail_msg("'%s': %d", cases[i].line, r);
		if (r == 1) {
			assert_string_equal(m.root, "/r");
			assert_string_equal(m.target, "/t");
			assert_string_equal(m.options, "rw,nosuid");
			assert_string_equal(m.type, "ext4");
			assert_string_equal(m.source, "/dev/sda");
		} else {
			assert_string_equal(m.root, "kept");
		}
	}
}

/* --- a /proc of our own --- */

#define NAME "guest1"
#define QEMU_PID 300
#define FIRST_PID 200
#define VMRUN_PID 100
#define HELPER_PID 210

#define CAPS_OF(c) \
	"CapInh:\t" c "\nCapPrm:\t" c "\nCapEff:\t" c "\nCapBnd:\t" c "\nCapAmb:\t" c "\n"
#define FOUR "000000000000001b"
#define NO_CAPS "0000000000000000"

#define IDS "Uid:\t1000\t1000\t1000\t1000\nGid:\t1000\t1000\t1000\t1000\nGroups:\t \n"
#define FILTERS(n) "NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t" n "\n"
#define STATUS(name, parent, pids, caps, filters)                                \
	"Name:\t" name "\nUmask:\t0000\nPPid:\t" parent "\n" IDS "NSpid:\t" pids \
	"\nThreads:\t2\n" CAPS_OF(caps) FILTERS(filters)

#define QEMU_STATUS STATUS("qemu-system-x86", "200", "300\t2", FOUR, "3")
#define FIRST_STATUS STATUS("vmrun", "100", "200\t1", NO_CAPS, "2")
#define HELPER_STATUS STATUS("vmrun", "100", "210\t1", NO_CAPS, "1")

#define MOUNT(target, root, flags, type) \
	"80 83 254:0 " root " " target " " flags ",relatime - " type " /dev/vda rw\n"
#define ROOT_MOUNT MOUNT("/", "/", "ro,nosuid,nodev", "tmpfs")
#define PROC_MOUNT MOUNT("/proc", "/", "ro,nosuid,nodev,noexec", "proc")
#define NULL_MOUNT MOUNT("/dev/null", "/null", "rw,nosuid,noexec", "devtmpfs")
#define QEMU_MOUNT MOUNT("/usr/bin/qemu-system-x86_64", "/qemu", "ro,nosuid,nodev", "ext4")
#define LIBC_MOUNT MOUNT("/home/q/lib/libc.so.6", "/libc", "ro,nosuid,nodev", "ext4")
#define BASE_MOUNT MOUNT("/vm/root", "/srv/base", "rw,nosuid,nodev,noexec", "ext4")
#define DATA_MOUNT MOUNT("/vm/volumes/0", "/srv/data", "ro,nosuid,nodev,noexec", "ext4")
#define MOUNTS ROOT_MOUNT PROC_MOUNT NULL_MOUNT QEMU_MOUNT LIBC_MOUNT BASE_MOUNT DATA_MOUNT

struct world {
	struct fixture fx;
	uint32_t owner; /* of our own user namespace, which stands for the guests' */
	struct strbuf out;
	struct err e;
};

static void put(struct world *w, int pid, const char *file, const char *text)
{
	char name[64];

	snprintf(name, sizeof(name), "%d/%s", pid, file);
	fixture_write(&w->fx, name, text, strlen(text));
}

static void link_to(struct world *w, const char *name, const char *target)
{
	const char *path = fixture_path(&w->fx, name);

	unlink(path);
	assert_int_equal(symlink(target, path), 0);
}

static void put_words(struct world *w, int pid, const char *const *words, size_t n)
{
	struct strbuf b = { 0 };
	char name[64];

	for (size_t i = 0; i < n; i++)
		strbuf_add(&b, words[i], strlen(words[i]) + 1);
	snprintf(name, sizeof(name), "%d/cmdline", pid);
	fixture_write(&w->fx, name, strbuf_str(&b), b.len);
	strbuf_free(&b);
}

/* The limits as planned. */
static void put_limits(struct world *w, int pid, enum jail_kind kind)
{
	struct strbuf b = { 0 };
	const struct jail_limit *limits;
	size_t n;

	limits = jail_limits(&n);
	strbuf_puts(&b, "Limit   Soft Limit   Hard Limit   Units\n");
	for (size_t i = 0; i < n; i++) {
		rlim_t value = jail_limit_value(&limits[i], kind);
		unsigned long long number = value;

		if (value == LIMIT_KEEP)
			continue;
		if (value == LIMIT_HARD)
			number = 4096;
		strbuf_printf(&b, "Max %s   %llu      %llu      things\n", limits[i].name, number,
			      number);
	}
	put(w, pid, "limits", strbuf_str(&b));
	strbuf_free(&b);
}

static void put_process(struct world *w, int pid, enum jail_kind kind, const char *status,
			const char *mounts)
{
	char thread[32];

	snprintf(thread, sizeof(thread), "task/%d/status", pid);
	put(w, pid, "status", status);
	put(w, pid, thread, status);
	put(w, pid, "uid_map", "0 1000 1\n1 100000 65536\n");
	put(w, pid, "gid_map", "0 1000 1\n");
	put(w, pid, "mountinfo", mounts);
	put(w, pid, "oom_score_adj", "0\n");
	put(w, pid, "cgroup", "0::/user.slice\n");
	put_limits(w, pid, kind);
}

static void put_namespaces(struct world *w, int pid)
{
	const struct jail_namespace *all;
	char name[64], target[64];
	size_t n;

	all = jail_namespaces(&n);
	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "self/ns/%s", all[i].name);
		snprintf(target, sizeof(target), "%s:[1]", all[i].name);
		link_to(w, name, target);
		snprintf(name, sizeof(name), "%d/ns/%s", pid, all[i].name);
		if (all[i].kinds)
			snprintf(target, sizeof(target), "%s:[2]", all[i].name);
		link_to(w, name, target);
	}
	/* This one is asked who owns it. */
	snprintf(name, sizeof(name), "%d/ns/user", pid);
	link_to(w, name, "/proc/self/ns/user");
}

static void put_guest(struct world *w, int pid, const char *name)
{
	char option[80];
	const char *words[] = { "/usr/bin/qemu-system-x86_64", "-nodefaults", "-name", option };

	snprintf(option, sizeof(option), "guest=%s", name);
	put_process(w, pid, JAIL_VMM, QEMU_STATUS, MOUNTS);
	put_words(w, pid, words, ARRAY_SIZE(words));
	put_namespaces(w, pid);
}

static void put_fd(struct world *w, int pid, int fd, const char *target)
{
	char name[64];

	snprintf(name, sizeof(name), "%d/fd/%d", pid, fd);
	link_to(w, name, target);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	int fd = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	uid_t owner = 0;

	assert_non_null(w);
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, NS_GET_OWNER_UID, &owner), 0);
	close(fd);
	w->owner = owner;
	fixture_make(&w->fx);
	put_guest(w, QEMU_PID, NAME);
	put_fd(w, QEMU_PID, 0, "/dev/null");
	put_fd(w, QEMU_PID, 3, "socket:[1]");
	put_fd(w, QEMU_PID, 4, "anon_inode:[eventfd]");
	put_fd(w, QEMU_PID, 5, "anon_inode:[eventfd]");
	put_process(w, FIRST_PID, JAIL_VMM, FIRST_STATUS, MOUNTS);
	put_process(w, HELPER_PID, JAIL_NETWORK, HELPER_STATUS, ROOT_MOUNT);
	put(w, VMRUN_PID, "status", "Name:\tvmrun\nPPid:\t1\n");
	/* Another child of vmrun's: the guard of its terminal. */
	put(w, 220, "status", "Name:\tvmrun\nPPid:\t100\nNSpid:\t220\n");
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	fixture_remove(&w->fx);
	strbuf_free(&w->out);
	free(w);
	return 0;
}

static int look(struct world *w)
{
	strbuf_free(&w->out);
	w->e = (struct err){ 0 };
	return explain_running_in(w->fx.fd, w->owner, NAME, &w->out, &w->e);
}

static void look_well(struct world *w)
{
	if (look(w) != 0)
		fail_msg("%s", w->e.text);
	check_text(&w->out);
}

static void as_planned(void **state)
{
	static const char *const said[] = {
		"Guest guest1 (process 300)",
		"QEMU: process 300",
		"The jail's first process: process 200",
		"The network helper: process 210",
		"as planned: chown, dac_override, fowner, fsetid",
		"as planned: 0 1000 1; 1 100000 65536",
		"as planned: ro,nosuid,nodev,noexec,relatime; /srv/data of",
		"as planned: 2 mounts, each with ro, nosuid, nodev",
		"1 files and directories, 1 sockets, 2 of the kernel's",
		"as planned: 2, all with the same rights",
		"user.slice",
		"undumpable",
	};
	struct world *w = *state;

	look_well(w);
	expect_not(&w->out, "NOT as planned");
	expect_not(&w->out, "unknown");
	expect(&w->out, "as planned             all ");
	for (size_t i = 0; i < ARRAY_SIZE(said); i++)
		expect(&w->out, said[i]);
	expect_not(&w->out, "process 220");
}

/* Every single thing that differs is seen, and told first. */
static void not_as_planned(void **state)
{
	static const struct {
		int pid;
		const char *file;
		const char *text;
		const char *say;
	} cases[] = {
		{ 300, "status", STATUS("q", "200", "300\t2", "000000000000001f", "3"),
		  "effective              NOT as planned: chown, dac_override, dac_read_search" },
		{ 300, "status", STATUS("q", "200", "300\t2", "0000000000000013", "3"),
		  "NOT as planned: chown, dac_override, fsetid" },
		{ 300, "status", STATUS("q", "200", "300\t2", FOUR, "2"),
		  "NOT as planned: 2 filters" },
		{ 300, "status", STATUS("q", "200", "300", FOUR, "3"),
		  "process ids            NOT as planned" },
		{ 200, "status", "Name:\tvmrun\nPPid:\t100\nNSpid:\t200\t1\nSeccomp:\t0\n",
		  "NOT as planned: not filtered" },
		{ 200, "status", STATUS("vmrun", "100", "200\t1", FOUR, "2"),
		  "NOT as planned: chown" },
		{ 210, "status", STATUS("vmrun", "100", "210\t1", FOUR, "1"),
		  "NOT as planned: chown" },
		{ 300, "task/301/status", STATUS("q", "200", "301\t3", NO_CAPS, "3"),
		  "threads                NOT as planned: 1 of 2" },
		{ 300, "uid_map", "0 0 4294967295\n", "the host's root is in it" },
		{ 300, "uid_map", "", "no id is mapped" },
		{ 300, "gid_map", "0 1000 1\n1 0 1\n", "the host's root is in it" },
		{ 300, "mountinfo", MOUNT("/", "/", "rw,nosuid,nodev", "tmpfs"),
		  "NOT as planned: rw,nosuid,nodev,relatime, without ro" },
		{ 300, "mountinfo", MOUNT("/vm/root", "/srv", "rw", "ext4"),
		  "without nosuid, nodev, noexec" },
		{ 300, "mountinfo", MOUNT("/vm/root", "/srv", "xnosuid,nosuidx,nodev,noexec", "x"),
		  "without nosuid" },
		{ 300, "mountinfo", MOUNT("/etc", "/etc", "rw,nosuid,nodev", "ext4"),
		  "without ro" },
		{ 300, "mountinfo", MOUNT("/usr", "/", "ro,nosuid,nodev", "ext4"),
		  "NOT as planned: a whole file system" },
		{ 210, "mountinfo", ROOT_MOUNT MOUNT("/dev/null", "/null", "rw,nosuid,noexec", "d"),
		  "NOT as planned: nothing is to be mounted there" },
		{ 300, "limits", "\nMax core file size   0   unlimited   bytes\n",
		  "core file size         NOT as planned: unlimited" },
		{ 300, "limits", "\nMax core file size   0   2   bytes\n",
		  "core file size         NOT as planned: 2" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *first, *detail;

		put(w, cases[i].pid, cases[i].file, cases[i].text);
		look_well(w);
		expect(&w->out, cases[i].say);
		first = strstr(strbuf_str(&w->out), "NOT as planned: ");
		detail = strstr(strbuf_str(&w->out), "as planned: user 1000");
		assert_true(first && (!detail || first < detail));
		expect(&w->out, "  NOT as planned ");
		put_process(w, 300, JAIL_VMM, QEMU_STATUS, MOUNTS);
		put_process(w, 200, JAIL_VMM, FIRST_STATUS, MOUNTS);
		put_process(w, 210, JAIL_NETWORK, HELPER_STATUS, ROOT_MOUNT);
		if (strstr(cases[i].file, "task/"))
			put(w, 300, cases[i].file, QEMU_STATUS);
	}
	look_well(w);
	expect_not(&w->out, "NOT as planned");
}

static void namespaces_of_the_caller(void **state)
{
	struct world *w = *state;

	link_to(w, "300/ns/net", "net:[1]");
	link_to(w, "300/ns/time", "time:[2]");
	look_well(w);
	expect(&w->out, "net namespace          NOT as planned: the caller's");
	expect(&w->out, "time namespace         NOT as planned: its own");
	expect(&w->out, "NOT as planned         2 of ");
	/* An old kernel has fewer: that is not known, and not wrong. */
	unlink(fixture_path(&w->fx, "300/ns/time"));
	link_to(w, "300/ns/net", "net:[2]");
	look_well(w);
	expect_not(&w->out, "NOT as planned");
	expect(&w->out, "time namespace         unknown: this kernel has none");
}

/* A status that ends anywhere is never taken for a good one, and never fatal. */
static void cut_short(void **state)
{
	struct world *w = *state;
	size_t len = strlen(QEMU_STATUS);

	for (size_t n = 0; n < len; n++) {
		char *part = strndup(QEMU_STATUS, n);

		put(w, 300, "status", part);
		free(part);
		look_well(w);
		if (n < len - 1)
			assert_true(strstr(strbuf_str(&w->out), "unknown") ||
				    strstr(strbuf_str(&w->out), "NOT as planned"));
	}
}

static void files_that_are_too_much(void **state)
{
	struct world *w = *state;
	struct strbuf b = { 0 };

	while (b.len <= PROC_FILE_MAX)
		strbuf_puts(&b, MOUNT("/usr/lib/x", "/x", "ro,nosuid,nodev", "ext4"));
	put(w, 300, "mountinfo", strbuf_str(&b));
	put(w, 300, "uid_map", strbuf_str(&b));
	put(w, 200, "cgroup", strbuf_str(&b));
	look_well(w);
	expect(&w->out, "mounts                 unknown: File too large");
	expect(&w->out, "user ids               unknown: File too large");
	expect(&w->out, "control groups         unknown: File too large");
	strbuf_free(&b);
	/* Much, but less than that. */
	for (int i = 0; i < 4000; i++)
		strbuf_puts(&b, MOUNT("/vm/volumes/0/" NAME, "/x", "rw", "ext4"));
	put(w, 300, "mountinfo", strbuf_str(&b));
	look_well(w);
	expect(&w->out, "  NOT as planned         4000 of ");
	strbuf_free(&b);
}

static void not_even_readable(void **state)
{
	struct world *w = *state;

	put(w, 300, "mountinfo", "garbage\n" MOUNTS);
	put(w, 300, "uid_map", "garbage\n");
	put(w, 300, "limits", "garbage");
	unlink(fixture_path(&w->fx, "300/gid_map"));
	look_well(w);
	expect(&w->out, "mounts                 unknown: a line that is none");
	expect(&w->out, "user ids               unknown: Invalid argument");
	expect(&w->out, "group ids              unknown: No such file");
	expect(&w->out, "core file size         unknown: the kernel does not say");
	expect_not(&w->out, "NOT as planned");
}

/* What a path says does not reach the terminal as it is. */
static void hostile_paths(void **state)
{
	struct world *w = *state;

	put(w, 300, "mountinfo",
	    MOUNT("/vm/volumes/\033[31m",
		  "/\xc2\x9b"
		  "2J\r/x",
		  "rw,nosuid,nodev,noexec", "e\007")
		    MOUNT("/\033]0;as planned\007", "/x", "rw", "ext4"));
	put(w, 300, "cgroup", "0::/\033[2J\n\tx\177\n");
	put(w, 300, "status", STATUS("\033[1mq\r", "200", "300\t2", FOUR, "3"));
	look_well(w);
	expect(&w->out, "/vm/volumes/\\033[31m");
	expect(&w->out, "\\302\\2332J\\015/x");
	expect(&w->out, "0::/\\033[2J \\011x\\177");
	expect(&w->out, "\\033[1mq\\015");
}

static void none(struct world *w)
{
	assert_int_equal(look(w), -ENOENT);
	assert_non_null(strstr(w->e.text, "no guest of yours"));
	assert_null(strchr(w->e.text, '\n'));
	assert_int_equal(w->out.len, 0);
}

static void processes_that_are_none(void **state)
{
	static const char *const others[][5] = {
		{ "/usr/bin/qemu-system-x86_64", "-name", "guest=guest12", "" },
		{ "/usr/bin/qemu-system-x86_64", "-name", "guest=guest", "" },
		{ "/usr/bin/qemu-system-x86_64", "-append", "guest=" NAME, "" },
		{ "/usr/bin/qemu-system-x86_64", "guest=" NAME, "-name", "" },
		{ "/usr/bin/qemu-system-x86_64", "-name", "", "guest=" NAME },
		{ "/usr/bin/grep", "-name", "guest=" NAME, "" },
		{ "/qemu/grep", "-name", "guest=" NAME, "" },
		{ "", "-name", "guest=" NAME, "" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		put_words(w, 300, others[i], 4);
		none(w);
	}
	put(w, 300, "cmdline", "");
	none(w);
	put(w, 300, "cmdline", "qemu");
	none(w);
}

static void guests_of_others(void **state)
{
	struct world *w = *state;

	w->owner++;
	none(w);
	w->owner--;
	/* A QEMU in the caller's own user namespace was not started by vmrun. */
	link_to(w, "self/ns/user", "/proc/self/ns/user");
	none(w);
	/* A process that may not be looked at. */
	link_to(w, "self/ns/user", "user:[1]");
	unlink(fixture_path(&w->fx, "300/ns/user"));
	none(w);
	link_to(w, "300/ns/user", "/proc/self/status");
	none(w);
}

static void gone_meanwhile(void **state)
{
	struct world *w = *state;

	unlink(fixture_path(&w->fx, "300/status"));
	none(w);
	unlink(fixture_path(&w->fx, "300/cmdline"));
	none(w);
	/* The first process: there is a report all the same, which does not hide that. */
	put_guest(w, QEMU_PID, NAME);
	unlink(fixture_path(&w->fx, "200/status"));
	look_well(w);
	expect(&w->out, "It is not to be seen from here.");
	expect(&w->out, "It cannot be looked for.");
	expect(&w->out, "unknown                2 that could not");
}

static void no_network(void **state)
{
	struct world *w = *state;

	unlink(fixture_path(&w->fx, "210/status"));
	look_well(w);
	expect(&w->out, "There is none: the guest has no network");
}

static void guests_of_one_name(void **state)
{
	struct world *w = *state;

	put_guest(w, 301, NAME);
	look_well(w);
	expect(&w->out, "2 guests have that name");
	expect(&w->out, "Guest " NAME " (process 300)");
	expect(&w->out, "Guest " NAME " (process 301)");
	for (int i = 0; i < 20; i++)
		put_guest(w, 400 + i, NAME);
	look_well(w);
	expect(&w->out, "22 guests have that name");
	expect(&w->out, "These are the first.");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(extents),
		cmocka_unit_test(mount_lines),
		TEST(as_planned),
		TEST(not_as_planned),
		TEST(namespaces_of_the_caller),
		TEST(cut_short),
		TEST(files_that_are_too_much),
		TEST(not_even_readable),
		TEST(hostile_paths),
		TEST(processes_that_are_none),
		TEST(guests_of_others),
		TEST(gone_meanwhile),
		TEST(no_network),
		TEST(guests_of_one_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
