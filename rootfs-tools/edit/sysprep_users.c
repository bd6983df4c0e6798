/* SPDX-License-Identifier: MIT */
/*
 * A home goes with its user where it lies below /home, and nobody who stays lives in it
 * or below it: passwd(5) is hostile and may say "/home/..", or name another's home.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs-tools/edit/accounts_files.h"
#include "rootfs-tools/edit/identity.h"
#include "rootfs-tools/edit/sysprep_ops.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"

#define LOGIN_DEFS_MAX 65536
#define HOMES "/home/"

struct users {
	const char *remove, *keep;
	unsigned long id_min, id_max;
	struct strvec homes; /* of those that go */
};

static bool is_listed(const char *list, const char *name)
{
	size_t name_len = strlen(name);

	for (;;) {
		size_t len = strcspn(list, ",");

		if (len == name_len && !memcmp(list, name, len))
			return true;
		if (!list[len])
			return false;
		list += len + 1;
	}
}

/* Called once a user. */
static bool goes(const struct account *account, void *arg)
{
	struct users *u = arg;
	bool is_person = account->uid >= u->id_min && account->uid <= u->id_max;

	if (!account->uid || !strcmp(account->name, "root"))
		return false;
	if (u->remove ? !is_listed(u->remove, account->name) :
			!is_person || (u->keep && is_listed(u->keep, account->name)))
		return false;
	strvec_add(&u->homes, account->home);
	return true;
}

/* The number behind @name in login.defs(5). */
static unsigned long id_limit(const char *text, const char *name, unsigned long otherwise)
{
	size_t len = strlen(name);

	for (; text; text = strchr(text, '\n')) {
		char *end;
		unsigned long id;

		text += strspn(text, " \t\n");
		if (strncmp(text, name, len) != 0 || !strspn(text + len, " \t"))
			continue;
		errno = 0;
		id = strtoul(text + len, &end, 10);
		if (!errno && end != text + len && id)
			return id;
	}
	return otherwise;
}

static void find_limits(int root, struct users *u)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (fs_read_regular(root, "/etc/login.defs", LOGIN_DEFS_MAX, &text, &len) < 0)
		text = NULL;
	u->id_min = id_limit(text, "UID_MIN", ACCOUNTS_ID_MIN);
	u->id_max = id_limit(text, "UID_MAX", ACCOUNTS_ID_MAX);
}

/* --- homes --- */

/* Whether somebody who stays lives in it, or below it. */
static int lives_there(const struct account *account, void *arg)
{
	const char *home = arg;
	size_t len = strlen(home);

	return !strncmp(account->home, home, len) &&
	       (!account->home[len] || account->home[len] == '/');
}

static int remove_homes(struct sweep *s, const struct users *u, const struct strbuf *passwd,
			struct err *e)
{
	struct err why;
	int r = 0;

	for (size_t i = 0; r == 0 && i < u->homes.n; i++) {
		char *home = u->homes.v[i];

		if (strncmp(home, HOMES, strlen(HOMES)) != 0 || !sweep_is_plain(home))
			continue;
		if (!accounts_each(strbuf_str(passwd), passwd->len, lives_there, home)) {
			r = sweep_remove_tree(s, home, e);
			continue;
		}
		err_msg(&why, EBUSY, "'%.300s' is left, as somebody lives there who stays", home);
		losses_add(s->losses, 0, "%s", why.text);
	}
	return r;
}

/* --- accounts --- */

static int tell_unknown(const char *list, const struct accounts_texts *texts, struct losses *losses,
			struct err *e)
{
	for (;;) {
		size_t len = strcspn(list, ",");
		_cleanup_free_ char *name = strndup(list, len);
		struct account account;

		if (!name)
			return err_oom(e);
		if (accounts_find(texts->file[ACCOUNTS_PASSWD].text,
				  texts->file[ACCOUNTS_PASSWD].len, name, &account, e) == -ENOENT)
			losses_add(losses, 0, "there is no user '%.100s'", name);
		else if (!account.uid)
			losses_add(losses, 0, "'%.100s' is root, and stays", name);
		if (!list[len])
			return 0;
		list += len + 1;
	}
}

static int tell_files(struct sweep *s, const struct accounts_texts *was,
		      const struct accounts_changed *now, struct err *e)
{
	char path[32];
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < ACCOUNTS_FILES; i++) {
		const struct strbuf *text = &now->file[i];

		if (!was->file[i].text || (was->file[i].len == text->len &&
					   !memcmp(strbuf_str(text), was->file[i].text, text->len)))
			continue;
		snprintf(path, sizeof(path), "/etc/%s", accounts_file_name((enum accounts_file)i));
		r = sweep_told(s, SWEEP_WRITTEN, path, e);
	}
	return r;
}

static int remove_users(struct sysprep *p, struct users *u, const struct accounts_files *files,
			struct err *e)
{
	_cleanup_accounts_changed_ struct accounts_changed changed = { 0 };
	unsigned int n;
	int r = accounts_remove_users(&files->texts, goes, u, &changed, &n, e);

	if (r == 0 && u->homes.failed)
		r = err_oom(e);
	if (r < 0 || !n)
		return r;
	if (!p->sweep.dry_run)
		r = accounts_write(p->sweep.root, files, &changed, e);
	if (r == 0)
		r = tell_files(&p->sweep, &files->texts, &changed, e);
	return r == 0 ? remove_homes(&p->sweep, u, &changed.file[ACCOUNTS_PASSWD], e) : r;
}

int sysprep_users(struct sysprep *p, struct err *e)
{
	_cleanup_accounts_files_ struct accounts_files files = { 0 };
	const char *named = p->options->remove_users ? p->options->remove_users :
						       p->options->keep_users;
	struct users u = { .remove = p->options->remove_users, .keep = p->options->keep_users };
	int r;

	if (!identity_has(p->sweep.root, "/etc/passwd"))
		return 0;
	r = accounts_read(p->sweep.root, &files, e);
	if (r == 0 && named)
		r = tell_unknown(named, &files.texts, p->sweep.losses, e);
	if (r == 0) {
		find_limits(p->sweep.root, &u);
		r = remove_users(p, &u, &files, e);
	}
	strvec_free(&u.homes);
	return r;
}
