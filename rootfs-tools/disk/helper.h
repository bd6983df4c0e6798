/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * What is in a disk image only a kernel can tell, and no user may mount one. So a guest of
 * our own does it, confined as every guest: a hostile image attacks that guest's kernel.
 * Its root directory is made for the purpose, beside what is imported (partial.h), and
 * removed after it. It holds
 *
 *	bin/vmrun-disk-reader		reads the disk, writes a tar (disk/guest)
 *	boot/vmlinuz-VERSION		the kernel, and of its modules those that vmrun
 *	lib/modules/VERSION/		loads itself
 *	modules/NAME.ko, FS.list	those of the file systems, decompressed, and which of
 *					them each file system needs, in order
 *
 * The kernel is taken from a root directory: one that the user names, else the host's own.
 * It may be hostile, too, and is read inside (enter.h).
 */
#ifndef VMRUN_DISK_HELPER_H
#define VMRUN_DISK_HELPER_H

#include "rootfs-tools/core/partial.h"
#include "runner/base/err.h"
#include "runner/plan/idmap.h"

#define HELPER_READER "/bin/vmrun-disk-reader"

struct helper {
	struct partial root;
	char *path; /* of the root directory */
};

#define HELPER_INIT                                \
	{                                          \
		.root = PARTIAL_INIT, .path = NULL \
	}

/**
 * helper_make() - make the root directory of a helper guest.
 * @beside: an open partial: where it is made, and after which it is named.
 * @kernel: a root directory, or ROOT/boot/vmlinuz-VERSION; NULL: the host's.
 * @ret: helper_remove() it, whatever is returned, from HELPER_INIT.
 */
int helper_make(const struct partial *beside, const struct idmap_choice *idmap, const char *kernel,
		int signal_fd, struct helper *ret, int *ret_signal, struct err *e);

/** helper_remove() - with all that is in it. */
int helper_remove(struct helper *helper, struct err *e);

#endif
