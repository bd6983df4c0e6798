/* SPDX-License-Identifier: MIT */
/* How the commands speak to people. */
#ifndef VMRUN_CMD_PRINT_H
#define VMRUN_CMD_PRINT_H

#include <stdbool.h>

#include "runner/base/err.h"
#include "runner/base/strbuf.h"
#include "runner/vm/start.h"

#define EXIT_VMRUN 125 /* vmrun itself failed */

/** cmd_quiet() - whether cmd_warn() says nothing from now on. */
void cmd_quiet(bool quiet);

/** cmd_say() - "vmrun: @text" on stderr. */
void cmd_say(const char *text);

/** cmd_warn() - as cmd_say(), unless that was to be quiet. */
void cmd_warn(const char *text);

/** cmd_note() - as cmd_warn(), to somebody who sits there and waits. */
void cmd_note(const char *text);

/* The two, for what the commands call. */
extern const struct start_say cmd_says;

/** cmd_fail() - say what @e says. Return: EXIT_VMRUN. */
int cmd_fail(const struct err *e);

/** cmd_print() - @text to stdout, and free it. Return: an exit code. */
int cmd_print(struct strbuf *text);

/** cmd_print_version() - Return: an exit code. */
int cmd_print_version(void);

/** cmd_help_columns() - how wide a help text for stdout is to be. */
unsigned int cmd_help_columns(void);

#endif
