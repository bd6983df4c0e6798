/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <unistd.h>

#include "rootfs-tools/core/enter.h"
#include "rootfs-tools/edit/sysprep.h"
#include "runner/base/cleanup.h"
#include "runner/cmd_print.h"
#include "runner/cmd_rootfs.h"

struct values {
	bool list;
	bool dry_run;
	bool verbose;
	const char *enable;
	const char *disable;
	const char *remove_users;
	const char *keep_users;
	struct root_idmap idmap;
};

static const struct rootfs_option options[] = {
	{ "list", OPTION_IS_FLAG, offsetof(struct values, list), NULL,
	  "the operations, whether each is done by default, and what it removes; DIR is not given",
	  NULL },
	{ "enable", OPTION_IS_TEXT, offsetof(struct values, enable), "A,B",
	  "do only these; \"defaults\" and \"all\" stand for many", NULL },
	{ "disable", OPTION_IS_TEXT, offsetof(struct values, disable), "A,B", "do not do these",
	  NULL },
	{ "dry-run", OPTION_IS_FLAG, offsetof(struct values, dry_run), NULL,
	  "say each change that would be made, and make none", NULL },
	{ "verbose", OPTION_IS_FLAG, offsetof(struct values, verbose), NULL,
	  "say each change that is made, instead of how many", NULL },
	{ "remove-user-accounts", OPTION_IS_TEXT, offsetof(struct values, remove_users), "A,B",
	  "the users that user-account removes (default: all people)", NULL },
	{ "keep-user-accounts", OPTION_IS_TEXT, offsetof(struct values, keep_users), "A,B",
	  "the users that it leaves", NULL },
	{ "idmap", OPTION_IS_VALUE, offsetof(struct values, idmap), "MAP",
	  "the guest's ids: auto, caller, subid, single or GUEST:HOST:COUNT[,...], as vmrun's",
	  root_idmap_parse },
	{ 0 },
};

static bool wants_list(const void *values)
{
	return ((const struct values *)values)->list;
}

static int print_list(void)
{
	struct strbuf out = { 0 };
	const char *name, *help;
	bool on;

	for (unsigned int i = 0; sysprep_describe(i, &name, &help, &on); i++)
		strbuf_printf(&out, "%-24s %-3s  %s\n", name, on ? "on" : "off", help);
	return cmd_print(&out);
}

static int choose(const struct values *v, struct sysprep_options *ret, struct err *e)
{
	const int users = sysprep_index("user-account");

	*ret = (struct sysprep_options){
		.idmap = v->idmap,
		.dry_run = v->dry_run,
		.tell_paths = v->dry_run || v->verbose,
		.remove_users = v->remove_users,
		.keep_users = v->keep_users,
	};
	if (v->remove_users && v->keep_users)
		return err_msg(e, EINVAL,
			       "--remove-user-accounts and --keep-user-accounts exclude each "
			       "other");
	if (sysprep_choose(v->enable, v->disable, &ret->chosen, e) < 0)
		return -EINVAL;
	if ((v->remove_users || v->keep_users) && !(ret->chosen & UINT64_C(1) << users))
		return err_msg(e, EINVAL,
			       "--%s-user-accounts is for the operation user-account, which "
			       "was not chosen; add --enable defaults,user-account",
			       v->remove_users ? "remove" : "keep");
	return 0;
}

static int print_counts(const struct sysprep_report *report)
{
	struct strbuf out = { 0 };
	const char *name, *help;
	bool on;

	for (unsigned int i = 0; sysprep_describe(i, &name, &help, &on); i++) {
		static const char *const words[SWEEP_CHANGES] = { "removed", "emptied", "written" };
		const uint64_t *n = report->changes[i];
		const char *before = ": ";

		for (unsigned int c = 0; c < SWEEP_CHANGES; c++) {
			if (!n[c])
				continue;
			strbuf_printf(&out, "%s%s%" PRIu64 " %s", *before == ':' ? name : "",
				      before, n[c], words[c]);
			before = ", ";
		}
		if (*before == ',')
			strbuf_putc(&out, '\n');
	}
	return out.len ? cmd_print(&out) : 0;
}

static int tell(const struct sysprep_options *o, const struct sysprep_report *report)
{
	int code = cmd_rootfs_tell_losses(&report->losses), printed = 0;
	struct err e;

	if (!o->tell_paths)
		printed = print_counts(report);
	if (!report->output_failed)
		return printed ? printed : code;
	err_msg(&e, EIO, "cannot write to standard output all that was to be told%s",
		o->dry_run ? "" : "; it is done all the same");
	return cmd_fail(&e);
}

static int prepare(const char *path, const struct sysprep_options *o, struct sysprep_report *report)
{
	/* Above 2, as it is to be open inside. */
	_cleanup_close_ int signals = -1, out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	int signal = 0, r;
	struct err e;

	if (out < 0) {
		err_errno(&e, errno, "cannot write to standard output");
		return cmd_fail(&e);
	}
	if (enter_signals(&signals, &e) < 0)
		return cmd_fail(&e);
	r = sysprep_run(path, o, out, signals, report, &signal, &e);
	if (r == 0)
		return tell(o, report);
	return r == -EINTR ? 128 + signal : cmd_fail(&e);
}

static int run(const void *values, char *const *operands)
{
	const struct values *v = values;
	struct sysprep_report *report;
	struct sysprep_options o;
	struct err e;
	int code;

	if (v->list)
		return print_list();
	if (choose(v, &o, &e) < 0)
		return cmd_fail(&e);
	report = enter_share(sizeof(*report));
	if (!report) {
		err_oom(&e);
		return cmd_fail(&e);
	}
	code = prepare(operands[0], &o, report);
	enter_unshare(report, sizeof(*report));
	return code;
}

static const char *const operands[] = { "DIR", NULL };

const struct rootfs_command cmd_rootfs_sysprep = {
	.name = "sysprep",
	.usage = "vmrun rootfs sysprep [--enable A,B] [--disable A,B] [--remove-user-accounts A,B] "
		 "[--keep-user-accounts A,B] [--dry-run] [--verbose] [--idmap MAP] DIR | --list",
	.help = "remove from a root directory what belongs to one system or to its past, so that "
		"it "
		"can be copied",
	.options = options,
	.operands = operands,
	.stands_alone = wants_list,
	.values_size = sizeof(struct values),
	.run = run,
};
