/* SPDX-License-Identifier: MIT */
#ifndef VMRUN_VM_OBITUARY_H
#define VMRUN_VM_OBITUARY_H

#include <stdbool.h>
#include <stddef.h>

#include "runner/vm/console.h"

/* What the Linux kernel prints (mm/oom_kill.c). */
#define OBITUARY_OOM_KILL "Out of memory: Killed process"

/* How vmrun-init begins what it says on the console. */
#define OBITUARY_AGENT "vmrun-init: "

/**
 * obituary() - why a guest is gone without having told its command's exit.
 * @console: what the guest's kernel said.
 * @qemu_words: what QEMU said on stderr.
 * @ended, @status: whether PID 1 of the jail told QEMU's wait status, and it.
 *
 * One line into @buf, with what to do where something can be done.
 */
void obituary(const struct console *console, const char *qemu_words, bool ended, int status,
	      char *buf, size_t size);

#endif
