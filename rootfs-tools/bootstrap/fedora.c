/* SPDX-License-Identifier: MIT */
/*
 * Fedora. What would make an initramfs is told not to (kernel-install(8)); the kernel is
 * used where its package puts it, below /lib/modules.
 */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "rootfs-tools/bootstrap/driver.h"
#include "runner/base/cleanup.h"

#define HOST_REPOSITORIES "/etc/yum.repos.d/*.repo"
#define HOST_KEY "/etc/pki/rpm-gpg/RPM-GPG-KEY-fedora-%s-%s"

/* $1: the root, then dnf's arguments. */
static const char script[] =
	"set -eu\n"
	"root=$1\n"
	"shift\n"
	"cd \"$root\"\n"
	"mkdir -p -m 755 dev run etc/kernel\n"
	"mkdir -p -m 555 proc sys\n"
	"printf 'layout=other\\ninitrd_generator=none\\n' >etc/kernel/install.conf\n"
	/* They are mounts, or the kernel's: rpm is not to give them owners and modes. */
	"echo '%_netsharedpath /proc:/sys:/dev' >\"$HOME/.rpmmacros\"\n"
	"mount -t proc proc proc\n"
	"mount --rbind /dev dev\n"
	"dnf \"$@\"\n"
	"rm -rf var/cache/dnf var/cache/libdnf5 var/log/dnf* var/log/hawkey.log\n"
	"for modules in lib/modules/*; do\n"
	"	[ ! -d \"$modules\" ] || depmod -b \"$root\" \"${modules##*/}\"\n"
	"done\n";

static const char *const minimal[] = { "fedora-release", "bash",
				       "coreutils",	 "util-linux",
				       "iproute",	 "dnf",
				       "systemd",	 "glibc-minimal-langpack",
				       "rootfiles",	 NULL };
static const char *const core[] = { "@core", NULL };

static bool host_has_repositories(void)
{
	glob_t found;
	int r = glob(HOST_REPOSITORIES, 0, NULL, &found);

	if (r == 0)
		globfree(&found);
	return r == 0;
}

static int add_repository(const struct making *m, struct strbuf *config, struct err *e)
{
	const char *mirror = m->options->mirror;
	char key[128];

	strbuf_puts(config, "[main]\ngpgcheck=1\ninstall_weak_deps=False\n");
	if (!mirror)
		return host_has_repositories() ?
			       0 :
			       err_msg(e, EINVAL,
				       "this host's dnf has no repositories; use --mirror URL");
	if (m->keyring >= 0)
		snprintf(key, sizeof(key), "%s", driver_keyring(m));
	else
		snprintf(key, sizeof(key), HOST_KEY, m->suite, m->arch->machine);
	if (m->keyring < 0 && access(key, R_OK) < 0)
		return err_msg(e, ENOENT,
			       "the keys of Fedora %s are not here; give them by --keyring",
			       m->suite);
	strbuf_printf(config,
		      "reposdir=/dev/null\n[fedora]\nname=Fedora\nbaseurl=%s\ngpgkey=file://%s\n",
		      mirror, key);
	return 0;
}

static int plan_dnf(const struct making *m, struct command *ret, struct err *e)
{
	struct strvec *argv = &ret->argv;
	int r = add_repository(m, &ret->input, e);

	if (r < 0)
		return r;
	strvec_add(argv, "sh");
	strvec_add(argv, "-c");
	strvec_add(argv, script);
	strvec_add(argv, "sh");
	strvec_add(argv, DRIVER_ROOT);
	strvec_add(argv, "--config=/dev/stdin");
	strvec_add(argv, "--assumeyes");
	strvec_add(argv, "--installroot=" DRIVER_ROOT);
	strvec_addf(argv, "--releasever=%s", m->suite);
	strvec_addf(argv, "--forcearch=%s", m->arch->machine);
	strvec_add(argv, "install");
	for (const char *const *p = strcmp(m->variant, "core") ? minimal : core; *p; p++)
		strvec_add(argv, *p);
	if (m->kernel) {
		strvec_add(argv, m->driver->kernel);
		strvec_add(argv, "kernel-modules");
	}
	driver_add_packages(m, argv);
	return 0;
}

static const struct cause causes[] = {
	{ "is not signed", "a package is not signed" },
	{ "are already installed but they are not correct",
	  "a package is signed by a key that is not trusted; give the right one by --keyring" },
	{ "GPG check FAILED",
	  "a package is signed by a key that is not trusted; give the right one by --keyring" },
	{ "Curl error (6)", "the mirror's name is not known; is there a network?" },
	{ "Curl error (7)", "the mirror does not answer" },
	{ "Status code: 404", "the mirror has no such suite" },
	{ "Unable to find a match", "the mirror has no such package" },
	{ "No space left on device", "there is no room left" },
	{ NULL, NULL },
};

const struct driver_tool driver_fedora_tools[] = {
	{ "dnf", "dnf of Debian, Ubuntu, Fedora", plan_dnf, NULL, causes },
	{ 0 },
};
