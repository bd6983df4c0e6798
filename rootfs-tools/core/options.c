/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/core/options.h"

#include <errno.h>
#include <string.h>

#include "runner/spec/nearest.h"

static const struct rootfs_option *find(const struct rootfs_command *command, const char *name,
					size_t len)
{
	for (const struct rootfs_option *o = command->options; o->name; o++)
		if (strlen(o->name) == len && !memcmp(o->name, name, len))
			return o;
	return NULL;
}

static int unknown(const struct rootfs_command *command, const char *word, size_t len,
		   struct err *e)
{
	struct nearest nearest;

	if (word[1] == '-') {
		nearest_begin(&nearest, word + 2, len - 2);
		for (const struct rootfs_option *o = command->options; o->name; o++)
			nearest_offer(&nearest, o->name);
		nearest_offer(&nearest, "help");
		if (nearest.name)
			return err_msg(e, EINVAL, "unknown option '%.*s'; did you mean --%s?",
				       (int)(len < 100 ? len : 100), word, nearest.name);
	}
	return err_msg(e, EINVAL, "unknown option '%.*s'; usage: %s",
		       (int)(len < 100 ? len : 100), word, command->usage);
}

static bool takes_value(const struct rootfs_option *o)
{
	return o->kind == OPTION_IS_STEP ? o->metavar != NULL : o->kind != OPTION_IS_FLAG;
}

static int add_step(struct option_steps *steps, const struct rootfs_option *o, const char *value,
		    struct err *e)
{
	if (steps->n == OPTION_STEPS_MAX)
		return err_msg(e, E2BIG, "--%s is too much: %d such options at most", o->name,
			       OPTION_STEPS_MAX);
	steps->step[steps->n].option = o;
	steps->step[steps->n++].value = value;
	return 0;
}

static int apply(const struct rootfs_option *o, void *values, const char *value, struct err *e)
{
	void *field = (char *)values + o->offset;

	if (o->kind == OPTION_IS_STEP)
		return add_step(field, o, value, e);
	if (o->kind == OPTION_IS_FLAG) {
		*(bool *)field = true;
		return 0;
	}
	if (o->parse && o->parse(field, value, e) < 0)
		return err_prefix(e, "--%s", o->name);
	if (o->kind == OPTION_IS_TEXT)
		*(const char **)field = value;
	return 0;
}

/* The option argv[*i], and its value behind it. */
static int parse_one(const struct rootfs_command *command, void *values, int argc, char *argv[],
		     int *i, struct err *e)
{
	const char *word = argv[*i], *value = strchr(word, '=');
	size_t len = value ? (size_t)(value - word) : strlen(word);
	const struct rootfs_option *o = NULL;

	if (len > 2 && word[1] == '-')
		o = find(command, word + 2, len - 2);
	if (!o)
		return unknown(command, word, len, e);
	if (value)
		value++;
	if (!takes_value(o) && value)
		return err_msg(e, EINVAL, "--%s takes no value", o->name);
	if (takes_value(o) && !value) {
		if (*i + 1 >= argc)
			return err_msg(e, EINVAL, "--%s needs a value: %s", o->name, o->metavar);
		value = argv[++*i];
	}
	return apply(o, values, value, e);
}

static int check_operands(const struct rootfs_command *command, const void *values,
			  char *const *operands, int n, struct err *e)
{
	bool alone = command->stands_alone && command->stands_alone(values);
	int wanted = 0;

	for (; !alone && command->operands[wanted]; wanted++) {
		if (wanted < n && *operands[wanted])
			continue;
		return err_msg(e, EINVAL, "%s %s; usage: %s", command->operands[wanted],
			       wanted < n ? "is empty" : "is not given", command->usage);
	}
	if (n > wanted)
		return err_msg(e, EINVAL, "'%.100s' is too much; usage: %s", operands[wanted],
			       command->usage);
	return 0;
}

int options_parse(const struct rootfs_command *command, void *values, int argc, char *argv[],
		  char *const **ret_operands, struct err *e)
{
	bool over = false;
	int n = 0, r;

	for (int i = 1; i < argc; i++) {
		if (over || argv[i][0] != '-' || !argv[i][1]) {
			argv[n++] = argv[i];
		} else if (!strcmp(argv[i], "--")) {
			over = true;
		} else {
			r = parse_one(command, values, argc, argv, &i, e);
			if (r < 0)
				return r;
		}
	}
	r = check_operands(command, values, argv, n, e);
	if (r < 0)
		return r;
	*ret_operands = argv;
	return 0;
}

bool options_want_help(int argc, char *const argv[])
{
	for (int i = 0; i < argc && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return true;
	return false;
}

const struct rootfs_command *options_find_command(const struct rootfs_command *const *commands,
						  const char *name, struct err *e)
{
	struct nearest nearest;

	nearest_begin(&nearest, name, strlen(name));
	for (; *commands; commands++) {
		if (!strcmp((*commands)->name, name))
			return *commands;
		nearest_offer(&nearest, (*commands)->name);
	}
	if (nearest.name)
		err_msg(e, EINVAL, "unknown command '%.100s' of rootfs; did you mean %s?", name,
			nearest.name);
	else
		err_msg(e, EINVAL, "unknown command '%.100s' of rootfs; see vmrun rootfs --help",
			name);
	return NULL;
}
