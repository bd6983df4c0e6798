/* SPDX-License-Identifier: MIT */
#ifndef VMRUN_CMD_TEMPLATE_H
#define VMRUN_CMD_TEMPLATE_H

/**
 * cmd_template() - vmrun template VERB [ARG...].
 * @argv: from "template" on.
 *
 * Return: the exit code.
 */
int cmd_template(int argc, char *argv[]);

#endif
