/* SPDX-License-Identifier: MIT */
/*
 * The preload object, in its embedded form: called function by function, and
 * loaded into the installed QEMU, over a file on a read-only mount.
 */
#include "tests/unit/fixture.h"
#include "tests/unit/child.h"

#include <dlfcn.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include "runner/base/cleanup.h"
#include "runner/plan/vm_plan.h"
#include "runner/preload/preload.h"
#include "runner/vm/qmp.h"

#define RAM_PATH "/proc/self/fd/8"
#define OTHER_FD 88
#define RAM_SIZE (16 << 20)
#define QEMU_TIMEOUT_MS 30000

typedef int open_fn(const char *path, int flags, ...);

/* The object as a file without a name, to be had by its descriptor's path. */
static int preload_fd(char path[32])
{
	/* cppcheck-suppress comparePointers ; two symbols of one blob */
	int fd = fixture_memfd(ram_readonly_start, (size_t)(ram_readonly_end - ram_readonly_start));

	snprintf(path, 32, "/proc/self/fd/%d", fd);
	return fd;
}

static open_fn *find(const char *name)
{
	static void *object;
	open_fn *f;

	if (!object) {
		char path[32];
		int fd = preload_fd(path);

		object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		if (!object)
			fail_msg("%s", dlerror());
		close(fd);
	}
	/* ISO C has no conversion from one to the other. */
	*(void **)&f = dlsym(object, name);
	assert_non_null(f);
	return f;
}

/* The access mode that an open() led to; -errno if to none. */
static int access_mode(int fd)
{
	int flags;

	if (fd < 0)
		return -errno;
	flags = fcntl(fd, F_GETFL);
	close(fd);
	return flags & O_ACCMODE;
}

static const char *const names[] = { "open", "open64", "__open_2", "__open64_2" };

static int set_up(void **state)
{
	int fd = fixture_memfd("memory", 6);

	(void)state;
	assert_int_equal(VM_FD_RAM, 8);
	/* Nothing of the test program's own has come that far. */
	assert_int_equal(dup2(fd, VM_FD_RAM), VM_FD_RAM);
	assert_int_equal(dup2(fd, OTHER_FD), OTHER_FD);
	close(fd);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(VM_FD_RAM);
	close(OTHER_FD);
	return 0;
}

static void memory_is_opened_for_reading(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		open_fn *f = find(names[i]);
		int fd = f(RAM_PATH, O_RDWR | O_CLOEXEC);

		assert_true(fd >= 0);
		assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
		assert_int_equal(write(fd, "x", 1), -1);
		assert_int_equal(access_mode(fd), O_RDONLY);
		assert_int_equal(access_mode(f(RAM_PATH, O_RDONLY)), O_RDONLY);
		/* Only what QEMU does is changed. */
		assert_int_equal(access_mode(f(RAM_PATH, O_WRONLY)), O_WRONLY);
	}
}

static void every_other_path_is_opened_as_asked(void **state)
{
	static const char *const paths[] = {
		"/proc/self/fd/88",
		"/proc/self/fd//8",
		"/proc/self/fd/08",
		"//proc/self/fd/8",
		"/proc/self/./fd/8",
		"/proc/thread-self/fd/8",
		"/proc/self/fd/8/",
		"/proc/self/fd/8 ",
		"/proc/self/fd/9",
		"/proc/self/fd/",
		"/proc/self/fd/nothing",
		"proc/self/fd/8",
		"",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		for (size_t j = 0; j < ARRAY_SIZE(paths); j++) {
			int expected = access_mode(open(paths[j], O_RDWR | O_CLOEXEC));

			assert_int_equal(access_mode(find(names[i])(paths[j], O_RDWR)), expected);
			assert_int_not_equal(expected, O_RDONLY);
		}
}

static void files_are_made_with_their_mode(void **state)
{
	struct fixture fx;
	struct stat st;

	(void)state;
	fixture_make(&fx);
	for (size_t i = 0; i < 2; i++) {
		const char *path = fixture_path(&fx, names[i]);
		int fd = find(names[i])(path, O_RDWR | O_CREAT | O_EXCL, 0600);

		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		assert_int_equal(access_mode(fd), O_RDWR);
		assert_int_equal(access_mode(find(names[i])(path, O_RDWR | O_CREAT | O_EXCL, 0600)),
				 -EEXIST);
		fd = find(names[i])(fx.dir, O_RDWR | O_TMPFILE, 0640);
		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0640);
		close(fd);
	}
	fixture_remove(&fx);
}

/* --- in QEMU --- */

struct mounted {
	const char *dir;
	const char *preload; /* path of the object */
	int qmp;
};

/*
 * In a child: a QEMU whose guest's memory is the file "ram" in a directory that is
 * mounted read-only.
 */
static void exec_qemu(const void *arg)
{
	const struct mounted *m = arg;
	char path[128], chardev[64], ram[128];
	const char *const argv[] = { "qemu-system-x86_64",
				     "-nodefaults",
				     "-no-user-config",
				     "-display",
				     "none",
				     "-machine",
				     "none",
				     "-object",
				     ram,
				     "-chardev",
				     chardev,
				     "-mon",
				     "chardev=qmp,mode=control",
				     NULL };
	int fd;

	CHILD_CHECK(unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0);
	CHILD_CHECK(mount(m->dir, m->dir, NULL, MS_BIND, NULL) == 0);
	CHILD_CHECK(mount(NULL, m->dir, NULL,
			  MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
			  NULL) == 0);
	snprintf(path, sizeof(path), "%s/ram", m->dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHILD_CHECK(fd >= 0 && dup2(fd, VM_FD_RAM) == VM_FD_RAM);
	/* This is what protects the file, whatever QEMU has loaded. */
	CHILD_CHECK(open(RAM_PATH, O_RDWR | O_CLOEXEC) == -1 && errno == EROFS);
	CHILD_CHECK(fcntl(m->qmp, F_SETFD, 0) == 0);
	snprintf(chardev, sizeof(chardev), "socket,id=qmp,fd=%d", m->qmp);
	snprintf(ram, sizeof(ram),
		 "memory-backend-file,id=ram,size=%d,mem-path=" RAM_PATH ",share=off,prealloc=on",
		 RAM_SIZE);
	CHILD_CHECK(setenv("LD_PRELOAD", m->preload, 1) == 0);
	execvp(argv[0], (char *const *)argv);
	CHILD_CHECK(false);
}

/* Reads to QEMU's greeting or to the end. Return: as qmp_read(); -ETIME. */
static int wait_for_greeting(struct qmp *qmp, struct err *e)
{
	struct pollfd p = { .fd = qmp->fd, .events = POLLIN };
	int r = 1;

	while (r == 1 && !qmp->version[0])
		r = poll(&p, 1, QEMU_TIMEOUT_MS) == 1 ? qmp_read(qmp, e) : -ETIME;
	return r;
}

static void a_real_qemu_takes_memory_on_a_read_only_mount(void **state)
{
	struct err e = { 0 };
	char preload[32];
	struct fixture fx;
	struct mounted m = { .dir = fx.dir, .preload = preload };
	int object = preload_fd(preload), pair[2], r;
	struct qmp qmp;
	pid_t pid;

	(void)state;
	fixture_make(&fx);
	fixture_sparse(&fx, "ram", RAM_SIZE);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(qmp_init(&qmp, pair[0], &e), 0);
	m.qmp = pair[1];
	/* QEMU's dynamic linker opens it by this descriptor. */
	assert_int_equal(fcntl(object, F_SETFD, 0), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		exec_qemu(&m);
	close(pair[1]);
	close(object);
	assert_true(pid > 0);
	r = wait_for_greeting(&qmp, &e);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	qmp_free(&qmp);
	fixture_remove(&fx);
	/* It greets once it has its memory; by then "prealloc" has written to all of it. */
	assert_int_equal(r, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_opened_for_reading),
		cmocka_unit_test(every_other_path_is_opened_as_asked),
		cmocka_unit_test(files_are_made_with_their_mode),
		cmocka_unit_test(a_real_qemu_takes_memory_on_a_read_only_mount),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
