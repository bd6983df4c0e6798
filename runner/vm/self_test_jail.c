/* SPDX-License-Identifier: MIT */
#include "runner/vm/self_test_jail.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/jail/jail.h"
#include "runner/preload/preload.h"
#include "runner/vm/channel.h"

enum { PORT_AGENT, PORT_CONSOLE, PORT_QMP, PORT_NET, PORT_END };

/* What the jail's first process has. */
struct first {
	const struct test_jail_input *input;
	const char *name;
	struct jail jail;
	unsigned int cache_bind;
	int channel;
	int stderr_fd;
	int ports[PORT_END];
};

static bool has_network(const struct test_jail_input *input)
{
	return plan_network(input->in->spec) == NET_USER;
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

static int make_channels(struct test_jail *ours, struct first *theirs, struct err *e)
{
	int pipefd[2];
	int r = make_pair(SOCK_SEQPACKET, &ours->channel, &theirs->channel, e);

	for (int i = 0; r == 0 && i < PORT_END; i++)
		if (i != PORT_NET || has_network(theirs->input))
			r = make_pair(SOCK_STREAM, &ours->ports[i], &theirs->ports[i], e);
	if (r < 0)
		return r;
	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return err_errno(e, errno, "cannot make a pipe");
	ours->stderr_fd = pipefd[0];
	theirs->stderr_fd = pipefd[1];
	return 0;
}

static int add_binds(struct first *f, struct err *e)
{
	const struct test_scene *s = f->input->scene;
	int r = jail_add_bind(&f->jail, s->base, JAIL_ROOT_DIR, true, e);

	if (r == 0)
		r = jail_add_bind(&f->jail, s->volumes[0], JAIL_VOLUMES_DIR "/0", false, e);
	if (r == 0)
		r = jail_add_bind(&f->jail, s->volumes[1], JAIL_VOLUMES_DIR "/1", true, e);
	f->cache_bind = f->jail.n_binds;
	return r == 0 ? jail_add_bind(&f->jail, s->cache, "", true, e) : r;
}

static void describe(struct first *f, const struct test_jail_input *input, const char *name)
{
	jail_init(&f->jail);
	f->input = input;
	f->name = name;
	f->jail.kind = JAIL_VMM;
	f->jail.without = input->without;
	f->jail.uids = &input->in->idmap->uids;
	f->jail.gids = &input->in->idmap->gids;
	f->jail.programs = input->programs;
	f->jail.seccomp = input->in->spec->seccomp;
	f->jail.kvm = input->in->accel == ACCEL_KVM;
	f->jail.keep_groups = f->jail.kvm && input->in->facts->kvm_by_group;
	f->jail.preload = ram_readonly_start;
	f->jail.preload_len = (size_t)(ram_readonly_end - ram_readonly_start);
}

static int let_go(const struct first *f, struct err *e)
{
	const struct test_scene *s = f->input->scene;
	const int keep[] = { f->channel,  f->stderr_fd, s->initrd,   s->program,
			     f->ports[0], f->ports[1],	f->ports[2], f->ports[3] };

	return jail_let_go(&f->jail, keep, ARRAY_SIZE(keep), e);
}

static int open_cached(const struct first *f, const char *name, int *ret_fd, struct err *e)
{
	int r = fs_open_regular(f->jail.binds[f->cache_bind].tree_fd, name, UINT64_MAX, ret_fd,
				NULL);

	return r < 0 ? err_errno(e, -r, "cannot open what the self-test has put there") : 0;
}

static void list_fds(const int fds[VM_FD_END], struct strvec *argv)
{
	_cleanup_strbuf_ struct strbuf all = { 0 }, sockets = { 0 };

	for (int i = 0; i < VM_FD_END; i++) {
		if (fds[i] < 0)
			continue;
		strbuf_printf(&all, ",%d", i);
		if (i == VM_FD_AGENT || i == VM_FD_CONSOLE || i == VM_FD_QMP || i == VM_FD_NET)
			strbuf_printf(&sockets, ",%d", i);
	}
	argv->failed |= all.failed || sockets.failed;
	strvec_addf(argv, "fds=%s", strbuf_str(&all) + 1);
	strvec_addf(argv, "sockets=%s", strbuf_str(&sockets) + 1);
	strvec_addf(argv, "kernel=%d", VM_FD_KERNEL);
	strvec_addf(argv, "initrd=%d", VM_FD_INITRD);
	strvec_addf(argv, "ram=%d", VM_FD_RAM);
	strvec_addf(argv, "state=%d", VM_FD_STATE);
}

static int make_argv(const struct first *f, const int fds[VM_FD_END], struct strvec *argv,
		     struct err *e)
{
	const struct strvec *args = &f->input->scene->args;

	strvec_addf(argv, "/proc/self/fd/%d", f->input->scene->program);
	strvec_add(argv, f->name);
	if (strcmp(f->name, "list") != 0) {
		for (size_t i = 0; i < args->n; i++)
			strvec_add(argv, args->v[i]);
		list_fds(fds, argv);
	}
	return argv->failed ? err_oom(e) : 0;
}

/* With the descriptors of a guest that wakes up from a template, and that of one that boots. */
static int start(struct first *f, pid_t *ret_pid, struct err *e)
{
	_cleanup_strvec_ struct strvec argv = { 0 };
	const int keep[] = { f->channel };
	int fds[VM_FD_END] = {
		[0] = STDIN_FILENO,
		[1] = f->stderr_fd,
		[2] = f->stderr_fd,
		[VM_FD_AGENT] = f->ports[PORT_AGENT],
		[VM_FD_CONSOLE] = f->ports[PORT_CONSOLE],
		[VM_FD_INITRD] = f->input->scene->initrd,
		[VM_FD_QMP] = f->ports[PORT_QMP],
		[VM_FD_NET] = f->ports[PORT_NET],
	};
	int r = open_cached(f, "kernel", &fds[VM_FD_KERNEL], e);

	if (r == 0)
		r = open_cached(f, "template", &fds[VM_FD_RAM], e);
	if (r == 0)
		r = open_cached(f, "template", &fds[VM_FD_STATE], e);
	if (r == 0)
		r = make_argv(f, fds, &argv, e);
	return r < 0 ? r :
		       jail_exec(&f->jail, argv.v, true, fds, VM_FD_END, keep, ARRAY_SIZE(keep),
				 ret_pid, e);
}

static void first_main(void *arg)
{
	struct first *f = arg;
	struct channel_msg msg = { .kind = CHANNEL_ENDED };
	pid_t pid = -1;
	int r = let_go(f, &msg.err);

	if (r == 0)
		r = jail_attach(&f->jail, &msg.err);
	if (r == 0)
		r = jail_confine(&f->jail, &msg.err);
	if (r == 0)
		r = start(f, &pid, &msg.err);
	if (r < 0) {
		msg.kind = CHANNEL_ERROR;
	} else {
		while (waitpid(pid, &r, 0) < 0 && errno == EINTR)
			;
		msg.status = r;
	}
	channel_send(f->channel, &msg, -1);
	_exit(0);
}

static void first_free(struct first *f)
{
	jail_free(&f->jail);
	cleanup_close(&f->channel);
	cleanup_close(&f->stderr_fd);
	for (int i = 0; i < PORT_END; i++)
		cleanup_close(&f->ports[i]);
}

int test_jail_start(const struct test_jail_input *input, const char *name, struct test_jail *ret,
		    struct err *e)
{
	struct first f = { .channel = -1, .stderr_fd = -1, .ports = { -1, -1, -1, -1 } };
	int r;

	*ret = (struct test_jail)TEST_JAIL_INIT;
	describe(&f, input, name);
	r = make_channels(ret, &f, e);
	if (r == 0)
		r = add_binds(&f, e);
	if (r == 0)
		r = jail_spawn(&f.jail, first_main, &f, &ret->pidfd, e);
	first_free(&f);
	return r;
}

void test_jail_stop(struct test_jail *jail)
{
	siginfo_t info;

	if (jail->pidfd >= 0) {
		syscall(SYS_pidfd_send_signal, jail->pidfd, SIGKILL, NULL, 0);
		while (waitid(P_PIDFD, (id_t)jail->pidfd, &info, WEXITED) < 0 && errno == EINTR)
			;
	}
	cleanup_close(&jail->pidfd);
	cleanup_close(&jail->channel);
	cleanup_close(&jail->stderr_fd);
	for (size_t i = 0; i < ARRAY_SIZE(jail->ports); i++)
		cleanup_close(&jail->ports[i]);
}
