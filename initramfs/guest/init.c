/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * vmrun-init is the kernel's first program in the guest, run from an initramfs
 * that holds nothing but it and modules. In order:
 *
 *  1. survive()    so that nothing the guest does later can end PID 1
 *  2. boot()	    modules, the agent port, and all that a run needs and that does not
 *		    depend on which: the *_prepare() functions
 *  3. HELLO	    and then nothing until the host speaks: a template is saved in this
 *		    state and restored for any run, so nothing before may depend on the
 *		    run, and nothing may be left half done
 *  4. agent_configure()  what to run, from the host
 *  5. prepare()    steps[] below; randomness and the clock come first, since a
 *		    restored guest has them from the template. READY tells that they are
 *		    taken: the first that the host hears of a restored guest
 *  6. exec_start(), STARTED, agent_run()
 *  7. finish()	    nobody else is alive; undo what the run needed in the base, write
 *		    back, and only then EXIT, for the host ends the machine at once
 *
 * A failure anywhere from 4 to 6 skips to 7, where FAIL takes the place of EXIT.
 * One before that (no port) can only be told on the console; but a *_prepare()
 * that fails keeps its error for the step that misses what it was to make. In any
 * case the last thing is to power off, should the host not do it; main() never
 * returns, because the end of PID 1 is a kernel panic.
 *
 * Why so much comes before HELLO: under emulation a restored guest spends its time
 * on code that runs for the first time, in the kernel and here, as each instruction
 * has to be translated once. What is done before the template is saved costs a run
 * nothing. It must not use up what has to differ between two runs: no random
 * number that is a secret (a connection's, a boot_id) is drawn there.
 *
 * Survival: all signals are blocked (SIGCHLD is read from a signalfd by the agent),
 * but for those that a fault of our own raises, which end the machine with a
 * word on the console instead of a panic; sent by somebody else they do
 * nothing. The kernel's OOM killer spares PID 1 by itself, and what the relay
 * needs is allocated before the command starts.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "initramfs/guest/guest.h"
#include "initramfs/guest/report.h"

/* Mount points that are noted hold a descriptor each. */
#define NOFILE 4096
#define HOST_GRACE_S 10

static struct conf conf;
static struct link port_link;
static int initramfs = -1;

static _Noreturn void power_off(void)
{
	reboot(RB_POWER_OFF);
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

/* --- 1. survive --- */

static void on_fault(int sig, siginfo_t *info, void *context)
{
	static const char text[] = "vmrun-init: internal error, ending the guest\n";
	ssize_t unused;

	(void)sig;
	(void)context;
	/* Sent by a process that is not us; abort() is. */
	if (info->si_code <= 0 && !(info->si_code == SI_TKILL && info->si_pid == 1))
		return;
	unused = write(STDERR_FILENO, text, sizeof(text) - 1);
	(void)unused;
	power_off();
}

static void survive(void)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	struct rlimit nofile = { NOFILE, NOFILE };
	sigset_t mask;

	sigfillset(&mask);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		sigaction(faults[i], &action, NULL);
		sigdelset(&mask, faults[i]);
	}
	sigprocmask(SIG_SETMASK, &mask, NULL);
	/* Blocked, SIGPIPE would not kill, but be pending for ever. */
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	setrlimit(RLIMIT_NOFILE, &nofile);
}

/* Whatever the kernel opened for us: 0, 1 and 2 exist and never block. */
static void open_console(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		fd = open("/dev/null", O_RDWR);
	for (int std = 0; fd >= 0 && std < 3; std++)
		if (fd != std)
			dup2(fd, std);
	if (fd > 2)
		close(fd);
}

/* --- 2. boot --- */

static int boot(struct link *l)
{
	struct command pipes = { .pid = 0 };
	int uevents, fd, r;

	initramfs = root_prepare();
	mounts_prepare(initramfs);
	etc_prepare(initramfs);
	open_console();
	entropy_prepare();
	vmgenid_prepare();
	exec_prepare(&pipes);
	uevents = port_listen();
	modules_load(NULL, NULL);
	disks_prepare();
	net_prepare();
	r = port_open(uevents, &fd);
	if (uevents >= 0)
		close(uevents);
	if (r == 0)
		r = link_init(l, fd);
	if (r == 0)
		r = agent_prepare(l, &pipes);
	return r;
}

/* --- 5. prepare --- */

static int step_entropy(struct fail *f)
{
	int r = entropy_add(conf.seed, conf.seed_len, f);

	explicit_bzero(conf.seed, sizeof(conf.seed));
	return r;
}

static int step_clock(struct fail *f)
{
	return clock_set(conf.clock_ns, f);
}

static int step_ready(struct fail *f)
{
	int r = link_send(&port_link, PROTO_READY, 0, NULL, 0);

	return r < 0 ? fail_errno(f, -r, "the connection to vmrun failed") : 0;
}

static int step_root(struct fail *f)
{
	return root_enter(&conf, f);
}

static int step_api(struct fail *f)
{
	return mounts_api(f);
}

static int step_etc(struct fail *f)
{
	(void)f;
	etc_mount(&conf);
	return 0;
}

static int step_volumes(struct fail *f)
{
	return volumes_mount(&conf, initramfs, f);
}

static int step_network(struct fail *f)
{
	if (conf.hostname && sethostname(conf.hostname, strlen(conf.hostname)) < 0)
		return fail_errno(f, errno, "cannot set the host name");
	net_up(conf.network);
	return 0;
}

/* Volumes come after all other mounts, so that they can go over any of them. */
static int (*const steps[])(struct fail *f) = {
	step_entropy, step_clock, step_ready,	step_root,
	step_api,     step_etc,	  step_volumes, step_network,
};

static int prepare(struct fail *f)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int r = steps[i](f);

		if (r < 0)
			return r;
	}
	return 0;
}

/* --- 4. to 6. --- */

static int run(struct link *l, int *ret_status, struct fail *f)
{
	struct command cmd;
	int r = agent_configure(l, &conf, f);

	if (r == 0)
		r = prepare(f);
	if (r == 0)
		r = exec_start(&conf, &cmd, f);
	if (r < 0)
		return r;
	r = link_send(l, PROTO_STARTED, 0, NULL, 0);
	if (r < 0)
		return fail_errno(f, -r, "the connection to vmrun failed");
	return agent_run(l, &cmd, ret_status, f);
}

/* --- 7. finish --- */

static bool host_files_writable(void)
{
	bool writable = conf.root_mode == PROTO_ROOT_RW;

	for (size_t i = 0; i < conf.n_volumes; i++)
		writable |= !conf.volumes[i].read_only;
	return writable;
}

static int send_exit(struct link *l, int status)
{
	bool signaled = WIFSIGNALED(status);
	uint8_t payload[8];

	proto_put32(payload, signaled ? PROTO_SIGNALED : PROTO_EXITED);
	proto_put32(payload + 4, (uint32_t)(signaled ? WTERMSIG(status) : WEXITSTATUS(status)));
	return link_send(l, PROTO_EXIT, 0, payload, sizeof(payload));
}

static int send_fail(struct link *l, const struct fail *f)
{
	uint8_t payload[4 + FAIL_TEXT_MAX];
	size_t len = strlen(f->text);

	proto_put32(payload, f->code);
	memcpy(payload + 4, f->text, len);
	return link_send(l, PROTO_FAIL, 0, payload, 4 + len);
}

static _Noreturn void finish(struct link *l, int r, int status, const struct fail *f)
{
	/* After a failure of the relay the command may still be there. */
	if (r < 0)
		kill(-1, SIGKILL);
	place_undo();
	if (!disks_sync() && host_files_writable())
		sync();
	r = r < 0 ? send_fail(l, f) : send_exit(l, status);
	if (r == 0)
		r = link_drain(l);
	if (r < 0)
		report_console("the connection to vmrun failed: %s", strerror(-r));
	else
		link_linger(l, HOST_GRACE_S);
	power_off();
}

int main(void)
{
	struct fail f = { .code = FAIL_VMRUN };
	struct link *l = &port_link;
	int r, status = 0;

	survive();
	r = boot(l);
	if (r < 0) {
		report_console("no connection to vmrun (port " PROTO_PORT_NAME "): %s",
			       strerror(-r));
		power_off();
	}
	report_attach(l);
	r = link_send_u32(l, PROTO_HELLO, 0, PROTO_VERSION);
	if (r == 0)
		r = run(l, &status, &f);
	finish(l, r, status, &f);
}
