/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/edit/accounts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "rootfs-tools/edit/accounts_lines.h"
#include "runner/base/cleanup.h"

#define NAME_BYTES_MAX 32    /* useradd's; utmp(5) has no room for more */
#define AGING "0:99999:7:::" /* as passwd sets it: no change is forced */

const char *accounts_file_name(enum accounts_file file)
{
	static const char *const names[ACCOUNTS_FILES] = { "passwd",  "shadow", "group",
							   "gshadow", "subuid", "subgid" };

	return names[file];
}

void accounts_changed_free(struct accounts_changed *changed)
{
	for (unsigned int i = 0; i < ACCOUNTS_FILES; i++)
		strbuf_free(&changed->file[i]);
}

int accounts_check_name(const char *name, struct err *e)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.-"
				      "0123456789";
	size_t len = strlen(name), good = strspn(name, letters);
	bool dollar = good && good + 1 == len && name[good] == '$';

	if (!len || len > NAME_BYTES_MAX || *name == '-' || (good != len && !dollar) ||
	    strspn(name, "0123456789") == len || !strcmp(name, ".") || !strcmp(name, ".."))
		return err_msg(e, EINVAL,
			       "'%s' is no name for a user; use up to %d letters, digits, '_', "
			       "'.' and '-', not digits alone, no '-' in front",
			       name, NAME_BYTES_MAX);
	return 0;
}

static struct span text_of(const struct accounts_texts *in, enum accounts_file file)
{
	return (struct span){ in->file[file].text, in->file[file].len };
}

int accounts_find(const char *passwd, size_t len, const char *user, struct account *ret,
		  struct err *e)
{
	struct span rest = { passwd, len };
	struct account found;
	struct line line;

	while (accounts_next_line(&rest, PASSWD_FIELDS, &line)) {
		/* glibc passes over what has no home and shell. */
		if (line.n < PASSWD_FIELDS || !span_is(line.f[0], user))
			continue;
		if (!accounts_parse(&line, &found))
			return err_msg(e, EBADMSG,
				       "the line of user '%s' in /etc/passwd cannot be used; it "
				       "should be NAME:x:UID:GID:COMMENT:HOME:SHELL",
				       user);
		*ret = found;
		return 0;
	}
	return -ENOENT;
}

int accounts_each(const char *passwd, size_t len, int (*each)(const struct account *, void *arg),
		  void *arg)
{
	struct span rest = { passwd, len };
	struct account account;
	struct line line;
	int r = 0;

	while (r == 0 && accounts_next_line(&rest, PASSWD_FIELDS, &line))
		if (accounts_parse(&line, &account))
			r = each(&account, arg);
	return r;
}

/* --- changes --- */

static void add_span(struct strbuf *out, struct span span)
{
	strbuf_add(out, span.p, span.len);
}

/* What is put behind the last line: it may lack its newline. */
static void end_line(struct strbuf *out)
{
	if (out->len && out->data[out->len - 1] != '\n')
		strbuf_putc(out, '\n');
}

/* A field's text may not end the field, or the line. */
static int check_field(const char *what, const char *text, struct err *e)
{
	for (const char *p = text; *p; p++)
		if (*p == ':' || text_is_control(p, text))
			return err_msg(e, EINVAL,
				       "%s '%s' cannot be written to /etc/passwd: it has a colon "
				       "or a control character",
				       what, text);
	return 0;
}

static int check_hash(const char *hash, struct err *e)
{
	int r = *hash ? 0 :
			err_msg(e, EINVAL,
				"no password at all lets anybody in; use \"!\" to "
				"lock the user");

	for (const char *p = hash; r == 0 && *p; p++)
		if (*p == ':' || *p <= ' ' || *p >= 0x7f)
			r = err_msg(e, EINVAL, "that is no password hash; crypt(5) has what is");
	return r;
}

/* Of a user that is there: other tools have other rules for names. */
static int check_existing(const char *user, struct err *e)
{
	if (!*user || strchr("+-# ", *user) || check_field("user", user, e) < 0)
		return err_msg(e, EINVAL, "'%s' cannot be the name of a user", user);
	return 0;
}

static void add_shadow_line(struct strbuf *out, const char *user, const char *hash, long day)
{
	end_line(out);
	strbuf_printf(out, "%s:%s:%ld:" AGING "\n", user, hash, day);
}

/* The bytes of a line from its field @field on; it has that one. */
static struct span from_field(const struct line *line, unsigned int field)
{
	const char *p = line->f[field].p;

	return (struct span){ p, (size_t)(line->whole.p + line->whole.len - p) };
}

static void change_shadow_line(struct strbuf *out, const struct line *line, const char *hash,
			       long day)
{
	strbuf_add(out, line->whole.p, (size_t)(line->f[0].p - line->whole.p) + line->f[0].len);
	strbuf_printf(out, ":%s:%ld:", hash, day);
	/* One that was cut short gets what is missing. */
	if (line->n < SHADOW_FIELDS)
		strbuf_puts(out, AGING "\n");
	else
		add_span(out, from_field(line, 3));
}

int accounts_set_hash(const char *shadow, size_t len, const char *user, const char *hash, long day,
		      struct strbuf *out, struct err *e)
{
	struct span rest = { shadow, len };
	struct line line;
	bool found = false;
	int r = check_existing(user, e);

	if (r == 0)
		r = check_hash(hash, e);
	if (r < 0)
		return r;
	while (accounts_next_line(&rest, SHADOW_FIELDS, &line)) {
		if (line.n && span_is(line.f[0], user)) {
			change_shadow_line(out, &line, hash, day);
			found = true;
		} else {
			add_span(out, line.whole);
		}
	}
	if (!found)
		add_shadow_line(out, user, hash, day);
	return out->failed ? err_oom(e) : 0;
}

/* Return: whether it was there. */
static bool point_to_shadow(struct span rest, const char *user, struct strbuf *out)
{
	struct line line;
	bool found = false;

	while (accounts_next_line(&rest, PASSWD_FIELDS, &line)) {
		if (line.n < 3 || !span_is(line.f[0], user)) {
			add_span(out, line.whole);
			continue;
		}
		found |= line.n == PASSWD_FIELDS;
		strbuf_add(out, line.whole.p, (size_t)(line.f[1].p - line.whole.p));
		strbuf_puts(out, "x:");
		add_span(out, from_field(&line, 2));
	}
	return found;
}

int accounts_set_password(const struct accounts_texts *in, const char *user, const char *hash,
			  long day, struct accounts_changed *ret, struct err *e)
{
	struct strbuf *passwd = &ret->file[ACCOUNTS_PASSWD];
	struct span shadow = text_of(in, ACCOUNTS_SHADOW);

	if (!point_to_shadow(text_of(in, ACCOUNTS_PASSWD), user, passwd))
		return err_msg(e, ENOENT, "there is no user '%s' in /etc/passwd; add it first",
			       user);
	if (passwd->failed)
		return err_oom(e);
	return accounts_set_hash(shadow.p, shadow.len, user, hash, day, &ret->file[ACCOUNTS_SHADOW],
				 e);
}

/* --- new users --- */

struct used_ids {
	bool taken[ACCOUNTS_ID_MAX + 1 - ACCOUNTS_ID_MIN];
};

/* Marks the ids of a file's lines. Return: whether @name is one of theirs. */
static bool note_used(struct span rest, unsigned int fields, const char *name,
		      struct used_ids *used)
{
	struct line line;
	bool named = false;
	uint32_t id;

	while (accounts_next_line(&rest, fields, &line)) {
		named |= line.n && span_is(line.f[0], name);
		for (unsigned int i = 2; i < line.n && i < 4; i++)
			if (span_id(line.f[i], &id) && id >= ACCOUNTS_ID_MIN &&
			    id <= ACCOUNTS_ID_MAX)
				used->taken[id - ACCOUNTS_ID_MIN] = true;
	}
	return named;
}

/* Lowest id that neither a user nor a group has. */
static int choose_id(const struct accounts_texts *in, const char *name, uint32_t *ret,
		     struct err *e)
{
	struct used_ids used = { 0 };
	bool user = note_used(text_of(in, ACCOUNTS_PASSWD), PASSWD_FIELDS, name, &used);
	bool group = note_used(text_of(in, ACCOUNTS_GROUP), GROUP_FIELDS, name, &used);

	if (user || group)
		return err_msg(e, EEXIST, "%s '%s' exists; choose another name",
			       user ? "user" : "group", name);
	for (uint32_t id = ACCOUNTS_ID_MIN; id <= ACCOUNTS_ID_MAX; id++) {
		if (used.taken[id - ACCOUNTS_ID_MIN])
			continue;
		*ret = id;
		return 0;
	}
	return err_msg(e, ENOSPC, "every id from %u to %u is some user's or group's; remove some",
		       ACCOUNTS_ID_MIN, ACCOUNTS_ID_MAX);
}

static void begin(const struct accounts_texts *in, enum accounts_file file,
		  struct accounts_changed *ret)
{
	add_span(&ret->file[file], text_of(in, file));
	end_line(&ret->file[file]);
}

static void add_lines(const struct accounts_texts *in, const struct account *a, const char *comment,
		      struct accounts_changed *ret)
{
	begin(in, ACCOUNTS_PASSWD, ret);
	strbuf_printf(&ret->file[ACCOUNTS_PASSWD], "%s:x:%" PRIu32 ":%" PRIu32 ":%s:%s:%s\n",
		      a->name, a->uid, a->gid, comment, a->home, a->shell);
	begin(in, ACCOUNTS_GROUP, ret);
	strbuf_printf(&ret->file[ACCOUNTS_GROUP], "%s:x:%" PRIu32 ":\n", a->name, a->gid);
	if (!in->file[ACCOUNTS_GSHADOW].text)
		return;
	begin(in, ACCOUNTS_GSHADOW, ret);
	strbuf_printf(&ret->file[ACCOUNTS_GSHADOW], "%s:!::\n", a->name);
}

/* Return: 0, or -EINVAL for what cannot be a field. */
static int fill(const struct account_new *new, struct account *ret, struct err *e)
{
	const char *shell = new->shell ? new->shell : "/bin/sh";
	int n, r = accounts_check_name(new->name, e);

	if (r < 0)
		return r;
	snprintf(ret->name, sizeof(ret->name), "%s", new->name);
	n = snprintf(ret->home, sizeof(ret->home), "%s%s", new->home ? "" : "/home/",
		     new->home ? new->home : new->name);
	if (n < 0 || (size_t)n >= sizeof(ret->home) || *ret->home != '/' ||
	    strlen(shell) >= sizeof(ret->shell) || *shell != '/')
		return err_msg(e, EINVAL,
			       "user '%s': home and shell must be absolute paths, not "
			       "longer than a path can be",
			       new->name);
	snprintf(ret->shell, sizeof(ret->shell), "%s", shell);
	r = check_field("home", ret->home, e);
	return r == 0 ? check_field("shell", ret->shell, e) : r;
}

int accounts_add_user(const struct accounts_texts *in, const struct account_new *account, long day,
		      struct accounts_changed *ret, struct account *ret_account, struct err *e)
{
	struct span shadow = text_of(in, ACCOUNTS_SHADOW);
	const char *comment = account->comment ? account->comment : "";
	struct account a = { 0 };
	int r = fill(account, &a, e);

	if (r == 0)
		r = check_field("comment", comment, e);
	if (r == 0)
		r = choose_id(in, a.name, &a.uid, e);
	if (r < 0)
		return r;
	a.gid = a.uid;
	add_lines(in, &a, comment, ret);
	/* A line that an earlier user of that name left behind must not let anybody in. */
	r = accounts_set_hash(shadow.p, shadow.len, a.name, account->hash ? account->hash : "!",
			      day, &ret->file[ACCOUNTS_SHADOW], e);
	for (unsigned int i = 0; r == 0 && i < ACCOUNTS_FILES; i++)
		if (ret->file[i].failed)
			r = err_oom(e);
	if (r == 0)
		*ret_account = a;
	return r;
}
