/* SPDX-License-Identifier: MIT */
/* Users: their passwords, their keys, and new ones. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rootfs-tools/core/tree.h"
#include "rootfs-tools/edit/accounts.h"
#include "rootfs-tools/edit/authorized_keys.h"
#include "rootfs-tools/edit/edit.h"
#include "rootfs-tools/edit/password_prompt.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/spec/spec_value.h"

#define KEY_FILE_MAX 65536 /* bytes */

static long today(void)
{
	return (long)(time(NULL) / 86400);
}

/* --- the files of accounts.h, as edits --- */

/* Those that edits are about; in the order to write them: no user without a shadow(5). */
static const struct {
	enum accounts_file file;
	const char *path;
	mode_t mode;
} files[] = {
	{ ACCOUNTS_SHADOW, "/etc/shadow", 0600 },
	{ ACCOUNTS_GSHADOW, "/etc/gshadow", 0600 },
	{ ACCOUNTS_GROUP, "/etc/group", 0644 },
	{ ACCOUNTS_PASSWD, "/etc/passwd", 0644 },
};

static void free_texts(struct accounts_texts *texts)
{
	for (size_t i = 0; i < ACCOUNTS_FILES; i++)
		free((char *)texts->file[i].text);
}

#define _cleanup_texts_ _cleanup_(free_texts)

static int read_texts(const struct edits *t, struct accounts_texts *ret, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char *text;
		size_t len;
		int r = edits_read(t, files[i].path, &text, &len, e);

		if (r < 0)
			return r;
		if (r == 0) {
			free(text);
			continue;
		}
		ret->file[files[i].file].text = text;
		ret->file[files[i].file].len = len;
	}
	if (!ret->file[ACCOUNTS_PASSWD].text)
		return err_msg(e, ENOENT, "the root directory has no /etc/passwd");
	return 0;
}

static int write_texts(struct edits *t, const struct accounts_texts *was,
		       const struct accounts_changed *now, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(files); i++) {
		const struct change_attrs attrs = { .mode = files[i].mode };
		const struct strbuf *text = &now->file[files[i].file];
		size_t len = was->file[files[i].file].len;

		if (!text->data || (len && text->len == len &&
				    !memcmp(text->data, was->file[files[i].file].text, len)))
			continue;
		r = edits_write(t, files[i].path, &attrs, text->data, text->len, e);
	}
	return r;
}

static int find_user(const struct accounts_texts *texts, const char *user, struct account *ret,
		     struct err *e)
{
	int r = accounts_find(texts->file[ACCOUNTS_PASSWD].text, texts->file[ACCOUNTS_PASSWD].len,
			      user, ret, e);

	if (r == -ENOENT)
		return err_msg(e, ENOENT, "the root directory has no user '%s'; --user makes one",
			       user);
	return r;
}

/* --- --root-password, --password --- */

/* In struct edit: .value the source; .text "!" or "*", or what the password is once read. */
static int parse_source(struct edit *edit, const char *source, struct err *e)
{
	edit->value = source;
	if (!strcmp(source, "locked"))
		strbuf_puts(&edit->text, "!");
	else if (!strcmp(source, "disabled"))
		strbuf_puts(&edit->text, "*");
	else if (!(strncmp(source, "file:", 5) == 0 && source[5]) && strcmp(source, "stdin") != 0 &&
		 strcmp(source, "prompt") != 0)
		/* Not quoted: it may be the password. */
		return err_msg(e, EINVAL,
			       "the password itself is not taken from the command line, which "
			       "everybody sees in ps; use file:PATH, stdin or prompt, or locked or "
			       "disabled for none");
	return edit->text.failed ? err_oom(e) : 0;
}

static int parse_root_password(struct edit *edit, const char *value, struct err *e)
{
	edit->name = strdup("root");
	return edit->name ? parse_source(edit, value, e) : err_oom(e);
}

static int parse_password(struct edit *edit, const char *value, struct err *e)
{
	const char *colon = strchr(value, ':');
	int r;

	/* Not quoted, either. */
	if (!colon || colon == value)
		return err_msg(e, EINVAL,
			       "give USER:SOURCE, where SOURCE is file:PATH, stdin, prompt, locked "
			       "or disabled");
	edit->name = strndup(value, (size_t)(colon - value));
	if (!edit->name)
		return err_oom(e);
	r = accounts_check_name(edit->name, e);
	return r == 0 ? parse_source(edit, colon + 1, e) : r;
}

static int read_password(struct edit *edit, int signal_fd, int *ret_signal, struct err *e)
{
	_cleanup_password_ struct password password = { 0 };
	const char *source = edit->value;
	int r;

	if (edit->text.len)
		return 0;
	r = password_prepare(e);
	if (r < 0)
		return r;
	if (!strcmp(source, "prompt"))
		r = password_prompt(edit->name, signal_fd, &password, ret_signal, e);
	else
		r = password_read_file(!strcmp(source, "stdin") ? "-" : source + 5, signal_fd,
				       &password, ret_signal, e);
	if (r < 0)
		return r;
	strbuf_puts(&edit->text, password.text);
	return edit->text.failed ? err_oom(e) : 0;
}

static int make_hash(const struct edits *t, const struct edit *edit,
		     const struct accounts_texts *texts, char ret[PASSWORD_HASH_MAX], struct err *e)
{
	_cleanup_password_ struct password password = { 0 };

	/* A hash takes its time, and cannot fail where this does not. */
	if (t->check || !strcmp(edit->value, "locked") || !strcmp(edit->value, "disabled")) {
		snprintf(ret, PASSWORD_HASH_MAX, "%s", *edit->value == 'd' ? "*" : "!");
		return 0;
	}
	snprintf(password.text, sizeof(password.text), "%s", strbuf_str(&edit->text));
	return password_hash(&password,
			     password_method_of(t->root, texts->file[ACCOUNTS_SHADOW].text,
						texts->file[ACCOUNTS_SHADOW].len),
			     ret, e);
}

static int apply_password(struct edits *t, const struct edit *edit, struct err *e)
{
	_cleanup_accounts_changed_ struct accounts_changed now = { 0 };
	_cleanup_texts_ struct accounts_texts texts = { 0 };
	char hash[PASSWORD_HASH_MAX];
	struct account account = { 0 };
	int r = read_texts(t, &texts, e);

	if (r == 0)
		r = find_user(&texts, edit->name, &account, e);
	if (r == 0)
		r = make_hash(t, edit, &texts, hash, e);
	if (r == 0)
		r = accounts_set_password(&texts, edit->name, hash, today(), &now, e);
	return r == 0 ? write_texts(t, &texts, &now, e) : r;
}

/* --- --ssh-authorized-key --- */

static int parse_key(struct edit *edit, const char *value, struct err *e)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *text = NULL;
	const char *path;
	size_t len = 0;
	int r = edit_split(edit, value, &path, e);

	if (r == 0)
		r = accounts_check_name(edit->name, e);
	if (r < 0)
		return r;
	r = fs_open_host_file(path, KEY_FILE_MAX, &fd);
	if (r == 0)
		r = fs_read_fd(fd, KEY_FILE_MAX, &text, &len);
	if (r < 0)
		return err_errno(e, -r, "cannot read '%s'", path);
	r = authorized_keys_check(text, len, path, e);
	strbuf_add(&edit->text, text, len);
	return r == 0 && edit->text.failed ? err_oom(e) : r;
}

/* Return: 1; 0 if there is none, to check; or -errno. */
static int open_ssh_dir(const struct edits *t, const struct account *account, int *ret,
			struct err *e)
{
	_cleanup_close_ int home = -1;
	struct stat st;
	int fd, r;

	if (*account->home != '/')
		return err_msg(e, EINVAL, "user '%s' has no home directory", account->name);
	r = edits_dir(t, account->home, &home, e);
	if (r <= 0)
		return r;
	if (change_exists(home, ".ssh", &st) && !S_ISDIR(st.st_mode))
		return err_msg(e, ENOTDIR,
			       "%s/.ssh of the root directory is no directory, and is not "
			       "followed; --delete "
			       "it first",
			       account->home);
	if (!change_exists(home, ".ssh", &st)) {
		if (t->check)
			return 0;
		if (mkdirat(home, ".ssh", 0700) < 0 ||
		    fchownat(home, ".ssh", account->uid, account->gid, AT_SYMLINK_NOFOLLOW) < 0)
			return err_errno(e, errno, "cannot make %s/.ssh of the root directory",
					 account->home);
	}
	fd = openat(home, ".ssh", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, errno, "cannot open %s/.ssh of the root directory",
				 account->home);
	*ret = fd;
	return 1;
}

static int add_keys(const struct edits *t, int dir, const struct account *account,
		    const struct edit *edit, struct err *e)
{
	const struct change_attrs attrs = { 0600, account->uid, account->gid };
	_cleanup_strbuf_ struct strbuf out = { 0 };
	static const char name[] = "authorized_keys";
	_cleanup_free_ char *text = NULL;
	char where[PATH_MAX + 8];
	size_t len = 0;
	struct stat st;
	int r = 0;

	snprintf(where, sizeof(where), "%s/.ssh", account->home);
	if (change_exists(dir, name, &st)) {
		r = S_ISREG(st.st_mode) ? fs_read_regular(dir, name, EDITS_TEXT_MAX, &text, &len) :
					  -EINVAL;
		if (r < 0)
			return err_errno(e, -r, "cannot read %s/%s of the root directory", where,
					 name);
	}
	authorized_keys_add(text ? text : "", len, edit->text.data, edit->text.len, &out);
	if (out.failed)
		return err_oom(e);
	return t->check ? 0 : change_rewrite(dir, where, name, &attrs, out.data, out.len, e);
}

static int apply_key(struct edits *t, const struct edit *edit, struct err *e)
{
	_cleanup_texts_ struct accounts_texts texts = { 0 };
	_cleanup_close_ int dir = -1;
	struct account account = { 0 };
	int r = read_texts(t, &texts, e);

	if (r == 0)
		r = find_user(&texts, edit->name, &account, e);
	if (r == 0)
		r = open_ssh_dir(t, &account, &dir, e);
	return r == 1 ? add_keys(t, dir, &account, edit, e) : r;
}

/* --- --user --- */

/* In struct edit: .text the shell, or nothing. */
static int parse_user(struct edit *edit, const char *value, struct err *e)
{
	const char *colon = strchrnul(value, ':');
	int r;

	edit->name = strndup(value, (size_t)(colon - value));
	if (!edit->name)
		return err_oom(e);
	r = accounts_check_name(edit->name, e);
	if (r < 0 || !*colon)
		return r;
	if (colon[1] != '/' || strpbrk(colon + 1, ":\n") || strlen(colon) > 255)
		return spec_value_bad(colon + 1, "is no path of a shell", e);
	strbuf_puts(&edit->text, colon + 1);
	return edit->text.failed ? err_oom(e) : 0;
}

static int fill_home(struct edits *t, int home, const struct account *account, struct err *e)
{
	_cleanup_close_ int skel = change_open_dir(t->root, "/etc/skel"),
			    fd = openat(home, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return err_errno(e, errno, "cannot open %s of the root directory", account->home);
	if (skel >= 0)
		r = tree_copy_as(skel, home, account->uid, account->gid, &t->said->copy, e);
	if (r == 0 && (fchown(fd, account->uid, account->gid) < 0 || fchmod(fd, 0700) < 0))
		r = err_errno(e, errno, "cannot give %s of the root directory its owner",
			      account->home);
	return r;
}

static int make_home(struct edits *t, const struct account *account, struct err *e)
{
	_cleanup_close_ int parent = -1, home = -1;
	char where[PATH_MAX];
	const char *name = "";
	struct stat st;
	int r = edits_mkdir(t, "/home", e);

	if (r == 0)
		r = edits_parent(t, account->home, where, &name, &parent, e);
	if (r <= 0 || t->check)
		return r < 0 ? r : 0;
	if (change_exists(parent, name, &st)) {
		edits_warn(t, "%s of the root directory is there already, and stays as it is",
			   account->home);
		return 0;
	}
	if (mkdirat(parent, name, 0700) < 0)
		return err_errno(e, errno, "cannot make %s of the root directory", account->home);
	edits_begin_dir(t, where, name);
	home = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return home < 0 ?
		       err_errno(e, errno, "cannot open %s of the root directory", account->home) :
		       fill_home(t, home, account, e);
}

static int apply_user(struct edits *t, const struct edit *edit, struct err *e)
{
	struct account_new new = { .name = edit->name };
	_cleanup_accounts_changed_ struct accounts_changed now = { 0 };
	_cleanup_texts_ struct accounts_texts texts = { 0 };
	struct account account = { 0 };
	int r = read_texts(t, &texts, e);

	if (edit->text.len)
		new.shell = strbuf_str(&edit->text);
	else if (edits_has(t, "/bin/bash"))
		new.shell = "/bin/bash";
	if (r == 0)
		r = accounts_add_user(&texts, &new, today(), &now, &account, e);
	/* Before there is a user whose it is. */
	if (r == 0)
		r = make_home(t, &account, e);
	/* What comes behind this may be about its home. */
	t->unsure = true;
	if (r == 0)
		r = write_texts(t, &texts, &now, e);
	if (r == 0)
		edits_end_dir(t);
	return r;
}

const struct edit_kind edit_users[] = {
	{ .name = "root-password",
	  .parse = parse_root_password,
	  .read = read_password,
	  .apply = apply_password },
	{ .name = "password",
	  .parse = parse_password,
	  .read = read_password,
	  .apply = apply_password },
	{ .name = "ssh-authorized-key", .parse = parse_key, .apply = apply_key },
	{ .name = "user", .parse = parse_user, .apply = apply_user },
	{ 0 },
};
