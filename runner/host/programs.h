/* SPDX-License-Identifier: MIT */
/*
 * What QEMU needs of the host to be run in a root of its own: exactly these files are
 * shown in the jail.
 */
#ifndef VMRUN_HOST_PROGRAMS_H
#define VMRUN_HOST_PROGRAMS_H

#include <stdbool.h>

#include "runner/base/err.h"
#include "runner/base/strbuf.h"
#include "runner/host/host_facts.h"

/**
 * programs_find() - the files that facts->qemu opens, by absolute path.
 * @may_write: note what was found in the cache, for the next run.
 * @ret: empty before.
 *
 * The program itself, its libraries as the dynamic linker finds them, the modules
 * and the firmware for the machine that vmrun builds.
 */
int programs_find(const struct host_facts *facts, bool may_write, struct strvec *ret,
		  struct err *e);

/**
 * programs_parse_list() - the files in what `ld.so --list` printed, added to @ret.
 * @program: for the message.
 */
int programs_parse_list(const char *program, char *text, struct strvec *ret, struct err *e);

/**
 * programs_interpreter() - the dynamic linker of an ELF program.
 * @ret: "" for a static one.
 */
int programs_interpreter(const char *program, char *ret, size_t size, struct err *e);

#endif
