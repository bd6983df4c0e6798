/* SPDX-License-Identifier: MIT */
/*
 * The templates of one user: CACHE_DIR/templates/.
 *
 *	HEX.template	the template with that key (64 hex digits)
 *	HEX.boot	a symbolic link, to the name of the template for the boot
 *			files with that stamp: see below
 *	lock		for makers: each key locks one byte of it
 *
 * Everything in it is safe to delete at any time. A template appears whole (it is
 * written without a name, then linked), and a QEMU only ever sees it through a
 * read-only mount, so no run can change what a later run wakes up as.
 *
 * The stamp is a hash over the identities (device, inode, size, mtime, ctime) of
 * the kernel and the modules in a base: it says without reading any of them what
 * would be booted. It finds a template quickly; the key says what one is.
 *
 * Use is noted in a template's mtime. One in use is locked (flock, shared) by those
 * who run from it; nobody removes a locked one. It is held
 * exclusively only for moments, to remove the file or to see whether it is in use.
 */
#ifndef VMRUN_VM_TEMPLATE_STORE_H
#define VMRUN_VM_TEMPLATE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runner/base/err.h"
#include "runner/vm/template_file.h"

#define TEMPLATE_NAME_SIZE (64 + sizeof(".template"))

struct template_entry {
	struct template_info info;
	char name[TEMPLATE_NAME_SIZE];
	uint64_t disk;	   /* bytes that it takes on the disk */
	int64_t last_used; /* seconds since the epoch */
	bool in_use;
	bool bad; /* .info is not known but for the key */
};

/**
 * template_store_open() - the directory, made if need be.
 * @ret_fd: readable directory; owned.
 *
 * Return: 0; -ENOENT where there is no cache; other -errno.
 */
int template_store_open(const char *cache_dir, int *ret_fd);

/** template_store_name() - the name of a template in the directory. */
void template_store_name(const uint8_t key[32], char ret[TEMPLATE_NAME_SIZE]);

/**
 * template_store_find() - look a template up, check it, and note its use.
 * @max_age_s: seconds; an older one is removed and not found; 0: any age.
 * @ret_fd: of the template, locked as one in use; owned.
 *
 * One that is no good is removed. Return: 0; -ENOENT: there is none, or none any
 * more; -EBADMSG: there was one that is no good, and @e says why; other -errno.
 */
int template_store_find(int store_fd, const uint8_t key[32], uint64_t max_age_s,
			struct template_info *ret, int *ret_fd, struct err *e);

/**
 * template_store_look() - as template_store_find(), but changes nothing: no use is
 * noted, nothing removed, nothing locked: for a dry run.
 *
 * Return: 0; -ENOENT: there is none, or it is too old or no good; other -errno.
 */
int template_store_look(int store_fd, const uint8_t key[32], uint64_t max_age_s,
			struct template_info *ret);

/** template_store_stamp_find() - the key that was noted for a stamp. Return: 0 or -ENOENT. */
int template_store_stamp_find(int store_fd, const uint8_t stamp[32], uint8_t ret_key[32]);

/** template_store_stamp_note() - best effort. */
void template_store_stamp_note(int store_fd, const uint8_t stamp[32], const uint8_t key[32]);

/**
 * template_store_lock() - become the only maker of the template with this key.
 * @ret_fd: closing it unlocks; so does the end of the process.
 *
 * Never blocks. Return: 0; -EWOULDBLOCK: somebody is making it now; other -errno.
 */
int template_store_lock(int store_fd, const uint8_t key[32], int *ret_fd);

/** template_store_begin() - an unnamed file to write a template to. Return: 0 or -errno. */
int template_store_begin(int store_fd, int *ret_fd);

/**
 * template_store_publish() - give what was written to @fd its name.
 *
 * Another with that name is replaced. It counts as in use until @fd is closed, by all
 * who have it. Return: 0 or -errno.
 */
int template_store_publish(int store_fd, const uint8_t key[32], int fd);

/**
 * template_store_remove() - remove the template with this key.
 * Return: 0; -ENOENT; -EBUSY: it is in use; other -errno.
 */
int template_store_remove(int store_fd, const uint8_t key[32]);

/**
 * template_store_list() - all templates, the most recently used first.
 * @ret: free() it.
 */
int template_store_list(int store_fd, struct template_entry **ret, size_t *ret_n, struct err *e);

/**
 * template_store_prune() - make room: remove bad ones, those older than @max_age_s
 * (0: no limit), then the least recently used until the rest takes at most @budget
 * bytes of disk; and stamps that lead nowhere.
 * @keep: the key of one that stays whatever, or NULL.
 * @ret_removed, @ret_freed: how many, how many bytes: set on failure, too; may be NULL.
 *
 * Never removes one in use. One that cannot be removed does not save the others.
 * Return: 0; -errno, the first, when something could not be removed.
 */
int template_store_prune(int store_fd, uint64_t budget, uint64_t max_age_s, const uint8_t keep[32],
			 unsigned int *ret_removed, uint64_t *ret_freed);

#endif
