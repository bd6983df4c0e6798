/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Each attempt has a jail of its own, built as for a guest: one that is killed takes no
 * other with it, what one has changed no other finds, and each begins where a QEMU
 * begins that has been taken over. A few run at a time.
 *
 * The host is prepared with things to be found (self_test_scene.c): a file, sockets, a
 * process, a key, shared memory, most of which hold a token. The program is told where
 * they are; only a way to them is missing.
 *
 * An attempt says by itself how it ended (tests/escape/escape.c), and is believed: the
 * program is ours. If it was killed by a filter it says nothing, and its wait status does.
 * Whatever else happens to one (it hangs, it crashes) is "unknown", never "held".
 */
#include "runner/vm/self_test.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/host/programs.h"
#include "runner/jail/jail.h"
#include "runner/vm/channel.h"
#include "runner/vm/self_test_jail.h"
#include "runner/vm/self_test_scene.h"

#define SLOTS_MAX 8
#define SAID_MAX 1024  /* bytes that an attempt may say */
#define LIST_MAX 65536 /* and the program of all of them */
#define ATTEMPTS_MAX 1024
#define ATTEMPT_MS 10000 /* an attempt takes some milliseconds */
#define DETAIL_SIZE 256

struct attempt {
	char *name;
	char *what;
	char verdict[8]; /* of self_test_verdict() */
	char detail[DETAIL_SIZE];
};

/* Where an attempt is being made. */
struct slot {
	struct attempt *attempt; /* NULL: nowhere */
	struct test_jail jail;
	struct strbuf said;
	size_t said_max;
	bool ended;
	int status;
	uint64_t deadline_ms;
};

struct self_test {
	struct test_jail_input input;
	struct test_scene scene;
	struct strvec programs;
	struct attempt *attempts;
	size_t n_attempts;
	struct slot slots[SLOTS_MAX];
	size_t n_slots;
};

const char *self_test_verdict(const char *name, const char *said, int status, char *ret_detail,
			      size_t size)
{
	static const char *const verdicts[] = { "held", "out" };
	size_t len = strlen(name);

	if (!strncmp(said, name, len) && said[len] == '\t') {
		said += len + 1;
		for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
			len = strlen(verdicts[i]);
			if (strncmp(said, verdicts[i], len) || said[len] != '\t')
				continue;
			said += len + 1;
			snprintf(ret_detail, size, "%.*s", (int)strcspn(said, "\n"), said);
			text_sanitize(ret_detail);
			return verdicts[i];
		}
		if (status >= 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) {
			snprintf(ret_detail, size, "killed for the system call");
			return "held";
		}
	}
	if (status < 0)
		snprintf(ret_detail, size, "it came to no end");
	else if (WIFSIGNALED(status))
		snprintf(ret_detail, size, "it was killed by signal %d", WTERMSIG(status));
	else
		snprintf(ret_detail, size, "it ended with status %d and said nothing",
			 WEXITSTATUS(status));
	return "unknown";
}

static int slot_start(struct self_test *t, struct slot *slot, struct attempt *attempt, size_t max,
		      struct err *e)
{
	int r = test_jail_start(&t->input, attempt->name, &slot->jail, e);

	if (r < 0) {
		test_jail_stop(&slot->jail);
		return r;
	}
	slot->attempt = attempt;
	slot->said = (struct strbuf){ 0 };
	slot->said_max = max;
	slot->ended = false;
	slot->status = -1;
	slot->deadline_ms = timing_now() / 1000000 + ATTEMPT_MS;
	return 0;
}

static void slot_clear(struct slot *slot)
{
	if (!slot->attempt)
		return;
	test_jail_stop(&slot->jail);
	strbuf_free(&slot->said);
	slot->attempt = NULL;
}

static void slot_hear(struct slot *slot)
{
	char buf[4096];
	ssize_t n = read(slot->jail.stderr_fd, buf, sizeof(buf));

	if (n <= 0)
		cleanup_close(&slot->jail.stderr_fd);
	else if (slot->said.len + (size_t)n <= slot->said_max)
		strbuf_add(&slot->said, buf, (size_t)n);
}

static int slot_end(struct slot *slot, struct err *e)
{
	struct channel_msg msg;

	slot->ended = true;
	if (channel_recv(slot->jail.channel, &msg, NULL) == 0) {
		if (msg.kind == CHANNEL_ERROR) {
			*e = msg.err;
			return -e->errnum;
		}
		if (msg.kind == CHANNEL_ENDED)
			slot->status = msg.status;
	}
	/* All that it said is in the pipe; and whatever it started may hold that open. */
	while (slot->jail.stderr_fd >= 0) {
		struct pollfd p = { .fd = slot->jail.stderr_fd, .events = POLLIN };

		if (poll(&p, 1, 0) <= 0)
			break;
		slot_hear(slot);
	}
	return 0;
}

static void finish(struct slot *slot)
{
	struct attempt *a = slot->attempt;

	snprintf(a->verdict, sizeof(a->verdict), "%s",
		 self_test_verdict(a->name, strbuf_str(&slot->said), slot->status, a->detail,
				   sizeof(a->detail)));
	slot_clear(slot);
}

static int poll_slots(struct self_test *t, struct err *e)
{
	struct pollfd fds[2 * SLOTS_MAX + 1];
	struct signalfd_siginfo info;
	uint64_t now;

	for (size_t i = 0; i < t->n_slots; i++) {
		struct slot *s = &t->slots[i];

		fds[2 * i] = (struct pollfd){ .fd = s->attempt ? s->jail.channel : -1,
					      .events = POLLIN };
		fds[2 * i + 1] = (struct pollfd){ .fd = s->attempt ? s->jail.stderr_fd : -1,
						  .events = POLLIN };
	}
	fds[2 * t->n_slots] = (struct pollfd){ .fd = t->input.in->signal_fd, .events = POLLIN };
	if (poll(fds, 2 * t->n_slots + 1, ATTEMPT_MS) < 0 && errno != EINTR)
		return err_errno(e, errno, "cannot wait for an attempt");
	if (fds[2 * t->n_slots].revents &&
	    read(t->input.in->signal_fd, &info, sizeof(info)) == sizeof(info) &&
	    info.ssi_signo != SIGWINCH)
		return err_msg(e, EINTR, "interrupted");
	now = timing_now() / 1000000;
	for (size_t i = 0; i < t->n_slots; i++) {
		struct slot *s = &t->slots[i];
		int r = 0;

		if (!s->attempt)
			continue;
		if (fds[2 * i + 1].revents)
			slot_hear(s);
		if (fds[2 * i].revents)
			r = slot_end(s, e);
		if (r < 0)
			return r;
		if (s->ended || now >= s->deadline_ms)
			finish(s);
	}
	return 0;
}

/* --- which attempts there are --- */

static int add_attempt(struct self_test *t, char *line)
{
	char *group = strchr(line, '\t');
	char *what = group ? strchr(group + 1, '\t') : NULL;
	struct attempt *a = &t->attempts[t->n_attempts];

	if (!what || t->n_attempts == ATTEMPTS_MAX)
		return -EPROTO;
	*group = '\0';
	a->name = strdup(line);
	a->what = strdup(what + 1);
	t->n_attempts++;
	return a->name && a->what ? 0 : -ENOMEM;
}

static int parse_list(struct self_test *t, char *text)
{
	int r = 0;

	for (char *line = text, *next; r == 0 && *line; line = next) {
		next = strchr(line, '\n');
		if (!next)
			return -EPROTO;
		*next++ = '\0';
		r = add_attempt(t, line);
	}
	return r == 0 && !t->n_attempts ? -EPROTO : r;
}

/* The program itself knows: in a jail it is asked, as everything else. */
static int list_attempts(struct self_test *t, struct err *e)
{
	char name[] = "list";
	struct attempt list = { .name = name };
	_cleanup_free_ char *text = NULL;
	struct slot *slot = &t->slots[0];
	int r = slot_start(t, slot, &list, LIST_MAX, e);

	while (r == 0 && !slot->ended) {
		struct pollfd fds[] = { { .fd = slot->jail.channel, .events = POLLIN },
					{ .fd = slot->jail.stderr_fd, .events = POLLIN } };

		if (poll(fds, 2, ATTEMPT_MS) == 0)
			break;
		if (fds[1].revents)
			slot_hear(slot);
		if (fds[0].revents)
			r = slot_end(slot, e);
	}
	if (r == 0)
		text = strbuf_steal(&slot->said);
	slot_clear(slot);
	if (r < 0)
		return r;
	t->attempts = calloc(ATTEMPTS_MAX, sizeof(*t->attempts));
	if (!t->attempts)
		return err_oom(e);
	r = text ? parse_list(t, text) : -EPROTO;
	return r < 0 ? err_errno(e, -r, "the program of the self-test does not run in the jail") :
		       0;
}

static int make_attempts(struct self_test *t, struct err *e)
{
	size_t next = 0, running;
	int r;

	do {
		running = 0;
		for (size_t i = 0; i < t->n_slots; i++) {
			struct slot *slot = &t->slots[i];

			if (!slot->attempt && next < t->n_attempts) {
				r = slot_start(t, slot, &t->attempts[next], SAID_MAX, e);
				if (r < 0)
					return r;
				next++;
			}
			running += slot->attempt != NULL;
		}
		r = running ? poll_slots(t, e) : 0;
	} while (r == 0 && running);
	return r;
}

static void count(const struct self_test *t, struct strbuf *lines, struct self_test_result *ret)
{
	struct self_test_result result = { 0 };

	for (size_t i = 0; i < t->n_attempts; i++) {
		const struct attempt *a = &t->attempts[i];

		result.tried++;
		if (!strcmp(a->verdict, "out")) {
			result.out++;
			strvec_add(&result.names, a->name);
		}
		strbuf_printf(lines, "%s\t%s\t%s\t%s\n", a->name, a->verdict, a->what, a->detail);
	}
	for (size_t i = 0; i < t->n_attempts; i++) {
		if (strcmp(t->attempts[i].verdict, "unknown") != 0)
			continue;
		result.unknown++;
		strvec_add(&result.names, t->attempts[i].name);
	}
	*ret = result;
}

static void self_test_clear(struct self_test *t)
{
	for (size_t i = 0; i < t->n_slots; i++)
		slot_clear(&t->slots[i]);
	for (size_t i = 0; i < t->n_attempts; i++) {
		free(t->attempts[i].name);
		free(t->attempts[i].what);
	}
	free(t->attempts);
	strvec_free(&t->programs);
	test_scene_clear(&t->scene);
}

/* No filter, PID 1's neither, can be loaded where privileges could be gained. */
static unsigned int whole_layers(unsigned int without)
{
	if (without & 1u << LAYER_NO_NEW_PRIVS)
		without |= 1u << LAYER_FILTER | 1u << LAYER_FIRST;
	return without;
}

int self_test_run(const struct launch_input *in, unsigned int without, struct strbuf *lines,
		  struct self_test_result *ret, struct err *e)
{
	struct self_test t = {
		.input = { .in = in,
			   .scene = &t.scene,
			   .programs = &t.programs,
			   .without = whole_layers(without) },
		.n_slots = in->facts->cpus + 1 < SLOTS_MAX ? in->facts->cpus + 1 : SLOTS_MAX,
	};
	struct self_test_result result;
	int r = test_scene_make(in, &t.scene, e);

	if (r == 0)
		r = programs_find(in->facts, false, &t.programs, e);
	if (r == 0)
		r = list_attempts(&t, e);
	if (r == 0)
		r = make_attempts(&t, e);
	if (r == 0) {
		count(&t, lines, &result);
		r = lines->failed || result.names.failed ? err_oom(e) : 0;
		if (r < 0)
			strvec_free(&result.names);
		else
			*ret = result;
	}
	self_test_clear(&t);
	return r;
}

void self_test_free(struct self_test_result *result)
{
	strvec_free(&result->names);
}
