/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "rootfs-tools/core/enter.h"
#include "rootfs-tools/core/root.h"
#include "rootfs-tools/core/tool.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"

#define OUTPUT_MAX 65536

static struct idmap_choice idmap;

static int choose_map(void **state)
{
	const struct root_idmap automatic = { .kind = IDMAP_AUTO };
	struct err e;

	(void)state;
	if (root_idmap_for_new(&automatic, &idmap, &e) == 0)
		return 0;
	print_error("%s\n", e.text);
	return -1;
}

/* Runs `sh -c @script` in there. Return: what it wrote, to free(). */
static char *run_script(struct tool *tool, const char *script, int wanted)
{
	const char *const argv[] = { "sh", "-c", script, NULL };
	int out[2], pidfd = -1, status = -1;
	struct err e = { 0 };
	char *text;
	size_t len;

	tool->idmap = &idmap;
	tool->argv = argv;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	tool->fds[0] = -1;
	tool->fds[1] = tool->fds[2] = out[1];
	if (tool_start(tool, &pidfd, &e) < 0)
		fail_msg("%s", e.text);
	close(out[1]);
	assert_int_equal(fs_read_fd(out[0], OUTPUT_MAX, &text, &len), 0);
	close(out[0]);
	if (tool_wait(pidfd, -1, &status, NULL, &e) < 0)
		fail_msg("%s", e.text);
	close(pidfd);
	tool->argv = NULL;
	if (status != wanted)
		fail_msg("status %d of: %s\n%s", status, script, text);
	return text;
}

static void expect(struct tool *tool, const char *script)
{
	free(run_script(tool, script, 0));
}

static void expect_text(struct tool *tool, const char *script, const char *wanted)
{
	char *text = run_script(tool, script, 0);

	assert_string_equal(text, wanted);
	free(text);
}

static void status_and_output(void **state)
{
	struct tool tool = { 0 };

	(void)state;
	expect_text(&tool, "echo out; echo err >&2; id -u; id -g; pwd", "out\nerr\n0\n0\n/\n");
	free(run_script(&tool, "exit 7", 7));
	free(run_script(&tool, "kill -TERM $$", 128 + SIGTERM));
	/* What it leaves behind is gone, and does not hold its output open. */
	expect(&tool, "(trap '' TERM HUP; sleep 1000) & :");
}

static void what_it_sees(void **state)
{
	struct tool tool = { 0 };

	(void)state;
	expect_text(&tool, "cd /dev && ls",
		    "fd\nfull\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\n"
		    "zero\n");
	expect_text(&tool,
		    "cd / && for d in *; do case $d in bin|sbin|lib*|usr|etc) ;; *) echo $d ;; "
		    "esac; "
		    "done",
		    "dev\nproc\nrun\nsys\ntmp\nvar\nvmrun\n");
	expect(&tool, "echo a >/tmp/a && echo a >/var/tmp/b && echo a >/run/c && cat /var/run/c && "
		      "head -c 1 /dev/zero >/dev/null && head -c 1 /dev/urandom >/dev/null");
	expect_text(&tool, "set -- /proc/[0-9]*; echo $#", "2\n");
	expect_text(&tool, "hostname; echo $HOME", "jail\n/tmp\n");
}

static void nothing_of_the_callers(void **state)
{
	const struct passwd *pw = getpwuid(geteuid());
	struct tool tool = { 0 };
	char script[512];

	(void)state;
	assert_non_null(pw);
	setenv("VMRUN_TEST_SECRET", "secret", 1);
	expect_text(&tool, "env | grep SECRET; :", "");
	assert_int_equal(access(pw->pw_dir, F_OK), 0);
	snprintf(script, sizeof(script), "! ls '%s'", pw->pw_dir);
	expect(&tool, script);
	expect(&tool, "! ls /home && ! ls /root && ! ls /srv && ! ls /mnt");
	/* The session keyring, and what is linked to it. */
	assert_true(syscall(SYS_add_key, "user", "vmrun-test", "x", 1, KEY_SPEC_SESSION_KEYRING) >=
		    0);
	expect_text(&tool, "grep vmrun-test /proc/keys; :", "");
	expect_text(&tool, "ls -U /proc/self/fd", "0\n1\n2\n3\n");
}

static void the_host_is_read_only(void **state)
{
	static const char *const dirs[] = { "/usr", "/usr/local/bin", "/etc", "/", "/vmrun" };
	struct tool tool = { 0 };
	char script[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		snprintf(script, sizeof(script),
			 "! touch '%s/x' && ! mount -o remount,bind,rw '%s' && ! umount -l '%s'",
			 dirs[i], dirs[i], dirs[i]);
		expect(&tool, script);
	}
	expect(&tool, "! cat /etc/shadow");
	expect(&tool, "! unshare -U true && unshare -m true");
}

static void network_only_where_asked_for(void **state)
{
	struct tool tool = { 0 };
	char *outside = NULL;
	size_t len;

	(void)state;
	assert_int_equal(fs_read_host("/proc/net/dev", OUTPUT_MAX, &outside, &len), 0);
	expect_text(&tool, "sed 1,2d /proc/net/dev | cut -d : -f 1 | tr -d ' '", "lo\n");
	tool.network = true;
	expect(&tool, "[ $(wc -l </proc/net/dev) -gt 3 ]");
	expect(&tool, "cat /etc/resolv.conf");
	free(outside);
}

/* A directory of the map's root's. */
static int make_place(char *template)
{
	uint32_t uid = geteuid(), gid = getegid();
	int fd;

	assert_non_null(mkdtemp(template));
	if (uid == 0) {
		assert_true(idmap_outside(&idmap.uids, 0, &uid));
		assert_true(idmap_outside(&idmap.gids, 0, &gid));
		assert_int_equal(chown(template, uid, gid), 0);
	}
	fd = open(template, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void places(void **state)
{
	char rw[] = "/tmp/vmrun-unit-XXXXXX", ro[] = "/tmp/vmrun-unit-XXXXXX",
	     all[] = "/tmp/vmrun-unit-XXXXXX";
	struct tool tool = {
		.places = { { .name = "rw", .fd = make_place(rw) },
			    { .name = "ro", .fd = make_place(ro), .read_only = true },
			    { .name = "all", .fd = make_place(all), .programs = true } },
		.n_places = 3,
	};

	(void)state;
	expect(&tool, "cd /vmrun/rw && echo x >x && chown 0:0 x && cp /bin/sh . && ! ./sh -c :");
	expect(&tool, "! touch /vmrun/ro/x && ! mount -o remount,bind,rw /vmrun/ro && "
		      "! mount -o remount,bind,exec /vmrun/rw && ! umount -l /vmrun/ro");
	expect(&tool, "cd /vmrun/all && cp /bin/sh . && ./sh -c :");
	expect(&tool, "cd /vmrun/all && touch null && mount --bind /dev/null null && echo x >null");
	expect(&tool, "cd /vmrun/all && mkdir proc && mount -t proc proc proc && cat proc/1/comm");
	expect(&tool, "cd /vmrun && rm -rf all/* rw/*");
	for (unsigned int i = 0; i < tool.n_places; i++)
		close(tool.places[i].fd);
	assert_int_equal(rmdir(rw), 0);
	assert_int_equal(rmdir(ro), 0);
	assert_int_equal(rmdir(all), 0);
}

static void what_is_not_there(void **state)
{
	const char *const argv[] = { "vmrun-no-such-program", NULL };
	const struct tool tool = { .idmap = &idmap, .argv = argv, .fds = { -1, -1, -1 } };
	struct err e;
	int pidfd;

	(void)state;
	assert_true(tool_exists("sh"));
	assert_false(tool_exists("vmrun-no-such-program"));
	assert_false(tool_exists("../bin/sh/"));
	assert_int_equal(tool_start(&tool, &pidfd, &e), -ENOENT);
	assert_string_equal(e.text, "vmrun-no-such-program is not installed here");
}

static void start_sleep(int out, int *ret_pidfd)
{
	const char *const argv[] = { "sh", "-c", "sleep 1000 & sleep 1000", NULL };
	struct tool tool = { .idmap = &idmap, .argv = argv, .fds = { -1, out, -1 } };
	struct err e;

	if (tool_start(&tool, ret_pidfd, &e) < 0)
		fail_msg("%s", e.text);
}

/* As long as a process of it is left, nobody can read the end of the pipe. */
static void expect_end(int fd)
{
	char byte;

	alarm(20);
	assert_int_equal(read(fd, &byte, 1), 0);
	alarm(0);
}

static void ends_with_its_caller(void **state)
{
	int out[2];
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		int pidfd;

		start_sleep(out[1], &pidfd);
		kill(getpid(), SIGKILL);
	}
	close(out[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	expect_end(out[0]);
	close(out[0]);
}

static void ends_by_a_signal(void **state)
{
	int out[2], pidfd, signals, status, signal = 0;
	sigset_t was;
	struct err e;

	(void)state;
	sigprocmask(SIG_SETMASK, NULL, &was);
	assert_int_equal(enter_signals(&signals, &e), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	start_sleep(out[1], &pidfd);
	close(out[1]);
	kill(getpid(), SIGTERM);
	assert_int_equal(tool_wait(pidfd, signals, &status, &signal, &e), -EINTR);
	assert_int_equal(signal, SIGTERM);
	expect_end(out[0]);
	close(out[0]);
	close(pidfd);
	close(signals);
	sigprocmask(SIG_SETMASK, &was, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_and_output),
		cmocka_unit_test(what_it_sees),
		cmocka_unit_test(nothing_of_the_callers),
		cmocka_unit_test(the_host_is_read_only),
		cmocka_unit_test(network_only_where_asked_for),
		cmocka_unit_test(places),
		cmocka_unit_test(what_is_not_there),
		cmocka_unit_test(ends_with_its_caller),
		cmocka_unit_test(ends_by_a_signal),
	};

	return cmocka_run_group_tests(tests, choose_map, NULL);
}
