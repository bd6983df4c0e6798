/* SPDX-License-Identifier: MIT */
#ifndef VMRUN_CMD_ROOTFS_H
#define VMRUN_CMD_ROOTFS_H

#include "rootfs-tools/core/losses.h"
#include "rootfs-tools/core/options.h"

/** cmd_rootfs() - "vmrun rootfs ...", and vmrun called as vmrun-rootfs. Return: an exit code. */
int cmd_rootfs(int argc, char *argv[]);

/**
 * cmd_rootfs_tell_losses() - warn of what could not be kept.
 * Return: the command's exit code, which says whether there was any.
 */
int cmd_rootfs_tell_losses(const struct losses *losses);

/* One a file, runner/cmd_rootfs_NAME.c. */
extern const struct rootfs_command cmd_rootfs_bootstrap;
extern const struct rootfs_command cmd_rootfs_clone;
extern const struct rootfs_command cmd_rootfs_export;
extern const struct rootfs_command cmd_rootfs_import;
extern const struct rootfs_command cmd_rootfs_customize;
extern const struct rootfs_command cmd_rootfs_idshift;
extern const struct rootfs_command cmd_rootfs_info;
extern const struct rootfs_command cmd_rootfs_shrink;
extern const struct rootfs_command cmd_rootfs_sysprep;

#endif
