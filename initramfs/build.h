/* SPDX-License-Identifier: MIT */
#ifndef VMRUN_INITRAMFS_BUILD_H
#define VMRUN_INITRAMFS_BUILD_H

#include "initramfs/modules.h"
#include "runner/base/err.h"
#include "runner/base/strbuf.h"

/* The static vmrun-init, embedded at link time (guest_blob.S). */
extern const unsigned char vmrun_init_start[], vmrun_init_end[];
/* And vmrun-disk-init (disk_blob.S). */
extern const unsigned char vmrun_disk_init_start[], vmrun_disk_init_end[];

/**
 * initramfs_build() - the whole initramfs in memory.
 * @modules_fd: O_PATH directory with modules.dep, or -1: every module is built
 *	into the kernel (--modules=none).
 * @want: which modules it is to hold, with all that they need.
 * @init, @init_len: the program that becomes /init.
 * @ret: the archive; strbuf_free() it.
 *
 * Holds /init, /dev/console (5:1), /modules (one path a line, load order) and
 * the unpacked modules under /lib/. Modules are decompressed here, so the guest
 * need not. Return: 0 or -errno.
 */
int initramfs_build(int modules_fd, const struct module_want *want, const void *init,
		    size_t init_len, struct strbuf *ret, struct err *e);

/**
 * initramfs_identify() - what initramfs_build() would read, without reading it.
 * @ids: gets, for each file, its name and its struct file_id.
 * @newest_ns: raised to the latest ctime among them.
 *
 * Two calls that give the same bytes come before two archives that are the same,
 * unless a file was changed less than a tick of the file system's clock before the
 * first of them: see @newest_ns. Return: 0 or -errno.
 */
int initramfs_identify(int modules_fd, const struct module_want *want, struct strbuf *ids,
		       uint64_t *newest_ns, struct err *e);

#endif
