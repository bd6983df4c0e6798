/* SPDX-License-Identifier: MIT */
#include "runner/cmd_sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner/base/cleanup.h"
#include "runner/cmd_print.h"
#include "runner/jail/jail.h"
#include "runner/spec/help_text.h"
#include "runner/spec/nearest.h"
#include "runner/spec/spec_cli.h"
#include "runner/spec/spec_settings.h"
#include "runner/vm/explain.h"
#include "runner/vm/sandbox.h"

#define USAGE "vmrun sandbox --explain|--self-test [OPTION...] [ROOT]"

#define EXIT_NOT_CONTAINED 1

/* What is sandbox's own on the command line; the rest is vmrun's. */
struct call {
	bool explain;
	bool self_test;
	bool help;
	unsigned int without;
	struct strvec rest; /* argv */
};

static const struct {
	const char *usage;
	const char *help;
} usages[] = {
	{ "vmrun sandbox --explain [OPTION...] [ROOT]",
	  "show all that confines a guest: id maps, namespaces, mounts, the stages of the jail, "
	  "capabilities, limits, system calls; with ROOT, of guests over it" },
	{ "vmrun sandbox --explain --name=NAME",
	  "show what the kernel says of the running guest of that name, against what was planned" },
	{ "vmrun sandbox --self-test [--without=LAYER[,LAYER...]|all] [OPTION...] [ROOT]",
	  "put a program in QEMU's place that tries every way out that is known, and say in one "
	  "line whether guests are contained on this machine; --verbose shows each attempt, "
	  "--without takes layers of the jail away, to see that the test would notice; without "
	  "ROOT and --idmap it is run under every id layout that you can have" },
};

static bool is_all(const char *word, size_t len)
{
	return len == 3 && !strncmp(word, "all", len);
}

static int unknown_layer(const char *word, size_t len, struct err *e)
{
	_cleanup_strbuf_ struct strbuf names = { 0 };

	for (enum jail_layer layer = LAYER_NONE + 1; layer < LAYER_END; layer++)
		strbuf_printf(&names, " %s,", jail_layer_name(layer));
	return err_msg(e, EINVAL, "--without: '%.*s' is no layer of the jail; there are%s and all",
		       (int)(len < 100 ? len : 100), word, strbuf_str(&names));
}

static int add_layers(const char *value, unsigned int *without, struct err *e)
{
	for (size_t len;; value += len + 1) {
		unsigned int found = 0;

		len = strcspn(value, ",");
		for (enum jail_layer layer = LAYER_NONE + 1; layer < LAYER_END; layer++) {
			const char *name = jail_layer_name(layer);

			if (is_all(value, len) ||
			    (strlen(name) == len && !strncmp(name, value, len)))
				found |= 1u << layer;
		}
		if (!found)
			return unknown_layer(value, len, e);
		*without |= found;
		if (!value[len])
			return 0;
	}
}

static void call_free(struct call *call)
{
	strvec_free(&call->rest);
}

static int parse(int argc, char *argv[], struct call *ret, struct err *e)
{
	static const char without[] = "--without";
	const size_t len = strlen(without);
	int r = 0;

	for (int i = 0; r == 0 && i < argc; i++) {
		const char *word = argv[i];

		if (!strcmp(word, "--explain"))
			ret->explain = true;
		else if (!strcmp(word, "--self-test"))
			ret->self_test = true;
		else if (!strcmp(word, "--help") || !strcmp(word, "-h"))
			ret->help = true;
		else if (!strncmp(word, without, len) && word[len] == '=')
			r = add_layers(word + len + 1, &ret->without, e);
		else if (!strcmp(word, without) && i + 1 < argc)
			r = add_layers(argv[++i], &ret->without, e);
		else
			strvec_add(&ret->rest, word);
	}
	if (r == 0 && ret->rest.failed)
		return err_oom(e);
	if (r == 0 && !ret->help && ret->explain == ret->self_test)
		return err_msg(e, EINVAL,
			       "give either --explain or --self-test; usage: " USAGE
			       " (a directory of that name is ./sandbox)");
	if (r == 0 && ret->without && !ret->self_test)
		return err_msg(e, EINVAL, "--without goes with --self-test only; leave it out");
	return r;
}

static int print_help(void)
{
	unsigned int columns = cmd_help_columns();
	struct strbuf out = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(usages); i++) {
		strbuf_puts(&out, i ? "       " : "Usage: ");
		help_text_wrap(&out, usages[i].usage, 7, 7, columns);
		strbuf_puts(&out, "           ");
		help_text_wrap(&out, usages[i].help, 11, 11, columns);
	}
	strbuf_putc(&out, '\n');
	help_text_wrap(&out,
		       "The OPTIONs are those of vmrun; those that do not bear on the jail change "
		       "nothing. A ROOT that is called sandbox is reached as ./sandbox.",
		       0, 0, columns);
	return cmd_print(&out);
}

static int explain(const struct vm_spec *spec)
{
	struct strbuf out = { 0 };
	struct err e;
	int r;

	if (spec->name && !spec->root)
		r = explain_running(spec->name, &out, &e);
	else
		r = sandbox_explain(spec, &out, &e);
	if (r < 0) {
		strbuf_free(&out);
		return cmd_fail(&e);
	}
	return cmd_print(&out);
}

static void join(struct strbuf *out, const struct strvec *words, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		strbuf_printf(out, "%s%s", i == from ? "" : ", ", words->v[i]);
}

/* The one line that most people want. */
static void print_verdict(const struct self_test_result *result, const struct strvec *layouts,
			  bool verbose, struct strbuf *out)
{
	if (result->out) {
		strbuf_printf(out,
			      "NOT contained: %u of %u ways led out of the jail: ", result->out,
			      result->tried);
		join(out, &result->names, 0, result->out);
	} else if (result->unknown) {
		strbuf_printf(out, "not known to be contained: %u of %u attempts came to no end: ",
			      result->unknown, result->tried);
		join(out, &result->names, 0, result->unknown);
	} else {
		strbuf_printf(out, "contained: 0 of %u ways led out of the jail (id layout%s ",
			      result->tried, layouts->n > 1 ? "s" : "");
		join(out, layouts, 0, layouts->n);
		strbuf_putc(out, ')');
	}
	if ((result->out || result->unknown) && !verbose)
		strbuf_puts(out, "; --verbose shows how");
	strbuf_putc(out, '\n');
}

static int self_test(const struct vm_spec *spec, unsigned int without)
{
	_cleanup_(self_test_free) struct self_test_result result = { 0 };
	_cleanup_strvec_ struct strvec layouts = { 0 };
	struct strbuf out = { 0 };
	struct err e;
	int code;

	if (sandbox_self_test(spec, without, &out, &layouts, &result, &e) < 0) {
		strbuf_free(&out);
		return cmd_fail(&e);
	}
	if (!spec->verbose)
		strbuf_consume(&out, out.len);
	print_verdict(&result, &layouts, spec->verbose, &out);
	code = cmd_print(&out);
	return code || (!result.out && !result.unknown) ? code : EXIT_NOT_CONTAINED;
}

int cmd_sandbox(int argc, char *argv[])
{
	_cleanup_(call_free) struct call call = { 0 };
	_cleanup_(vm_spec_free) struct vm_spec spec;
	struct err e;

	vm_spec_init(&spec);
	/* It runs no command. */
	spec.no_image_config = true;
	if (parse(argc, argv, &call, &e) < 0)
		return cmd_fail(&e);
	if (call.help)
		return print_help();
	if (spec_cli_parse_rootless(&spec, USAGE, (int)call.rest.n, call.rest.v, &e) < 0)
		return cmd_fail(&e);
	if (spec.version)
		return cmd_print_version();
	if (spec.command.n) {
		err_msg(&e, EINVAL, "'%.100s' is too much; usage: " USAGE, spec.command.v[0]);
		return cmd_fail(&e);
	}
	if (spec_settings_read(&spec, &e) < 0)
		return cmd_fail(&e);
	return call.explain ? explain(&spec) : self_test(&spec, call.without);
}
