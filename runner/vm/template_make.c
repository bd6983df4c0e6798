/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * The guest boots in a jail of its own, which has no base, no volumes and no network:
 * there is nothing of one run in a template, and nothing of a template's making can
 * get at a run's. Its memory is a memory file that QEMU maps shared. When it says
 * HELLO it has loaded its modules and waits for orders; QEMU is then told to save
 * its devices, which stops it, and to leave the memory out ("x-ignore-shared"): it
 * is in our file already. The machine is killed, and only then are both files
 * composed into the template, which no QEMU has ever had a descriptor of.
 *
 * The state says that the guest was running ("stop" was never asked for), so one
 * that is restored from it goes on by itself.
 */
#include "runner/vm/template_make.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/vm/agent.h"
#include "runner/vm/channel.h"
#include "runner/vm/console.h"
#include "runner/vm/obituary.h"
#include "runner/vm/qmp.h"
#include "runner/vm/template_store.h"

#define QEMU_WORDS_MAX 4096
#define LAST_LINES 20
#define ROOM_MIN ((uint64_t)64 << 20)

struct maker {
	const struct launch_input *in;
	struct vm_launch launch;
	struct agent agent;
	struct qmp qmp;
	struct console console;
	struct strbuf qemu_words;
	int signal_fd;
	int signal;
	int state_fd;
	bool saving; /* HELLO came */
	bool ended;  /* PID 1 told QEMU's wait status */
	int status;
};

static bool read_console(struct maker *m)
{
	char buf[8192];
	ssize_t n = read(m->launch.console, buf, sizeof(buf));

	if (n > 0)
		console_feed(&m->console, buf, (size_t)n);
	return n > 0;
}

static bool read_qemu_words(struct maker *m)
{
	char buf[1024];
	ssize_t n = read(m->launch.stderr_fd, buf, sizeof(buf));

	if (n > 0)
		strbuf_add(&m->qemu_words, buf, (size_t)n);
	if (m->qemu_words.len > QEMU_WORDS_MAX)
		strbuf_consume(&m->qemu_words, m->qemu_words.len - QEMU_WORDS_MAX);
	return n > 0;
}

static int read_agent(struct maker *m, struct err *e)
{
	struct proto_frame frame;
	int r = agent_fill(&m->agent);

	if (r <= 0) {
		/* Why is told by PID 1 and the console. */
		cleanup_close(&m->agent.fd);
		return 0;
	}
	r = agent_next(&m->agent, &frame);
	if (r == 0)
		return 0;
	if (r < 0 || m->saving || frame.type != PROTO_HELLO || frame.len != 4 ||
	    proto_get32(frame.payload) != PROTO_VERSION)
		return err_msg(e, EHOSTDOWN, "the guest's agent speaks another protocol");
	m->saving = true;
	return qmp_send_save(&m->qmp, m->state_fd, e);
}

static int read_signal(struct maker *m, struct err *e)
{
	struct signalfd_siginfo info;

	while (read(m->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGWINCH)
			continue;
		m->signal = (int)info.ssi_signo;
		return err_msg(e, EINTR, "interrupted");
	}
	return 0;
}

/* QEMU is gone: all that was said comes first. */
static int machine_ended(struct maker *m, struct err *e)
{
	struct channel_msg msg;
	char why[400];

	if (channel_recv(m->launch.channel, &msg, NULL) == 0 && msg.kind == CHANNEL_ENDED) {
		m->ended = true;
		m->status = msg.status;
	}
	vm_launch_kill(&m->launch);
	while (read_console(m) || read_qemu_words(m))
		;
	if (!cgroup_verdict(&m->launch.cgroup, why, sizeof(why)))
		obituary(&m->console, strbuf_str(&m->qemu_words), m->ended, m->status, why,
			 sizeof(why));
	return err_msg(e, m->saving ? EIO : EHOSTDOWN, "%s", why);
}

static int handle(struct maker *m, const struct pollfd fds[6], struct err *e)
{
	int r = 0;

	if (fds[0].revents && !read_console(m))
		cleanup_close(&m->launch.console);
	if (fds[1].revents && !read_qemu_words(m))
		cleanup_close(&m->launch.stderr_fd);
	if (fds[2].revents)
		r = read_signal(m, e);
	if (r == 0 && fds[3].revents)
		r = read_agent(m, e);
	if (r == 0 && fds[4].revents) {
		r = qmp_read(&m->qmp, e);
		if (r == 0)
			cleanup_close(&m->qmp.fd);
		r = r < 0 ? r : 0;
	}
	if (r == 0 && fds[5].revents)
		r = machine_ended(m, e);
	return r;
}

/* Until QEMU has saved the guest. */
static int watch(struct maker *m, struct err *e)
{
	uint64_t limit = m->launch.plan.start_deadline_ms;
	uint64_t deadline = timing_now() / 1000000 + limit;
	int r = 0;

	while (r == 0 && !m->qmp.migrated) {
		struct pollfd fds[] = {
			{ .fd = m->launch.console, .events = POLLIN },
			{ .fd = m->launch.stderr_fd, .events = POLLIN },
			{ .fd = m->signal_fd, .events = POLLIN },
			{ .fd = m->agent.fd, .events = POLLIN },
			{ .fd = m->qmp.fd, .events = POLLIN },
			{ .fd = m->launch.channel, .events = POLLIN },
		};
		uint64_t now = timing_now() / 1000000;
		int ms;

		r = launch_time_left(m->in, &ms, e);
		if (r < 0)
			return r;
		if (now >= deadline)
			return err_msg(e, ETIMEDOUT,
				       "the guest gave no sign of life within %llu s%s",
				       (unsigned long long)limit / 1000,
				       m->in->accel == ACCEL_TCG ?
					       "; is the host overloaded?" :
					       " under KVM; --accel=tcg may do");
		if (ms < 0 || (uint64_t)ms > deadline - now)
			ms = (int)(deadline - now);
		if (poll(fds, ARRAY_SIZE(fds), ms) < 0 && errno != EINTR)
			return err_errno(e, errno, "cannot wait for the guest");
		r = handle(m, fds, e);
	}
	return r;
}

static int boot_and_save(const struct make_input *make, int ram_fd, struct maker *m, struct err *e)
{
	struct launch_making making = { .initrd_fd = make->initrd_fd, .ram_fd = ram_fd };
	int r;

	memcpy(making.kernel_digest, make->report->kernel_digest, sizeof(making.kernel_digest));
	r = vm_launch_maker(make->in, &making, &m->launch, e);
	if (r < 0) {
		m->signal = m->launch.signal;
		return r;
	}
	fcntl(m->launch.console, F_SETFL, O_NONBLOCK);
	fcntl(m->launch.stderr_fd, F_SETFL, O_NONBLOCK);
	r = agent_init(&m->agent, steal_fd(&m->launch.agent), e);
	if (r == 0)
		r = qmp_init(&m->qmp, steal_fd(&m->launch.qmp), e);
	return r == 0 ? watch(m, e) : r;
}

static int publish(const struct make_input *make, int fd, int ram_fd, const struct maker *m,
		   struct template_info *ret, struct err *e)
{
	const struct plan_input *plan = &m->launch.plan.in;
	const struct vm_spec *spec = plan->spec;
	struct template_info info = {
		.memory = spec->memory,
		.created = time(NULL),
		.cpus = m->launch.plan.cpus,
		.accel = plan->accel,
	};
	int r;

	memcpy(info.key, make->key, sizeof(info.key));
	memcpy(info.qemu_version, m->qmp.version, sizeof(info.qemu_version));
	snprintf(info.kernel_version, sizeof(info.kernel_version), "%s",
		 make->report->kernel_version);
	r = template_file_write(fd, ram_fd, m->state_fd, &info, e);
	if (r < 0)
		return r;
	r = template_store_publish(make->store_fd, make->key, fd);
	if (r < 0)
		return err_errno(e, -r, "cannot publish it");
	(void)!template_store_prune(make->store_fd, spec->template_budget,
				    spec->template_max_age_ms / 1000, make->key, NULL, NULL);
	*ret = info;
	return 0;
}

/*
 * Before a guest is booted for it: a place to put it, with room for what a guest has
 * touched by its HELLO. With Debian's kernel that is 60 MiB, and 1/64 of the memory for
 * the kernel's book-keeping of it.
 */
static int open_place(const struct make_input *make, int *ret_fd, struct err *e)
{
	uint64_t need = make->in->spec->memory / 64 + ROOM_MIN, room;
	struct statvfs fs;
	int r = template_store_begin(make->store_fd, ret_fd);

	if (r < 0)
		return err_errno(e, -r, "cannot make a file for it");
	if (fstatvfs(*ret_fd, &fs) < 0)
		return err_errno(e, errno, "cannot look at the disk of the cache");
	room = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (room < need)
		return err_msg(e, ENOSPC,
			       "%llu MiB are free on the disk of the cache, and it takes %llu",
			       (unsigned long long)room >> 20, (unsigned long long)need >> 20);
	return 0;
}

/* A file of memory that QEMU, whatever id it has, may map. */
static int memory_file(const char *name, uint64_t size, int *ret_fd, struct err *e)
{
	_cleanup_close_ int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		return err_errno(e, errno, "cannot get memory for it");
	*ret_fd = steal_fd(&fd);
	return 0;
}

int template_make(const struct make_input *make, struct template_info *ret, int *ret_signal,
		  struct strbuf *last_words, struct err *e)
{
	struct maker m = {
		.launch = VM_LAUNCH_INIT,
		.agent.fd = -1,
		.qmp.fd = -1,
		.in = make->in,
		.signal_fd = make->in->signal_fd,
		.state_fd = -1,
	};
	_cleanup_close_ int ram_fd = -1;
	_cleanup_close_ int fd = -1;
	int r = open_place(make, &fd, e);

	if (r == 0)
		r = memory_file("vmrun-memory", make->in->spec->memory, &ram_fd, e);
	if (r == 0)
		r = memory_file("vmrun-state", 0, &m.state_fd, e);
	if (r == 0) {
		r = boot_and_save(make, ram_fd, &m, e);
		vm_launch_kill(&m.launch);
	}
	if (r == 0)
		r = publish(make, fd, ram_fd, &m, ret, e);
	if (r == -EINTR)
		*ret_signal = m.signal;
	if (r == -EHOSTDOWN || r == -ETIMEDOUT)
		console_tail(&m.console, LAST_LINES, last_words);
	agent_free(&m.agent);
	qmp_free(&m.qmp);
	console_free(&m.console);
	strbuf_free(&m.qemu_words);
	cleanup_close(&m.state_fd);
	vm_launch_free(&m.launch);
	return r;
}
