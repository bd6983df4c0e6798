/* SPDX-License-Identifier: MIT */
/*
 * Whether setuid files that a guest leaves behind are a danger on the host.
 *
 * Where the caller's own id is one of the guest's, in podman's layout as its root, in
 * the others as the one that owns the caller's volumes, the guest's root can make a
 * file that belongs to the caller and chmod it u+s. In the guest that gives nothing
 * away. On the host it is a program that runs as the caller for whoever can reach it:
 * for everyone, unless a directory above it is closed. The guest cannot open that one
 * again; the directories below the base's own it can, so they do not count.
 */
#ifndef VMRUN_HOST_SETUID_EXPOSURE_H
#define VMRUN_HOST_SETUID_EXPOSURE_H

#include <stdbool.h>
#include <stdint.h>

#include "runner/base/err.h"
#include "runner/host/base_dir.h"
#include "runner/spec/vm_spec.h"

struct setuid_input {
	const struct vm_spec *spec;
	const struct base_dir *base;
	const struct id_map *uids; /* of this run */
	uint32_t uid;		   /* the caller's */
	uint32_t gid;
};

/**
 * setuid_exposure() - whether this run can leave such a file, and what to do.
 * @ret_warning: one line; first the base is looked at, then the volumes.
 *
 * A place counts if the guest may write there, its mount on the host is neither nosuid
 * nor noexec, and no directory above it is closed. Closed is one that others may not
 * search, nor a group but the caller's own, nor anyone by an ACL.
 */
bool setuid_exposure(const struct setuid_input *in, char ret_warning[ERR_TEXT_MAX]);

#endif
