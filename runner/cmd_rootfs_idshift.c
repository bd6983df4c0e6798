/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "rootfs-tools/core/enter.h"
#include "rootfs-tools/shift/idshift.h"
#include "runner/base/cleanup.h"
#include "runner/cmd_print.h"
#include "runner/cmd_rootfs.h"

static const struct rootfs_option options[] = {
	{ "to", OPTION_IS_VALUE, offsetof(struct idshift_options, to), "MAP",
	  "the id map to be: caller, subid, single or GUEST:HOST:COUNT[,...], as vmrun's --idmap",
	  root_idmap_parse },
	{ "idmap", OPTION_IS_VALUE, offsetof(struct idshift_options, from), "MAP",
	  "the id map that it has now (default: auto, as its owners tell)", root_idmap_parse },
	{ 0 },
};

static int tell(const struct idshift_report *report)
{
	struct strbuf out = { 0 };
	int code, lost, more;

	if (report->same) {
		strbuf_puts(&out, "it has that id map already\n");
		return cmd_print(&out);
	}
	strbuf_printf(&out,
		      "%sfiles: %" PRIu64 ", with another owner: %" PRIu64 ", ACLs: %" PRIu64
		      ", capabilities: %" PRIu64 "\n",
		      report->resumed ? "finished; " : "", report->counts.files,
		      report->counts.moved, report->counts.acls, report->counts.capabilities);
	code = cmd_print(&out);
	lost = cmd_rootfs_tell_losses(&report->counts.losses);
	more = cmd_rootfs_tell_losses(&report->losses);
	return code ? code : lost ? lost : more;
}

static int shift_and_tell(const struct idshift_options *o, const char *path,
			  struct idshift_report *report)
{
	_cleanup_close_ int signals = -1;
	int signal = 0, r;
	struct err e;

	if (o->to.kind == IDMAP_AUTO) {
		err_msg(&e, EINVAL,
			"--to is not given; say which id map it is to have: caller, "
			"subid, single or GUEST:HOST:COUNT[,...]");
		return cmd_fail(&e);
	}
	if (enter_signals(&signals, &e) < 0)
		return cmd_fail(&e);
	r = idshift_run(path, o, signals, report, &signal, &e);
	if (*report->warning)
		cmd_warn(report->warning);
	if (r == 0)
		return tell(report);
	if (r != -EINTR)
		return cmd_fail(&e);
	if (report->begun)
		cmd_say("interrupted half way: no guest can use it like that; run the same command "
			"again to finish");
	return 128 + signal;
}

static int run(const void *values, char *const *operands)
{
	struct idshift_report *report = enter_share(sizeof(*report));
	struct err e;
	int code;

	if (!report) {
		err_oom(&e);
		return cmd_fail(&e);
	}
	code = shift_and_tell(values, operands[0], report);
	enter_unshare(report, sizeof(*report));
	return code;
}

static const char *const operands[] = { "DIR", NULL };

const struct rootfs_command cmd_rootfs_idshift = {
	.name = "idshift",
	.usage = "vmrun rootfs idshift --to MAP [--idmap MAP] DIR",
	.help = "change the owners of all in a root directory from one id map's to another's, or "
		"finish that where it was interrupted",
	.options = options,
	.operands = operands,
	.values_size = sizeof(struct idshift_options),
	.run = run,
};
