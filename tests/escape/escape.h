/* SPDX-License-Identifier: MIT */
/*
 * A program that stands in QEMU's place and tries to get out. Each attempt is made by
 * a process, in a jail, of its own: it may be killed for it. What an attempt says is
 * proved by what it got hold of, not by what it was not told.
 *
 * escape.c opens with how it is called.
 */
#ifndef VMRUN_TESTS_ESCAPE_H
#define VMRUN_TESTS_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PATH_SIZE 4096

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

enum verdict { HELD, OUT };

struct attempt {
	const char *name;
	const char *what; /* in a few words, for people */
	enum verdict (*run)(void);
};

struct attempt_group {
	const char *name;
	const struct attempt *attempts;
	size_t n;
};

#define GROUP(symbol, table)                          \
	const struct attempt_group symbol##_group = { \
		.name = #symbol,                      \
		.attempts = (table),                  \
		.n = ARRAY_SIZE(table),               \
	}

extern const struct attempt_group files_group, writes_group, programs_group, mounts_group,
	processes_group, privileges_group, namespaces_group, sockets_group, families_group,
	kernel_group, descriptors_group, terminal_group;

/* What the host put there to be found. Each is "" where it has none. */
struct scene {
	const char *token;	 /* random; whoever knows it has read what he should not */
	const char *dir;	 /* a directory of the caller's, mode 0700; in it: */
	const char *secret;	 /* a file with the token, mode 0600 */
	const char *socket;	 /* a listening socket */
	const char *abstract;	 /* the name of one in the host's network namespace */
	const char *port;	 /* of one on 127.0.0.1 */
	const char *port6;	 /* of one on ::1 */
	const char *shm;	 /* id of a System V segment with the token, mode 0666 */
	const char *victim;	 /* a process of the caller's on the host, ... */
	const char *victim_addr; /* the token in its memory, hexadecimal, ... */
	const char *victim_fd;	 /* and its descriptor of the secret */
	const char *first_addr;	 /* the token in the memory of the jail's first process */
	const char *handle;	 /* of the secret: name_to_handle_at(), "TYPE:HEX" */
	const char *uid;	 /* an id that is mapped, is not ours, and should not become it */
	const char *user_ns;	 /* inodes of the host's namespaces */
	const char *mnt_ns;
	const char *pid_ns;
	const char *net_ns;
	const char *ipc_ns;
	const char *uts_ns;
	const char *cgroup_ns;
	const char *fds;     /* the descriptors that QEMU would have: "0,1,2,3" */
	const char *sockets; /* those of them that are sockets */
	const char *kernel;  /* the number of each of these */
	const char *initrd;
	const char *ram;
	const char *state;
	const char *kvm; /* "1": /dev/kvm is meant to be there */
};
extern struct scene scene;

/* The name of the attempt that is being made. */
extern const char *attempt_name;

/* --- what an attempt says: the last thing that it does --- */

enum verdict out(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
enum verdict held(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** refused() - HELD, with @what and errno. */
enum verdict refused(const char *what);

/** judge() - OUT if @r, of the system call @what, is no failure. */
enum verdict judge(long r, const char *what);

/* --- what they are made of --- */

/** number() - of a field of the scene; -1 where it has none. */
long number(const char *field);

/** is_listed() - whether @n is in the list @field of the scene. */
bool is_listed(const char *field, int n);

/** has_token() - whether the token is in these bytes. */
bool has_token(const char *data, size_t len);

/** fd_has_token() - whether it can be read from @fd, which is closed. */
bool fd_has_token(int fd);

/** read_secret() - OUT if what is at @path below @dirfd holds the token. */
enum verdict read_secret(int dirfd, const char *path);

/** read_text() - at most @size - 1 bytes of a file, NUL-terminated; -1 and errno. */
ssize_t read_text(const char *path, char *buf, size_t size);

/** status_line() - the value of "@key:" in @path, a /proc/N/status; false: none. */
bool status_line(const char *path, const char *key, char *ret, size_t size);

/** writable_dir() - the directory in which the guest may write. */
const char *writable_dir(void);

/** path_in() - @dir/NAME-OF-THE-ATTEMPT, where nothing is yet. */
const char *path_in(const char *dir);

/** copy_self() - this program to @fd, which is closed. Return: 0 or -1 and errno. */
int copy_self(int fd);

/** exec_proof() - execute @path, which says OUT if that is this program; returns if not. */
enum verdict exec_proof(int dirfd, const char *path, int flags);

/** first_pid() - the jail's first process: this one's parent, 1 in its own PID namespace. */
pid_t first_pid(void);

/** own_stat() - field @n (from 3 on) of /proc/self/stat; -1: cannot be read. */
long own_stat(int n);

/** next_pid() - the next process that /proc has after @pid; 0: no more. */
pid_t next_pid(pid_t pid);

/** next_fd() - the next open descriptor after @fd; -1: no more. */
int next_fd(int fd);

#endif
