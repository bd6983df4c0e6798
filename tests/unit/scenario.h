/* SPDX-License-Identifier: MIT */
/*
 * supervise() driven by a fake guest. A scenario is two processes: one that
 * supervises, with standard streams and signals of its own, and the guest, its
 * child. What came of it is left in shared memory. Scenarios that wait for a
 * deadline are started before all others, so that the waits go on at once.
 */
#ifndef VMRUN_TESTS_SCENARIO_H
#define VMRUN_TESTS_SCENARIO_H

#include "tests/unit/plan_world.h"
#include "tests/unit/fake_guest.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include "runner/base/cleanup.h"
#include "runner/vm/supervise.h"

/* What the supervising process holds. */
struct supervisor {
	struct plan_world world;
	struct vm_launch launch;
	struct supervise_input in;
};

struct scenario {
	const char *name;
	void (*guest)(struct fake_guest *g);
	uint32_t number;  /* for the guest's script */
	const char *text; /* and this */
	/* In the supervising process, before and after. */
	void (*set_up)(struct supervisor *s);
	void (*check)(const struct supervisor *s);
	uint64_t timeout_ms;
	uint64_t start_deadline_ms; /* 0: as planned */
	bool slow;

	/* What must come of it. */
	enum vm_outcome outcome;
	int code;
	const char *message; /* a part of it; NULL: none at all */
	const char *out;     /* all of standard output (unless .check is there), */
	const char *err;     /* of standard error, */
	const char *warning; /* of the warnings, a line each, */
	const char *tail;    /* and of the console's tail; NULL: nothing */
};

/* In shared memory. */
struct verdict {
	struct vm_result result; /* but for the tail, */
	char tail[4096];	 /* which is here */
	char warning[1024];
	int guest_status;
};

struct scenario_run {
	const struct scenario *scenario;
	pid_t pid; /* 0: not started */
	int out, err;
	struct verdict *verdict;
};

/* Makes @fd one of the standard streams. */
static inline void scenario_stream(int fd, int target)
{
	CHILD_CHECK(fd >= 0 && dup2(fd, target) == target);
	close(fd);
}

/* The other end of standard output, where it is a pipe. */
static int scenario_reader = -1;

/* A set-up for a reader that stops, or for a guest that reads its own output later. */
static inline void nobody_reads_output(struct supervisor *s)
{
	int fds[2];

	(void)s;
	CHILD_CHECK(pipe2(fds, O_CLOEXEC) == 0);
	scenario_stream(fds[1], STDOUT_FILENO);
	scenario_reader = fds[0];
}

/* --- the supervising process --- */

static struct verdict *scenario_verdict;

static inline void scenario_warn(const char *text)
{
	char *all = scenario_verdict->warning;
	size_t len = strlen(all);

	snprintf(all + len, sizeof(scenario_verdict->warning) - len, "%s\n", text);
}

static inline void scenario_pair(int type, int *ret_ours, int *ret_theirs)
{
	int pair[2];

	CHILD_CHECK(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) == 0);
	*ret_ours = pair[0];
	*ret_theirs = pair[1];
}

static inline int scenario_signals(void)
{
	static const int ours[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH };
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		sigaddset(&set, ours[i]);
	CHILD_CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	CHILD_CHECK(fd >= 0);
	return fd;
}

static inline pid_t scenario_guest(const struct scenario *sc, bool restored,
				   struct vm_launch *launch)
{
	struct fake_guest g = { .vmrun = getpid(),
				.number = sc->number,
				.text = sc->text,
				.room = { 0, PROTO_WINDOW, PROTO_WINDOW },
				.qmp = -1 };
	int agent, fds[2];
	pid_t pid;

	*launch = (struct vm_launch)VM_LAUNCH_INIT;
	scenario_pair(SOCK_SEQPACKET, &launch->channel, &g.channel);
	scenario_pair(SOCK_STREAM, &launch->agent, &agent);
	scenario_pair(SOCK_STREAM, &launch->console, &g.console);
	if (restored)
		scenario_pair(SOCK_STREAM, &launch->qmp, &g.qmp);
	CHILD_CHECK(pipe2(fds, O_CLOEXEC) == 0);
	launch->stderr_fd = fds[0];
	g.stderr_fd = fds[1];
	pid = fork();
	CHILD_CHECK(pid >= 0);
	if (pid == 0) {
		CHILD_CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
		vm_launch_free(launch);
		CHILD_CHECK(wire_init(&g.agent, agent) == 0);
		sc->guest(&g);
		_exit(0);
	}
	close(agent);
	close(g.channel);
	close(g.console);
	close(g.stderr_fd);
	if (restored)
		close(g.qmp);
	return pid;
}

static inline void scenario_supervise(const struct scenario *sc, struct verdict *v)
{
	static struct supervisor s;
	struct vm_result result;
	struct err e;
	pid_t guest;

	scenario_verdict = v;
	s.in = (struct supervise_input){ .signal_fd = scenario_signals(), .warn = scenario_warn };
	if (sc->timeout_ms)
		s.in.timeout_ms = timing_now() / 1000000 + sc->timeout_ms;
	plan_world_init(&s.world);
	s.world.spec.timeout_ms = sc->timeout_ms;
	if (sc->set_up)
		sc->set_up(&s);
	guest = scenario_guest(sc, s.world.in.start == START_RESTORE, &s.launch);
	CHILD_CHECK(vm_plan_make(&s.world.in, &s.launch.plan, &e) == 0);
	if (sc->start_deadline_ms)
		s.launch.plan.start_deadline_ms = sc->start_deadline_ms;

	supervise(&s.launch, &s.in, &result);

	snprintf(v->tail, sizeof(v->tail), "%s", strbuf_str(&result.console_tail));
	vm_result_free(&result);
	v->result = result;
	vm_launch_free(&s.launch);
	CHILD_CHECK(waitpid(guest, &v->guest_status, 0) == guest);
	if (sc->check)
		sc->check(&s);
	plan_world_free(&s.world);
	close(s.in.signal_fd);
}

/* --- the tests --- */

static inline void scenario_start(struct scenario_run *r)
{
	int in[2];

	r->verdict = mmap(NULL, sizeof(*r->verdict), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	r->out = memfd_create("out", MFD_CLOEXEC);
	r->err = memfd_create("err", MFD_CLOEXEC);
	CHILD_CHECK(r->verdict != MAP_FAILED && r->out >= 0 && r->err >= 0);
	fflush(NULL);
	r->pid = fork();
	CHILD_CHECK(r->pid >= 0);
	if (r->pid)
		return;
	/* Whatever goes wrong, nothing is left and nobody waits for ever. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(30);
	signal(SIGPIPE, SIG_IGN);
	/* An input that never says anything, nor ends while in[1] is open here. */
	CHILD_CHECK(pipe2(in, O_CLOEXEC) == 0);
	scenario_stream(in[0], STDIN_FILENO);
	scenario_stream(r->out, STDOUT_FILENO);
	scenario_stream(r->err, STDERR_FILENO);
	scenario_supervise(r->scenario, r->verdict);
	/* Not _exit(): LeakSanitizer looks now. */
	exit(0);
}

static inline char *scenario_output(int fd)
{
	char *text = NULL;
	size_t len;

	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(fs_read_fd(fd, STRBUF_MAX, &text, &len), 0);
	close(fd);
	return text;
}

static inline void scenario_expect(const char *text, const char *want)
{
	assert_string_equal(text, want ? want : "");
}

static inline void scenario_test(void **state)
{
	struct scenario_run *r = *state;
	const struct scenario *sc = r->scenario;
	const struct verdict *v;
	char *out, *err;
	int status;

	if (!r->pid)
		scenario_start(r);
	assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
	v = r->verdict;
	out = scenario_output(r->out);
	err = scenario_output(r->err);
	if (status || v->guest_status)
		fail_msg("supervisor %#x, guest %#x: %s", status, v->guest_status, err);
	if (sc->message && !strstr(v->result.message, sc->message))
		fail_msg("\"%s\" does not say \"%s\"", v->result.message, sc->message);
	if (!sc->message)
		assert_string_equal(v->result.message, "");
	assert_int_equal(v->result.outcome, sc->outcome);
	assert_int_equal(v->result.code, sc->code);
	scenario_expect(v->tail, sc->tail);
	scenario_expect(v->warning, sc->warning);
	scenario_expect(err, sc->err);
	if (!sc->check)
		scenario_expect(out, sc->out);
	free(out);
	free(err);
}

/* One test a scenario. Return: as of main(). */
static inline int scenario_run_all(const struct scenario *scenarios, size_t n)
{
	static struct CMUnitTest tests[128];
	static struct scenario_run runs[128];

	CHILD_CHECK(n <= ARRAY_SIZE(runs));
	for (size_t i = 0; i < n; i++) {
		runs[i].scenario = &scenarios[i];
		tests[i] = (struct CMUnitTest){ .name = scenarios[i].name,
						.test_func = scenario_test,
						.initial_state = &runs[i] };
		if (scenarios[i].slow)
			scenario_start(&runs[i]);
	}
	return _cmocka_run_group_tests("scenarios", tests, n, NULL, NULL);
}

#endif
