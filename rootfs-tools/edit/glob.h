/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Removing what a pattern of a shell's means in a tree that may be hostile, as its root
 * (enter.h). The pattern is taken part by part: a part without wildcards is a name, one
 * with wildcards is matched (fnmatch(3), where a leading dot has to be given) against
 * the names of a directory. Directories on the way are opened from the root as the
 * guest would, symlinks in the middle included, and those never lead out of it; ".." is
 * no part. What the last part names is removed itself, not followed: a symlink, a file, or
 * a directory with all that is in it (tree.h).
 *
 * As deep as the pattern has parts, it goes and no deeper, so no loop of symlinks holds it.
 */
#ifndef VMRUN_ROOTFS_EDIT_GLOB_H
#define VMRUN_ROOTFS_EDIT_GLOB_H

#include <stdint.h>

#include "runner/base/err.h"

#define GLOB_PARTS_MAX 64

/** glob_check() - whether @pattern, a normalised path (edits.h), can be used. */
int glob_check(const char *pattern, struct err *e);

/**
 * glob_remove() - remove all that @pattern matches; that nothing does is fine.
 * @ret_n: names removed, what is below them not counted.
 */
int glob_remove(int root, const char *pattern, uint64_t *ret_n, struct err *e);

#endif
