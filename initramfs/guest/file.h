/* SPDX-License-Identifier: MIT */
#ifndef VMRUN_GUEST_FILE_H
#define VMRUN_GUEST_FILE_H

#include <stddef.h>

/**
 * file_read() - a small regular file of the base, which may be hostile.
 * @buf: of @size bytes; what does not fit, with one to spare, is -EFBIG.
 *
 * A special file is -EINVAL, and never waited for. Return: 0 or -errno.
 */
int file_read(const char *path, char *buf, size_t size, size_t *ret_len);

#endif
