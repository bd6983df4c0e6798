/* SPDX-License-Identifier: MIT */
/* OpenSSH's authorized_keys, as sshd(8) describes it. Pure: text in, text out. */
#ifndef VMRUN_ROOTFS_EDIT_AUTHORIZED_KEYS_H
#define VMRUN_ROOTFS_EDIT_AUTHORIZED_KEYS_H

#include <stddef.h>

#include "runner/base/err.h"
#include "runner/base/strbuf.h"

/**
 * authorized_keys_check() - whether @text holds public keys, one a line at least, and
 * nothing else but comments: a private key is refused.
 * @path: for the message.
 */
int authorized_keys_check(const char *text, size_t len, const char *path, struct err *e);

/**
 * authorized_keys_add() - the lines of @keys added to @text, but for those that are there.
 * @text: hostile.
 */
void authorized_keys_add(const char *text, size_t len, const char *keys, size_t keys_len,
			 struct strbuf *out);

#endif
