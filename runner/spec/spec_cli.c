/* SPDX-License-Identifier: MIT */
#include "runner/spec/spec_cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runner/base/cleanup.h"
#include "runner/base/parse.h"
#include "runner/spec/nearest.h"
#include "runner/spec/spec_option.h"
#include "runner/spec/spec_value.h"

struct cli {
	struct vm_spec *spec;
	const char *usage;
	int argc;
	char *const *argv;
	int next; /* index of the next word */
	const struct spec_option *used[GROUP_COUNT];
};

static const struct spec_option *find_long(const char *name, size_t len)
{
	for (unsigned int i = 0; i < spec_n_options; i++) {
		const struct spec_option *o = &spec_options[i];

		if (strlen(o->name) == len && !memcmp(o->name, name, len))
			return o;
	}
	return NULL;
}

static const struct spec_option *find_short(char letter)
{
	for (unsigned int i = 0; i < spec_n_options; i++)
		if (letter && spec_options[i].letter == letter)
			return &spec_options[i];
	return NULL;
}

static int unknown_long(const char *name, size_t len, struct err *e)
{
	struct nearest nearest;

	nearest_begin(&nearest, name, len);
	for (unsigned int i = 0; i < spec_n_options; i++)
		nearest_offer(&nearest, spec_options[i].name);
	if (nearest.name)
		return err_msg(e, EINVAL, "unknown option --%.*s; did you mean --%s?", (int)len,
			       name, nearest.name);
	return err_msg(e, EINVAL, "unknown option --%.100s; see vmrun --help", name);
}

/* @value: NULL for the first one. */
static int apply_choice(const struct spec_option *o, void *field, const char *value, struct err *e)
{
	_cleanup_strbuf_ struct strbuf reason = { 0 };

	if (!value)
		value = o->choices->word;
	strbuf_puts(&reason, "is none of");
	for (const struct option_choice *c = o->choices; c->word; c++) {
		if (!strcmp(c->word, value)) {
			*(unsigned int *)field = c->value;
			return 0;
		}
		strbuf_printf(&reason, "%s %s", c == o->choices ? "" : ",", c->word);
	}
	return spec_value_bad(value, strbuf_str(&reason), e);
}

static int apply_number(const struct spec_option *o, unsigned int *field, const char *value,
			struct err *e)
{
	uint64_t number;

	if (parse_uint(value, o->range.min, o->range.max, &number) < 0)
		return err_msg(e, EINVAL, "'%.200s' is no number from %u to %u", value,
			       o->range.min, o->range.max);
	*field = (unsigned int)number;
	return 0;
}

static int apply_size(uint64_t *field, const char *value, struct err *e)
{
	const uint64_t mib = (uint64_t)1 << 20;
	uint64_t size;

	if (parse_size(value, &size) < 0 || size > UINT64_MAX - mib)
		return spec_value_bad(value,
				      "is no size; give a number with k, m, g or t, such as 512m",
				      e);
	/* Machines come in whole MiB; at least what was asked for. */
	*field = (size + mib - 1) / mib * mib;
	return 0;
}

static int apply_duration(uint64_t *field, const char *value, struct err *e)
{
	if (parse_duration(value, field) < 0)
		return spec_value_bad(value,
				      "is no duration from 1ms to 1000 days; give seconds or a "
				      "number with ms, s, m, h or d, such as 90 or 1.5h",
				      e);
	return 0;
}

static int apply_text(const struct spec_option *o, char **field, const char *value, struct err *e)
{
	char *copy;
	int r = o->check(value, e);

	if (r < 0)
		return r;
	copy = strdup(value);
	if (!copy)
		return err_oom(e);
	free(*field);
	*field = copy;
	return 0;
}

static int apply_value(struct vm_spec *spec, const struct spec_option *o, const char *value,
		       struct err *e)
{
	void *field = (char *)spec + o->offset;

	switch (o->type) {
	case OPTION_FLAG:
		*(bool *)field = true;
		return 0;
	case OPTION_ENUM:
		*(unsigned int *)field = o->value;
		return 0;
	case OPTION_CHOICE:
	case OPTION_OPTIONAL_CHOICE:
		return apply_choice(o, field, value, e);
	case OPTION_NUMBER:
		return apply_number(o, field, value, e);
	case OPTION_SIZE:
		return apply_size(field, value, e);
	case OPTION_DURATION:
		return apply_duration(field, value, e);
	case OPTION_TEXT:
		return apply_text(o, field, value, e);
	case OPTION_PARSE:
		return o->parse(spec, value, e);
	}
	return -EINVAL;
}

/* @value: NULL where the option takes none, or none was given. */
static int apply(struct cli *cli, const struct spec_option *o, const char *value, struct err *e)
{
	const struct spec_option **used = &cli->used[o->group];

	if (o->group != GROUP_NONE && *used && *used != o)
		return err_msg(e, EINVAL, "--%s and --%s exclude each other", (*used)->name,
			       o->name);
	*used = o;
	if (apply_value(cli->spec, o, value, e) < 0)
		return err_prefix(e, "--%s", o->name);
	cli->spec->set |= o->set;
	return 0;
}

/* The next word is the value of @o. */
static int apply_next(struct cli *cli, const struct spec_option *o, struct err *e)
{
	if (cli->next >= cli->argc)
		return err_msg(e, EINVAL, "--%s needs a value; see vmrun --help", o->name);
	return apply(cli, o, cli->argv[cli->next++], e);
}

/* @word: without its "--". */
static int parse_long(struct cli *cli, const char *word, struct err *e)
{
	size_t len = strcspn(word, "=");
	const char *value = word[len] ? word + len + 1 : NULL;
	const struct spec_option *o = find_long(word, len);

	if (!o)
		return unknown_long(word, len, e);
	if (!spec_option_takes_value(o)) {
		if (value && o->type != OPTION_OPTIONAL_CHOICE)
			return err_msg(e, EINVAL, "--%s takes no value", o->name);
		return apply(cli, o, value, e);
	}
	return value ? apply(cli, o, value, e) : apply_next(cli, o, e);
}

/* @word: without its "-". Flags, and perhaps, at the end, an option with a value. */
static int parse_short(struct cli *cli, const char *word, struct err *e)
{
	for (; *word; word++) {
		const struct spec_option *o = find_short(*word);
		int r;

		if (!o)
			return err_msg(e, EINVAL, "unknown option -%c; see vmrun --help", *word);
		if (spec_option_takes_value(o))
			return word[1] ? apply(cli, o, word + 1, e) : apply_next(cli, o, e);
		r = apply(cli, o, NULL, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What stands behind the options. */
static int parse_operands(struct cli *cli, struct err *e)
{
	struct vm_spec *spec = cli->spec;

	if (cli->next >= cli->argc)
		return err_msg(e, EINVAL, "no ROOT directory given; usage: %s", cli->usage);
	if (!*cli->argv[cli->next])
		return err_msg(e, EINVAL, "ROOT is empty; usage: %s", cli->usage);
	spec->root = strdup(cli->argv[cli->next++]);
	if (!spec->root)
		return err_oom(e);
	if (cli->next < cli->argc && !strcmp(cli->argv[cli->next], "--"))
		cli->next++;
	while (cli->next < cli->argc)
		strvec_add(&spec->command, cli->argv[cli->next++]);
	return spec->command.failed ? err_oom(e) : 0;
}

static int parse_options(struct cli *cli, struct err *e)
{
	while (cli->next < cli->argc) {
		const char *word = cli->argv[cli->next];
		int r;

		if (word[0] != '-' || !word[1])
			break;
		cli->next++;
		if (!strcmp(word, "--"))
			break;
		r = word[1] == '-' ? parse_long(cli, word + 2, e) : parse_short(cli, word + 1, e);
		if (r < 0)
			return r;
		if (cli->spec->help || cli->spec->version)
			break;
	}
	return 0;
}

static int parse(struct vm_spec *spec, const char *usage, bool rootless, int argc,
		 char *const argv[], struct err *e)
{
	struct cli cli = { .spec = spec, .usage = usage, .argc = argc, .argv = argv, .next = 1 };
	int r = parse_options(&cli, e);

	if (r < 0 || spec->help || spec->version || (rootless && cli.next >= argc))
		return r;
	return parse_operands(&cli, e);
}

int spec_cli_parse(struct vm_spec *spec, const char *usage, int argc, char *const argv[],
		   struct err *e)
{
	return parse(spec, usage, false, argc, argv, e);
}

int spec_cli_parse_rootless(struct vm_spec *spec, const char *usage, int argc, char *const argv[],
			    struct err *e)
{
	return parse(spec, usage, true, argc, argv, e);
}
