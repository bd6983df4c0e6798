/* SPDX-License-Identifier: MIT */
#include "runner/cmd_template.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/cmd_print.h"
#include "runner/host/host_facts.h"
#include "runner/spec/help_text.h"
#include "runner/spec/nearest.h"
#include "runner/spec/spec_check.h"
#include "runner/spec/spec_cli.h"
#include "runner/spec/spec_settings.h"
#include "runner/vm/template_print.h"
#include "runner/vm/template_store.h"
#include "runner/vm/vm_run.h"

struct call {
	bool flag;	   /* the verb's own was given */
	char *const *keys; /* what else was given */
	int n_keys;
};

struct verb {
	const char *name;
	const char *usage;
	const char *help;
	const char *flag; /* without "--", or NULL */
	const char *flag_help;
	bool takes_keys;
	int (*run)(const struct call *call); /* NULL: create, which has vmrun's options */
};

/* The templates there are. No store (without a home there is none) is an empty one. */
struct store {
	int fd;
	struct template_entry *entries;
	size_t n;
};

static int ls(const struct call *call);
static int rm(const struct call *call);
static int prune(const struct call *call);

static const struct verb verbs[] = {
	{
		.name = "ls",
		.usage = "vmrun template ls [--json]",
		.help = "show the templates, the most recently used first, with what each is for, "
			"the disk that it takes, and how long ago it was made and used",
		.flag = "json",
		.flag_help = "as JSON: an array of objects, with sizes in bytes and times in UTC",
		.run = ls,
	},
	{
		.name = "create",
		.usage = "vmrun template create [OPTION...] ROOT",
		.help = "make the template that \"vmrun [OPTION...] ROOT\" would use, unless there "
			"is one, and print its key; the OPTIONs are those of vmrun",
	},
	{
		.name = "rm",
		.usage = "vmrun template rm KEY...|--all",
		.help = "remove templates, each named by four or more of the first digits of its "
			"key",
		.flag = "all",
		.flag_help = "remove every one",
		.takes_keys = true,
		.run = rm,
	},
	{
		.name = "prune",
		.usage = "vmrun template prune [--all]",
		.help = "remove templates that are bad or too old, and those used least recently "
			"until the rest is within the budget",
		.flag = "all",
		.flag_help = "remove every one that is not in use",
		.run = prune,
	},
};

static void store_close(struct store *store)
{
	cleanup_close(&store->fd);
	free(store->entries);
	store->entries = NULL;
}

static int store_open(struct store *ret, struct err *e)
{
	struct store store = { .fd = -1 };
	char dir[256];
	int r;

	host_cache_dir(geteuid(), dir, sizeof(dir));
	r = template_store_open(dir, &store.fd);
	if (r < 0 && r != -ENOENT)
		return err_errno(e, -r, "cannot open the templates in '%s'", dir);
	r = r == 0 ? template_store_list(store.fd, &store.entries, &store.n, e) : 0;
	if (r < 0) {
		store_close(&store);
		return r;
	}
	*ret = store;
	return 0;
}

static int ls(const struct call *call)
{
	_cleanup_(store_close) struct store store = { .fd = -1 };
	struct strbuf out = { 0 };
	struct err e;

	if (store_open(&store, &e) < 0)
		return cmd_fail(&e);
	if (call->flag)
		template_print_json(store.entries, store.n, &out);
	else
		template_print_table(store.entries, store.n, time(NULL), &out);
	return cmd_print(&out);
}

static int print_removed(unsigned int n, uint64_t freed)
{
	struct strbuf out = { 0 };

	template_print_removed(n, freed, &out);
	return cmd_print(&out);
}

static int remove_one(const struct store *store, const struct template_entry *entry,
		      unsigned int *n, uint64_t *freed, struct err *e)
{
	int r = template_store_remove(store->fd, entry->info.key);

	if (r == -EBUSY)
		return err_msg(e, EBUSY,
			       "template %.*s is in use; remove it when the guests that were woken "
			       "from it have ended",
			       TEMPLATE_KEY_SHORT, entry->name);
	/* Named twice, or somebody else did it: it is gone. */
	if (r < 0 && r != -ENOENT)
		return err_errno(e, -r, "cannot remove template %.*s", TEMPLATE_KEY_SHORT,
				 entry->name);
	if (r == 0) {
		(*n)++;
		*freed += entry->disk;
	}
	return 0;
}

static int rm(const struct call *call)
{
	_cleanup_(store_close) struct store store = { .fd = -1 };
	unsigned int removed = 0;
	uint64_t freed = 0;
	size_t wanted;
	int code = 0;
	struct err e;

	if (call->flag ? call->n_keys : !call->n_keys) {
		err_msg(&e, EINVAL, "give either --all or the KEY of each template to remove");
		return cmd_fail(&e);
	}
	if (store_open(&store, &e) < 0)
		return cmd_fail(&e);
	wanted = call->flag ? store.n : (size_t)call->n_keys;
	for (size_t i = 0; i < wanted; i++) {
		const struct template_entry *entry = &store.entries[i];

		if ((!call->flag && template_find_by_digits(store.entries, store.n, call->keys[i],
							    &entry, &e) < 0) ||
		    remove_one(&store, entry, &removed, &freed, &e) < 0)
			code = cmd_fail(&e);
	}
	if (code && !removed)
		return code;
	return print_removed(removed, freed) ? EXIT_VMRUN : code;
}

static int prune(const struct call *call)
{
	_cleanup_(store_close) struct store store = { .fd = -1 };
	_cleanup_(vm_spec_free) struct vm_spec spec;
	unsigned int removed = 0;
	uint64_t freed = 0;
	struct err e;
	int r = 0;

	vm_spec_init(&spec);
	if (spec_settings_read(&spec, &e) < 0 || store_open(&store, &e) < 0)
		return cmd_fail(&e);
	if (store.fd >= 0)
		r = template_store_prune(store.fd, call->flag ? 0 : spec.template_budget,
					 spec.template_max_age_ms / 1000, NULL, &removed, &freed);
	if ((r == 0 || removed) && print_removed(removed, freed))
		return EXIT_VMRUN;
	if (r == 0)
		return 0;
	err_errno(&e, -r, "cannot remove every template that is to go");
	return cmd_fail(&e);
}

/* What would make no template. */
static int check_create(const struct vm_spec *spec, struct err *e)
{
	const struct {
		bool given;
		const char *name;
	} unfit[] = {
		{ spec->no_template, "no-template" },
		{ spec->dry_run, "dry-run" },
		{ spec->verbose != VERBOSE_OFF, "verbose" },
		{ spec->timing != TIMING_OFF, "timing" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(unfit); i++)
		if (unfit[i].given)
			return err_msg(e, EINVAL,
				       "template create does not take --%s; leave it out",
				       unfit[i].name);
	if (spec->command.n)
		return err_msg(e, EINVAL,
			       "template create runs no command; leave out '%.200s' and what "
			       "follows",
			       spec->command.v[0]);
	if (!spec->template_budget)
		return err_msg(e, EINVAL,
			       SETTING_TEMPLATE_BUDGET
			       " is 0, so that no template is kept; unset it");
	return spec_check(spec, e);
}

static int create(const struct vm_spec *spec)
{
	char name[TEMPLATE_NAME_SIZE], text[64];
	struct strbuf out = { 0 };
	uint8_t key[32];
	int signal = 0, r;
	struct err e;
	bool made = false;

	cmd_quiet(spec->quiet);
	r = check_create(spec, &e);
	if (r == 0)
		r = vm_template_create(spec, &cmd_says, key, &made, &signal, &e);
	if (r == -EINTR)
		return 128 + signal;
	if (r < 0)
		return cmd_fail(&e);
	template_store_name(key, name);
	if (!made) {
		snprintf(text, sizeof(text), "template %.*s was there already", TEMPLATE_KEY_SHORT,
			 name);
		cmd_note(text);
	}
	strbuf_printf(&out, "%.*s\n", TEMPLATE_KEY_DIGITS, name);
	return cmd_print(&out);
}

static void print_item(struct strbuf *out, const char *prefix, const char *name, const char *help,
		       unsigned int columns)
{
	_cleanup_strbuf_ struct strbuf spelling = { 0 };

	strbuf_printf(&spelling, "%s%s", prefix, name);
	out->failed |= spelling.failed;
	help_text_item(out, strbuf_str(&spelling), help, columns);
}

/* Of @n verbs. */
static int print_help(const struct verb *v, size_t n)
{
	unsigned int columns = cmd_help_columns();
	struct strbuf out = { 0 };

	for (size_t i = 0; i < n; i++) {
		strbuf_puts(&out, i ? "       " : "Usage: ");
		help_text_wrap(&out, v[i].usage, 7, 7, columns);
	}
	strbuf_putc(&out, '\n');
	if (n > 1) {
		help_text_wrap(&out,
			       "A template is a guest that has booted and waits for its orders. "
			       "vmrun makes one on the first run that has need of it, and wakes "
			       "later runs from it. All are safe to remove. A ROOT that is called "
			       "template is reached as ./template.",
			       0, 0, columns);
		strbuf_putc(&out, '\n');
	}
	for (size_t i = 0; i < n; i++) {
		print_item(&out, "  ", v[i].name, v[i].help, columns);
		if (v[i].flag)
			print_item(&out, "      --", v[i].flag, v[i].flag_help, columns);
	}
	return cmd_print(&out);
}

static bool is_help(const char *word)
{
	return !strcmp(word, "--help") || !strcmp(word, "-h");
}

static int run_create(const struct verb *verb, int argc, char *argv[])
{
	_cleanup_(vm_spec_free) struct vm_spec spec;
	struct err e;

	vm_spec_init(&spec);
	/* It runs no command. */
	spec.no_image_config = true;
	if (spec_cli_parse(&spec, verb->usage, argc, argv, &e) < 0)
		return cmd_fail(&e);
	if (spec.help)
		return print_help(verb, 1);
	if (spec.version)
		return cmd_print_version();
	if (spec_settings_read(&spec, &e) < 0)
		return cmd_fail(&e);
	return create(&spec);
}

static int unknown_option(const struct verb *verb, const char *word, struct err *e)
{
	struct nearest nearest;

	if (word[1] == '-') {
		nearest_begin(&nearest, word + 2, strlen(word + 2));
		nearest_offer(&nearest, verb->flag);
		nearest_offer(&nearest, "help");
		if (nearest.name)
			return err_msg(e, EINVAL, "unknown option '%.100s'; did you mean --%s?",
				       word, nearest.name);
	}
	return err_msg(e, EINVAL, "unknown option '%.100s'; usage: %s", word, verb->usage);
}

/* The words behind the verb; none of them asks for help. */
static int parse(const struct verb *verb, int argc, char *argv[], struct call *ret, struct err *e)
{
	struct call call = { 0 };
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--")) {
			i++;
			break;
		}
		if (strncmp(argv[i], "--", 2) != 0 || strcmp(argv[i] + 2, verb->flag) != 0)
			return unknown_option(verb, argv[i], e);
		call.flag = true;
	}
	call.keys = argv + i;
	call.n_keys = argc - i;
	if (call.n_keys && !verb->takes_keys)
		return err_msg(e, EINVAL, "'%.100s' is too much; usage: %s", argv[i], verb->usage);
	*ret = call;
	return 0;
}

static int run_verb(const struct verb *verb, int argc, char *argv[])
{
	struct call call;
	struct err e;

	if (!verb->run)
		return run_create(verb, argc, argv);
	for (int i = 1; i < argc; i++)
		if (is_help(argv[i]))
			return print_help(verb, 1);
	if (parse(verb, argc, argv, &call, &e) < 0)
		return cmd_fail(&e);
	return verb->run(&call);
}

static int unknown_verb(const char *word)
{
	struct nearest nearest;
	struct err e;

	nearest_begin(&nearest, word, strlen(word));
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		nearest_offer(&nearest, verbs[i].name);
	if (nearest.name)
		err_msg(&e, EINVAL, "unknown verb '%.100s' of template; did you mean %s?", word,
			nearest.name);
	else
		err_msg(&e, EINVAL,
			"unknown verb '%.100s' of template, which has ls, create, rm and prune; a "
			"directory of that name is ./template",
			word);
	return cmd_fail(&e);
}

int cmd_template(int argc, char *argv[])
{
	struct err e;

	if (argc < 2) {
		err_msg(&e, EINVAL,
			"no verb given; usage: vmrun template ls|create|rm|prune [ARG...] (a "
			"directory of that name is ./template)");
		return cmd_fail(&e);
	}
	if (is_help(argv[1]))
		return print_help(verbs, ARRAY_SIZE(verbs));
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(argv[1], verbs[i].name))
			return run_verb(&verbs[i], argc - 1, argv + 1);
	return unknown_verb(argv[1]);
}
