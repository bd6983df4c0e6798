/* SPDX-License-Identifier: MIT */
#ifndef VMRUN_HOST_SIGNALS_H
#define VMRUN_HOST_SIGNALS_H

#include <stddef.h>

#include "runner/base/err.h"

/**
 * signals_block() - block @signals, to be read from a signalfd(2).
 * @ret_fd: close-on-exec, does not block; close() it. They stay blocked.
 *
 * Those that are ignored stay so. What would end a write is seen by its errno from here
 * on (EPIPE, EFBIG), and children have an exit status.
 */
int signals_block(const int *signals, size_t n, int *ret_fd, struct err *e);

#endif
