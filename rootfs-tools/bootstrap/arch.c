/* SPDX-License-Identifier: MIT */
/*
 * Arch Linux. pacman itself rather than pacstrap, which does little more than mounts that no
 * user namespace allows, and then calls it. The initramfs that "linux" depends on is said to
 * be installed: what makes it is left out, and so is the time that it would take.
 */
#include <errno.h>
#include <string.h>

#include "rootfs-tools/bootstrap/driver.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"

#define MIRRORLIST "/etc/pacman.d/mirrorlist"
#define MIRRORLIST_MAX ((uint64_t)1 << 20)
#define KEYS "/usr/share/pacman/keyrings/archlinux.gpg"

/* $1: the root, $2: a file of keys or "", $3: a mirror or "", then pacman's arguments. */
static const char script[] =
	"set -eu\n"
	"root=$1 keys=$2 mirror=$3\n"
	"shift 3\n"
	"cd \"$root\"\n"
	"mkdir -p -m 755 dev run etc/pacman.d var/lib/pacman var/cache/pacman/pkg var/log\n"
	"mkdir -p -m 1777 tmp\n"
	"mkdir -p -m 555 proc sys\n"
	"mount -t proc proc proc\n"
	"mount --rbind /dev dev\n"
	"gpgdir=$root/etc/pacman.d/gnupg\n"
	"key() { pacman-key --gpgdir \"$gpgdir\" \"$@\"; }\n"
	"key --init\n"
	"if [ -n \"$keys\" ]; then\n"
	"	key --add \"$keys\"\n"
	"	for id in $(gpg --homedir \"$gpgdir\" --batch --with-colons --show-keys \"$keys\" "
	"|\n"
	"		awk -F: '$1 == \"pub\" { p = 1 } $1 == \"fpr\" && p { print $10; p = 0 "
	"}'); do\n"
	"		key --lsign-key \"$id\"\n"
	"	done\n"
	"else\n"
	"	key --populate archlinux\n"
	"fi\n"
	"pacman --root \"$root\" --gpgdir \"$gpgdir\" --cachedir \"$root/var/cache/pacman/pkg\" "
	"--hookdir \"$root/etc/pacman.d/hooks\" \"$@\"\n"
	"gpgconf --homedir \"$gpgdir\" --kill all || :\n"
	"rm -rf \"$root\"/var/cache/pacman/pkg/* \"$gpgdir\"/S.*\n"
	"[ -z \"$mirror\" ] || printf 'Server = %s\\n' \"$mirror\" "
	">\"$root/etc/pacman.d/mirrorlist\"\n";

/* Whether the host's own list of mirrors has any. */
static bool host_has_mirrors(void)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (fs_read_host(MIRRORLIST, MIRRORLIST_MAX, &text, &len) < 0)
		return false;
	return !strncmp(text, "Server", 6) || strstr(text, "\nServer");
}

static int plan_pacman(const struct making *m, struct command *ret, struct err *e)
{
	const struct bootstrap_options *o = m->options;
	_cleanup_strbuf_ struct strbuf mirror = { 0 };
	struct strvec *argv = &ret->argv;
	_cleanup_free_ char *keys = NULL;
	size_t len;

	if (!o->mirror && !host_has_mirrors())
		return err_msg(e, EINVAL,
			       "this host's " MIRRORLIST " names no mirror; use --mirror URL");
	if (m->keyring < 0 && fs_read_host(KEYS, MIRRORLIST_MAX << 4, &keys, &len) < 0)
		return err_msg(e, ENOENT,
			       "the keys of Arch Linux are not here; install the package "
			       "archlinux-keyring, or give them by --keyring");
	if (o->mirror)
		strbuf_printf(&mirror, "%s%s", o->mirror,
			      strstr(o->mirror, "$repo") ? "" : "/$repo/os/$arch");
	strbuf_printf(&ret->input,
		      "[options]\nArchitecture = %s\nSigLevel = Required DatabaseOptional\n",
		      m->arch->machine);
	for (int i = 0; i < 2; i++)
		strbuf_printf(&ret->input, "[%s]\n%s%s\n", i ? "extra" : "core",
			      o->mirror ? "Server = " : "Include = " MIRRORLIST,
			      strbuf_str(&mirror));
	strvec_add(argv, "sh");
	strvec_add(argv, "-c");
	strvec_add(argv, script);
	strvec_add(argv, "sh");
	strvec_add(argv, DRIVER_ROOT);
	strvec_add(argv, m->keyring >= 0 ? driver_keyring(m) : "");
	strvec_add(argv, strbuf_str(&mirror));
	strvec_add(argv, "--config");
	strvec_add(argv, "/dev/stdin");
	strvec_add(argv, "--noconfirm");
	strvec_add(argv, "--noprogressbar");
	strvec_add(argv, "--assume-installed");
	strvec_add(argv, "initramfs");
	strvec_add(argv, "-Sy");
	strvec_add(argv, "base");
	if (m->kernel)
		strvec_add(argv, m->driver->kernel);
	driver_add_packages(m, argv);
	return mirror.failed ? err_oom(e) : 0;
}

static const struct cause causes[] = {
	{ "unknown trust",
	  "a package is signed by a key that is not trusted; give the right one by "
	  "--keyring" },
	{ "required key missing",
	  "a package is signed by a key that is not trusted; give the right "
	  "one by --keyring" },
	{ "invalid or corrupted package", "a package has no right signature" },
	{ "missing required signature", "a package is not signed" },
	{ "Could not resolve host", "the mirror's name is not known; is there a network?" },
	{ "Failed to connect", "the mirror does not answer" },
	{ "target not found", "the mirror has no such package" },
	{ "error: 404", "the mirror has no such repository" },
	{ "No space left on device", "there is no room left" },
	{ NULL, NULL },
};

const struct driver_tool driver_arch_tools[] = {
	{ "pacman", "pacman of Arch, Fedora; pacman-package-manager of Debian, Ubuntu", plan_pacman,
	  NULL, causes },
	{ 0 },
};
