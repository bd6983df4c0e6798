/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>

#include "rootfs-tools/core/enter.h"
#include "rootfs-tools/inspect/info.h"
#include "runner/base/cleanup.h"
#include "runner/cmd_print.h"
#include "runner/cmd_rootfs.h"

struct values {
	bool json;
	struct root_idmap idmap;
};

static const struct rootfs_option options[] = {
	{ "json", OPTION_IS_FLAG, offsetof(struct values, json), NULL,
	  "as JSON: one object, with sizes in bytes", NULL },
	{ "idmap", OPTION_IS_VALUE, offsetof(struct values, idmap), "MAP",
	  "the guest's ids: auto, caller, subid, single or GUEST:HOST:COUNT[,...], as vmrun's",
	  root_idmap_parse },
	{ 0 },
};

static int print(bool json, const struct root *root, const struct info *info)
{
	struct strbuf out = { 0 };

	if (json)
		info_print_json(root, info, &out);
	else
		info_print_text(root, info, &out);
	return cmd_print(&out);
}

/* A directory whose owners fit no map is shown from outside. */
static int show(const struct values *v, const char *path, struct root *root, struct info *info)
{
	_cleanup_close_ int signals = -1;
	int signal = 0, r;
	struct err e;

	if (enter_signals(&signals, &e) < 0)
		return cmd_fail(&e);
	r = root_open(path, &v->idmap, root, &e);
	if (r < 0 && root->dir.path)
		snprintf(info->why_not, sizeof(info->why_not), "%s", e.text);
	else if (r == 0)
		r = info_collect(root, signals, info, &signal, &e);
	if (r == -EINTR)
		return 128 + signal;
	if (r < 0 && !(root->dir.path && *info->why_not))
		return cmd_fail(&e);
	return print(v->json, root, info);
}

static int run(const void *values, char *const *operands)
{
	struct info *info = enter_share(sizeof(*info));
	struct root root = { .dir = { .fd = -1 } };
	struct err e;
	int code;

	if (!info) {
		err_oom(&e);
		return cmd_fail(&e);
	}
	code = show(values, operands[0], &root, info);
	root_close(&root);
	enter_unshare(info, sizeof(*info));
	return code;
}

static const char *const operands[] = { "DIR", NULL };

const struct rootfs_command cmd_rootfs_info = {
	.name = "info",
	.usage = "vmrun rootfs info [--json] [--idmap MAP] DIR",
	.help = "show what a root directory is: its distribution, its programs and kernels, its "
		"size, whose its files are, and whether it boots under vmrun",
	.options = options,
	.operands = operands,
	.values_size = sizeof(struct values),
	.run = run,
};
