/* SPDX-License-Identifier: MIT */
/*
 * The steps that vmrun-init takes, in the order in which init.c takes them.
 */
#ifndef VMRUN_GUEST_GUEST_H
#define VMRUN_GUEST_GUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "initramfs/guest/conf.h"
#include "initramfs/guest/fail.h"
#include "initramfs/guest/link.h"

/* modules.c */

/**
 * modules_load() - load the modules that /modules lists, then free their memory.
 * @enough: asked before each one whether the rest is still needed. May be NULL.
 *
 * One that does not load is reported on the console: whether the guest can do
 * without it shows later.
 */
void modules_load(bool (*enough)(void *arg), void *arg);

/* port.c */

/**
 * port_listen() - start to collect the kernel's device events, before there can
 * be any of the port. Return: fd, or -errno.
 */
int port_listen(void);

/**
 * port_open() - wait for the agent port to appear and open it, non-blocking.
 * @uevents: from port_listen(); a negative one makes it look again and again.
 *
 * Return: 0; -ETIMEDOUT if it does not appear; other -errno.
 */
int port_open(int uevents, int *ret_fd);

/* entropy.c */

/** entropy_prepare() - open what entropy_add() needs. */
void entropy_prepare(void);
/** entropy_add() - mix @len bytes into the kernel's generator, and have it used now. */
int entropy_add(const void *seed, size_t len, struct fail *f);
/** clock_set() - set the wall clock, nanoseconds since the epoch. */
int clock_set(uint64_t ns, struct fail *f);

/* vmgenid.c */

/** vmgenid_prepare() - open what vmgenid_unmask() needs. */
void vmgenid_prepare(void);
/** vmgenid_unmask() - let the kernel know that this is another machine now. */
void vmgenid_unmask(void);

/* root.c */

/**
 * root_prepare() - what of the root can be made before the run.
 *
 * Return: O_PATH of the initramfs, where private files, the volumes and the tmpfs
 * for volatile files are reached, even after root_enter(); or -1.
 */
int root_prepare(void);

/**
 * root_enter() - mount the root file system and the volumes' device, and change
 * into the root.
 */
int root_enter(const struct conf *c, struct fail *f);

#define ROOT_VOLUMES "volumes"
#define ROOT_VOLATILE "volatile"

/* mounts.c */

/** mounts_prepare() - /proc, /sys, /dev and the rest that a system expects, in the initramfs. */
void mounts_prepare(int initramfs);
/** mounts_api() - move all that into the root. Fails where the base has no place for it. */
int mounts_api(struct fail *f);

/* place.c */

/**
 * place_dir(), place_file() - make sure that there is something to mount over.
 *
 * What is missing is made, and its removal at the end noted. Return: 0 or -errno.
 */
int place_dir(const char *path);
int place_file(const char *path);

/** place_tree() - a mount of @src (relative to @dfd), in no place yet. Return: fd or -errno. */
int place_tree(int dfd, const char *src);

/**
 * place_bind() - mount @src (relative to @dfd) and all below it over @dst.
 *
 * Return: 0 or -errno.
 */
int place_bind(int dfd, const char *src, const char *dst);

/** place_move() - move the mount of which @fd is the root to @dst. Return: 0 or -errno. */
int place_move(int fd, const char *dst);

/** place_undo() - unmount and remove what the above made, if it is still empty. */
void place_undo(void);

/* etc.c */

/** etc_prepare() - make the files that etc_mount() mounts, in the initramfs. */
void etc_prepare(int initramfs);
/** etc_mount() - the run's own resolv.conf and hosts over the base's. Warns at most. */
void etc_mount(const struct conf *c);

/* volumes.c */
int volumes_mount(const struct conf *c, int initramfs, struct fail *f);

/* disks.c */

/** disks_prepare() - take hold of all disks: what the command does to /dev is its own. */
void disks_prepare(void);
/**
 * disks_sync() - have all that was written in the host's files. sync(2) alone leaves
 * what was written past a file system in QEMU, which is killed.
 * Return: false if there are no disks: then nothing was done.
 */
bool disks_sync(void);

/* net.c */

/** net_prepare() - bring up lo and, if it is there, eth0 with its address and route. */
void net_prepare(void);
/** net_up() - with @network eth0 is up, else it is down again. Warns at most. */
void net_up(bool network);

/* exec.c */

struct command {
	pid_t pid;
	int in;	   /* write end, or the pty's master */
	int out;   /* read end, or another descriptor of the master */
	int err;   /* read end, or -1 */
	int slave; /* of the pty, held so that it hangs up when we say; or -1 */
};

/** exec_prepare() - make the pipes of the command to come; they are all that @ret has. */
void exec_prepare(struct command *ret);

/**
 * exec_start() - start the command, or the login shell, as @c says.
 *
 * The descriptors are non-blocking. Return: 0 once execve() succeeded in the
 * child; -errno and @f, its code 126 or 127 where execve() failed.
 */
int exec_start(const struct conf *c, struct command *ret, struct fail *f);

/* agent.c */

/**
 * agent_prepare() - have the link wait for the end of children, and for @pipes.
 *
 * Return: 0 or -errno.
 */
int agent_prepare(const struct link *l, const struct command *pipes);

/** agent_configure() - receive CONF frames until RUN. */
int agent_configure(struct link *l, struct conf *c, struct fail *f);

/**
 * agent_run() - relay between host and command until it has ended, every other
 * process is dead, and all output is on its way.
 * @cmd: its descriptors are closed at the return.
 * @ret_status: of waitpid().
 */
int agent_run(struct link *l, struct command *cmd, int *ret_status, struct fail *f);

#endif
