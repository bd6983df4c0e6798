/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/bootstrap/driver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/spec/nearest.h"

#define WORD_MAX 4096
#define BINFMT_DIR "/proc/sys/fs/binfmt_misc/"

static const char *const debian_variants[] = { "minbase",  "apt",	"essential",
					       "required", "important", "standard",
					       "buildd",   "extract",	NULL };
static const char *const fedora_variants[] = { "minimal", "core", NULL };

static const struct driver drivers[] = {
	{ .distro = "debian",
	  .suite = "trixie",
	  .variants = debian_variants,
	  .kernel = "linux-image-amd64",
	  .tools = driver_debian_tools },
	{ .distro = "ubuntu",
	  .suite = "noble",
	  .variants = debian_variants,
	  .kernel = "linux-image-virtual",
	  .tools = driver_debian_tools },
	{ .distro = "arch", .kernel = "linux", .tools = driver_arch_tools },
	{ .distro = "alpine", .kernel = "linux-virt", .archive = true, .make = driver_alpine_make },
	{ .distro = "fedora",
	  .suite = "42",
	  .variants = fedora_variants,
	  .kernel = "kernel-core",
	  .tools = driver_fedora_tools },
};

static const struct arch archs[] = {
	{ "x86_64", "amd64", NULL, "qemu-x86_64" },
	{ "i686", "i386", "x86_64", "qemu-i386" },
	{ "aarch64", "arm64", NULL, "qemu-aarch64" },
	{ "armv7l", "armhf", "aarch64", "qemu-arm" },
	{ "riscv64", "riscv64", NULL, "qemu-riscv64" },
	{ "ppc64le", "ppc64el", NULL, "qemu-ppc64le" },
	{ "s390x", "s390x", NULL, "qemu-s390x" },
};

const struct driver *driver_find(const char *distro, struct err *e)
{
	struct nearest nearest;

	nearest_begin(&nearest, distro, strlen(distro));
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		if (!strcmp(drivers[i].distro, distro))
			return &drivers[i];
		nearest_offer(&nearest, drivers[i].distro);
	}
	if (nearest.name)
		err_msg(e, EINVAL, "unknown distribution '%.100s'; did you mean %s?", distro,
			nearest.name);
	else
		err_msg(e, EINVAL, "unknown distribution '%.100s'; it is one of " BOOTSTRAP_DISTROS,
			distro);
	return NULL;
}

/* --- words --- */

/* What is no word of a command line, of a shell, of a file of settings but itself. */
static int check_word(const char *option, const char *value, const char *also, struct err *e)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	char allowed[96];

	snprintf(allowed, sizeof(allowed), "%s%s", letters, also);
	if (!*value || value[0] == '-' || strspn(value, allowed) != strlen(value) ||
	    strlen(value) > WORD_MAX)
		return err_msg(e, EINVAL, "--%s: '%.100s' is not letters, digits and any of %s",
			       option, value, also);
	return 0;
}

int driver_check_url(const char *option, const char *value, struct err *e)
{
	if (strncmp(value, "http://", 7) != 0 && strncmp(value, "https://", 8) != 0)
		return err_msg(e, EINVAL, "--%s: '%.100s' is no URL of http or https", option,
			       value);
	return check_word(option, value, ":/.-_~%+@=?&,[]$", e);
}

static int check_packages(const char *value, struct err *e)
{
	int r = check_word("include", value, "+-.:~_@/=,", e);

	for (const char *p = value; r == 0 && (p = strchr(p, ',')); p++)
		if (p == value || !p[1] || p[1] == ',' || p[1] == '-')
			r = err_msg(e, EINVAL, "--include: '%.100s' is no PACKAGE[,PACKAGE...]",
				    value);
	return r;
}

/* Options that say nothing to this driver are refused. */
static int check_given(const struct making *m, struct err *e)
{
	const struct bootstrap_options *o = m->options;
	const struct driver *d = m->driver;
	const struct {
		const char *name, *value;
		bool known;
	} options[] = {
		{ "suite", o->suite, d->suite != NULL },
		{ "variant", o->variant, d->variants != NULL },
		{ "mirror", o->mirror, !d->archive },
		{ "keyring", o->keyring, !d->archive },
		{ "archive", o->archive, d->archive },
		{ "sha256", o->sha256, d->archive },
		{ "guest-kernel", o->guest_kernel, d->archive },
		{ "guest-modules", o->guest_modules, d->archive },
	};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (options[i].value && !options[i].known)
			return err_msg(e, EINVAL, "--%s has no meaning for %s", options[i].name,
				       d->distro);
	if (o->kernel && o->no_kernel)
		return err_msg(e, EINVAL, "--kernel and --no-kernel exclude each other");
	return 0;
}

static int check_words(const struct making *m, struct err *e)
{
	const struct bootstrap_options *o = m->options;
	int r = check_given(m, e);

	if (r == 0 && o->suite)
		r = check_word("suite", o->suite, "-._/", e);
	if (r == 0 && o->mirror)
		r = driver_check_url("mirror", o->mirror, e);
	if (r == 0 && o->include)
		r = check_packages(o->include, e);
	return r;
}

void driver_add_packages(const struct making *m, struct strvec *argv)
{
	const char *p = m->options->include;

	while (p && *p) {
		size_t len = strcspn(p, ",");

		strvec_addf(argv, "%.*s", (int)len, p);
		p += len + (p[len] == ',');
	}
}

/* --- what follows from them --- */

static int choose_variant(struct making *m, struct err *e)
{
	const char *const *variants = m->driver->variants;
	_cleanup_strbuf_ struct strbuf known = { 0 };

	m->variant = variants ? variants[0] : NULL;
	if (!variants || !m->options->variant)
		return 0;
	for (size_t i = 0; variants[i]; i++) {
		m->variant = variants[i];
		if (!strcmp(m->variant, m->options->variant))
			return 0;
		strbuf_printf(&known, "%s%s", i ? ", " : "", variants[i]);
	}
	return err_msg(e, EINVAL, "--variant: '%.100s' is none of %s's: %s", m->options->variant,
		       m->driver->distro, strbuf_str(&known));
}

/* Whether the host's kernel runs its programs, in a chroot too. */
static bool has_interpreter(const struct arch *arch)
{
	_cleanup_free_ char *text = NULL;
	const char *flags;
	char path[96];
	size_t len;

	snprintf(path, sizeof(path), BINFMT_DIR "%s", arch->binfmt);
	if (fs_read_host(path, 4096, &text, &len) < 0 || strncmp(text, "enabled", 7) != 0)
		return false;
	/* "F": it was opened when it was registered, and need not be in the new root. */
	flags = strstr(text, "\nflags: ");
	return flags && memchr(flags + 8, 'F', strcspn(flags + 8, "\n"));
}

static int choose_arch(struct making *m, struct err *e)
{
	const char *wanted = m->options->arch;
	struct utsname host;

	if (uname(&host) < 0)
		return err_errno(e, errno, "cannot find out which machine this is");
	for (size_t i = 0; i < ARRAY_SIZE(archs) && !m->arch; i++)
		if (!strcmp(archs[i].machine, wanted ? wanted : host.machine) ||
		    (wanted && !strcmp(archs[i].debian, wanted)))
			m->arch = &archs[i];
	if (!m->arch)
		return err_msg(e, EINVAL,
			       "unknown architecture '%.60s'; use --arch with one such as "
			       "amd64 or arm64",
			       wanted ? wanted : host.machine);
	if (strcmp(m->arch->machine, host.machine) != 0 &&
	    !(m->arch->native_on && !strcmp(m->arch->native_on, host.machine)) &&
	    !has_interpreter(m->arch))
		return err_msg(e, ENOEXEC,
			       "this host cannot run programs of %s, of which the new root is "
			       "full; "
			       "install qemu-user-static with its binfmt_misc registration",
			       m->arch->debian);
	return 0;
}

static int choose_kernel(struct making *m, struct err *e)
{
	bool ours = !strcmp(m->arch->machine, "x86_64");

	m->kernel = !m->options->no_kernel;
	if (m->kernel && !ours)
		return err_msg(e, EINVAL,
			       "no guest of vmrun's boots a kernel of %s; use --no-kernel",
			       m->arch->debian);
	return 0;
}

static int choose_tool(struct making *m, struct err *e)
{
	_cleanup_strbuf_ struct strbuf missing = { 0 };

	for (const struct driver_tool *t = m->driver->tools; t && t->program; t++) {
		if (tool_exists(t->program)) {
			m->tool = t;
			return 0;
		}
		strbuf_printf(&missing, "%s%s (package %s)", missing.len ? ", or else " : "",
			      t->program, t->brought_by);
	}
	if (!m->driver->tools)
		return 0;
	return err_msg(e, ENOENT, "bootstrapping %s needs a program that this host has not: %s",
		       m->driver->distro, strbuf_str(&missing));
}

int driver_choose(struct making *m, struct err *e)
{
	int r = check_words(m, e);

	if (r == 0)
		r = choose_variant(m, e);
	if (r == 0)
		r = choose_arch(m, e);
	if (r == 0)
		r = choose_kernel(m, e);
	if (r == 0)
		r = choose_tool(m, e);
	m->suite = m->options->suite ? m->options->suite : m->driver->suite;
	return r;
}

const char *driver_keyring(const struct making *m)
{
	/* apt goes by the name whether it is armored. */
	return m->keyring_armored ? TOOL_DIR "/keyring.asc" : TOOL_DIR "/keyring.gpg";
}
