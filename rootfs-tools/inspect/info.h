/* SPDX-License-Identifier: MIT */
/* What can be said about a root directory by looking at it. */
#ifndef VMRUN_ROOTFS_INSPECT_INFO_H
#define VMRUN_ROOTFS_INSPECT_INFO_H

#include <stdbool.h>
#include <stdint.h>

#include "rootfs-tools/inspect/elf.h"
#include "rootfs-tools/inspect/os_release.h"
#include "rootfs-tools/core/root.h"
#include "runner/base/strbuf.h"
#include "runner/host/kernel_find.h"

enum init_system {
	INIT_NONE,
	INIT_SYSTEMD,
	INIT_OPENRC,
	INIT_SYSVINIT,
	INIT_BUSYBOX,
	INIT_OTHER,
};

/* Of fixed size: it is filled inside, and read outside. */
struct info {
	bool looked_inside; /* else the id map could not be chosen, and why_not says so */
	bool has_os_release;
	struct os_release os;
	enum init_system init;
	bool has_shell; /* /bin/sh is an ELF program */
	struct elf_facts shell;
	bool has_image_config; /* of the image that it was made of: image_config.h */
	struct kernel_entry kernels[KERNELS_MAX];
	unsigned int n_kernels;
	uint64_t files;	      /* names of anything but directories */
	uint64_t directories; /* with the root itself */
	uint64_t apparent;    /* bytes of content, a file with many names once */
	uint64_t disk;	      /* bytes of blocks, directories' too */
	char why_not[ERR_TEXT_MAX]; /* why it does not boot under vmrun, or "" */
};

/**
 * info_collect() - look at @root, which was opened by root_open().
 * @ret: zeroed, of enter_share().
 */
int info_collect(const struct root *root, int signal_fd, struct info *ret, int *ret_signal,
		 struct err *e);

/** info_init_name() - "systemd", ... "none". */
const char *info_init_name(enum init_system init);

void info_print_text(const struct root *root, const struct info *info, struct strbuf *out);
void info_print_json(const struct root *root, const struct info *info, struct strbuf *out);

#endif
