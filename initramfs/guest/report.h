/* SPDX-License-Identifier: MIT */
/*
 * Words for people that do not end the run.
 */
#ifndef VMRUN_GUEST_REPORT_H
#define VMRUN_GUEST_REPORT_H

#include "initramfs/guest/link.h"

/** report_console() - a line on the guest's console, which the host keeps the tail of. */
void report_console(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** report_attach() - send warnings through @l from now on. */
void report_attach(struct link *l);

/**
 * report_warn() - a WARN frame, or a line on the console while there is no link
 * and from the 33rd warning on, so that warnings cannot fill the queue.
 */
void report_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
