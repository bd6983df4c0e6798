/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"

#include "rootfs-tools/core/options.h"
#include "runner/base/cleanup.h"

struct values {
	bool flag;
	const char *text;
	int number;
	struct option_steps steps;
};

static int parse_number(void *field, const char *value, struct err *e)
{
	if (strspn(value, "0123456789") != strlen(value) || !*value)
		return err_msg(e, EINVAL, "'%s' is no number", value);
	*(int *)field = (int)strtol(value, NULL, 10);
	return 0;
}

static int refuse_empty(void *field, const char *value, struct err *e)
{
	(void)field;
	return *value ? 0 : err_msg(e, EINVAL, "is empty");
}

static const struct rootfs_option options[] = {
	{ "flag", OPTION_IS_FLAG, offsetof(struct values, flag), NULL, "", NULL },
	{ "text", OPTION_IS_TEXT, offsetof(struct values, text), "WORD", "", refuse_empty },
	{ "number", OPTION_IS_VALUE, offsetof(struct values, number), "N", "", parse_number },
	{ "do", OPTION_IS_STEP, offsetof(struct values, steps), "X", "", NULL },
	{ "now", OPTION_IS_STEP, offsetof(struct values, steps), NULL, "", NULL },
	{ 0 },
};
static const char *const operands[] = { "SRC", "DST", NULL };
static const struct rootfs_command command = {
	.name = "clone",
	.usage = "USAGE",
	.options = options,
	.operands = operands,
	.values_size = sizeof(struct values),
};
static const struct rootfs_command other = { .name = "customize" };
static const struct rootfs_command *const commands[] = { &command, &other, NULL };

#define PARSE(values, ret, e, ...)                                                           \
	({                                                                                   \
		char *argv[] = { (char *)"clone", ##__VA_ARGS__, NULL };                     \
		options_parse(&command, values, (int)ARRAY_SIZE(argv) - 1, argv, ret, e) < 0 ? \
			-1 :                                                                 \
			(snprintf(first, sizeof(first), "%s", (*(ret))[0]),                  \
			 snprintf(second, sizeof(second), "%s", (*(ret))[1]), 0);            \
	})

static char first[64], second[64];

static void options_anywhere(void **state)
{
	struct values v = { 0 };
	char *const *found;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(PARSE(&v, &found, &e, "--text", "a", "x", "--number=7", "y", "--flag"), 0);
	assert_true(v.flag);
	assert_string_equal(v.text, "a");
	assert_int_equal(v.number, 7);
	assert_string_equal(first, "x");
	assert_string_equal(second, "y");

	v = (struct values){ 0 };
	assert_int_equal(PARSE(&v, &found, &e, "--", "--flag", "--text"), 0);
	assert_false(v.flag);
	assert_string_equal(first, "--flag");
	assert_string_equal(second, "--text");
	/* A word of its own, as in other programs. */
	assert_int_equal(PARSE(&v, &found, &e, "-", "--text=--flag=", "y"), 0);
	assert_string_equal(first, "-");
	assert_string_equal(v.text, "--flag=");
}

static void steps_in_order(void **state)
{
	char *many[2 * OPTION_STEPS_MAX + 4] = { (char *)"clone", (char *)"x", (char *)"y" };
	struct values v = { 0 };
	char *const *found;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(PARSE(&v, &found, &e, "--do=1", "x", "--now", "--do", "", "y", "--now"), 0);
	assert_int_equal(v.steps.n, 4);
	assert_string_equal(v.steps.step[0].option->name, "do");
	assert_string_equal(v.steps.step[0].value, "1");
	assert_string_equal(v.steps.step[1].option->name, "now");
	assert_null(v.steps.step[1].value);
	assert_string_equal(v.steps.step[2].value, "");
	assert_string_equal(v.steps.step[3].option->name, "now");
	assert_int_equal(PARSE(&v, &found, &e, "--now=1", "x", "y"), -1);
	assert_non_null(strstr(e.text, "--now takes no value"));
	assert_int_equal(PARSE(&v, &found, &e, "x", "y", "--do"), -1);
	assert_non_null(strstr(e.text, "--do needs a value: X"));
	for (int i = 0; i <= OPTION_STEPS_MAX; i++)
		many[3 + i] = (char *)"--now";
	v = (struct values){ 0 };
	assert_int_equal(options_parse(&command, &v, 3 + OPTION_STEPS_MAX, many, &found, &e), 0);
	assert_int_equal(v.steps.n, OPTION_STEPS_MAX);
	v = (struct values){ 0 };
	assert_int_equal(options_parse(&command, &v, 4 + OPTION_STEPS_MAX, many, &found, &e),
			 -E2BIG);
}

static void expect_error(const struct err *e, int r, const char *text)
{
	assert_int_equal(r, -1);
	assert_int_equal(e->errnum, EINVAL);
	if (!strstr(e->text, text))
		fail_msg("\"%s\" does not say \"%s\"", e->text, text);
}

static void refused(void **state)
{
	struct values v = { 0 };
	char *const *found = NULL;
	struct err e;
	char monster[5000];

	(void)state;
	expect_error(&e, PARSE(&v, &found, &e, "--falg", "x", "y"), "'--falg'; did you mean --flag?");
	expect_error(&e, PARSE(&v, &found, &e, "--txt=a", "x", "y"), "'--txt'; did you mean --text?");
	expect_error(&e, PARSE(&v, &found, &e, "--zzzzzzzzz"), "unknown option '--zzzzzzzzz'; usage");
	expect_error(&e, PARSE(&v, &found, &e, "--="), "unknown option '--'");
	expect_error(&e, PARSE(&v, &found, &e, "-f"), "unknown option '-f'");
	expect_error(&e, PARSE(&v, &found, &e, "-\x1b[2J"), "unknown option '-?[2J'");
	expect_error(&e, PARSE(&v, &found, &e, "--flag=y", "x", "y"), "--flag takes no value");
	expect_error(&e, PARSE(&v, &found, &e, "x", "y", "--text"), "--text needs a value: WORD");
	expect_error(&e, PARSE(&v, &found, &e, "x", "y", "--text="), "--text: is empty");
	expect_error(&e, PARSE(&v, &found, &e, "--number", "x1", "y"), "--number: 'x1' is no number");
	expect_error(&e, PARSE(&v, &found, &e, "x"), "DST is not given; usage: USAGE");
	expect_error(&e, PARSE(&v, &found, &e, "x", ""), "DST is empty");
	expect_error(&e, PARSE(&v, &found, &e, "x", "y", "z"), "'z' is too much");
	memset(monster, '-', sizeof(monster) - 1);
	monster[sizeof(monster) - 1] = '\0';
	expect_error(&e, PARSE(&v, &found, &e, monster), "unknown option '----");
	assert_null(found);
}

static bool has_flag(const void *values)
{
	return ((const struct values *)values)->flag;
}

/* An option that says all there is to say. */
static void no_operands(void **state)
{
	struct rootfs_command alone = command;
	char *none[] = { (char *)"clone", (char *)"--flag" };
	char *one[] = { (char *)"clone", (char *)"x", (char *)"--flag" };
	char *both[] = { (char *)"clone", (char *)"x", (char *)"y" };
	char *const *found;
	struct values v = { 0 };
	struct err e;

	(void)state;
	alone.stands_alone = has_flag;
	assert_int_equal(options_parse(&alone, &v, 2, none, &found, &e), 0);
	assert_int_equal(options_parse(&alone, &v, 3, one, &found, &e), -EINVAL);
	assert_non_null(strstr(e.text, "'x' is too much"));
	v = (struct values){ 0 };
	assert_int_equal(options_parse(&alone, &v, 3, both, &found, &e), 0);
	assert_int_equal(options_parse(&alone, &v, 1, none, &found, &e), -EINVAL);
}

static void help_is_found(void **state)
{
	char *yes[] = { (char *)"clone", (char *)"x", (char *)"--help" };
	char *no[] = { (char *)"clone", (char *)"--", (char *)"--help" };

	(void)state;
	assert_true(options_want_help(3, yes));
	assert_false(options_want_help(3, no));
	assert_false(options_want_help(0, no));
}

static void commands_by_name(void **state)
{
	struct err e;

	(void)state;
	assert_ptr_equal(options_find_command(commands, "customize", &e), &other);
	assert_null(options_find_command(commands, "clnoe", &e));
	assert_non_null(strstr(e.text, "'clnoe' of rootfs; did you mean clone?"));
	assert_null(options_find_command(commands, "", &e));
	assert_null(options_find_command(commands, "cl\none", &e));
	assert_null(strchr(e.text, '\n'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_anywhere),
		cmocka_unit_test(steps_in_order),
		cmocka_unit_test(refused),
		cmocka_unit_test(no_operands),
		cmocka_unit_test(help_is_found),
		cmocka_unit_test(commands_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
