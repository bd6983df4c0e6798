/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "rootfs-tools/bootstrap/bootstrap.h"
#include "rootfs-tools/core/enter.h"
#include "runner/base/cleanup.h"
#include "runner/cmd_print.h"
#include "runner/cmd_rootfs.h"

#define FIELD(name) offsetof(struct bootstrap_options, name)

static const struct rootfs_option options[] = {
	{ "suite", OPTION_IS_TEXT, FIELD(suite), "SUITE",
	  "the release: trixie, noble, 42 (default: the newest that vmrun knows)", NULL },
	{ "mirror", OPTION_IS_TEXT, FIELD(mirror), "URL",
	  "where packages come from (default: the tool's own)", NULL },
	{ "arch", OPTION_IS_TEXT, FIELD(arch), "ARCH", "amd64, arm64, ... (default: this host's)",
	  NULL },
	{ "include", OPTION_IS_TEXT, FIELD(include), "PACKAGE,...", "packages to add", NULL },
	{ "variant", OPTION_IS_TEXT, FIELD(variant), "VARIANT",
	  "how much of the distribution: minbase, important, ...; minimal or core for Fedora",
	  NULL },
	{ "kernel", OPTION_IS_FLAG, FIELD(kernel), NULL, "with a kernel and its modules (default)",
	  NULL },
	{ "no-kernel", OPTION_IS_FLAG, FIELD(no_kernel), NULL,
	  "without one: vmrun --kernel has to name one", NULL },
	{ "keyring", OPTION_IS_TEXT, FIELD(keyring), "FILE",
	  "the keys that packages have to be signed with (default: the tool's own)", NULL },
	{ "archive", OPTION_IS_TEXT, FIELD(archive), "FILE|URL", "Alpine's minirootfs", NULL },
	{ "sha256", OPTION_IS_TEXT, FIELD(sha256), "DIGEST", "the archive's checksum", NULL },
	{ "guest-kernel", OPTION_IS_TEXT, FIELD(guest_kernel), "FILE",
	  "what the guest boots in which Alpine's apk runs (default: a kernel of this host's)",
	  NULL },
	{ "guest-modules", OPTION_IS_TEXT, FIELD(guest_modules), "DIR|none", "its modules", NULL },
	{ "idmap", OPTION_IS_VALUE, FIELD(idmap), "MAP",
	  "the guest's ids: auto (subid), caller, subid or GUEST:HOST:COUNT[,...], as vmrun's",
	  root_idmap_parse },
	{ 0 },
};

#define COLUMNS_DEFAULT 80

/* One line, written over again and again. */
static void show_status(const char *line)
{
	struct winsize size;
	int columns = COLUMNS_DEFAULT;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1)
		columns = size.ws_col;
	/* Bytes, not columns: a line may be shown too short, never too long. */
	fprintf(stderr, "\r%.*s\033[K", columns - 1, line);
}

static int tell(const struct bootstrap_report *report)
{
	if (*report->warning)
		cmd_warn(report->warning);
	return cmd_rootfs_tell_losses(&report->unpacked->losses);
}

static int bootstrap_and_tell(const struct bootstrap_options *o, char *const *operands,
			      struct bootstrap_report *report)
{
	_cleanup_close_ int signals = -1;
	bool terminal = isatty(STDERR_FILENO);
	int signal = 0, r;
	struct err e;

	if (enter_signals(&signals, &e) < 0)
		return cmd_fail(&e);
	r = bootstrap_run(operands[0], operands[1], o, terminal ? show_status : NULL, signals,
			  report, &signal, &e);
	if (terminal)
		fputs("\r\033[K", stderr);
	if (r == 0)
		return tell(report);
	if (*report->warning)
		cmd_warn(report->warning);
	fputs(strbuf_str(&report->log), stderr);
	return r == -EINTR ? 128 + signal : cmd_fail(&e);
}

static int run(const void *values, char *const *operands)
{
	struct bootstrap_report report = {
		.unpacked = enter_share(sizeof(*report.unpacked)),
	};
	struct err e;
	int code;

	if (!report.unpacked) {
		err_oom(&e);
		return cmd_fail(&e);
	}
	code = bootstrap_and_tell(values, operands, &report);
	enter_unshare(report.unpacked, sizeof(*report.unpacked));
	strbuf_free(&report.log);
	return code;
}

static const char *const operands[] = { "DISTRO", "DIR", NULL };

const struct rootfs_command cmd_rootfs_bootstrap = {
	.name = "bootstrap",
	.usage = "vmrun rootfs bootstrap [--suite SUITE] [--mirror URL] [--arch ARCH] "
		 "[--include PACKAGE,...] [--variant VARIANT] [--no-kernel] [--keyring FILE] "
		 "[--archive FILE|URL [--sha256 DIGEST]] [--idmap MAP] DISTRO DIR",
	.help = "make a root directory of " BOOTSTRAP_DISTROS
		", by the distribution's own tool, with a kernel",
	.options = options,
	.operands = operands,
	.values_size = sizeof(struct bootstrap_options),
	.run = run,
};
