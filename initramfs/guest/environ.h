/* SPDX-License-Identifier: MIT */
/*
 * The command's environment, and what is derived from it. Pure.
 */
#ifndef VMRUN_GUEST_ENVIRON_H
#define VMRUN_GUEST_ENVIRON_H

#include <stdbool.h>
#include <stddef.h>

#include "initramfs/guest/passwd.h"

#define ENVIRON_DEFAULTS 5
#define ENVIRON_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct environ {
	char **v;		     /* NULL-terminated */
	char *own[ENVIRON_DEFAULTS]; /* what of it environ_free() frees */
};

/**
 * environ_build() - PATH, HOME, USER, LOGNAME and SHELL for @u, then @extra.
 * @extra: @n strings "K=V"; of one K the last wins. Borrowed.
 *
 * Return: 0 or -ENOMEM.
 */
int environ_build(const struct user *u, char *const *extra, size_t n, struct environ *ret);
void environ_free(struct environ *e);

/** environ_get() - the value of @key, or NULL. */
const char *environ_get(char *const *env, const char *key);

/**
 * path_next() - the next place to look for the program @name at.
 * @path: what is left of $PATH; moved on. NULL: nothing left.
 *
 * An empty entry is the working directory. Entries that do not fit are passed
 * over. Return: whether there was one more.
 */
bool path_next(const char **path, const char *name, char *buf, size_t size);

#endif
