/* SPDX-License-Identifier: MIT */
/* The changes that sweep.c finds places for. */
#ifndef VMRUN_ROOTFS_EDIT_SWEEP_CHANGE_H
#define VMRUN_ROOTFS_EDIT_SWEEP_CHANGE_H

#include <sys/stat.h>

#include "rootfs-tools/edit/sweep.h"

/* Where a pattern has come to. */
struct sweep_place {
	int dir;
	const char *path; /* of it, below the root: "" or "var/log" */
	const char *name;
	struct stat st; /* of the name */
	bool is_literal;       /* it is named by the rule itself */
};

/** sweep_act() - do there what the rule says, or tell it. */
int sweep_act(struct sweep *s, const struct sweep_rule *rule, const struct sweep_place *place,
	      struct err *e);

/** sweep_is_gone() - whether that was removed in a dry run, or a directory that it is in. */
bool sweep_is_gone(const struct sweep *s, const char *path);

/** sweep_failed() - a loss; or @e, where there is no going on. */
int sweep_failed(struct sweep *s, const struct err *why, struct err *e);

/** sweep_join() - @dir/@name, below the root. Return: NULL or free() it. */
char *sweep_join(const char *dir, const char *name);

#endif
