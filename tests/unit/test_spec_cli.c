/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "runner/base/cleanup.h"
#include "tests/unit/cli_words.h"

static void root_alone(void **state)
{
	struct cli *c = *state;

	good(c, "./base");
	assert_string_equal(c->spec.root, "./base");
	assert_int_equal(c->spec.command.n, 0);
	assert_int_equal(c->spec.memory, 512 << 20);
	assert_int_equal(c->spec.set, 0);
	assert_int_equal(c->spec.root_mode, ROOT_RW);
	assert_int_equal(c->spec.tty, TTY_AUTO);
	assert_null(c->spec.kernel);
}

static void options_end_at_root(void **state)
{
	struct cli *c = *state;

	good(c, "-q", "base", "--", "ls", "-l", "--", "--read-only");
	assert_int_equal(c->spec.command.n, 4);
	assert_string_equal(c->spec.command.v[0], "ls");
	assert_string_equal(c->spec.command.v[2], "--");
	assert_int_equal(c->spec.root_mode, ROOT_RW);
	good(c, "base", "--bogus", "-q", "");
	assert_int_equal(c->spec.command.n, 3);
	assert_string_equal(c->spec.command.v[0], "--bogus");
	assert_string_equal(c->spec.command.v[2], "");
	assert_false(c->spec.quiet);
	good(c, "base", "--");
	assert_int_equal(c->spec.command.n, 0);
	/* "--" in front of a ROOT that looks like an option. */
	good(c, "-q", "--", "--help", "--", "true");
	assert_string_equal(c->spec.root, "--help");
	assert_string_equal(c->spec.command.v[0], "true");
	assert_false(c->spec.help);
	good(c, "-");
	assert_string_equal(c->spec.root, "-");
}

static void root_is_needed(void **state)
{
	struct cli *c = *state;

	bad(c, "usage: vmrun [OPTION...] ROOT [-- COMMAND [ARG...]]", NULL);
	bad(c, "usage: vmrun", "-q");
	bad(c, "usage: vmrun", "--");
	bad(c, "usage: vmrun", "");
	assert_int_equal(spec_cli_parse(&c->spec, "of another", 0, NULL, &c->e), -EINVAL);
	assert_string_equal(c->e.text, "no ROOT directory given; usage: of another");
}

static void root_may_be_missing(void **state)
{
	char sandbox[] = "sandbox", quiet[] = "-q", end[] = "--", base[] = "base", bogus[] = "--bogus";
	char *const words[] = { sandbox, quiet, end, base };
	char *const unknown[] = { sandbox, bogus };
	struct cli *c = *state;

	for (int argc = 1; argc <= 3; argc++) {
		assert_int_equal(spec_cli_parse_rootless(&c->spec, "", argc, words, &c->e), 0);
		assert_null(c->spec.root);
		assert_int_equal(c->spec.quiet, argc > 1);
	}
	assert_int_equal(spec_cli_parse_rootless(&c->spec, "", 4, words, &c->e), 0);
	assert_string_equal(c->spec.root, "base");
	assert_int_equal(spec_cli_parse_rootless(&c->spec, "", 2, unknown, &c->e), -EINVAL);
}

static void four_ways_to_give_a_value(void **state)
{
	struct cli *c = *state;

	good(c, "-m", "1g", "base");
	assert_int_equal(c->spec.memory, 1 << 30);
	good(c, "-m2g", "base");
	assert_true(c->spec.memory == UINT64_C(2) << 30);
	good(c, "--memory=3g", "base");
	assert_true(c->spec.memory == UINT64_C(3) << 30);
	good(c, "--memory", "4g", "base");
	assert_true(c->spec.memory == UINT64_C(4) << 30);
	assert_int_equal(c->spec.set, SPEC_MEMORY);
}

static void flags_are_bundled(void **state)
{
	struct cli *c = *state;

	good(c, "-tq", "base");
	assert_int_equal(c->spec.tty, TTY_ON);
	assert_true(c->spec.quiet);
	good(c, "-qtv", "a:/b", "base");
	assert_int_equal(c->spec.n_volumes, 1);
	good(c, "-qm64m", "base");
	assert_int_equal(c->spec.memory, 64 << 20);
	bad(c, "unknown option -x", "-qx", "base");
}

static void values_may_begin_with_a_dash(void **state)
{
	struct cli *c = *state;

	good(c, "-a", "-x --y", "base");
	assert_string_equal(c->spec.append, "-x --y");
	good(c, "--append", "--", "base");
	assert_string_equal(c->spec.append, "--");
}

static void missing_and_superfluous_values(void **state)
{
	struct cli *c = *state;

	bad(c, "--memory needs a value", "-m");
	bad(c, "--memory needs a value", "--memory");
	bad(c, "--volume needs a value", "-tv");
	bad(c, "--tty takes no value", "--tty=yes", "base");
	bad(c, "--quiet takes no value", "--quiet=", "base");
	bad(c, "--name: ''", "--name=", "base");
}

static void last_value_wins(void **state)
{
	struct cli *c = *state;

	good(c, "--name=a", "--name", "b", "-m1g", "-m", "2g", "--cache=none", "--cache=loose",
	     "--idmap=0:1000:1", "--idmap=caller", "base");
	assert_string_equal(c->spec.name, "b");
	assert_true(c->spec.memory == UINT64_C(2) << 30);
	assert_int_equal(c->spec.cache, CACHE_LOOSE);
	assert_int_equal(c->spec.idmap, IDMAP_CALLER);
	good(c, "-q", "-q", "--read-only", "--read-only", "base");
}

static void unknown_options_name_the_nearest(void **state)
{
	struct cli *c = *state;

	bad(c, "unknown option --read-onyl; did you mean --read-only?", "--read-onyl", "b", NULL);
	bad(c, "unknown option --readonly; did you mean --read-only?", "--readonly", "b", NULL);
	bad(c, "unknown option --mem; did you mean --memory?", "--mem=1g", "b", NULL);
	bad(c, "unknown option --evn; did you mean --env?", "--evn", "b", NULL);
	bad(c, "did you mean --env-file?", "--env_file=x", "b");
	bad(c, "did you mean --timeout?", "--time-out", "b");
	bad(c, "did you mean --publish?", "--publsh", "b");
	bad(c, "unknown option --completely-different; see vmrun --help", "--completely-different",
	    "b", NULL);
	bad(c, "see vmrun --help", "--rm", "b");
	bad(c, "see vmrun --help", "--=x", "b");
	bad(c, "see vmrun --help", "---", "b");
	bad(c, "unknown option -z; see vmrun --help", "-z", "b", NULL);
	bad(c, "unknown option", "--a\nb\033[2J", "b");
	bad(c, "unknown option -?", "-\n", "b");
	/* Names are case-sensitive, and are not cut short. */
	bad(c, "did you mean --quiet?", "--Quiet", "b");
	bad(c, "unknown option -Q", "-Q", "b");
}

static void very_long_option(void **state)
{
	struct cli *c = *state;
	char word[100000];

	memset(word, '-', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	bad(c, "unknown option", word, "b");
	word[0] = 'x';
	bad(c, "--name: 'x--", "--name", word, "b");
	assert_non_null(strstr(c->e.text, "is no name; give"));
}

static void some_options_exclude_each_other(void **state)
{
	struct cli *c = *state;

	bad(c, "--read-only and --ephemeral exclude each other", "--read-only", "--ephemeral", "b");
	bad(c, "--ephemeral and --read-only exclude each other", "--ephemeral", "--read-only", "b");
	bad(c, "--tty and --no-tty exclude each other", "-tT", "b");
	bad(c, "--no-tty and --tty exclude each other", "-T", "--tty", "b");
	bad(c, "--verbose and --quiet exclude each other", "--verbose", "-q", "b");
	bad(c, "--verbose and --quiet exclude each other", "--verbose=raw", "-q", "b");
	good(c, "--verbose", "-t", "--read-only", "--shared", "b");
	assert_int_equal(c->spec.verbose, VERBOSE_CLEAN);
	good(c, "--verbose=raw", "b");
	assert_int_equal(c->spec.verbose, VERBOSE_RAW);
	bad(c, "--verbose: 'all' is none of clean, raw", "--verbose=all", "b");
}

static void help_and_version_stop_at_once(void **state)
{
	struct cli *c = *state;

	good(c, "--help");
	assert_true(c->spec.help);
	good(c, "-h", "--bogus", "-m");
	assert_true(c->spec.help);
	good(c, "-q", "--version", "-m", "x");
	assert_true(c->spec.version);
	assert_false(c->spec.help);
	good(c, "base", "--help");
	assert_false(c->spec.help);
}

static void choices(void **state)
{
	struct cli *c = *state;

	good(c, "--cache=mmap", "--accel=tcg", "--network=none", "b");
	assert_int_equal(c->spec.cache, CACHE_MMAP);
	assert_int_equal(c->spec.accel, ACCEL_TCG);
	assert_int_equal(c->spec.network, NET_NONE);
	assert_int_equal(c->spec.set, SPEC_NETWORK);
	good(c, "--cache=auto", "--accel=kvm", "--network=user", "b");
	assert_int_equal(c->spec.accel, ACCEL_KVM);
	assert_int_equal(c->spec.network, NET_USER);
	assert_false(c->spec.host_loopback);
	good(c, "--network=user,host-loopback", "b");
	assert_int_equal(c->spec.network, NET_USER);
	assert_true(c->spec.host_loopback);
	assert_int_equal(c->spec.set, SPEC_NETWORK);
	good(c, "--network=user,host-loopback", "--network", "none", "b");
	assert_false(c->spec.host_loopback);
	bad(c, "is none of auto, none, user and user,host-loopback", "--network=none,host-loopback",
	    "b");
	bad(c, "is none of", "--network=host-loopback", "b");
	bad(c, "is none of", "--network=user,", "b");
	bad(c, "--cache: 'fast' is none of auto, none, mmap, loose", "--cache=fast", "b");
	bad(c, "--accel: '' is none of auto, kvm, tcg", "--accel=", "b");
	bad(c, "--network: 'User' is none of auto, none, user and user,host-loopback",
	    "--network=User", "b");
}

static void a_value_that_may_be_left_out(void **state)
{
	struct cli *c = *state;

	good(c, "b");
	assert_int_equal(c->spec.timing, TIMING_OFF);
	/* The next word is never its value. */
	good(c, "--timing", "json", "--", "true");
	assert_int_equal(c->spec.timing, TIMING_TEXT);
	assert_string_equal(c->spec.root, "json");
	good(c, "--timing=text", "b");
	assert_int_equal(c->spec.timing, TIMING_TEXT);
	good(c, "--timing", "--timing=json", "b");
	assert_int_equal(c->spec.timing, TIMING_JSON);
	good(c, "--timing=json", "--timing", "b");
	assert_int_equal(c->spec.timing, TIMING_TEXT);
	bad(c, "--timing: 'xml' is none of text, json", "--timing=xml", "b");
	bad(c, "--timing: '' is none of text, json", "--timing=", "b");
	bad(c, "unknown option --timings; did you mean --timing?", "--timings=json", "b");
}

static void templates(void **state)
{
	struct cli *c = *state;

	good(c, "b");
	assert_false(c->spec.no_template);
	assert_int_equal(c->spec.template_max_age_ms, UINT64_C(2592000000));
	assert_int_equal(c->spec.template_budget, UINT64_C(2147483648));
	good(c, "--no-template", "b");
	assert_true(c->spec.no_template);
	bad(c, "--no-template takes no value", "--no-template=yes", "b");
	bad(c, "did you mean --no-template?", "--no-templates", "b");
}

static void numbers(void **state)
{
	struct cli *c = *state;

	good(c, "--cpus=1", "b");
	assert_int_equal(c->spec.cpus, 1);
	assert_int_equal(c->spec.set, SPEC_CPUS);
	good(c, "--cpus=256", "b");
	assert_int_equal(c->spec.cpus, 256);
	bad(c, "--cpus: 'x' is no number from 1 to 256", "--cpus=x", "b");
	bad(c, "--cpus: '0' is no number from 1 to 256", "--cpus=0", "b");
	bad(c, "--cpus: '257' is no", "--cpus=257", "b");
	bad(c, "--cpus: '-1' is no", "--cpus=-1", "b");
	bad(c, "--cpus: '1.5' is no", "--cpus=1.5", "b");
}

static void sizes_and_durations(void **state)
{
	struct cli *c = *state;

	good(c, "-m", "65537k", "--timeout=1.5", "b");
	assert_int_equal(c->spec.memory, 65 << 20);
	assert_int_equal(c->spec.timeout_ms, 1500);
	assert_int_equal(c->spec.set, SPEC_MEMORY | SPEC_TIMEOUT);
	bad(c, "--memory: '512' is no size; give a number with k, m, g or t", "-m512", "b", NULL);
	bad(c, "--memory: '16777216t' is no size", "-m16777216t", "b");
	bad(c, "is no size", "-m18014398509481983k", "b");
	bad(c, "--timeout: '0' is no duration", "--timeout=0", "b");
	bad(c, "--timeout: '1w' is no duration", "--timeout=1w", "b");
	good(c, "--timeout=1d", "b");
	assert_int_equal(c->spec.timeout_ms, 86400000);
}

static void help_fits_any_terminal(void **state)
{
	static const unsigned int columns[] = { 0, 1, 40, 41, 71, 72, 80, 100, 500, 4000000000u };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		_cleanup_strbuf_ struct strbuf b = { 0 };
		unsigned int width = columns[i] < 40 ? 40 : columns[i];
		char *rest, *line;

		spec_cli_help(&b, columns[i]);
		assert_false(b.failed);
		rest = b.data;
		while ((line = strsep(&rest, "\n"))) {
			size_t len = strlen(line);

			if (len > width)
				fail_msg("%zu > %u columns: %s", len, width, line);
			if (len && line[len - 1] == ' ')
				fail_msg("blank at the end of: '%s'", line);
		}
	}
}

static void help_names_every_option(void **state)
{
	static const char *const options[] = {
		"-v, --volume SRC:DST",
		"-p, --publish [[IP:]HOST:]GUEST",
		"-e, --env NAME[=VALUE]",
		"--env-file FILE",
		"-w, --workdir",
		"-u, --user",
		"-m, --memory SIZE",
		"--cpus N",
		"-k, --kernel",
		"--modules",
		"-a, --append",
		"--network auto|none|user[,OPTION]",
		"--name",
		"--hostname",
		"--timeout",
		"-t, --tty",
		"-T, --no-tty",
		"--read-only",
		"--ephemeral",
		"--shared",
		"--cache auto|none|mmap|loose",
		"--idmap",
		"--accel auto|kvm|tcg",
		"--no-template",
		"--timing[=text|json]",
		"--dry-run",
		"--verbose[=clean|raw]",
		"-q, --quiet",
		"--version",
		"-h, --help",
		"Usage: vmrun [OPTION...] ROOT [-- COMMAND [ARG...]]\n",
		"       vmrun template ls|create|rm|prune [ARG...]\n",
	};
	_cleanup_strbuf_ struct strbuf b = { 0 };

	(void)state;
	spec_cli_help(&b, 80);
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (!strstr(b.data, options[i]))
			fail_msg("no '%s' in the help", options[i]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, cli_set_up, cli_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(root_alone),
		TEST(options_end_at_root),
		TEST(root_is_needed),
		TEST(root_may_be_missing),
		TEST(four_ways_to_give_a_value),
		TEST(flags_are_bundled),
		TEST(values_may_begin_with_a_dash),
		TEST(missing_and_superfluous_values),
		TEST(last_value_wins),
		TEST(unknown_options_name_the_nearest),
		TEST(very_long_option),
		TEST(some_options_exclude_each_other),
		TEST(help_and_version_stop_at_once),
		TEST(choices),
		TEST(a_value_that_may_be_left_out),
		TEST(templates),
		TEST(numbers),
		TEST(sizes_and_durations),
		TEST(help_fits_any_terminal),
		TEST(help_names_every_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
