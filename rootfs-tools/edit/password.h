/* SPDX-License-Identifier: MIT */
/*
 * Passwords, from where they are read to their hash. They are never on a command line,
 * and are wiped from memory. crypt(3) is libxcrypt's, loaded when it is needed: vmrun is
 * not linked against it, for that would cost each start of a guest.
 */
#ifndef VMRUN_ROOTFS_EDIT_PASSWORD_H
#define VMRUN_ROOTFS_EDIT_PASSWORD_H

#include <stddef.h>

#include "runner/base/cleanup.h"
#include "runner/base/err.h"

#define PASSWORD_MAX 511      /* bytes: what crypt(3) takes, CRYPT_MAX_PASSPHRASE_SIZE */
#define PASSWORD_HASH_MAX 384 /* bytes, CRYPT_OUTPUT_SIZE */

struct password {
	char text[PASSWORD_MAX + 1];
};

enum password_method {
	PASSWORD_SHA512,   /* $6$: any libc since 2008, musl and busybox too */
	PASSWORD_YESCRYPT, /* $y$: libxcrypt; slow to guess on any hardware */
};

void password_wipe(struct password *password);
#define _cleanup_password_ _cleanup_(password_wipe)

/**
 * password_prepare() - load crypt(3), outside, before password_hash() inside (enter.h).
 */
int password_prepare(struct err *e);

/**
 * password_method_of() - the best that the libcrypt of the root directory @root can check:
 * yescrypt if login.defs(5) or a hash in shadow(5) says so, or libxcrypt is there. (The
 * sha512 of login.defs(5) says nothing: Debian ships it, and PAM makes yescrypt.)
 * @shadow: NULL or the text of shadow(5).
 */
enum password_method password_method_of(int root, const char *shadow, size_t len);

/**
 * password_hash() - with fresh salt.
 * @ret: as shadow(5) has it. Not secret as a password is, but no one's to see.
 */
int password_hash(const struct password *password, enum password_method method,
		  char ret[PASSWORD_HASH_MAX], struct err *e);

/**
 * password_read() - one line, without its newline.
 * @fd: read byte by byte, so that what follows is left for the next one. Not closed.
 * @signal_fd: of enter_signals(), or -1: such a signal ends it.
 * @what: for the message: "standard input".
 * @ret_signal: which one where -EINTR is returned; may be NULL if @signal_fd is -1.
 *
 * Return: 0; -EINVAL: it is empty, too long, or has a NUL byte; or -errno.
 */
int password_read(int fd, int signal_fd, const char *what, struct password *ret, int *ret_signal,
		  struct err *e);

/**
 * password_read_file() - the first line of a file of the host's, a FIFO too.
 * @path: "-": standard input.
 */
int password_read_file(const char *path, int signal_fd, struct password *ret, int *ret_signal,
		       struct err *e);

#endif
