/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "rootfs-tools/core/enter.h"
#include "rootfs-tools/core/root.h"
#include "rootfs-tools/edit/customize.h"
#include "runner/base/cleanup.h"
#include "runner/base/parse.h"
#include "runner/cmd_print.h"
#include "runner/cmd_rootfs.h"
#include "runner/spec/spec_value.h"

#define EXIT_PARTLY 1 /* something was done, and then something failed */

static int check_idmap(void *field, const char *value, struct err *e)
{
	struct root_idmap idmap = { 0 };

	(void)field;
	return root_idmap_parse(&idmap, value, e);
}

static int check_memory(void *field, const char *value, struct err *e)
{
	uint64_t bytes;

	(void)field;
	if (parse_size(value, &bytes) < 0)
		return spec_value_bad(value, "is no size; give one as 1g", e);
	return 0;
}

#define STEPS offsetof(struct customize_options, steps)

static const struct rootfs_option options[] = {
	{ "hostname", OPTION_IS_STEP, STEPS, "NAME", "set the host name, in /etc/hosts too", NULL },
	{ "root-password", OPTION_IS_STEP, STEPS, "SOURCE",
	  "set root's password: file:PATH, stdin, prompt; or locked, disabled", NULL },
	{ "password", OPTION_IS_STEP, STEPS, "USER:SOURCE", "the same of another user", NULL },
	{ "ssh-authorized-key", OPTION_IS_STEP, STEPS, "USER:FILE",
	  "let the public keys of FILE log in as USER", NULL },
	{ "user", OPTION_IS_STEP, STEPS, "NAME[:SHELL]",
	  "make a user, with a group, the next free id, and a home from /etc/skel", NULL },
	{ "dns", OPTION_IS_STEP, STEPS, "ADDR",
	  "ask this name server; all that are given take the place of those that were", NULL },
	{ "hosts", OPTION_IS_STEP, STEPS, "ADDR:NAME[,NAME...]",
	  "names that mean an address, in /etc/hosts", NULL },
	{ "static-ip", OPTION_IS_STEP, STEPS, "ADDR/PREFIX[,GATEWAY]",
	  "give the Ethernet interface this address", NULL },
	{ "dhcp", OPTION_IS_STEP, STEPS, NULL, "let the Ethernet interface ask for one", NULL },
	{ "timezone", OPTION_IS_STEP, STEPS, "ZONE", "set the time zone: Europe/Berlin", NULL },
	{ "locale", OPTION_IS_STEP, STEPS, "LOCALE",
	  "set the language: de_DE.UTF-8; made in a guest where that has to be", NULL },
	{ "copy-in", OPTION_IS_STEP, STEPS, "SRC:DST",
	  "copy a file or a directory of the host's to DST, as root's", NULL },
	{ "write", OPTION_IS_STEP, STEPS, "FILE:CONTENT", "write a file", NULL },
	{ "delete", OPTION_IS_STEP, STEPS, "GLOB",
	  "remove files, and directories with all that is in them", NULL },
	{ "run", OPTION_IS_STEP, STEPS, "CMD", "run sh -c CMD in a guest", NULL },
	{ "script", OPTION_IS_STEP, STEPS, "FILE", "run a script of the host's in a guest", NULL },
	{ "package", OPTION_IS_STEP, STEPS, "NAME",
	  "install a package, in a guest, by apt-get, dnf, pacman or apk", NULL },
	{ "memory", OPTION_IS_TEXT, offsetof(struct customize_options, memory), "SIZE",
	  "of these guests, as vmrun's", check_memory },
	{ "kernel", OPTION_IS_TEXT, offsetof(struct customize_options, kernel), "FILE",
	  "of these guests, as vmrun's: for a DIR that has none", NULL },
	{ "modules", OPTION_IS_TEXT, offsetof(struct customize_options, modules), "DIR",
	  "of that kernel", NULL },
	{ "shared", OPTION_IS_FLAG, offsetof(struct customize_options, shared), NULL,
	  "even while a guest uses DIR", NULL },
	{ "idmap", OPTION_IS_TEXT, offsetof(struct customize_options, idmap), "MAP",
	  "the guest's ids: auto, caller, subid, single or GUEST:HOST:COUNT[,...], as vmrun's",
	  check_idmap },
	{ 0 },
};

static int customize_and_tell(const struct customize_options *o, const char *dir,
			      struct edits_said *said)
{
	_cleanup_close_ int signals = -1;
	int signal = 0, r;
	struct err e;

	if (enter_signals(&signals, &e) < 0)
		return cmd_fail(&e);
	r = customize_run(dir, o, signals, said, &signal, &e);
	cmd_rootfs_tell_losses(&said->warnings);
	if (r == 0)
		return cmd_rootfs_tell_losses(&said->copy.losses);
	if (r == -EINTR)
		return 128 + signal;
	cmd_fail(&e);
	return said->n_done || said->n_failed ? EXIT_PARTLY : EXIT_VMRUN;
}

static int run(const void *values, char *const *operands)
{
	struct edits_said *said = enter_share(sizeof(*said));
	struct err e;
	int code;

	if (!said) {
		err_oom(&e);
		return cmd_fail(&e);
	}
	code = customize_and_tell(values, operands[0], said);
	enter_unshare(said, sizeof(*said));
	return code;
}

static const char *const operands[] = { "DIR", NULL };

const struct rootfs_command cmd_rootfs_customize = {
	.name = "customize",
	.usage = "vmrun rootfs customize EDIT... [--memory SIZE] [--kernel FILE] [--modules DIR] "
		 "[--shared] [--idmap MAP] DIR",
	.help = "change a root directory, by edits that are done in the order given: a host name, "
		"passwords, keys, users, names and addresses, files, packages, commands",
	.options = options,
	.operands = operands,
	.values_size = sizeof(struct customize_options),
	.run = run,
};
