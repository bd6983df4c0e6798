/* SPDX-License-Identifier: MIT */
/*
 * Debian and Ubuntu. mmdebstrap runs in its mode "root": it is one, of the id map, with all
 * capabilities, and may mount. That it can make no device nodes it finds out by itself, and
 * mounts the host's few instead. Its mode "unshare" would make a user namespace of its own:
 * there is none to be had in the jail, and outside of it scripts of packages run with the
 * caller's files in sight.
 *
 * The kernel's packages are unpacked, not installed: their scripts would build an initramfs
 * of some 35 MB.
 */
#include <errno.h>
#include <string.h>

#include "rootfs-tools/bootstrap/driver.h"

/*
 * The kernel that a package stands for, and its modules where they have a package of their
 * own (Ubuntu), into $root. Who uses it says what show, download and contents are.
 */
#define UNPACK_KERNEL                                                                                             \
	"kernel=$(show \"$VMRUN_KERNEL\" |\n"                                                                     \
	"	sed -n 's/^Depends:\\(.*[ ,]\\)*\\(linux-image-[0-9][^ ,]*\\).*/\\2/p')\n"                              \
	"[ -n \"$kernel\" ] || { echo \"E: no kernel: $VMRUN_KERNEL\" >&2; exit 1; }\n"                           \
	"version=${kernel#linux-image-}\n"                                                                        \
	"packages=$kernel\n"                                                                                      \
	"if show \"linux-modules-$version\" >/dev/null 2>&1; then\n"                                              \
	"	packages=\"$packages linux-modules-$version\"\n"                                                        \
	"fi\n"                                                                                                    \
	"echo \"I: unpacking $packages\" >&2\n"                                                                   \
	"work=$(mktemp -d)\n"                                                                                     \
	"chmod 755 \"$work\"\n"                                                                                   \
	"download \"$work\" $packages\n" /* Modules are in ./lib/modules, from trixie on in ./usr/lib/modules. */ \
	"for deb in \"$work\"/*.deb; do\n"                                                                        \
	"	contents \"$deb\" |\n"                                                                                  \
	"		tar -x --keep-directory-symlink -C \"$root\" --exclude=./usr/share\n"                                  \
	"done\n"                                                                                                  \
	"rm -rf \"$work\"\n"                                                                                      \
	"depmod -b \"$root\" \"$version\"\n"

/* By the host's apt, as mmdebstrap has set it up: the new root need not have one. */
static const char kernel_hook[] = "set -eu\n"
				  "root=$1\n"
				  "export APT_CONFIG=\"$MMDEBSTRAP_APT_CONFIG\"\n"
				  "show() { apt-cache show --no-all-versions \"$1\"; }\n"
				  "download() { (cd \"$1\"; shift; apt-get -q -o "
				  "APT::Sandbox::User=root download \"$@\"); }\n"
				  "contents() { dpkg-deb --fsys-tarfile \"$1\"; }\n" UNPACK_KERNEL;

/* By the new root's apt and dpkg: debootstrap needs none here. */
static const char kernel_after[] =
	"set -eu\n"
	"root=$1\n"
	"export TMPDIR=\"$root/tmp\"\n"
	"mount -t proc proc \"$root/proc\"\n"
	"mount --rbind /dev \"$root/dev\"\n"
	"within() { TMPDIR=/tmp chroot \"$root\" \"$@\"; }\n"
	"show() { within apt-cache show --no-all-versions \"$1\"; }\n"
	"download() {\n"
	"	dir=${1#\"$root\"}; shift\n"
	"	within sh -ec 'cd \"$1\"; shift; apt-get -q -o APT::Sandbox::User=root download "
	"\"$@\"' \\\n"
	"		sh \"$dir\" \"$@\"\n"
	"}\n"
	"contents() { within dpkg-deb --fsys-tarfile \"${1#\"$root\"}\"; }\n"
	"within apt-get -q update\n" UNPACK_KERNEL "within apt-get clean\n"
	"rm -rf \"$root\"/var/lib/apt/lists/*_*";

static int plan_mmdebstrap(const struct making *m, struct command *ret, struct err *e)
{
	const struct bootstrap_options *o = m->options;
	struct strvec *argv = &ret->argv;

	(void)e;
	strvec_add(argv, "mmdebstrap");
	strvec_add(argv, "--mode=root");
	strvec_add(argv, "--format=directory");
	strvec_add(argv, "--verbose");
	strvec_addf(argv, "--variant=%s", m->variant);
	strvec_addf(argv, "--architectures=%s", m->arch->debian);
	if (o->include)
		strvec_addf(argv, "--include=%s", o->include);
	if (m->keyring >= 0) {
		strvec_addf(argv, "--keyring=%s", driver_keyring(m));
		/* Else the host's keys of a suite that it knows are trusted as well. */
		strvec_add(argv, "--skip=check/signed-by");
	}
	if (m->kernel)
		/* With that variant there is no later one. */
		strvec_addf(argv, "--%s-hook=%s",
			    strcmp(m->variant, "extract") ? "customize" : "extract", kernel_hook);
	strvec_add(argv, m->suite);
	strvec_add(argv, DRIVER_ROOT);
	if (o->mirror)
		strvec_add(argv, o->mirror);
	return 0;
}

static int plan_debootstrap(const struct making *m, struct command *ret, struct err *e)
{
	const struct bootstrap_options *o = m->options;
	struct strvec *argv = &ret->argv;

	if (m->keyring_armored)
		return err_msg(e, EINVAL,
			       "--keyring: debootstrap takes no armored keys; make a "
			       "keyring of them by gpg --dearmor, or install mmdebstrap");
	strvec_add(argv, "debootstrap");
	strvec_addf(argv, "--variant=%s", m->variant);
	strvec_addf(argv, "--arch=%s", m->arch->debian);
	if (o->include)
		strvec_addf(argv, "--include=%s", o->include);
	if (m->keyring >= 0)
		strvec_addf(argv, "--keyring=%s", driver_keyring(m));
	strvec_add(argv, m->suite);
	strvec_add(argv, DRIVER_ROOT);
	if (o->mirror)
		strvec_add(argv, o->mirror);
	return 0;
}

static int then_debootstrap(const struct making *m, struct command *ret, struct err *e)
{
	(void)e;
	if (!m->kernel)
		return 0;
	strvec_add(&ret->argv, "sh");
	strvec_add(&ret->argv, "-c");
	strvec_add(&ret->argv, kernel_after);
	strvec_add(&ret->argv, "sh");
	strvec_add(&ret->argv, DRIVER_ROOT);
	return 0;
}

static const struct cause apt_causes[] = {
	{ "NO_PUBKEY", "the mirror is signed by a key that is not trusted; give the right one by "
		       "--keyring" },
	{ "is not signed",
	  "the mirror is signed by no key that is trusted; give one by --keyring" },
	{ "invalid signature", "the mirror's signature is wrong" },
	{ "no keyring",
	  "the keys of this distribution are not here; install its keyring package, or "
	  "give them by --keyring" },
	{ "Could not resolve", "the mirror's name is not known; is there a network?" },
	{ "Temporary failure resolving", "the mirror's name is not known; is there a network?" },
	{ "Could not connect", "the mirror does not answer" },
	{ "does not have a Release file", "the mirror has no such suite" },
	{ "404  Not Found", "the mirror has no such suite" },
	{ "Unable to locate package", "the mirror has no such package" },
	{ "E: no kernel", "the mirror has no such kernel; use --no-kernel" },
	{ "No space left on device", "there is no room left" },
	{ NULL, NULL },
};

static const struct cause debootstrap_causes[] = {
	{ "unknown key", "the mirror is signed by a key that is not trusted; give the right one by "
			 "--keyring" },
	{ "no keyring",
	  "the keys of this distribution are not here; install its keyring package, or "
	  "give them by --keyring" },
	{ "cannot check Release signature",
	  "the keys of this distribution are not here; install its "
	  "keyring package, or give them by --keyring" },
	{ "No such script", "debootstrap knows no such suite" },
	{ "Failed getting release file", "the mirror does not answer, or has no such suite" },
	{ "Couldn't find these debs", "the mirror has no such package" },
	{ "E: no kernel", "the mirror has no such kernel; use --no-kernel" },
	{ "No space left on device", "there is no room left" },
	{ NULL, NULL },
};

const struct driver_tool driver_debian_tools[] = {
	{ "mmdebstrap", "mmdebstrap of Debian, Ubuntu, Fedora", plan_mmdebstrap, NULL, apt_causes },
	{ "debootstrap", "debootstrap of Debian, Ubuntu, Fedora, Arch", plan_debootstrap,
	  then_debootstrap, debootstrap_causes },
	{ 0 },
};
