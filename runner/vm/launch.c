/* SPDX-License-Identifier: MIT */
#include "runner/vm/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/host/kernel_find.h"
#include "runner/host/programs.h"
#include "runner/jail/jail.h"
#include "runner/preload/preload.h"
#include "runner/vm/jail_main.h"
#include "runner/vm/kcache.h"
#include "runner/vm/template_store.h"

/* asm/socket.h of Linux 6.16; older headers do not have it. */
#define SO_PASSRIGHTS_ 83

static int open_volume(const struct volume *v, unsigned int index, struct jail *jail, struct err *e)
{
	_cleanup_close_ int fd = open(v->src, O_PATH | O_CLOEXEC);
	char target[64];
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return err_msg(e, ENOENT, "-v: '%s' does not exist; make it first", v->src);
	if (fd < 0)
		return err_errno(e, errno, "-v: cannot open '%s'", v->src);
	if (fstat(fd, &st) < 0)
		return err_errno(e, errno, "-v: cannot stat '%s'", v->src);
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return err_msg(e, EINVAL, "-v: '%s' is neither a directory nor a regular file",
			       v->src);
	snprintf(target, sizeof(target), JAIL_VOLUMES_DIR "/%u", index);
	return jail_add_bind(jail, fd, target, v->read_only, e);
}

static int bind_disk(const struct launch_input *in, unsigned int index, struct jail *jail,
		     struct err *e)
{
	char target[64];

	snprintf(target, sizeof(target), JAIL_DISKS_DIR "/%u", index);
	return jail_add_bind(jail, in->disks[index].fd, target, in->spec->disks[index].read_only,
			     e);
}

static int bind_caches(struct jail_main *m, struct err *e)
{
	int r = 0;

	if (m->parent->kernels >= 0) {
		m->kernels_bind = (int)m->jail.n_binds;
		r = jail_add_bind(&m->jail, m->parent->kernels, "", true, e);
	}
	if (r == 0 && m->parent->templates >= 0) {
		m->templates_bind = (int)m->jail.n_binds;
		r = jail_add_bind(&m->jail, m->parent->templates, "", true, e);
	}
	return r;
}

static int identify(int fd, bool whole, struct file_id *ret, struct err *e)
{
	struct stat st;

	if (fd < 0)
		return 0;
	if (fstat(fd, &st) < 0)
		return err_errno(e, errno, "cannot stat what the guest boots from");
	fs_file_id(&st, ret);
	if (!whole)
		*ret = (struct file_id){ .dev = ret->dev, .ino = ret->ino };
	return 0;
}

static int identify_inputs(const struct jail_main *m, struct launch_origin *ret, struct err *e)
{
	int r = identify(m->in->base->fd, false, &ret->base, e);

	if (r == 0)
		r = identify(m->kernel_fd, true, &ret->kernel, e);
	return r == 0 ? identify(m->modules_fd, false, &ret->modules, e) : r;
}

/* Everything that is opened on the caller's own rights, before the jail. */
static int open_inputs(struct jail_main *m, struct err *e)
{
	const struct vm_spec *spec = m->in->spec;
	int r;

	r = jail_add_bind(&m->jail, m->in->base->fd, JAIL_ROOT_DIR, spec->root_mode != ROOT_RW, e);
	for (unsigned int i = 0; r == 0 && i < spec->n_volumes; i++)
		r = open_volume(&spec->volumes[i], i, &m->jail, e);
	for (unsigned int i = 0; r == 0 && i < spec->n_disks; i++)
		r = bind_disk(m->in, i, &m->jail, e);
	if (r == 0)
		r = bind_caches(m, e);
	if (r == 0 && spec->kernel) {
		r = fs_open_host_file(spec->kernel, KERNEL_IMAGE_MAX, &m->kernel_fd);
		if (r < 0)
			r = err_errno(e, -r, "-k: cannot open '%s'", spec->kernel);
	}
	if (r == 0 && spec->modules && strcmp(spec->modules, "none")) {
		m->modules_fd = open(spec->modules, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (m->modules_fd < 0)
			r = err_errno(e, errno, "--modules: cannot open '%s'", spec->modules);
	}
	return r;
}

static int make_pair(int type, int *ret_ours, int *ret_theirs, struct err *e)
{
	int pair[2];

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(e, errno, "cannot make a socket pair");
	*ret_ours = pair[0];
	*ret_theirs = pair[1];
	return 0;
}

/*
 * A stream to QEMU, which may send no descriptors: those on their way count against all of
 * a user's processes, and in some layouts its user is the caller. Before Linux 6.16 this
 * cannot be had.
 */
static int make_stream(int *ret_ours, int *ret_theirs, struct err *e)
{
	const int no = 0;
	int r = make_pair(SOCK_STREAM, ret_ours, ret_theirs, e);

	if (r == 0)
		(void)!setsockopt(*ret_ours, SOL_SOCKET, SO_PASSRIGHTS_, &no, sizeof(no));
	return r;
}

/* Real root's helper runs as what is root in the guest: no id of the host's own. */
static int make_network(struct vm_launch *launch, struct jail_main *m, struct err *e)
{
	const struct launch_input *in = m->in;
	struct net_config config = {
		.uid = in->facts->uid ? in->facts->uid : in->idmap->uids.e[0].outside,
		.gid = in->facts->uid ? in->facts->gid : in->idmap->gids.e[0].outside,
		.host_loopback = in->spec->host_loopback,
		.ports = in->spec->ports,
		.n_ports = in->spec->n_ports,
		.seccomp = in->spec->seccomp,
	};
	int link = -1, r = make_stream(&link, &m->net, e);

	if (r == 0)
		net_open(&launch->net, &config, link);
	return r;
}

static int make_channels(struct vm_launch *launch, struct jail_main *m, struct err *e)
{
	int pipefd[2], r;

	r = make_pair(SOCK_SEQPACKET, &launch->channel, &m->channel, e);
	if (r == 0)
		r = make_stream(&launch->agent, &m->agent, e);
	if (r == 0)
		r = make_stream(&launch->console, &m->console, e);
	if (r == 0 && m->in->use_templates)
		r = make_stream(&launch->qmp, &m->qmp, e);
	if (r == 0 && !m->making && plan_network(m->in->spec) == NET_USER)
		r = make_network(launch, m, e);
	if (r < 0)
		return r;
	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return err_errno(e, errno, "cannot make a pipe");
	launch->stderr_fd = pipefd[0];
	m->stderr_fd = pipefd[1];
	return 0;
}

int launch_time_left(const struct launch_input *in, int *ret_ms, struct err *e)
{
	uint64_t now = timing_now() / 1000000;
	uint64_t left = in->deadline_ms > now ? in->deadline_ms - now : 0;

	if (in->deadline_ms && !left)
		return err_msg(e, ETIME, "the command did not end within %g s (--timeout)",
			       (double)in->spec->timeout_ms / 1000);
	if (ret_ms)
		*ret_ms = !in->deadline_ms ? -1 : left > INT_MAX ? INT_MAX : (int)left;
	return 0;
}

/*
 * The next message of the jail, unless a signal comes first.
 * @ret_fd: NULL, or a descriptor that is to be had again: it is closed first.
 */
static int wait_message(const struct launch_input *in, struct vm_launch *launch,
			struct channel_msg *msg, int *ret_fd, struct err *e)
{
	struct pollfd fds[] = { { .fd = launch->channel, .events = POLLIN },
				{ .fd = in->signal_fd, .events = POLLIN } };
	struct signalfd_siginfo info;
	int ms, r;

	for (;;) {
		r = launch_time_left(in, &ms, e);
		if (r < 0)
			return r;
		if (poll(fds, 2, ms) < 0 && errno != EINTR)
			return err_errno(e, errno, "cannot wait for the jail");
		if (fds[1].revents & POLLIN && read(in->signal_fd, &info, sizeof(info)) > 0 &&
		    info.ssi_signo != SIGWINCH) {
			launch->signal = (int)info.ssi_signo;
			return err_msg(e, EINTR, "interrupted");
		}
		if (fds[0].revents)
			break;
	}
	if (ret_fd)
		cleanup_close(ret_fd);
	r = channel_recv(launch->channel, msg, ret_fd);
	if (r < 0)
		return err_msg(e, -r, "the jail died at its start");
	if (msg->kind == CHANNEL_ERROR) {
		*e = msg->err;
		return -e->errnum;
	}
	return 0;
}

/* KERNEL: it is in the cache, or a place to unpack it to. */
static int serve_kernel(struct vm_launch *launch, const struct channel_msg *asked, int *making_fd,
			struct err *e)
{
	struct channel_msg reply = { .kind = CHANNEL_CACHED };
	int r;

	memcpy(launch->report.kernel_digest, asked->report.kernel_digest,
	       sizeof(launch->report.kernel_digest));
	if (launch->kernels < 0 || !kcache_has(launch->kernels, asked->report.kernel_digest)) {
		reply.kind = CHANNEL_MAKE;
		/* Without a file it is unpacked to memory. */
		if (launch->kernels >= 0)
			(void)!kcache_begin(launch->kernels, making_fd);
	}
	r = channel_send(launch->channel, &reply, *making_fd);
	return r < 0 ? err_errno(e, -r, "cannot talk to the jail") : 0;
}

static int serve_made(struct vm_launch *launch, int making_fd, struct err *e)
{
	struct channel_msg reply = { .kind = CHANNEL_CACHED };
	int r;

	/* Where this fails, PID 1 finds no entry, and helps itself. */
	(void)!kcache_publish(launch->kernels, launch->report.kernel_digest, making_fd);
	r = channel_send(launch->channel, &reply, -1);
	return r < 0 ? err_errno(e, -r, "cannot talk to the jail") : 0;
}

static int nonsense(const struct channel_msg *msg, struct err *e)
{
	return err_msg(e, EPROTO, "the jail talks nonsense (%d)", (int)msg->kind);
}

static int say_kind(struct vm_launch *launch, enum channel_kind kind, struct err *e)
{
	struct channel_msg msg = { .kind = kind };
	int r = channel_send(launch->channel, &msg, -1);

	return r < 0 ? err_errno(e, -r, "cannot talk to the jail") : 0;
}

int vm_launch_boot(const struct launch_input *in, struct vm_launch *launch, int *ret_initrd_fd,
		   struct err *e)
{
	_cleanup_close_ int making_fd = -1;
	_cleanup_close_ int initrd = -1;
	struct channel_msg msg;
	bool asked = false;
	int r = say_kind(launch, CHANNEL_BOOT, e);

	/* KERNEL, MADE or UNMADE, REPORT: more an honest one has not got to say. */
	for (int said = 0; r == 0; said++) {
		if (said == 3)
			return err_msg(e, EPROTO, "the jail talks without end");
		r = wait_message(in, launch, &msg, &initrd, e);
		if (r < 0)
			break;
		if (msg.kind == CHANNEL_REPORT && initrd >= 0 && asked) {
			/* Said before it read what may have made it say something else. */
			memcpy(msg.report.kernel_digest, launch->report.kernel_digest,
			       sizeof(msg.report.kernel_digest));
			launch->report = msg.report;
			*ret_initrd_fd = steal_fd(&initrd);
			return 0;
		}
		if (msg.kind == CHANNEL_KERNEL && !asked)
			r = serve_kernel(launch, &msg, &making_fd, e);
		else if (msg.kind == CHANNEL_MADE && making_fd >= 0)
			r = serve_made(launch, making_fd, e);
		else if (msg.kind != CHANNEL_UNMADE)
			r = nonsense(&msg, e);
		asked |= msg.kind == CHANNEL_KERNEL;
	}
	return r;
}

int launch_plan(const struct launch_input *in, const struct base_report *report,
		enum plan_start start, bool ram_readonly, struct vm_plan *ret, struct err *e)
{
	struct plan_input pi = {
		.spec = in->spec,
		.facts = in->facts,
		.base_path = in->base->path,
		.idmap = in->idmap,
		.report = report,
		.disks = in->disks,
		.accel = in->accel,
		.start = start,
		.ram_readonly = ram_readonly,
	};

	return vm_plan_make(&pi, ret, e);
}

int vm_launch_plan(const struct launch_input *in, struct vm_launch *launch, enum plan_start start,
		   bool ram_readonly, struct err *e)
{
	struct launch_input completed = *in;

	completed.spec = launch->spec;
	vm_plan_free(&launch->plan);
	return launch_plan(&completed, &launch->report, start, ram_readonly, &launch->plan, e);
}

static int wait_running(const struct launch_input *in, struct vm_launch *launch, struct err *e)
{
	struct channel_msg msg;
	int r = wait_message(in, launch, &msg, NULL, e);

	if (r < 0)
		return r;
	if (msg.kind != CHANNEL_RUNNING)
		return nonsense(&msg, e);
	timing_mark(&launch->timing, TIMING_EXEC);
	return 0;
}

int vm_launch_go(const struct launch_input *in, struct vm_launch *launch, struct err *e)
{
	struct channel_msg msg = { .kind = CHANNEL_GO };
	int r;

	if (launch->plan.in.start == START_RESTORE) {
		msg.kind = CHANNEL_RESTORE;
		memcpy(msg.restore.key, launch->key, sizeof(msg.restore.key));
		msg.restore.ram_readonly = launch->plan.in.ram_readonly;
	}
	r = channel_send(launch->channel, &msg, -1);
	if (r < 0)
		return err_errno(e, -r, "cannot talk to the jail");
	timing_mark(&launch->timing, TIMING_PREPARE);
	/* While QEMU starts. Without published ports it can wait for the guest's first word. */
	r = in->spec->n_ports ? net_start(&launch->net, e) : 0;
	if (r == 0)
		r = wait_running(in, launch, e);
	return r == 0 ? net_wait(&launch->net, e) : r;
}

static int init(const struct launch_input *in, const struct launch_making *making,
		struct vm_launch *launch, struct jail_main *m, struct err *e)
{
	*launch = (struct vm_launch)VM_LAUNCH_INIT;
	launch->timing = in->timing;
	launch->spec = in->spec;
	(void)!kcache_open(in->facts->cache_dir, &launch->kernels);
	jail_init(&m->jail);
	m->in = in;
	m->making = making;
	m->parent = launch;
	m->jail.uids = &in->idmap->uids;
	m->jail.gids = &in->idmap->gids;
	m->jail.programs = &m->programs;
	m->jail.seccomp = in->spec->seccomp;
	m->jail.kvm = in->accel == ACCEL_KVM;
	m->jail.keep_groups = m->jail.kvm && in->facts->kvm_by_group;
	return programs_find(in->facts, !in->dry_run, &m->programs, e);
}

/* Where none is delegated the guest runs without: the limits of the jail hold. */
static void make_cgroup(struct jail_main *m, struct vm_launch *launch)
{
	const struct launch_input *in = m->in;
	const struct cgroup_limits limits = {
		.guest_memory = in->spec->memory,
		.cpus = plan_cpus(in->spec, in->facts, in->accel),
		.emulated = in->accel != ACCEL_KVM,
	};
	struct err ignored;

	if (!in->dry_run && cgroup_make(&limits, &launch->cgroup, &ignored) == 0)
		m->jail.cgroup_fd = launch->cgroup.fd;
}

static int spawn(struct jail_main *m, struct vm_launch *launch, struct err *e)
{
	int r = make_channels(launch, m, e);

	if (r == 0)
		make_cgroup(m, launch);
	if (r == 0)
		r = jail_spawn(&m->jail, jail_main, m, &launch->pidfd, e);
	if (r == 0)
		timing_mark(&launch->timing, TIMING_NAMESPACE);
	return r;
}

/* @fd: from the jail, which has read a hostile base; -1: that says nothing. */
static int read_image_config(int fd, struct image_config *ret, struct err *e)
{
	_cleanup_free_ char *data = NULL;
	uint64_t size;

	if (fd < 0)
		return 0;
	if (!fs_is_sealed(fd, IMAGE_CONFIG_MAX, &size))
		return err_msg(e, EPROTO, "the jail told nonsense of the image's defaults");
	data = malloc((size_t)size + 1);
	if (!data)
		return err_oom(e);
	if (fs_pread_all(fd, data, (size_t)size, 0) != (ssize_t)size)
		return err_msg(e, EIO, "cannot read the image's defaults");
	return image_config_unpack(data, (size_t)size, ret, e);
}

static int wait_ident(const struct launch_input *in, struct vm_launch *launch, struct err *e)
{
	_cleanup_close_ int config = -1;
	struct channel_msg msg;
	int r = wait_message(in, launch, &msg, &config, e);

	if (r < 0)
		return r;
	if (msg.kind != CHANNEL_IDENT)
		return nonsense(&msg, e);
	r = read_image_config(config, &launch->image, e);
	if (r == 0)
		r = image_config_complete(in->spec, &launch->image, &launch->completed, e);
	if (r < 0)
		return r;
	launch->spec = &launch->completed;
	launch->ident = msg.ident;
	launch->report = msg.ident.report;
	launch->timing.at[TIMING_JAIL] = msg.ident.jail_ns;
	return 0;
}

int vm_launch_begin(const struct launch_input *in, bool unpacker, struct vm_launch *ret,
		    struct err *e)
{
	struct jail_main m = JAIL_MAIN_INIT;
	int r = init(in, NULL, ret, &m, e);

	ret->unpacker = m.unpacker = unpacker;
	if (in->use_templates) {
		(void)!template_store_open(in->facts->cache_dir, &ret->templates);
		m.jail.preload = ram_readonly_start;
		m.jail.preload_len = (size_t)(ram_readonly_end - ram_readonly_start);
	}
	if (r == 0)
		r = open_inputs(&m, e);
	if (r == 0)
		r = identify_inputs(&m, &ret->origin, e);
	if (r == 0)
		r = spawn(&m, ret, e);
	jail_main_free(&m);
	return r == 0 ? wait_ident(in, ret, e) : r;
}

int vm_launch_maker(const struct launch_input *in, const struct launch_making *making,
		    struct vm_launch *ret, struct err *e)
{
	struct jail_main m = JAIL_MAIN_INIT;
	int r = init(in, making, ret, &m, e);

	if (r == 0)
		r = bind_caches(&m, e);
	if (r == 0)
		r = spawn(&m, ret, e);
	jail_main_free(&m);
	if (r == 0)
		r = vm_launch_plan(in, ret, START_MAKE, false, e);
	return r == 0 ? wait_running(in, ret, e) : r;
}

void vm_launch_kill(struct vm_launch *launch)
{
	siginfo_t info;

	if (launch->pidfd >= 0) {
		syscall(SYS_pidfd_send_signal, launch->pidfd, SIGKILL, NULL, 0);
		while (waitid(P_PIDFD, (id_t)launch->pidfd, &info, WEXITED) < 0 && errno == EINTR)
			;
	}
	cleanup_close(&launch->pidfd);
	net_stop(&launch->net);
}

void vm_launch_free(struct vm_launch *launch)
{
	vm_launch_kill(launch);
	cgroup_remove(&launch->cgroup);
	cleanup_close(&launch->channel);
	cleanup_close(&launch->agent);
	cleanup_close(&launch->console);
	cleanup_close(&launch->qmp);
	cleanup_close(&launch->stderr_fd);
	cleanup_close(&launch->kernels);
	cleanup_close(&launch->templates);
	cleanup_close(&launch->template_fd);
	strbuf_free(&launch->last_words);
	vm_plan_free(&launch->plan);
	image_config_completed_free(&launch->completed);
	image_config_free(&launch->image);
}
