/* SPDX-License-Identifier: MIT */
/* Where in the world: time zone and language. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "rootfs-tools/edit/edit.h"
#include "rootfs-tools/edit/locale.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/spec/spec_value.h"

#define ZONEINFO "/usr/share/zoneinfo/"
#define TZIF_MAX (1u << 20) /* bytes; the largest of tzdata's have 4 KB */

static const struct change_attrs new_file = { .mode = 0644 };

static bool is_debian(const struct edits *t)
{
	return edits_has(t, "/etc/debian_version");
}

/* Letters, digits, and @more. */
static bool is_made_of(const char *value, const char *more)
{
	for (const char *p = value; *p; p++)
		if (!((*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') ||
		      (*p >= 'a' && *p <= 'z') || strchr(more, *p)))
			return false;
	return *value != '\0';
}

static int keep_name(struct edit *edit, const char *value, struct err *e)
{
	edit->name = strdup(value);
	return edit->name ? 0 : err_oom(e);
}

/* --- --timezone --- */

static int parse_timezone(struct edit *edit, const char *value, struct err *e)
{
	/* No dot, so no "..", either. */
	if (!is_made_of(value, "_+-/") || *value == '/' || strlen(value) > 100)
		return spec_value_bad(value, "is no time zone; give one as Europe/Berlin", e);
	return keep_name(edit, value, e);
}

static int apply_timezone(struct edits *t, const struct edit *edit, struct err *e)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX], magic[4];
	int r;

	snprintf(path, sizeof(path), ZONEINFO "%s", edit->name);
	r = fs_open_regular(t->root, path, TZIF_MAX, &fd, NULL);
	if (r == -ENOENT)
		return err_msg(e, ENOENT, "the root directory has no %s; %s", path,
			       edits_has(t, ZONEINFO "Etc") ? "look there for what it has" :
							      "--package tzdata before");
	if (r < 0)
		return err_errno(e, -r, "cannot open %s of the root directory", path);
	if (pread(fd, magic, sizeof(magic), 0) != sizeof(magic) ||
	    memcmp(magic, "TZif", sizeof(magic)) != 0)
		return err_msg(e, EINVAL, "%s of the root directory is no time zone", path);
	r = edits_symlink(t, "/etc/localtime", path, e);
	if (r < 0 || (!is_debian(t) && !edits_has(t, "/etc/timezone")))
		return r;
	snprintf(path, sizeof(path), "%s\n", edit->name);
	return edits_write(t, "/etc/timezone", &new_file, path, strlen(path), e);
}

/* --- --locale --- */

static int parse_locale(struct edit *edit, const char *value, struct err *e)
{
	struct locale_parts parts;

	if (locale_parse(value, &parts) < 0)
		return spec_value_bad(value, "is no locale; give one as de_DE.UTF-8", e);
	return keep_name(edit, value, e);
}

static int edit_text(struct edits *t, const char *path, const char *locale,
		     void (*change)(const char *, size_t, const char *, struct strbuf *),
		     struct err *e)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = edits_read(t, path, &text, &len, e);

	if (r < 0)
		return r;
	change(text, len, locale, &out);
	if (out.failed)
		return err_oom(e);
	return edits_write(t, path, &new_file, out.data, out.len, e);
}

static int apply_locale(struct edits *t, const struct edit *edit, struct err *e)
{
	bool debian = is_debian(t);
	const char *path = debian ? "/etc/default/locale" : "/etc/locale.conf";
	int r = debian ? edits_mkdir(t, "/etc/default", e) : 0;
	struct locale_parts parts = { 0 };
	char input[PATH_MAX];

	t->said->locale_def = false;
	if (r == 0)
		r = edit_text(t, path, edit->name, locale_conf_set, e);
	if (r < 0 || locale_is_built_in(edit->name))
		return r;
	/* For all that make it anew later on. */
	if (edits_has(t, "/etc/locale.gen"))
		r = edit_text(t, "/etc/locale.gen", edit->name, locale_gen_enable, e);
	locale_parse(edit->name, &parts);
	snprintf(input, sizeof(input), "/usr/share/i18n/locales/%s", parts.input);
	if (edits_has(t, input) && edits_has(t, "/usr/bin/localedef"))
		t->said->locale_def = true;
	else if (r == 0 && debian)
		edits_warn(t,
			   "the root directory has nothing to make locale %s of, so programs will "
			   "use C; --package locales before",
			   edit->name);
	return r;
}

/*
 * Not by locale-gen: that puts it into an archive, which localedef changes when it has no
 * name any more; over 9p that fails, and locale-gen does not say so.
 */
static void run_localedef(const struct edit *edit, const struct edits_said *said,
			  struct strvec *words)
{
	struct locale_parts parts = { 0 };

	if (!said->locale_def)
		return;
	locale_parse(edit->name, &parts);
	strvec_add(words, "sh");
	strvec_add(words, "-c");
	/* It fails for mere warnings, too; so it is asked what came of it. */
	strvec_add(words, "localedef -c --no-archive -A /usr/share/locale/locale.alias "
			  "-i \"$1\" -f \"$2\" \"$3\"; "
			  "test -z \"$(LC_ALL=$3 locale charmap 2>&1 >/dev/null)\"");
	strvec_add(words, "sh");
	strvec_add(words, parts.input);
	strvec_add(words, parts.charset);
	strvec_add(words, edit->name);
}

const struct edit_kind edit_locale[] = {
	{ .name = "timezone", .parse = parse_timezone, .apply = apply_timezone },
	{ .name = "locale", .parse = parse_locale, .apply = apply_locale, .guest = run_localedef },
	{ 0 },
};
