/* SPDX-License-Identifier: MIT */
#include "runner/cmd_rootfs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner/base/cleanup.h"
#include "runner/cmd_print.h"
#include "runner/spec/help_text.h"

static const struct rootfs_command *const commands[] = {
	&cmd_rootfs_bootstrap,
	&cmd_rootfs_info,
	&cmd_rootfs_import,
	&cmd_rootfs_clone,
	&cmd_rootfs_export,
	&cmd_rootfs_customize,
	&cmd_rootfs_sysprep,
	&cmd_rootfs_shrink,
	&cmd_rootfs_idshift,
	NULL,
};

#define EXIT_NOT_ALL_KEPT 1

int cmd_rootfs_tell_losses(const struct losses *losses)
{
	char text[128];

	for (uint64_t i = 0; i < losses->n && i < LOSSES_TEXT_MAX; i++)
		cmd_warn(losses->text[i]);
	if (losses->n > LOSSES_TEXT_MAX) {
		snprintf(text, sizeof(text), "and %" PRIu64 " more that could not be kept",
			 losses->n - LOSSES_TEXT_MAX);
		cmd_warn(text);
	}
	return losses->n ? EXIT_NOT_ALL_KEPT : 0;
}

static void print_options(const struct rootfs_command *command, struct strbuf *out,
			  unsigned int columns)
{
	for (const struct rootfs_option *o = command->options; o->name; o++) {
		_cleanup_strbuf_ struct strbuf spelling = { 0 };

		strbuf_printf(&spelling, "      --%s%s%s", o->name, o->metavar ? " " : "",
			      o->metavar ? o->metavar : "");
		out->failed |= spelling.failed;
		help_text_item(out, strbuf_str(&spelling), o->help, columns);
	}
}

static void print_command(const struct rootfs_command *command, struct strbuf *out,
			  unsigned int columns)
{
	_cleanup_strbuf_ struct strbuf spelling = { 0 };

	strbuf_printf(&spelling, "  %s", command->name);
	out->failed |= spelling.failed;
	help_text_item(out, strbuf_str(&spelling), command->help, columns);
	print_options(command, out, columns);
}

/* Of one command, or of all. */
static int print_help(const struct rootfs_command *only)
{
	const struct rootfs_command *one[] = { only, NULL };
	const struct rootfs_command *const *list = only ? one : commands;
	unsigned int columns = cmd_help_columns();
	struct strbuf out = { 0 };

	for (size_t i = 0; list[i]; i++) {
		strbuf_puts(&out, i ? "       " : "Usage: ");
		help_text_wrap(&out, list[i]->usage, 7, 14, columns);
	}
	strbuf_putc(&out, '\n');
	if (!only) {
		help_text_wrap(&out,
			       "What is done to root directories, the ones that vmrun runs: as an "
			       "ordinary user, with the owners that the guest sees. Also called "
			       "vmrun-rootfs. A ROOT of vmrun's that is called rootfs is reached "
			       "as ./rootfs.",
			       0, 0, columns);
		strbuf_putc(&out, '\n');
	}
	for (size_t i = 0; list[i]; i++)
		print_command(list[i], &out, columns);
	return cmd_print(&out);
}

static int run(const struct rootfs_command *command, int argc, char *argv[])
{
	_cleanup_free_ void *values = calloc(1, command->values_size);
	char *const *operands;
	struct err e;

	if (!values)
		err_oom(&e);
	else if (options_parse(command, values, argc, argv, &operands, &e) == 0)
		return command->run(values, operands);
	return cmd_fail(&e);
}

int cmd_rootfs(int argc, char *argv[])
{
	const struct rootfs_command *command;
	struct err e;

	if (argc < 2) {
		err_msg(&e, EINVAL,
			"no command given; usage: vmrun rootfs COMMAND [ARG...], see vmrun rootfs "
			"--help (a directory of that name is ./rootfs)");
		return cmd_fail(&e);
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return print_help(NULL);
	if (!strcmp(argv[1], "--version"))
		return cmd_print_version();
	command = options_find_command(commands, argv[1], &e);
	if (!command)
		return cmd_fail(&e);
	if (options_want_help(argc - 1, argv + 1))
		return print_help(command);
	return run(command, argc - 1, argv + 1);
}
