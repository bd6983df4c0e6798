/* SPDX-License-Identifier: MIT */
/*
 * What only a guest over the root can do: its own programs are run by its own kernel,
 * behind vmrun's jail, and never by the host. No text is ever put into a shell's: what
 * is given becomes arguments or standard input of the fixed ones below.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "rootfs-tools/edit/edit.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/spec/spec_value.h"

#define SCRIPT_MAX ((uint64_t)64 << 20) /* bytes: it goes to the guest's memory */

static void add_shell(struct strvec *words, const char *text, const char *name)
{
	strvec_add(words, "sh");
	strvec_add(words, "-c");
	/* What begins with '-' is text, too. */
	strvec_add(words, "--");
	strvec_add(words, text);
	strvec_add(words, name);
}

/* --- --run --- */

static int parse_run(struct edit *edit, const char *value, struct err *e)
{
	if (!*value)
		return err_msg(e, EINVAL, "the command is empty");
	edit->name = strdup(value);
	return edit->name ? 0 : err_oom(e);
}

static void run_command(const struct edit *edit, const struct edits_said *said,
			struct strvec *words)
{
	(void)said;
	add_shell(words, edit->name, "sh");
}

/* --- --script --- */

static int parse_script(struct edit *edit, const char *value, struct err *e)
{
	int r = fs_open_host_file(value, SCRIPT_MAX, &edit->fd);

	if (r < 0)
		return err_errno(e, -r, "cannot open '%s'", value);
	return parse_run(edit, value, e);
}

static void run_script(const struct edit *edit, const struct edits_said *said, struct strvec *words)
{
	(void)edit;
	(void)said;
	/* In the guest's memory, so that nothing of it is left. It has a "#!" of its own. */
	add_shell(words,
		  "(umask 077 && cat >/run/vmrun-script) && chmod 700 /run/vmrun-script && "
		  "exec /run/vmrun-script </dev/null",
		  "sh");
}

/* --- --package --- */

/* The first that the root has. Packages are the arguments; none begins with '-'. */
static const struct {
	const char *has;
	const char *shell;
} managers[] = {
	{ "/usr/bin/apt-get", "export DEBIAN_FRONTEND=noninteractive; apt-get -q update && "
			      "exec apt-get -q -y -o Dpkg::Options::=--force-confdef "
			      "-o Dpkg::Options::=--force-confold install \"$@\"" },
	{ "/usr/bin/dnf", "exec dnf -y install \"$@\"" },
	{ "/usr/bin/pacman", "exec pacman -Sy --noconfirm --needed \"$@\"" },
	{ "/sbin/apk", "exec apk add -U \"$@\"" },
};

/* In struct edit: .text the names, each with its NUL. */
static int parse_package(struct edit *edit, const char *value, struct err *e)
{
	if (!*value || *value == '-' || strlen(value) > 255 || strpbrk(value, " \t\r\n"))
		return spec_value_bad(value, "is no package's name", e);
	strbuf_add(&edit->text, value, strlen(value) + 1);
	return edit->text.failed ? err_oom(e) : 0;
}

static void merge_package(struct edit *edit, struct edit *later)
{
	strbuf_add(&edit->text, later->text.data, later->text.len);
}

static int apply_package(struct edits *t, const struct edit *edit, struct err *e)
{
	(void)edit;
	for (size_t i = 0; i < ARRAY_SIZE(managers); i++)
		if (edits_has(t, managers[i].has)) {
			t->said->package_manager = (int)i;
			return 0;
		}
	return err_msg(e, ENOENT,
		       "the root directory has no apt-get, no dnf, no pacman and no apk");
}

static void run_package(const struct edit *edit, const struct edits_said *said,
			struct strvec *words)
{
	const char *p = edit->text.data;

	add_shell(words, managers[said->package_manager].shell, "sh");
	for (; p < edit->text.data + edit->text.len; p += strlen(p) + 1)
		strvec_add(words, p);
}

const struct edit_kind edit_guest[] = {
	{ .name = "run", .parse = parse_run, .guest = run_command },
	{ .name = "script", .parse = parse_script, .guest = run_script },
	{ .name = "package",
	  .parse = parse_package,
	  .apply = apply_package,
	  .guest = run_package,
	  .merge = merge_package },
	{ 0 },
};
