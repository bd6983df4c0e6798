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
	if (!is_made_of(value, "_.@-") || strlen(value) > 100)
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
	bool debian = is_debian(t), generated = edits_has(t, "/etc/locale.gen");
	const char *path = debian ? "/etc/default/locale" : "/etc/locale.conf";
	int r = debian ? edits_mkdir(t, "/etc/default", e) : 0;

	t->said->locale_gen = false;
	if (r == 0)
		r = edit_text(t, path, edit->name, locale_conf_set, e);
	if (r < 0 || locale_is_built_in(edit->name))
		return r;
	if (generated)
		r = edit_text(t, "/etc/locale.gen", edit->name, locale_gen_enable, e);
	if (r == 0 && generated && edits_has(t, "/usr/sbin/locale-gen"))
		t->said->locale_gen = true;
	else if (r == 0 && debian)
		edits_warn(t,
			   "nothing in the root makes locale %s, so programs will use C; --package "
			   "locales before",
			   edit->name);
	return r;
}

static void run_locale_gen(const struct edit *edit, const struct edits_said *said,
			   struct strvec *words)
{
	(void)edit;
	if (said->locale_gen)
		strvec_add(words, "locale-gen");
}

const struct edit_kind edit_locale[] = {
	{ .name = "timezone", .parse = parse_timezone, .apply = apply_timezone },
	{ .name = "locale", .parse = parse_locale, .apply = apply_locale, .guest = run_locale_gen },
	{ 0 },
};
