/* SPDX-License-Identifier: MIT */
/*
 * The base as seen from outside, by the caller: which directory it is and who
 * owns its telling places. What needs the base's own ids to be read (a base may
 * be closed to the caller) is looked at later, inside the user namespace.
 */
#ifndef VMRUN_HOST_BASE_DIR_H
#define VMRUN_HOST_BASE_DIR_H

#include <stdint.h>

#include "runner/base/err.h"

#define BASE_OWNERS_MAX 8

/*
 * In a root directory whose owners are being changed from one id map to another, and that
 * no guest may use until that is done (rootfs-tools/shift).
 */
#define BASE_DIR_HALF_WAY ".vmrun-idshift"

/* Who owns the telling places of a base: "/", "/etc", "/usr", "/root", ... */
struct base_owner {
	char path[16]; /* as seen in the base */
	uint32_t uid;
	uint32_t gid;
};

struct base_owners {
	struct base_owner o[BASE_OWNERS_MAX]; /* o[0] is "/", always there */
	unsigned int n;
};

struct base_dir {
	int fd;	    /* O_PATH */
	char *path; /* absolute, without symlinks; owned */
	struct base_owners owners;
};

/**
 * base_dir_open() - open the base and note its owners.
 * @path: as typed.
 *
 * Places that the caller may not look at, or that do not exist, are left out of
 * the owners. Return: 0 or -errno.
 */
int base_dir_open(const char *path, struct base_dir *ret, struct err *e);
void base_dir_close(struct base_dir *base);

/**
 * base_dir_check_whole() - refuse what has BASE_DIR_HALF_WAY, if the caller can see that.
 */
int base_dir_check_whole(int root_fd, const char *path, struct err *e);

/**
 * base_dir_check() - the same, and what is no root directory: no /bin, /sbin or /usr/bin.
 * @root_fd: the base, opened by one who may search it.
 * @path: for the message.
 */
int base_dir_check(int root_fd, const char *path, struct err *e);

#endif
