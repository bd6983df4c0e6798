/* SPDX-License-Identifier: MIT */
#ifndef VMRUN_CMD_RUN_H
#define VMRUN_CMD_RUN_H

/** cmd_run() - vmrun [options] ROOT [-- COMMAND [ARG...]]. Return: the exit code. */
int cmd_run(int argc, char *argv[]);

#endif
