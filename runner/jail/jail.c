/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Under emulation QEMU is no security boundary, by its own documentation: the
 * jail is. It must hold against a QEMU that runs the guest's code.
 *
 *	vmrun                   the caller, in the caller's namespaces
 *	└── PID 1 of the jail   sets all of this up, then only reaps
 *	    └── QEMU            no way up, none sideways
 *
 * The stages below run in this order, in the process and for the reason that
 * the table gives. What must and must not hold at each:
 *
 * jail_spawn(), in vmrun. One clone3() makes the process and its user, mount,
 * PID, IPC, UTS, cgroup and network namespaces. It must wait until vmrun has
 * written the id maps: until then its ids mean nothing.
 *
 * ATTACH, in PID 1, still by the caller's rights (the maps give capabilities
 * over what is mapped; the process's own ids are the caller's). It must take hold
 * of every host directory now, because the next step gives the caller's rights
 * up: a base below a home of mode 0700 can be reached by the caller only. It must
 * not look into the base before that step: what is read with the caller's rights
 * is not what the guest's root may read.
 *
 * CONFINE, in PID 1, as root of the user namespace. Builds the new root and
 * leaves the old one. It must not run a program of the host, and must not open
 * anything by a path that the base decides. After it the host's file system
 * cannot be named any more.
 *
 * Its last stage takes away the right to mount: mounts are read-only by a flag that
 * who may mount could clear.
 *
 * Between CONFINE and EXEC the caller of this room reads the base: whatever a
 * kernel or a list of modules does to the code that reads it, it does in here, with
 * the capabilities that QEMU has and SETPCAP.
 *
 * EXEC, in the child that becomes QEMU. Each step takes something away that the
 * steps before needed: limits, capabilities, descriptors. Nothing may come after
 * them but execve(). PID 1 gives up the same: in podman's layout it has QEMU's
 * ids, and what it held, QEMU would find in /proc/1.
 *
 * Life and death: PID 1 is killed with vmrun (PDEATHSIG, set again after the ids
 * change, which clears it; and its socket to vmrun ends). The kernel kills
 * everything in a PID namespace with its PID 1. So no end of vmrun, kill -9
 * included, leaves a process, and mounts end with the last process in them.
 */
#include "runner/jail/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/jail/stages.h"
#include "runner/jail/userns.h"

enum phase { PHASE_ATTACH, PHASE_CONFINE, PHASE_EXEC };

struct stage {
	enum phase phase;
	const char *name; /* prefixes the error */
	int (*run)(struct jail *jail, struct err *e);
};

static int stage_lifeline(struct jail *jail, struct err *e)
{
	(void)jail;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return err_errno(e, errno, "cannot tie the jail's life to vmrun's");
	return 0;
}

static int stage_identity(struct jail *jail, struct err *e)
{
	if (!jail->keep_groups && !jail->groups_denied && setgroups(0, NULL) < 0)
		return err_errno(e, errno, "cannot drop supplementary groups");
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_errno(e, errno, "cannot become root of the user namespace");
	return 0;
}

/*
 * In podman's layout PID 1 has QEMU's ids: what keeps QEMU from its /proc/1 (its
 * environment, its descriptors, its memory) is that it cannot be dumped.
 */
static int stage_undumpable(struct jail *jail, struct err *e)
{
	(void)jail;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_errno(e, errno, "cannot make the jail's first process undumpable");
	return 0;
}

static int stage_no_namespaces(struct jail *jail, struct err *e)
{
	int r = fs_write_host("/proc/sys/user/max_user_namespaces", "0", 1);

	(void)jail;
	/* Read-only in a container: then the bounding set alone must do. */
	if (r < 0 && r != -EROFS && r != -EACCES)
		return err_errno(e, -r, "cannot forbid further user namespaces");
	return 0;
}

static int stage_session(struct jail *jail, struct err *e)
{
	(void)jail;
	if (setsid() < 0 && errno != EPERM)
		return err_errno(e, errno, "cannot leave the terminal's session");
	return 0;
}

static int stage_limits(struct jail *jail, struct err *e)
{
	struct rlimit core = { 0, 0 }, files;

	(void)jail;
	if (setrlimit(RLIMIT_CORE, &core) < 0)
		return err_errno(e, errno, "cannot forbid core dumps");
	/* A descriptor for every file that the guest has open, and then some. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &files) < 0)
			return err_errno(e, errno, "cannot raise the limit of open files");
	}
	/* The guest's modes are final: the client has applied its umask already. */
	umask(0);
	return 0;
}

static const struct stage stages[] = {
	{ PHASE_ATTACH, "lifeline", stage_lifeline },
	{ PHASE_ATTACH, "private mounts", mounts_private },
	{ PHASE_ATTACH, "attach", mounts_attach_binds },
	{ PHASE_ATTACH, "identity", stage_identity },
	{ PHASE_ATTACH, "lifeline again", stage_lifeline },
	{ PHASE_ATTACH, "undumpable", stage_undumpable },

	{ PHASE_CONFINE, "session", stage_session },
	{ PHASE_CONFINE, "root", mounts_new_root },
	{ PHASE_CONFINE, "programs", mounts_programs },
	{ PHASE_CONFINE, "devices", mounts_devices },
	{ PHASE_CONFINE, "proc", mounts_proc },
	{ PHASE_CONFINE, "resolver", mounts_resolver },
	{ PHASE_CONFINE, "base and volumes", mounts_place_binds },
	{ PHASE_CONFINE, "no namespaces", stage_no_namespaces },
	{ PHASE_CONFINE, "pivot", mounts_pivot },
	{ PHASE_CONFINE, "seal", mounts_seal_root },
	{ PHASE_CONFINE, "capabilities", caps_confine },

	{ PHASE_EXEC, "limits", stage_limits },
	{ PHASE_EXEC, "capabilities", caps_keep_for_9p },
};

static int run_phase(struct jail *jail, enum phase phase, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(stages); i++) {
		int r = stages[i].phase == phase ? stages[i].run(jail, e) : 0;

		if (r < 0)
			return err_prefix(e, "jail (%s)", stages[i].name);
	}
	return 0;
}

void jail_init(struct jail *jail)
{
	memset(jail, 0, sizeof(*jail));
}

void jail_free(struct jail *jail)
{
	for (unsigned int i = 0; i < jail->n_binds; i++) {
		free(jail->binds[i].source);
		cleanup_close(&jail->binds[i].source_fd);
		cleanup_close(&jail->binds[i].tree_fd);
	}
	jail->n_binds = 0;
}

int jail_add_bind(struct jail *jail, int source_fd, const char *target, bool read_only,
		  struct err *e)
{
	struct jail_bind b = { .read_only = read_only, .tree_fd = -1 };
	int r;

	if (jail->n_binds == JAIL_BINDS_MAX)
		return err_msg(e, E2BIG, "too many volumes: at most %d", JAIL_BINDS_MAX - 1);
	snprintf(b.target, sizeof(b.target), "%s", target);
	r = fs_fd_path(source_fd, &b.source);
	if (r < 0)
		return err_errno(e, -r, "cannot find the path of what becomes %s", target);
	b.source_fd = fcntl(source_fd, F_DUPFD_CLOEXEC, 3);
	if (b.source_fd < 0) {
		free(b.source);
		return err_errno(e, errno, "cannot keep hold of what becomes %s", target);
	}
	jail->binds[jail->n_binds++] = b;
	return 0;
}

/*
 * Real root can clone mounts out here, and must: in the user namespace it has no
 * rights over a home that is closed to others.
 */
static int attach_as_root(struct jail *jail, struct err *e)
{
	for (unsigned int i = 0; i < jail->n_binds; i++) {
		struct jail_bind *b = &jail->binds[i];

		b->tree_fd = mounts_clone(b->source_fd, b->read_only);
		if (b->tree_fd < 0)
			return err_errno(e, -b->tree_fd, "cannot attach %s", b->source);
	}
	return 0;
}

int jail_spawn(struct jail *jail, void (*main)(void *arg), void *arg, int *ret_pidfd, struct err *e)
{
	_cleanup_close_ int pidfd = -1, go_read = -1, go_write = -1;
	struct clone_args args = {
		.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
			 CLONE_NEWCGROUP | CLONE_PIDFD,
		.pidfd = (uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
	};
	int go[2], r;
	long pid;

	jail->groups_denied = userns_groups_denied(jail->uids, jail->gids);
	if (!jail->host_network)
		args.flags |= CLONE_NEWNET;
	if (geteuid() == 0) {
		r = attach_as_root(jail, e);
		if (r < 0)
			return r;
	}
	if (pipe2(go, O_CLOEXEC) < 0)
		return err_errno(e, errno, "cannot make a pipe");
	go_read = go[0];
	go_write = go[1];
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		return userns_explain(errno, e);
	if (pid == 0) {
		char byte;

		cleanup_close(&go_write);
		/* No byte: vmrun could not write the maps, or is gone. */
		if (read(go_read, &byte, 1) != 1)
			_exit(1);
		cleanup_close(&go_read);
		main(arg);
		_exit(1);
	}
	r = userns_write_maps((pid_t)pid, jail->uids, jail->gids, e);
	if (r < 0 || write(go_write, "", 1) != 1) {
		cleanup_close(&go_write);
		waitpid((pid_t)pid, NULL, 0);
		return r < 0 ? r : err_errno(e, EPIPE, "the jail died at its start");
	}
	*ret_pidfd = steal_fd(&pidfd);
	return 0;
}

int jail_attach(struct jail *jail, struct err *e)
{
	return run_phase(jail, PHASE_ATTACH, e);
}

int jail_confine(struct jail *jail, struct err *e)
{
	return run_phase(jail, PHASE_CONFINE, e);
}

/* Makes fds[0..n) descriptors 0..n-1, and everything above close-on-exec. */
static int place_fds(const int *fds, unsigned int n, int *keep, struct err *e)
{
	int high[16];

	if (n > ARRAY_SIZE(high))
		return err_msg(e, EINVAL, "too many descriptors for the jail");
	/* Out of the way first: a source may have a number that is a target. */
	for (unsigned int i = 0; i < n; i++) {
		high[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_DUPFD_CLOEXEC, (int)n);
		if (fds[i] >= 0 && high[i] < 0)
			return err_errno(e, errno, "cannot pass descriptor %d on", fds[i]);
	}
	*keep = fcntl(*keep, F_DUPFD_CLOEXEC, (int)n);
	for (unsigned int i = 0; i < n; i++) {
		if (high[i] < 0)
			close((int)i);
		else if (dup2(high[i], (int)i) < 0)
			return err_errno(e, errno, "cannot pass descriptor %d on", fds[i]);
	}
	if (*keep < 0 || syscall(SYS_close_range, n, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return err_errno(e, errno, "cannot close descriptors");
	return 0;
}

static void exec_child(struct jail *jail, char *const argv[], bool preload, const int *fds,
		       unsigned int n_fds, int err_fd)
{
	struct err e = { 0 };
	sigset_t none;
	char *const envp[] = { preload ? "LD_PRELOAD=" JAIL_PRELOAD : NULL, NULL };

	sigemptyset(&none);
	if (place_fds(fds, n_fds, &err_fd, &e) == 0 && run_phase(jail, PHASE_EXEC, &e) == 0) {
		signal(SIGPIPE, SIG_DFL);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execve(argv[0], argv, envp);
		err_errno(&e, errno, "cannot run %s in the jail", argv[0]);
	}
	fs_write_all(err_fd, &e, sizeof(e));
	_exit(127);
}

static bool is_kept(int fd, const int *keep, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (keep[i] == fd)
			return true;
	return false;
}

int jail_close_others(const int *keep, unsigned int n, struct err *e)
{
	int highest = STDERR_FILENO;

	for (unsigned int i = 0; i < n; i++)
		if (keep[i] > highest)
			highest = keep[i];
	for (int fd = STDERR_FILENO + 1; fd <= highest; fd++)
		if (!is_kept(fd, keep, n))
			close(fd);
	if (syscall(SYS_close_range, (unsigned int)highest + 1, ~0U, 0) < 0)
		return err_errno(e, errno, "cannot close descriptors");
	return 0;
}

int jail_exec(struct jail *jail, char *const argv[], bool preload, const int *fds,
	      unsigned int n_fds, const int *keep, unsigned int n_keep, pid_t *ret_pid,
	      struct err *e)
{
	struct err said;
	int err_read, pipefd[2], r;
	ssize_t n;
	pid_t pid;

	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return err_errno(e, errno, "cannot make a pipe");
	pid = fork();
	if (pid == 0)
		exec_child(jail, argv, preload, fds, n_fds, pipefd[1]);
	close(pipefd[1]);
	err_read = pipefd[0];
	if (pid < 0)
		return err_errno(e, errno, "cannot fork in the jail");
	r = caps_drop_all(e);
	if (r < 0)
		return r;
	do
		n = read(err_read, &said, sizeof(said));
	while (n < 0 && errno == EINTR);
	r = jail_close_others(keep, n_keep, e);
	if (r < 0)
		return r;
	if (n == sizeof(said)) {
		*e = said;
		return -said.errnum;
	}
	*ret_pid = pid;
	return 0;
}
