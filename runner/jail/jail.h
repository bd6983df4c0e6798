/* SPDX-License-Identifier: MIT */
/*
 * The jail round QEMU. jail.c opens with its theory of operation: the stages,
 * their order, and what must and must not hold at each.
 */
#ifndef VMRUN_JAIL_JAIL_H
#define VMRUN_JAIL_JAIL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "runner/base/err.h"
#include "runner/base/strbuf.h"
#include "runner/spec/vm_spec.h"

#define JAIL_BINDS_MAX 320
#define JAIL_KEEP_MAX 16
#define JAIL_PRELOAD "/vm/preload.so"

/* What lives in it. */
enum jail_kind {
	JAIL_VMM = 1,	  /* QEMU: the base, the volumes, no network */
	JAIL_NETWORK = 2, /* the network helper: the caller's network, and no file */
	JAIL_TOOL = 4,	  /* an operation on root directories: those, no program, no network */
	JAIL_PROGRAM = 8, /* a program of the host's that works on root directories */
};

/*
 * What stands between a program in QEMU's place and the host. A self-test takes them
 * away one by one to see that it would notice; nothing else ever does.
 */
enum jail_layer {
	LAYER_NONE, /* of a stage that belongs to no layer: it is always run */
	LAYER_ROOT, /* a file system of its own, the host's gone */
	LAYER_SEAL, /* which is read-only */
	LAYER_PID,  /* namespaces */
	LAYER_NET,
	LAYER_IPC,
	LAYER_UTS,
	LAYER_CGROUP,
	LAYER_CAPS,	    /* four capabilities, the bounding set emptied, securebits locked */
	LAYER_NO_NEW_PRIVS, /* needed by LAYER_FILTER, which goes with it */
	LAYER_NAMESPACES,   /* no further user namespaces */
	LAYER_FILTER,	    /* system calls */
	LAYER_LIMITS,
	LAYER_DESCRIPTORS,
	LAYER_ENVIRONMENT,
	LAYER_SESSION, /* no terminal */
	LAYER_FIRST,   /* PID 1: undumpable, without capabilities, descriptors, system calls */
	LAYER_END
};

/* A host directory or file that is visible in the jail. */
struct jail_bind {
	char *source;	 /* absolute, without symlinks; owned */
	int source_fd;	 /* O_PATH of the same, opened by the caller; owned */
	char target[64]; /* path in the jail, or "": only for PID 1, by tree_fd */
	bool read_only;
	bool programs;	 /* may hold devices, setuid files and programs that are run */
	int tree_fd; /* the detached mount, once there is one; owned */
};

struct jail {
	enum jail_kind kind;
	unsigned int without;	       /* 1u << enum jail_layer: of a self-test */
	const struct id_map *uids;     /* borrowed */
	const struct id_map *gids;     /* borrowed */
	const struct strvec *programs; /* borrowed: host paths, shown read-only where they are */
	enum seccomp_mode seccomp;
	int cgroup_fd;		       /* borrowed: of a cgroup v2 that it is born into; -1: none */
	bool kvm;		   /* /dev/kvm is visible */
	bool network;		   /* of a JAIL_PROGRAM: the caller's, instead of none */
	bool keep_groups;	   /* keep the caller's supplementary groups */
	bool groups_denied;	   /* set by jail_spawn(): setgroups(2) is forbidden in there */
	const void *preload;	   /* borrowed: a shared object, for JAIL_PRELOAD; or NULL */
	size_t preload_len;
	char *const *env;	       /* borrowed: of what jail_exec() executes; NULL: none */
	struct jail_bind binds[JAIL_BINDS_MAX];
	unsigned int n_binds;
};

/* A mount that the jail is made of. */
struct jail_mount {
	unsigned int kinds;
	const char *target; /* path in the jail; may stand for many */
	const char *what;
	unsigned int attrs; /* MOUNT_ATTR_*; read-only binds have MOUNT_ATTR_RDONLY too */
};

enum jail_mount_id {
	MOUNT_ROOT,
	MOUNT_PROGRAMS,
	MOUNT_DEVICES,
	MOUNT_PROC,
	MOUNT_BINDS,
	MOUNT_CACHES,
	MOUNT_END
};

/** jail_mounts() - MOUNT_END of them. */
const struct jail_mount *jail_mounts(void);

/* A namespace: of the jail's own, or the caller's. */
struct jail_namespace {
	enum jail_layer layer;
	unsigned int kinds; /* of jail that have their own */
	uint64_t flag;	    /* CLONE_NEW* */
	const char *name;   /* as in /proc/PID/ns */
	const char *why;
};

/** jail_namespaces() - all that the kernel knows. */
const struct jail_namespace *jail_namespaces(size_t *ret_n);

/**
 * jail_capabilities() - a bit for each that QEMU keeps, in every set: no other process
 * that lives on in a jail has any.
 */
uint64_t jail_capabilities(void);

void jail_init(struct jail *jail);
void jail_free(struct jail *jail);

/**
 * jail_add_bind() - make a host directory or file visible at @target.
 * @source_fd: O_PATH, opened by the caller; duplicated.
 * @target: path in the jail, at most 63 bytes; "": nowhere, but PID 1 can use it
 *	by its tree_fd.
 */
int jail_add_bind(struct jail *jail, int source_fd, const char *target, bool read_only,
		  struct err *e);

/**
 * jail_spawn() - start @main as PID 1 of new namespaces, its ids mapped.
 * @main: runs in the child and never returns.
 * @ret_pidfd: kill it, and everything in the jail is gone.
 *
 * The child is in the new namespaces but nothing else of the jail is done yet:
 * @main calls jail_attach(), jail_confine() and jail_exec() in this order.
 */
int jail_spawn(struct jail *jail, void (*main)(void *arg), void *arg, int *ret_pidfd,
	       struct err *e);

/**
 * jail_let_go() - first of all in the child: of what was open in the caller, and in its
 * shell, only @keep is left, and what the jail's binds hold; 0 to 2 are /dev/null. The
 * environment is wiped.
 * @keep: at most JAIL_KEEP_MAX; -1 stands for none.
 */
int jail_let_go(const struct jail *jail, const int *keep, unsigned int n, struct err *e);

/* When a stage runs, and where. */
enum jail_phase {
	PHASE_ATTACH,  /* PID 1, with the caller's rights */
	PHASE_CONFINE, /* PID 1, as root of the user namespace */
	PHASE_REST,    /* PID 1, before QEMU runs: what it has for good */
	PHASE_EXEC,    /* the process that becomes QEMU, or is the network helper */
	PHASE_END
};

/* One step into the jail. The table of them is the order, and the documentation. */
struct jail_stage {
	enum jail_phase phase;
	unsigned int kinds;	/* enum jail_kind, or-ed */
	enum jail_layer layer;
	const char *name;	/* prefixes the error */
	const char *must;	/* what holds after it */
	const char *must_not;	/* what must not have happened before, or after; or NULL */
	int (*run)(struct jail *jail, struct err *e);
};

/** jail_stages() - all of them, in the order in which they run. */
const struct jail_stage *jail_stages(size_t *ret_n);

/** jail_layer_name() - "root", "seal", ... or NULL for what is no layer. */
const char *jail_layer_name(enum jail_layer layer);

/** jail_phase_name() - "attach", "confine", ... */
const char *jail_phase_name(enum jail_phase phase);

/**
 * jail_attach() - in the child: take hold of the host directories that the jail
 * will show, then become root of the user namespace.
 *
 * After it the binds' tree_fd are open, and the base can be read with the
 * guest's ids through its tree_fd.
 */
int jail_attach(struct jail *jail, struct err *e);

/**
 * jail_confine() - in the child: build the file system that QEMU sees, and
 * leave the host's behind.
 */
int jail_confine(struct jail *jail, struct err *e);

/**
 * jail_exec() - start a program as the jail's only other process.
 * @argv: NULL-terminated, argv[0] an absolute path in the jail.
 * @preload: have the dynamic linker load jail.preload into it.
 * @fds: become descriptors 0, 1, ... of the program, -1: that one is closed; it has
 *	no others.
 * @keep, @n_keep: what the calling process needs on, at most JAIL_KEEP_MAX: it closes
 *	all others before, for what it holds the program may find in /proc.
 * @ret_pid: pid in the jail's PID namespace.
 *
 * Returns once the program was executed, or why it could not be. The calling
 * process keeps no capability.
 */
int jail_exec(struct jail *jail, char *const argv[], bool preload, const int *fds,
	      unsigned int n_fds, const int *keep, unsigned int n_keep, pid_t *ret_pid,
	      struct err *e);

/**
 * jail_nest() - in the child, for a JAIL_PROGRAM, after jail_confine(): start @main as PID 1
 * of one more user namespace with the same ids, and of namespaces that belong to it, but for
 * the network.
 *
 * It has all capabilities there, and none over what was made before: what is mounted stays
 * mounted, and what is read-only stays so, whatever root in there does.
 */
int jail_nest(const struct jail *jail, void (*main)(void *arg), void *arg, pid_t *ret_pid,
	      struct err *e);

/**
 * jail_finish() - what jail_exec() does to QEMU, to the calling process: for a
 * JAIL_NETWORK, whose PID 1 goes on as what it was made for.
 */
int jail_finish(struct jail *jail, struct err *e);

#endif
