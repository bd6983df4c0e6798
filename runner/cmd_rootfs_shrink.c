/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stddef.h>
#include <errno.h>

#include "rootfs-tools/core/enter.h"
#include "rootfs-tools/core/size_text.h"
#include "rootfs-tools/edit/shrink.h"
#include "runner/base/cleanup.h"
#include "runner/cmd_print.h"
#include "runner/cmd_rootfs.h"

static const struct rootfs_option options[] = {
	{ "dry-run", OPTION_IS_FLAG, offsetof(struct shrink_options, dry_run), NULL,
	  "say what would be reclaimed, and change nothing", NULL },
	{ "logs", OPTION_IS_FLAG, offsetof(struct shrink_options, logs), NULL,
	  "logs, too: old ones are removed, others emptied", NULL },
	{ "docs", OPTION_IS_FLAG, offsetof(struct shrink_options, docs), NULL,
	  "documentation and manuals, too, but no licences", NULL },
	{ "idmap", OPTION_IS_VALUE, offsetof(struct shrink_options, idmap), "MAP",
	  "the guest's ids: auto, caller, subid, single or GUEST:HOST:COUNT[,...], as vmrun's",
	  root_idmap_parse },
	{ 0 },
};

static void print_line(struct strbuf *out, const char *what, uint64_t bytes)
{
	_cleanup_strbuf_ struct strbuf size = { 0 };

	size_text(&size, bytes);
	strbuf_printf(out, "%-18s %12s", what, strbuf_str(&size));
	out->failed |= size.failed;
}

static int tell(const struct shrink_options *o, const struct shrink_report *report)
{
	struct strbuf out = { 0 };
	uint64_t total = 0;
	int code, lost;

	for (unsigned int i = 0; i < SHRINK_KINDS; i++) {
		const char *name = shrink_kind_name(i);

		if (!report->kind[i].done)
			continue;
		total += report->kind[i].bytes;
		if (report->kind[i].impossible && !report->kind[i].bytes) {
			strbuf_printf(&out, "%-18s %12s  this file system cannot do it\n", name,
				      "-");
			continue;
		}
		print_line(&out, name, report->kind[i].bytes);
		strbuf_printf(&out, "  in %" PRIu64 "\n", report->kind[i].files);
	}
	print_line(&out, "total", total);
	strbuf_puts(&out, o->dry_run ? "  could be reclaimed\n" : "  reclaimed\n");
	code = cmd_print(&out);
	lost = cmd_rootfs_tell_losses(&report->losses);
	return code ? code : lost;
}

static int shrink_and_tell(const struct shrink_options *o, const char *path,
			   struct shrink_report *report)
{
	_cleanup_close_ int signals = -1;
	int signal = 0, r;
	struct err e;

	if (enter_signals(&signals, &e) < 0)
		return cmd_fail(&e);
	r = shrink_run(path, o, signals, report, &signal, &e);
	if (r == 0)
		return tell(o, report);
	return r == -EINTR ? 128 + signal : cmd_fail(&e);
}

static int run(const void *values, char *const *operands)
{
	struct shrink_report *report = enter_share(sizeof(*report));
	struct err e;
	int code;

	if (!report) {
		err_oom(&e);
		return cmd_fail(&e);
	}
	code = shrink_and_tell(values, operands[0], report);
	enter_unshare(report, sizeof(*report));
	return code;
}

static const char *const operands[] = { "DIR", NULL };

const struct rootfs_command cmd_rootfs_shrink = {
	.name = "shrink",
	.usage = "vmrun rootfs shrink [--dry-run] [--logs] [--docs] [--idmap MAP] DIR",
	.help = "reclaim what a root directory can do without: packages that were fetched, lists "
		"and caches, blocks of zeros, blocks that files have alike",
	.options = options,
	.operands = operands,
	.values_size = sizeof(struct shrink_options),
	.run = run,
};
