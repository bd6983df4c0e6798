/* SPDX-License-Identifier: MIT */
/* A root directory, and the id map that vmrun would run it with. */
#ifndef VMRUN_ROOTFS_CORE_ROOT_H
#define VMRUN_ROOTFS_CORE_ROOT_H

#include "runner/base/err.h"
#include "runner/host/base_dir.h"
#include "runner/plan/idmap.h"
#include "runner/spec/vm_spec.h"

/* --idmap; all zero is "auto". */
struct root_idmap {
	enum idmap_kind kind;
	struct id_map map;
};

struct root {
	struct base_dir dir;
	struct idmap_choice idmap;
};

/** root_idmap_parse() - for a table of options: @field is a struct root_idmap. */
int root_idmap_parse(void *field, const char *value, struct err *e);

/**
 * root_open() - open a root directory and choose its map.
 *
 * Where only the map could not be chosen, @ret->dir is open all the same (.dir.path is
 * not NULL): root_close() it whatever is returned, from { .dir.fd = -1 }.
 */
int root_open(const char *path, const struct root_idmap *idmap, struct root *ret, struct err *e);
void root_close(struct root *root);

/**
 * root_idmap_for_new() - the map of a root directory that is to be made.
 *
 * "auto" is the caller's subordinate ids: nothing in it belongs to the caller. Without
 * any it is the caller's own id alone, with a warning in the choice.
 */
int root_idmap_for_new(const struct root_idmap *idmap, struct idmap_choice *ret, struct err *e);

#endif
