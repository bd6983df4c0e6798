/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A system without SSH host keys has to make some when it boots. Most distributions do:
 * Fedora has units for it, as Arch and newer Debians, openSUSE lets sshd.service do it,
 * Alpine and Gentoo the init script of sshd. Debian and Ubuntu leave it to the package's
 * script, which does not run again: without keys sshd does not start.
 *
 *  - systemd: a unit of ours, enabled. Its condition is that there is no key at all, so it
 *    stays for the next time. It is ordered before sshd and the socket that starts it; for
 *    the latter's sake it has no default dependencies, since sockets come before what
 *    those wait for. cloud-init, which makes keys of its own, comes first.
 *  - Debian's init script of sshd, under sysvinit or OpenRC: a line in the file that it
 *    reads its defaults from. A script of ours would have to be known to insserv, which
 *    keeps the order of all of them in files of its own.
 */
#ifndef VMRUN_ROOTFS_EDIT_FIRST_BOOT_H
#define VMRUN_ROOTFS_EDIT_FIRST_BOOT_H

#include "rootfs-tools/edit/sweep.h"

/** first_boot_install() - what makes host keys, where @s->root has an sshd and lacks that. */
int first_boot_install(struct sweep *s, struct err *e);

#endif
