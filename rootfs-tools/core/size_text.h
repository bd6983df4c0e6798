/* SPDX-License-Identifier: MIT */
#ifndef VMRUN_ROOTFS_CORE_SIZE_TEXT_H
#define VMRUN_ROOTFS_CORE_SIZE_TEXT_H

#include <stdint.h>

#include "runner/base/strbuf.h"

/** size_text() - "12.3 MiB", powers of 1024. */
void size_text(struct strbuf *out, uint64_t bytes);

#endif
