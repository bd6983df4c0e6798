/* SPDX-License-Identifier: MIT */
#ifndef VMRUN_JAIL_USERNS_H
#define VMRUN_JAIL_USERNS_H

#include <stdbool.h>
#include <sys/types.h>

#include "runner/base/err.h"
#include "runner/spec/vm_spec.h"

/**
 * userns_write_maps() - give the new user namespace of @pid its ids.
 *
 * A map of the caller's own id alone, and any map where the caller is real root,
 * is written directly; others by newuidmap and newgidmap, both at once.
 */
int userns_write_maps(pid_t pid, const struct id_map *uids, const struct id_map *gids,
		      struct err *e);

/**
 * userns_only_own_id() - whether @map maps nothing but host id @own: then no
 * helper is needed, and setgroups(2) must stay forbidden in the namespace.
 */
bool userns_only_own_id(const struct id_map *map, uid_t own);

/**
 * userns_groups_denied() - whether userns_write_maps() will deny setgroups(2),
 * without which the kernel takes no unprivileged map of the own id alone.
 */
bool userns_groups_denied(const struct id_map *uids, const struct id_map *gids);

/**
 * userns_explain() - turn a failed clone of a user namespace into what forbids
 * it and what to do. Return: -@errnum.
 */
int userns_explain(int errnum, struct err *e);

/**
 * userns_restricted() - whether AppArmor takes the capabilities away in user
 * namespaces of programs without a profile (Ubuntu 24.04).
 */
bool userns_restricted(void);

#endif
