/* SPDX-License-Identifier: MIT */
/* Parsing command lines that are written as words. */
#ifndef VMRUN_TESTS_UNIT_CLI_WORDS_H
#define VMRUN_TESTS_UNIT_CLI_WORDS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runner/spec/spec_cli.h"

#define WORDS_MAX 32

struct cli {
	struct vm_spec spec;
	struct err e;
};

static inline int cli_set_up(void **state)
{
	static struct cli c;

	c = (struct cli){ 0 };
	vm_spec_init(&c.spec);
	*state = &c;
	return 0;
}

static inline int cli_tear_down(void **state)
{
	struct cli *c = *state;

	vm_spec_free(&c->spec);
	return 0;
}

/* The words of a command line, from one on. */
#define WORDS(...)                         \
	(const char *const[])              \
	{                                  \
		"vmrun", __VA_ARGS__, NULL \
	}
#define good(c, ...) expect_good(c, WORDS(__VA_ARGS__))
/* @say: what the error must say. */
#define bad(c, say, ...) expect_bad(c, say, WORDS(__VA_ARGS__))

/* Parses into a fresh spec. */
static inline int cli_parse(struct cli *c, const char *const *words)
{
	char *argv[WORDS_MAX];
	int argc = 0;

	for (; words[argc]; argc++) {
		assert_true(argc < WORDS_MAX);
		argv[argc] = (char *)words[argc];
	}
	vm_spec_free(&c->spec);
	c->e = (struct err){ 0 };
	return spec_cli_parse(&c->spec, SPEC_CLI_USAGE, argc, argv, &c->e);
}

static inline void expect_good(struct cli *c, const char *const *words)
{
	int r = cli_parse(c, words);

	if (r != 0)
		fail_msg("%d: %s", r, c->e.text);
}

static inline void expect_bad(struct cli *c, const char *say, const char *const *words)
{
	int r = cli_parse(c, words);

	if (r >= 0)
		fail_msg("accepted; expected: %s", say);
	assert_int_equal(c->e.errnum, -r);
	if (!strstr(c->e.text, say))
		fail_msg("'%s' not in: %s", say, c->e.text);
	assert_null(strpbrk(c->e.text, "\n\r\t\033"));
}

#endif
