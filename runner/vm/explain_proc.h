/* SPDX-License-Identifier: MIT */
/*
 * What /proc tells of processes that are not to be trusted. Every file is bounded, a
 * process may be gone at any moment, and what is not said is not made up. All functions
 * take a directory descriptor of /proc, or of /proc/PID, which stays that process's.
 */
#ifndef VMRUN_VM_EXPLAIN_PROC_H
#define VMRUN_VM_EXPLAIN_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "runner/base/strbuf.h"

#define PROC_FOUND_MAX 16u
#define PROC_FILE_MAX (UINT64_C(1) << 20) /* a mountinfo of all volumes is a tenth of it */

enum proc_caps { CAPS_INHERITABLE, CAPS_PERMITTED, CAPS_EFFECTIVE, CAPS_BOUNDING, CAPS_AMBIENT };
#define PROC_CAPS_END (CAPS_AMBIENT + 1)

/* Of a number that was not said, or that is none. */
#define PROC_UNKNOWN UINT64_MAX

/* /proc/PID/status. Numbers are PROC_UNKNOWN where they are not to be had. */
struct proc_status {
	char name[64];
	char groups[128]; /* supplementary ones, as the kernel writes them; cut short */
	uint64_t parent;
	uint64_t uid; /* the effective one, as the reader sees it */
	uint64_t gid;
	uint64_t inner_pid; /* in the innermost PID namespace */
	uint64_t pid_depth; /* namespaces in which it has a pid, the reader's included */
	uint64_t threads;
	uint64_t caps[PROC_CAPS_END];
	uint64_t no_new_privs;
	uint64_t seccomp;
	uint64_t filters;
};

/* One mount of /proc/PID/mountinfo, as the kernel escapes it (\040 is a space). */
struct proc_mount {
	const char *root; /* what of its file system is mounted */
	const char *target;
	const char *options; /* of the mount: "ro,nosuid" */
	const char *type;
	const char *source;
};

/* Processes, each by a descriptor of its directory. */
struct proc_list {
	struct {
		int dir; /* owned */
		pid_t pid;
	} e[PROC_FOUND_MAX];
	unsigned int n;
	unsigned int more; /* found, but too many to be kept */
};

void proc_list_free(struct proc_list *list);

/**
 * proc_find_guests() - the QEMUs that have guest @name in a user namespace that is not
 * the caller's own but belongs to @owner.
 *
 * The name is what the process itself says: a QEMU that was taken over can hide, or pass
 * for another one. Return: 0, with an empty list where there is none, or -errno.
 */
int proc_find_guests(int proc, uint32_t owner, const char *name, struct proc_list *ret);

/** proc_find_children() - the processes whose parent is @parent, which is not PROC_UNKNOWN. */
int proc_find_children(int proc, uint64_t parent, struct proc_list *ret);

/** proc_open() - Return: the directory of process @pid, or -errno. */
int proc_open(int proc, uint64_t pid);

/** proc_open_self() - the same of the calling process. */
int proc_open_self(int proc);

/** proc_read_status() - Return: 0; -ESRCH: the process is gone; -errno. */
int proc_read_status(int dir, struct proc_status *ret);

/**
 * proc_other_threads() - how many threads of the process have other rights than @st says.
 * Return: the count, or -errno.
 */
int proc_other_threads(int dir, const struct proc_status *st);

/**
 * proc_read_text() - a file of the process, NUL-terminated, control characters and all.
 *
 * Return: 0, -ESRCH, -EFBIG: more than PROC_FILE_MAX; -errno.
 */
int proc_read_text(int dir, const char *file, char **ret_text);

/** proc_read_namespace() - "net:[4026531833]" of "net". Return: 0 or -errno. */
int proc_read_namespace(int dir, const char *name, char *ret, size_t size);

/* A line of uid_map: host ids as the reader sees them. */
struct proc_extent {
	uint64_t inside;
	uint64_t outside;
	uint64_t count;
};

/**
 * proc_next_extent() - take a line off @text.
 * Return: 1; 0: there is no more; -EINVAL: a line that is none of an id map.
 */
int proc_next_extent(const char **text, struct proc_extent *ret);

/**
 * proc_next_mount() - take a line off @text, which is written to.
 * Return: 1; 0: there is no more; -EINVAL: a line that is no mount.
 */
int proc_next_mount(char **text, struct proc_mount *ret);

/* What is open, by kind. */
enum proc_fd_kind { FD_FILES, FD_SOCKETS, FD_PIPES, FD_EVENTS, FD_MEMORY, FD_OTHERS, FD_KINDS };
int proc_count_fds(int dir, unsigned int ret[FD_KINDS]);

#endif
