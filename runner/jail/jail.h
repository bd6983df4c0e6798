/* SPDX-License-Identifier: MIT */
/*
 * The jail round QEMU. jail.c opens with its theory of operation: the stages,
 * their order, and what must and must not hold at each.
 */
#ifndef VMRUN_JAIL_JAIL_H
#define VMRUN_JAIL_JAIL_H

#include <stdbool.h>
#include <sys/types.h>

#include "runner/base/err.h"
#include "runner/base/strbuf.h"
#include "runner/spec/vm_spec.h"

#define JAIL_BINDS_MAX 320
#define JAIL_PRELOAD "/vm/preload.so"

/* A host directory or file that is visible in the jail. */
struct jail_bind {
	char *source;	 /* absolute, without symlinks; owned */
	int source_fd;	 /* O_PATH of the same, opened by the caller; owned */
	char target[64]; /* path in the jail, or "": only for PID 1, by tree_fd */
	bool read_only;
	int tree_fd; /* the detached mount, once there is one; owned */
};

struct jail {
	const struct id_map *uids; /* borrowed */
	const struct id_map *gids; /* borrowed */
	const char *qemu;	   /* borrowed: absolute path on the host, and in the jail */
	bool host_network;	   /* stay in the caller's network namespace */
	bool kvm;		   /* /dev/kvm is visible */
	bool keep_groups;	   /* keep the caller's supplementary groups */
	bool groups_denied;	   /* set by jail_spawn(): setgroups(2) is forbidden in there */
	const void *preload;	   /* borrowed: a shared object, for JAIL_PRELOAD; or NULL */
	size_t preload_len;
	struct jail_bind binds[JAIL_BINDS_MAX];
	unsigned int n_binds;
};

/**
 * jail_close_others() - close all descriptors above 2 but those of @keep.
 * @keep: -1 stands for none.
 */
int jail_close_others(const int *keep, unsigned int n, struct err *e);

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
 * @keep, @n_keep: what the calling process needs on: it closes all others, for
 *	what it holds the program may find in /proc.
 * @ret_pid: pid in the jail's PID namespace.
 *
 * Returns once the program was executed, or why it could not be. The calling
 * process keeps no capability.
 */
int jail_exec(struct jail *jail, char *const argv[], bool preload, const int *fds,
	      unsigned int n_fds, const int *keep, unsigned int n_keep, pid_t *ret_pid,
	      struct err *e);

#endif
