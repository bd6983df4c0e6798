/* SPDX-License-Identifier: MIT */
/*
 * The words behind a command of "vmrun rootfs". Each command has a table of options and
 * a structure that their values go to; the parser and --help read that table.
 */
#ifndef VMRUN_ROOTFS_CORE_OPTIONS_H
#define VMRUN_ROOTFS_CORE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "runner/base/err.h"

enum option_kind {
	OPTION_IS_FLAG,  /* bool: becomes true */
	OPTION_IS_TEXT,  /* const char *: the word itself, that .parse accepts, if there is one */
	OPTION_IS_VALUE, /* whatever .parse makes of it */
	OPTION_IS_STEP,	 /* struct option_steps: one more of it; without a metavar no value */
};

struct rootfs_option {
	const char *name; /* without "--"; shorter than 32 bytes; NULL ends a table */
	enum option_kind kind;
	size_t offset;	     /* of the field */
	const char *metavar; /* NULL: it takes no value */
	const char *help;
	int (*parse)(void *field, const char *value, struct err *e);
};

#define OPTION_STEPS_MAX 256

/* Options that may be repeated and whose order counts, all in one list. */
struct option_steps {
	struct {
		const struct rootfs_option *option;
		const char *value; /* NULL if it takes none */
	} step[OPTION_STEPS_MAX];
	unsigned int n;
};

struct rootfs_command {
	const char *name;
	const char *usage;
	const char *help;
	const struct rootfs_option *options;
	const char *const *operands; /* their names, NULL-terminated: each must be given */
	bool (*stands_alone)(const void *values); /* true: none may be given; NULL: never */
	size_t values_size;	     /* of the structure that the options' fields are in, zeroed */
	int (*run)(const void *values, char *const *operands);
};

/**
 * options_parse() - the words behind a command's name.
 * @values: a structure as the command's options want it.
 * @argc, @argv: argv[0] is the command's name; the operands are moved to the front.
 * @ret_operands: below @argv.
 *
 * Options may stand anywhere; all behind "--" are operands. A value follows as
 * "--name=VALUE" or "--name VALUE". Return: 0 or -errno; the error of an unknown option
 * names the nearest.
 */
int options_parse(const struct rootfs_command *command, void *values, int argc, char *argv[],
		  char *const **ret_operands, struct err *e);

/** options_want_help() - whether --help or -h is among the words before a "--". */
bool options_want_help(int argc, char *const argv[]);

/** options_find_command() - by name. Return: NULL and an error that names the nearest. */
const struct rootfs_command *options_find_command(const struct rootfs_command *const *commands,
						  const char *name, struct err *e);

#endif
