/* SPDX-License-Identifier: MIT */
#ifndef VMRUN_GUEST_FILE_H
#define VMRUN_GUEST_FILE_H

#include <stddef.h>

/**
 * file_read() - a small regular file of the base, which may be hostile.
 * @max: bytes; more is -EFBIG. A special file is -EINVAL, and never waited for.
 * @ret_data: free() it.
 */
int file_read(const char *path, size_t max, char **ret_data, size_t *ret_len);

#endif
