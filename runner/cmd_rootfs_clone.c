/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stddef.h>

#include "rootfs-tools/edit/clone.h"
#include "rootfs-tools/core/enter.h"
#include "runner/base/cleanup.h"
#include "runner/cmd_print.h"
#include "runner/cmd_rootfs.h"
#include "runner/spec/spec_value.h"

static int check_hostname(void *field, const char *value, struct err *e)
{
	(void)field;
	return spec_value_check_hostname(value, e);
}

static const struct rootfs_option options[] = {
	{ "keep-identity", OPTION_IS_FLAG, offsetof(struct clone_options, keep_identity), NULL,
	  "leave host name, machine-id, SSH host keys and random seed as they are", NULL },
	{ "hostname", OPTION_IS_TEXT, offsetof(struct clone_options, hostname), "NAME",
	  "the copy's host name (default: made of DST's name)", check_hostname },
	{ "shared", OPTION_IS_FLAG, offsetof(struct clone_options, shared), NULL,
	  "copy SRC even while a guest writes to it", NULL },
	{ "idmap", OPTION_IS_VALUE, offsetof(struct clone_options, idmap), "MAP",
	  "the guest's ids: auto, caller, subid, single or GUEST:HOST:COUNT[,...], as vmrun's",
	  root_idmap_parse },
	{ 0 },
};

static int tell(const struct clone_report *report)
{
	if (*report->warning)
		cmd_warn(report->warning);
	return cmd_rootfs_tell_losses(&report->copy.losses);
}

static int clone_and_tell(const struct clone_options *o, char *const *operands,
			  struct clone_report *report)
{
	_cleanup_close_ int signals = -1;
	int signal = 0, r;
	struct err e;

	if (o->keep_identity && o->hostname) {
		err_msg(&e, EINVAL, "--keep-identity and --hostname exclude each other");
		return cmd_fail(&e);
	}
	if (enter_signals(&signals, &e) < 0)
		return cmd_fail(&e);
	r = clone_run(operands[0], operands[1], o, signals, report, &signal, &e);
	if (r == 0)
		return tell(report);
	if (*report->warning)
		cmd_warn(report->warning);
	return r == -EINTR ? 128 + signal : cmd_fail(&e);
}

static int run(const void *values, char *const *operands)
{
	struct clone_report *report = enter_share(sizeof(*report));
	struct err e;
	int code;

	if (!report) {
		err_oom(&e);
		return cmd_fail(&e);
	}
	code = clone_and_tell(values, operands, report);
	enter_unshare(report, sizeof(*report));
	return code;
}

static const char *const operands[] = { "SRC", "DST", NULL };

const struct rootfs_command cmd_rootfs_clone = {
	.name = "clone",
	.usage = "vmrun rootfs clone [--keep-identity] [--hostname NAME] [--shared] [--idmap MAP] "
		 "SRC DST",
	.help = "copy a root directory, with all that its files have, and give the copy an "
		"identity of its own",
	.options = options,
	.operands = operands,
	.values_size = sizeof(struct clone_options),
	.run = run,
};
