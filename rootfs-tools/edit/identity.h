/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * What makes two systems mistake each other for one, or one for two: a copy of a root
 * directory gets its own. Works on a tree that nobody else uses, as its root (enter.h).
 * It may be hostile: directories are opened below the root, and what a name leads to is
 * never followed and never written to; it is replaced.
 *
 *  - machine-id: a new one, if there is one. Not emptied, as images for a first boot by
 *    systemd have it: a guest may well run without systemd, and then it would stay empty
 *    for good; and systemd takes an empty one for a first boot and sets all units to
 *    their defaults. One that is empty stays so: there is no identity in it.
 *  - host name: /etc/hostname, and the old one's place in /etc/hosts.
 *  - SSH host keys: removed. New ones are made outside, by the host's ssh-keygen, and
 *    moved in: no guest of Debian's makes any by itself once they are gone.
 *  - random seeds: removed; they are made anew when a system shuts down.
 */
#ifndef VMRUN_ROOTFS_EDIT_IDENTITY_H
#define VMRUN_ROOTFS_EDIT_IDENTITY_H

#include "runner/base/err.h"

/* Kinds of SSH host key. */
enum identity_key { KEY_RSA, KEY_ECDSA, KEY_ED25519, KEY_END };

/** identity_key_name() - as ssh-keygen -t has it: "rsa". */
const char *identity_key_name(enum identity_key key);

/**
 * identity_renew() - of the tree below @root.
 * @hostname: a checked one.
 * @ret_keys: 1u << enum identity_key for each kind of host key that it had.
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
