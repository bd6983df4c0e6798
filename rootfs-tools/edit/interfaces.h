/* SPDX-License-Identifier: MIT */
/*
 * interfaces(5), of ifupdown and of what is like it, as a format: pure, text in, text
 * out. The text is hostile.
 */
#ifndef VMRUN_ROOTFS_EDIT_INTERFACES_H
#define VMRUN_ROOTFS_EDIT_INTERFACES_H

#include <stddef.h>

#include "runner/base/strbuf.h"

/* The name of our own "iface" where a pattern stands for the hardware. */
#define INTERFACES_LOGICAL "vmrun"

/**
 * interfaces_set() - the text with all that is about Ethernet (en*, eth*, and what an
 * earlier call wrote) taken out, and @stanza added at the end. All else is as it was:
 * lo, other interfaces, files that are included, comments.
 */
void interfaces_set(const char *text, size_t len, const char *stanza, struct strbuf *out);

#endif
