/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * What makes two systems mistake each other for one, or one for two: a copy of a root
 * directory gets its own. Works on a tree that nobody else uses, as its root (enter.h).
 * It may be hostile: directories are opened below the root, and what a name leads to is
 * never followed and never written to; it is replaced.
 *
 *  - machine-id: a new one, also in the place of an empty one. What machine-id(5) calls
 *    a first boot is one without that file, or with "uninitialized" in it: systemd then
 *    sets all units to their defaults and asks at the console for what is not set. That
 *    is somebody's wish, and stays. An empty one only says that one is to be made, by
 *    systemd when it boots, by nobody where a guest runs without it: here it is made.
 *    What has no systemd gets one if it has D-Bus, which wants one.
 *  - host name: /etc/hostname, and the old one's place in /etc/hosts.
 *  - SSH host keys: removed. New ones are made outside, by the host's ssh-keygen, and
 *    moved in: no guest of Debian's makes any by itself once they are gone. Where sshd is
 *    configured and has none, they were removed before, by sysprep for one: of all kinds.
 *  - random seeds: removed; they are made anew when a system shuts down.
 */
#ifndef VMRUN_ROOTFS_EDIT_IDENTITY_H
#define VMRUN_ROOTFS_EDIT_IDENTITY_H

#include <stdbool.h>

#include "runner/base/err.h"

/* Kinds of SSH host key. */
enum identity_key { KEY_RSA, KEY_ECDSA, KEY_ED25519, KEY_END };

/* All of them, as a glob(7). */
#define IDENTITY_DBUS_UUIDGEN "/usr/bin/dbus-uuidgen"
#define IDENTITY_HOST_KEYS "/etc/ssh/ssh_host_*_key"

/* Paths of what must not be in two systems, NULL-terminated. */
extern const char *const identity_host_keys[];
extern const char *const identity_seeds[];

/* machine-id(5), and that of D-Bus, which may be a link to it. */
#define IDENTITY_ID "/etc/machine-id"
#define IDENTITY_DBUS_DIR "/var/lib/dbus"

/** identity_has() - whether the tree has @path, symlinks followed as the guest does. */
bool identity_has(int root, const char *path);

/** identity_has_systemd() - whether it is systemd that makes a machine-id. */
bool identity_has_systemd(int root);

/** identity_wants_first_boot() - whether /etc/machine-id says "uninitialized". */
bool identity_wants_first_boot(int root);

/** identity_key_name() - as ssh-keygen -t has it: "rsa". */
const char *identity_key_name(enum identity_key key);

/**
 * identity_renew() - of the tree below @root.
 * @hostname: a checked one.
 * @ret_keys: 1u << enum identity_key for each kind of host key that it is to have.
 */
int identity_renew(int root, const char *hostname, unsigned int *ret_keys, struct err *e);

/**
 * identity_move_keys() - move ssh_host_*_key and .pub from @root/@from to /etc/ssh, as
 * root's, and remove that directory.
 * @keys: which are there.
 */
int identity_move_keys(int root, const char *from, unsigned int keys, struct err *e);

/**
 * identity_hostname() - a host name made of a directory's name.
 * @ret: HOST_NAME_MAX + 1 bytes; "localhost" if nothing of @name can be used.
 */
void identity_hostname(const char *name, char *ret);

#endif
