/* SPDX-License-Identifier: MIT */
#ifndef VMRUN_CMD_SANDBOX_H
#define VMRUN_CMD_SANDBOX_H

/**
 * cmd_sandbox() - vmrun sandbox --explain|--self-test [ARG...].
 * @argv: from "sandbox" on.
 *
 * Return: the exit code.
 */
int cmd_sandbox(int argc, char *argv[]);

#endif
