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
 * The rest is the table below: phases, each in its process, and their stages in
 * their order, each with what must hold after it and what must not have happened.
 * The table is what runs, and what `vmrun sandbox --explain` prints.
 *
 * ATTACH, in PID 1, still by the caller's rights (the maps give capabilities
 * over what is mapped; the process's own ids are the caller's): a base below a home
 * of mode 0700 can be reached by the caller only.
 *
 * CONFINE, in PID 1, as root of the user namespace: builds the new root and leaves
 * the old one, then takes its own rights away, mounting first.
 *
 * Between CONFINE and EXEC the caller of this room reads the base: whatever a
 * kernel or a list of modules does to the code that reads it, it does in here, with
 * the capabilities that QEMU has and SETPCAP.
 *
 * REST, in PID 1, while that child waits: in podman's layout PID 1 has QEMU's ids, and
 * what it held, QEMU would find in /proc/1. So the child does EXEC only after it.
 *
 * EXEC, in the child that becomes QEMU. Each step takes something away that the
 * steps before needed. Nothing may come after them but execve().
 *
 * The network helper has a jail of the same making with fewer stages: it has the
 * caller's network, and so it has no file, no other process and no capability. It is
 * PID 1 itself and executes nothing: jail_finish() is its EXEC.
 *
 * An operation on a root directory (rootfs-tools/enter.c) has a jail with still less:
 * no program, no device, nothing placed; PID 1 itself works on the trees of ATTACH, by
 * descriptor, after CONFINE, which is all of its jail.
 *
 * A program of the host's that works on a root directory (rootfs-tools/core/tool.c) has all
 * capabilities over the ids of the map, for it installs packages. Root of a user namespace
 * can undo every mount that was made in it. So the program gets one more user namespace
 * (jail_nest()) after CONFINE: over what is mounted by then it has no power.
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
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/jail/filter.h"
#include "runner/jail/stages.h"
#include "runner/jail/userns.h"

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

static int limit_namespaces(const char *number, struct err *e)
{
	int r = fs_write_host("/proc/sys/user/max_user_namespaces", number, 1);

	/* Read-only in a container: then the bounding set alone must do. */
	if (r < 0 && r != -EROFS && r != -EACCES)
		return err_errno(e, -r, "cannot forbid further user namespaces");
	return 0;
}

static int stage_no_namespaces(struct jail *jail, struct err *e)
{
	(void)jail;
	return limit_namespaces("0", e);
}

static int stage_one_namespace(struct jail *jail, struct err *e)
{
	(void)jail;
	return limit_namespaces("1", e);
}

/* Keys of the caller's hang on a process as descriptors do, whatever its namespaces. */
static int stage_keyring(struct jail *jail, struct err *e)
{
	(void)jail;
	/* EPERM: of a container whose filter lets nobody use keys. */
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS &&
	    errno != EPERM)
		return err_errno(e, errno, "cannot leave the caller's keyring");
	return 0;
}

static int stage_host_name(struct jail *jail, struct err *e)
{
	static const char name[] = "jail";

	(void)jail;
	if (sethostname(name, sizeof(name) - 1) < 0 || setdomainname("", 0) < 0)
		return err_errno(e, errno, "cannot set the jail's host name");
	return 0;
}

static int stage_session(struct jail *jail, struct err *e)
{
	(void)jail;
	if (setsid() < 0 && errno != EPERM)
		return err_errno(e, errno, "cannot leave the terminal's session");
	return 0;
}

static int stage_umask(struct jail *jail, struct err *e)
{
	(void)jail;
	(void)e;
	umask(0);
	return 0;
}

static int stage_filter_first(struct jail *jail, struct err *e)
{
	return filter_load(FILTER_FIRST, jail->seccomp, e);
}

static int stage_filter(struct jail *jail, struct err *e)
{
	return filter_load(jail->kind == JAIL_VMM ? FILTER_QEMU : FILTER_NETWORK, jail->seccomp, e);
}

static int stage_filter_reaper(struct jail *jail, struct err *e)
{
	return filter_load(FILTER_REAPER, jail->seccomp, e);
}

#define BOTH (JAIL_VMM | JAIL_NETWORK)
#define ALL (BOTH | JAIL_TOOL | JAIL_PROGRAM)
/* Whose PID 1 gives up what builds a jail. */
#define CLOSED (BOTH | JAIL_TOOL)

static const struct jail_stage stages[] = {
	{ PHASE_ATTACH, ALL, LAYER_NONE, "lifeline",
	  "PID 1, and with it everything in the jail, dies with vmrun", NULL, stage_lifeline },
	{ PHASE_ATTACH, ALL, LAYER_NONE, "private mounts",
	  "no mount of the jail's shows on the host, none of the host's later ones in the jail",
	  NULL, mounts_private },
	{ PHASE_ATTACH, JAIL_VMM | JAIL_TOOL | JAIL_PROGRAM, LAYER_NONE, "attach",
	  "base and volumes are held by descriptor: nosuid, nodev, noexec, and read-only where "
	  "asked for",
	  "look into the base: what the caller may read is not what the guest's root may",
	  mounts_attach_binds },
	{ PHASE_ATTACH, ALL, LAYER_NONE, "identity",
	  "root of the user namespace; the caller's groups are gone, but under a map of one id, "
	  "where the kernel forbids that",
	  "come before what only the caller can reach was attached", stage_identity },
	{ PHASE_ATTACH, ALL, LAYER_NONE, "lifeline again",
	  "as before: a change of ids clears it", NULL, stage_lifeline },
	{ PHASE_ATTACH, CLOSED, LAYER_FIRST, "undumpable",
	  "PID 1's memory, descriptors and environment cannot be had through /proc", NULL,
	  stage_undumpable },

	{ PHASE_CONFINE, ALL, LAYER_SESSION, "session",
	  "no controlling terminal: nothing can be typed into the caller's", NULL, stage_session },
	{ PHASE_CONFINE, JAIL_PROGRAM, LAYER_SESSION, "keyring",
	  "the keys of the caller's session are gone", NULL, stage_keyring },
	{ PHASE_CONFINE, ALL, LAYER_ROOT, "root", "an empty file system, mounted nowhere else",
	  "open anything by a path that the base decides", mounts_new_root },
	{ PHASE_CONFINE, JAIL_VMM, LAYER_ROOT, "programs",
	  "the files that this QEMU needs, each read-only by itself",
	  "run a program of the host", mounts_programs },
	{ PHASE_CONFINE, JAIL_PROGRAM, LAYER_ROOT, "the host's programs",
	  "/usr and what belongs to it, and /etc, read-only", NULL, mounts_host },
	{ PHASE_CONFINE, JAIL_PROGRAM, LAYER_ROOT, "scratch",
	  "/tmp, /var and /run are empty, and in memory", NULL, mounts_scratch },
	{ PHASE_CONFINE, JAIL_PROGRAM, LAYER_ROOT, "devices for programs",
	  "null, zero, full, random, urandom, tty, and terminals of its own", NULL,
	  mounts_program_devices },
	{ PHASE_CONFINE, JAIL_PROGRAM, LAYER_ROOT, "proc for programs",
	  "the processes of the jail", NULL, mounts_program_proc },
	{ PHASE_CONFINE, JAIL_PROGRAM, LAYER_ROOT, "the host's resolver",
	  "what /etc/resolv.conf leads to, where there is a network", NULL, mounts_host_resolver },
	{ PHASE_CONFINE, JAIL_VMM, LAYER_ROOT, "devices", "null, urandom, and kvm where it is used",
	  NULL, mounts_devices },
	{ PHASE_CONFINE, JAIL_VMM | JAIL_TOOL, LAYER_ROOT, "proc",
	  "the 9p server's /proc/self/fd, and no sysctl", NULL, mounts_proc },
	{ PHASE_CONFINE, JAIL_NETWORK, LAYER_ROOT, "resolver", "a copy of /etc/resolv.conf", NULL,
	  mounts_resolver },
	{ PHASE_CONFINE, JAIL_VMM | JAIL_PROGRAM, LAYER_ROOT, "base and volumes",
	  "below /vm, by the descriptors of \"attach\"", NULL, mounts_place_binds },
	{ PHASE_CONFINE, CLOSED, LAYER_NAMESPACES, "no namespaces",
	  "no further user namespace, by a limit of zero",
	  "come after the host's /proc is gone", stage_no_namespaces },
	{ PHASE_CONFINE, JAIL_PROGRAM, LAYER_NAMESPACES, "one namespace",
	  "one more user namespace, by a limit of one: the program's, which can undo nothing of "
	  "this one",
	  "come after the host's /proc is gone", stage_one_namespace },
	{ PHASE_CONFINE, ALL, LAYER_ROOT, "pivot",
	  "the host's file system cannot be named any more", NULL, mounts_pivot },
	{ PHASE_CONFINE, ALL, LAYER_UTS, "host name", "the host's name cannot be learnt either",
	  NULL, stage_host_name },
	{ PHASE_CONFINE, ALL, LAYER_SEAL, "seal", "/ is read-only",
	  "leave anything that can be written but base and volumes", mounts_seal_root },
	{ PHASE_CONFINE, BOTH | JAIL_PROGRAM, LAYER_LIMITS, "limits", "no core dump, and the other limits below",
	  NULL, limits_apply },
	{ PHASE_CONFINE, CLOSED, LAYER_NO_NEW_PRIVS, "no new privileges",
	  "no program can give a right that was not there before", NULL, caps_no_new_privs },
	{ PHASE_CONFINE, JAIL_VMM, LAYER_CAPS, "capabilities of PID 1",
	  "what QEMU gets, and SETPCAP: nobody can mount, or make a mount writable",
	  "read what the base holds before", caps_confine },
	{ PHASE_CONFINE, JAIL_TOOL, LAYER_CAPS, "capabilities of a tool",
	  "what a tree of files with owners is kept with", "read what the tree holds before",
	  caps_keep_for_tool },
	{ PHASE_CONFINE, JAIL_VMM | JAIL_TOOL, LAYER_FILTER, "system calls of PID 1",
	  "what no process of the jail has a use for kills it, all its children too", NULL,
	  stage_filter_first },

	{ PHASE_REST, JAIL_VMM, LAYER_FIRST, "capabilities of PID 1", "none, for good", NULL,
	  caps_drop_all },
	{ PHASE_REST, JAIL_VMM, LAYER_FIRST, "system calls of PID 1",
	  "it can wait, and tell vmrun", NULL, stage_filter_reaper },

	{ PHASE_EXEC, JAIL_PROGRAM, LAYER_ROOT, "proc of its own",
	  "the processes of its own namespace", NULL, mounts_proc_again },
	{ PHASE_EXEC, JAIL_VMM, LAYER_NONE, "umask",
	  "modes are the guest's: its kernel has applied a umask already", NULL, stage_umask },
	{ PHASE_EXEC, JAIL_VMM, LAYER_CAPS, "capabilities",
	  "CHOWN, DAC_OVERRIDE, FOWNER, FSETID and no other, for good",
	  "come before a step that needs more", caps_keep_for_9p },
	{ PHASE_EXEC, JAIL_NETWORK, LAYER_CAPS, "capabilities", "none, for good", NULL,
	  caps_drop_all },
	{ PHASE_EXEC, BOTH, LAYER_FILTER, "system calls", "only those of the table",
	  "be anything but the last", stage_filter },
};

const struct jail_stage *jail_stages(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(stages);
	return stages;
}

const char *jail_layer_name(enum jail_layer layer)
{
	static const char *const names[LAYER_END] = {
		[LAYER_ROOT] = "root",
		[LAYER_SEAL] = "seal",
		[LAYER_PID] = "pid",
		[LAYER_NET] = "net",
		[LAYER_IPC] = "ipc",
		[LAYER_UTS] = "uts",
		[LAYER_CGROUP] = "cgroup",
		[LAYER_CAPS] = "capabilities",
		[LAYER_NO_NEW_PRIVS] = "no-new-privs",
		[LAYER_NAMESPACES] = "no-namespaces",
		[LAYER_FILTER] = "seccomp",
		[LAYER_LIMITS] = "limits",
		[LAYER_DESCRIPTORS] = "descriptors",
		[LAYER_ENVIRONMENT] = "environment",
		[LAYER_SESSION] = "session",
		[LAYER_FIRST] = "first-process",
	};

	return layer < LAYER_END ? names[layer] : NULL;
}

const char *jail_phase_name(enum jail_phase phase)
{
	static const char *const names[PHASE_END] = {
		[PHASE_ATTACH] = "attach",
		[PHASE_CONFINE] = "confine",
		[PHASE_EXEC] = "exec",
		[PHASE_REST] = "rest",
	};

	return phase < PHASE_END ? names[phase] : NULL;
}

static bool has(const struct jail *jail, enum jail_layer layer)
{
	return layer == LAYER_NONE || !(jail->without & 1u << layer);
}

static int run_phase(struct jail *jail, enum jail_phase phase, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(stages); i++) {
		const struct jail_stage *s = &stages[i];
		int r;

		if (s->phase != phase || !(s->kinds & jail->kind) || !has(jail, s->layer))
			continue;
		r = s->run(jail, e);
		if (r < 0)
			return err_prefix(e, "jail (%s)", s->name);
	}
	return 0;
}

void jail_init(struct jail *jail)
{
	memset(jail, 0, sizeof(*jail));
	jail->kind = JAIL_VMM;
	jail->cgroup_fd = -1;
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
	const char *what = *target ? target : "the cache";
	int r;

	if (jail->n_binds == JAIL_BINDS_MAX)
		return err_msg(e, E2BIG, "too many volumes: at most %d", JAIL_BINDS_MAX - 1);
	snprintf(b.target, sizeof(b.target), "%s", target);
	r = fs_fd_path(source_fd, &b.source);
	if (r < 0)
		return err_errno(e, -r, "cannot find the path of what becomes %s", what);
	b.source_fd = fcntl(source_fd, F_DUPFD_CLOEXEC, 3);
	if (b.source_fd < 0) {
		free(b.source);
		return err_errno(e, errno, "cannot keep hold of what becomes %s", what);
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

		b->tree_fd = mounts_clone(b->source_fd, b);
		if (b->tree_fd < 0)
			return err_errno(e, -b->tree_fd, "cannot attach %s", b->source);
	}
	return 0;
}

static const struct jail_namespace namespaces[] = {
	{ LAYER_NONE, ALL, CLONE_NEWUSER, "user",
	  "only the ids of the map exist; its root is nobody on the host" },
	{ LAYER_NONE, ALL, CLONE_NEWNS, "mnt", "a file system of its own" },
	{ LAYER_PID, ALL, CLONE_NEWPID, "pid",
	  "no other process can be named; all end with its first" },
	{ LAYER_NET, JAIL_VMM | JAIL_TOOL | JAIL_PROGRAM, CLONE_NEWNET, "net",
	  "QEMU's is empty, even of loopback and abstract sockets; its network is a socket to the "
	  "network helper, which stays in the caller's: it is the way out" },
	{ LAYER_IPC, ALL, CLONE_NEWIPC, "ipc", "no shared memory, no queues of others" },
	{ LAYER_UTS, ALL, CLONE_NEWUTS, "uts", "the host's name cannot be set" },
	{ LAYER_CGROUP, ALL, CLONE_NEWCGROUP, "cgroup",
	  "the host's tree of control groups cannot be seen" },
	{ LAYER_NONE, 0, 0, "time", "gives no right: in a new one clocks are shifted, not set" },
};

const struct jail_namespace *jail_namespaces(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(namespaces);
	return namespaces;
}

static uint64_t clone_flags(const struct jail *jail)
{
	uint64_t flags = CLONE_PIDFD;

	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++)
		if (namespaces[i].kinds & jail->kind && has(jail, namespaces[i].layer))
			flags |= namespaces[i].flag;
	if (jail->kind == JAIL_PROGRAM && jail->network)
		flags &= ~(uint64_t)CLONE_NEWNET;
	if (jail->cgroup_fd >= 0)
		flags |= CLONE_INTO_CGROUP;
	return flags;
}

int jail_spawn(struct jail *jail, void (*main)(void *arg), void *arg, int *ret_pidfd, struct err *e)
{
	_cleanup_close_ int pidfd = -1, go_read = -1, go_write = -1;
	struct clone_args args = {
		.flags = clone_flags(jail),
		.pidfd = (uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = jail->cgroup_fd < 0 ? 0 : (uint64_t)jail->cgroup_fd,
	};
	int go[2], r;
	long pid;

	jail->groups_denied = userns_groups_denied(jail->uids, jail->gids);
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
	if (pid < 0 && args.flags & CLONE_INTO_CGROUP) {
		/* Delegated as it looked, but not to us; or the kernel is too old. */
		args.flags &= ~(uint64_t)CLONE_INTO_CGROUP;
		pid = syscall(SYS_clone3, &args, sizeof(args));
	}
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

int jail_finish(struct jail *jail, struct err *e)
{
	return run_phase(jail, PHASE_EXEC, e);
}

/* Makes fds[0..n) descriptors 0..n-1, and everything above close-on-exec. */
static int place_fds(const struct jail *jail, const int *fds, unsigned int n, int *keep,
		     struct err *e)
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
	if (*keep < 0 || (has(jail, LAYER_DESCRIPTORS) &&
			  syscall(SYS_close_range, n, ~0U, CLOSE_RANGE_CLOEXEC) < 0))
		return err_errno(e, errno, "cannot close descriptors");
	return 0;
}

/* Between PID 1 and the child that becomes QEMU. */
struct exec_pipes {
	int go[2];   /* a byte: PID 1 has given up what QEMU must not find in it */
	int said[2]; /* a struct err, or the end: it was executed */
};

static void exec_child(struct jail *jail, char *const argv[], bool preload, const int *fds,
		       unsigned int n_fds, const struct exec_pipes *pipes)
{
	int err_fd = pipes->said[1];
	char byte;
	struct err e = { 0 };
	sigset_t none;
	char *const preloaded[] = { preload ? "LD_PRELOAD=" JAIL_PRELOAD : NULL, NULL };
	char *const *envp = jail->env ? jail->env : preloaded;

	sigemptyset(&none);
	close(pipes->go[1]);
	if (read(pipes->go[0], &byte, 1) != 1)
		_exit(127);
	if (place_fds(jail, fds, n_fds, &err_fd, &e) == 0 && run_phase(jail, PHASE_EXEC, &e) == 0) {
		signal(SIGPIPE, SIG_DFL);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execve(argv[0], argv, has(jail, LAYER_ENVIRONMENT) ? envp : environ);
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

static int close_others(const int *keep, unsigned int n, struct err *e)
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

/* Keys and tokens of the caller's are not for one who takes this process over. */
static void forget_environment(void)
{
	for (char **p = environ; p && *p; p++)
		explicit_bzero(*p, strlen(*p));
	clearenv();
}

int jail_let_go(const struct jail *jail, const int *keep, unsigned int n, struct err *e)
{
	int all[JAIL_KEEP_MAX + 2 * JAIL_BINDS_MAX];
	int null;

	if (has(jail, LAYER_ENVIRONMENT))
		forget_environment();
	if (!has(jail, LAYER_DESCRIPTORS))
		return 0;
	if (n > JAIL_KEEP_MAX)
		return err_msg(e, EINVAL, "too many descriptors for the jail's first process");
	memcpy(all, keep, n * sizeof(*keep));
	for (unsigned int i = 0; i < jail->n_binds; i++) {
		all[n++] = jail->binds[i].source_fd;
		all[n++] = jail->binds[i].tree_fd;
	}
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return err_errno(e, errno, "cannot open /dev/null");
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	return close_others(all, n, e);
}

static int make_pipes(struct exec_pipes *ret, struct err *e)
{
	if (pipe2(ret->go, O_CLOEXEC) < 0)
		return err_errno(e, errno, "cannot make a pipe");
	if (pipe2(ret->said, O_CLOEXEC) < 0) {
		close(ret->go[0]);
		close(ret->go[1]);
		return err_errno(e, errno, "cannot make a pipe");
	}
	return 0;
}

/* PID 1 gives up all but @keep, and what it waits for the child by. */
static int rest(struct jail *jail, const int *keep, unsigned int n_keep,
		const struct exec_pipes *pipes, struct err *e)
{
	int all[JAIL_KEEP_MAX + 2];
	int r = 0;

	if (n_keep > JAIL_KEEP_MAX)
		return err_msg(e, EINVAL, "too many descriptors for the jail's first process");
	memcpy(all, keep, n_keep * sizeof(*keep));
	all[n_keep] = pipes->go[1];
	all[n_keep + 1] = pipes->said[0];
	if (has(jail, LAYER_FIRST))
		r = close_others(all, n_keep + 2, e);
	return r == 0 ? run_phase(jail, PHASE_REST, e) : r;
}

int jail_exec(struct jail *jail, char *const argv[], bool preload, const int *fds,
	      unsigned int n_fds, const int *keep, unsigned int n_keep, pid_t *ret_pid,
	      struct err *e)
{
	struct exec_pipes pipes;
	struct err said;
	ssize_t n = 0;
	pid_t pid;
	int r = make_pipes(&pipes, e);

	if (r < 0)
		return r;
	pid = fork();
	if (pid == 0)
		exec_child(jail, argv, preload, fds, n_fds, &pipes);
	close(pipes.go[0]);
	close(pipes.said[1]);
	if (pid < 0)
		r = err_errno(e, errno, "cannot fork in the jail");
	if (r == 0)
		r = rest(jail, keep, n_keep, &pipes, e);
	if (r == 0 && write(pipes.go[1], "", 1) != 1)
		r = err_errno(e, errno, "cannot let the jail's other process go");
	close(pipes.go[1]);
	while (r == 0 && (n = read(pipes.said[0], &said, sizeof(said))) < 0 && errno == EINTR)
		;
	close(pipes.said[0]);
	if (r == 0 && n == sizeof(said)) {
		*e = said;
		r = -said.errnum;
	}
	if (r == 0)
		*ret_pid = pid;
	return r;
}
