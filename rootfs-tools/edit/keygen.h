/* SPDX-License-Identifier: MIT */
#ifndef VMRUN_ROOTFS_EDIT_KEYGEN_H
#define VMRUN_ROOTFS_EDIT_KEYGEN_H

#include "rootfs-tools/edit/identity.h"
#include "runner/plan/idmap.h"

/**
 * keygen_run() - make SSH host keys by the host's ssh-keygen, as the caller.
 * @dir: an empty directory of the caller's, for ssh_host_*_key and .pub.
 * @keys: 1u << enum identity_key, or-ed; all at once.
 * @hostname: for their comments.
 * @idmap: whose they become if real root calls: its own ids are in no map.
 *
 * Return: 0; -ENOENT: there is no ssh-keygen, and nothing in @dir; or -errno.
 */
int keygen_run(int dir, unsigned int keys, const char *hostname, const struct idmap_choice *idmap,
	       struct err *e);

#endif
