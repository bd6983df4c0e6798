/* SPDX-License-Identifier: MIT */
#ifndef VMRUN_ROOTFS_EDIT_HOSTNAME_H
#define VMRUN_ROOTFS_EDIT_HOSTNAME_H

#include "rootfs-tools/edit/edits.h"
#include "runner/base/strbuf.h"

/**
 * hostname_set() - /etc/hostname, and the old name's place in /etc/hosts where it is a
 * loopback address's. An /etc/hosts that cannot be edited (edits_read()) is left as it is.
 * @hostname: a checked one.
 */
int hostname_set(struct edits *t, const char *hostname, struct err *e);

/**
 * hostname_in_hosts() - hosts(5) with one name replaced by another where it is a loopback
 * address's, and all else as it was.
 * @text: hostile.
 */
void hostname_in_hosts(const char *text, size_t len, const char *was, const char *is,
		       struct strbuf *out);

#endif
