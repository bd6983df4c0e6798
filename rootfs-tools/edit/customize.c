/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/edit/customize.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs-tools/core/enter.h"
#include "rootfs-tools/core/guest.h"
#include "rootfs-tools/core/root.h"
#include "rootfs-tools/core/work.h"
#include "rootfs-tools/edit/edit.h"
#include "runner/base/cleanup.h"

#define EXIT_VMRUN 125 /* of vmrun, where it could not run the command */

/* What both sides know; inside, what it says is a copy, but for what .said points to. */
struct customize {
	const struct customize_options *options;
	const char *path;
	struct root root;
	struct edit edits[OPTION_STEPS_MAX];
	unsigned int n;
	struct edits_said *said;
	/* The part that is being done. */
	unsigned int begin;
	unsigned int end;
	unsigned int n_guests; /* that ran before */
};

static const struct edit_kind *const families[] = {
	edit_names, edit_network, edit_locale, edit_users, edit_files, edit_guest,
};

/* --- outside: parse --- */

static const struct edit_kind *find_kind(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		for (const struct edit_kind *kind = families[i]; kind->name; kind++)
			if (!strcmp(kind->name, name))
				return kind;
	return NULL;
}

/* Return: one before that takes in what @edit is, or NULL. */
static struct edit *find_same(struct customize *c, const struct edit *edit)
{
	for (unsigned int i = c->n; edit->kind->merge && i-- > 0;) {
		if (c->edits[i].kind == edit->kind)
			return &c->edits[i];
		if (!edit->kind->merge_apart)
			return NULL;
	}
	return NULL;
}

static int parse_one(struct customize *c, const struct rootfs_option *option, const char *value,
		     struct err *e)
{
	struct edit *edit = &c->edits[c->n], *same;
	int r;

	*edit = (struct edit){ .kind = find_kind(option->name), .value = value, .fd = -1 };
	if (!edit->kind)
		return err_msg(e, EINVAL, "--%s is no edit", option->name);
	r = edit->kind->parse(edit, value, e);
	if (r < 0) {
		edit_free(edit);
		return err_prefix(e, "--%s", option->name);
	}
	same = find_same(c, edit);
	if (!same) {
		c->n++;
		return 0;
	}
	same->kind->merge(same, edit);
	edit_free(edit);
	return same->text.failed ? err_oom(e) : 0;
}

static int parse_all(struct customize *c, int signal_fd, int *ret_signal, struct err *e)
{
	const struct option_steps *steps = &c->options->steps;
	int r = 0;

	if (!steps->n)
		return err_msg(e, EINVAL,
			       "nothing is to be done; see vmrun rootfs customize --help");
	for (unsigned int i = 0; r == 0 && i < steps->n; i++)
		r = parse_one(c, steps->step[i].option, steps->step[i].value, e);
	for (unsigned int i = 0; r == 0 && i < c->n; i++)
		if (c->edits[i].kind->read)
			r = c->edits[i].kind->read(&c->edits[i], signal_fd, ret_signal, e);
	return r;
}

/* --- inside --- */

static int apply_one(struct edits *t, const struct edit *edit, struct err *e)
{
	int r = edit->kind->apply ? edit->kind->apply(t, edit, e) : 0;

	return r < 0 ? err_prefix(e, "--%s", edit->kind->name) : 0;
}

/* Whether a guest follows: what comes behind it is not known yet. */
static bool wants_guest(const struct edit *edit, const struct edits_said *said)
{
	_cleanup_strvec_ struct strvec words = { 0 };

	if (edit->kind->guest)
		edit->kind->guest(edit, said, &words);
	return words.n > 0;
}

static int check(const struct customize *c, int root, struct err *e)
{
	struct edits t = { .root = root, .check = true, .said = c->said };
	unsigned int i = c->begin;
	bool guest = false;
	int r = 0;

	while (r == 0 && !guest && i < c->n) {
		r = apply_one(&t, &c->edits[i], e);
		guest = r == 0 && wants_guest(&c->edits[i++], c->said);
	}
	edits_free(&t);
	c->said->n_checked = i;
	return r;
}

/* Each directory of the host's is behind the root, each file under its own number. */
static void place_sources(struct customize *c, const int *dirs)
{
	unsigned int n = 1;

	for (unsigned int i = c->begin; i < c->end; i++) {
		struct edit *edit = &c->edits[i];

		edit->inside = edit->fd >= 0 && S_ISDIR(edit->st.st_mode) ? dirs[n++] : edit->fd;
	}
}

static int op_edit(const int *dirs, void *arg, struct err *e)
{
	struct customize *c = arg;
	struct edits t = { .root = dirs[0], .said = c->said };
	int r = root_lock(dirs[0], c->path, true, c->options->shared, e);

	if (r == 0)
		r = base_dir_check(dirs[0], c->path, e);
	if (r == 0 && c->begin >= c->said->n_checked)
		r = check(c, dirs[0], e);
	place_sources(c, dirs);
	for (unsigned int i = c->begin; r == 0 && i < c->end; i++) {
		c->said->n_failed = 1;
		r = apply_one(&t, &c->edits[i], e);
		if (r < 0)
			break;
		c->said->n_failed = 0;
		/* That one is done when its guest is. */
		if (!wants_guest(&c->edits[i], c->said))
			c->said->n_done = i + 1;
	}
	return r;
}

/* --- outside: run --- */

/*
 * As many edits as can be done at once: to the next that may want a guest, or until
 * there are more sources than an operation takes.
 */
static void cut_part(struct customize *c, struct enter *in, int fds[ENTER_FDS_MAX])
{
	c->end = c->begin;
	while (c->end < c->n) {
		const struct edit *edit = &c->edits[c->end];
		bool dir = edit->fd >= 0 && S_ISDIR(edit->st.st_mode);

		/* A script goes to the guest, not in there. */
		if (edit->fd >= 0 && edit->kind->apply) {
			if ((dir && in->n_dirs == ENTER_DIRS_MAX) ||
			    (!dir && in->n_fds == ENTER_FDS_MAX))
				return;
			if (dir)
				in->dirs[in->n_dirs++] = (struct enter_dir){ .fd = edit->fd,
									     .read_only = true };
			else
				fds[in->n_fds++] = edit->fd;
		}
		c->end++;
		if (edit->kind->guest)
			return;
	}
}

static int op_clean(const int *dirs, void *arg, struct err *e)
{
	struct customize *c = arg;
	int r = root_lock(dirs[0], c->path, true, c->options->shared, e);

	return r == 0 ? edits_remove_unfinished(dirs[0], c->said, e) : r;
}

/* Who was killed cannot clean up. What fails of this is no news: the part failed before. */
static void clean(struct customize *c)
{
	const struct enter in = {
		.idmap = &c->root.idmap,
		.dirs = { { .fd = c->root.dir.fd } },
		.n_dirs = 1,
		.signal_fd = -1,
	};
	struct err ignored;

	if (*c->said->unfinished)
		(void)enter_run(&in, op_clean, c, NULL, &ignored);
}

static int do_part(struct customize *c, int signal_fd, int *ret_signal, struct err *e)
{
	int fds[ENTER_FDS_MAX];
	struct enter in = {
		.idmap = &c->root.idmap,
		.dirs = { { .fd = c->root.dir.fd } },
		.n_dirs = 1,
		.fds = fds,
		.signal_fd = signal_fd,
	};
	int r;

	cut_part(c, &in, fds);
	r = enter_run(&in, op_edit, c, ret_signal, e);
	if (r < 0)
		clean(c);
	return r;
}

static void make_options(const struct customize *c, struct strvec *ret)
{
	const struct {
		const char *name;
		const char *value;
	} passed_on[] = {
		{ "idmap", c->options->idmap },
		{ "memory", c->options->memory },
		{ "kernel", c->options->kernel },
		{ "modules", c->options->modules },
	};

	strvec_add(ret, "--network=user");
	for (size_t i = 0; i < ARRAY_SIZE(passed_on); i++)
		if (passed_on[i].value)
			strvec_addf(ret, "--%s=%s", passed_on[i].name, passed_on[i].value);
	/* Scripts of packages write it into their files: the last one that was given. */
	for (unsigned int i = c->end; i-- > 0;)
		if (!strcmp(c->edits[i].kind->name, "hostname")) {
			strvec_addf(ret, "--hostname=%s", c->edits[i].name);
			break;
		}
	/* What it warns of it need not warn of again. */
	if (c->n_guests)
		strvec_add(ret, "--quiet");
	if (c->options->shared)
		strvec_add(ret, "--shared");
}

static int told_status(const struct edit *edit, int status, struct err *e)
{
	const char *what = edit->name ? edit->name : edit->text.data ? edit->text.data : "";

	if (status == EXIT_VMRUN)
		return err_msg(e, EIO, "--%s '%.200s': no guest could run it, as said above",
			       edit->kind->name, what);
	return err_msg(e, EIO, "--%s '%.200s' failed with exit status %d", edit->kind->name, what,
		       status);
}

static int run_guest(struct customize *c, const struct edit *edit, int signal_fd, int *ret_signal,
		     struct err *e)
{
	_cleanup_strvec_ struct strvec options = { 0 }, words = { 0 };
	struct guest guest = { .root = c->root.dir.path,
			       .fds = { edit->fd, STDOUT_FILENO, STDERR_FILENO } };
	_cleanup_close_ int pidfd = -1;
	int status = 0, r;

	edit->kind->guest(edit, c->said, &words);
	if (!words.n)
		return 0;
	make_options(c, &options);
	c->n_guests++;
	if (options.failed || words.failed)
		return err_oom(e);
	guest.options = (const char *const *)options.v;
	guest.command = (const char *const *)words.v;
	c->said->n_failed = 1;
	r = guest_start(&guest, &pidfd, e);
	if (r == 0)
		r = guest_wait(pidfd, signal_fd, &status, ret_signal, e);
	if (r == 0 && status)
		r = told_status(edit, status, e);
	if (r < 0)
		return r;
	c->said->n_failed = 0;
	c->said->n_done = c->end;
	return 0;
}

static int run(struct customize *c, int signal_fd, int *ret_signal, struct err *e)
{
	struct root_idmap idmap = { 0 };
	int r = c->options->idmap ? root_idmap_parse(&idmap, c->options->idmap, e) : 0;

	if (r < 0)
		return err_prefix(e, "--idmap");
	r = parse_all(c, signal_fd, ret_signal, e);
	if (r == 0)
		r = root_open(c->path, &idmap, &c->root, e);
	for (c->begin = 0; r == 0 && c->begin < c->n; c->begin = c->end) {
		r = do_part(c, signal_fd, ret_signal, e);
		if (r == 0 && c->edits[c->end - 1].kind->guest)
			r = run_guest(c, &c->edits[c->end - 1], signal_fd, ret_signal, e);
	}
	return r;
}

int customize_run(const char *path, const struct customize_options *options, int signal_fd,
		  struct edits_said *ret, int *ret_signal, struct err *e)
{
	struct customize *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_oom(e);
	c->options = options;
	c->path = path;
	c->root.dir.fd = -1;
	c->said = ret;
	r = run(c, signal_fd, ret_signal, e);
	if (r < 0 && ret->n_done) {
		struct err why = *e;

		err_msg(e, why.errnum, "%s; what stands before it is done", why.text);
	}
	for (unsigned int i = 0; i < c->n; i++)
		edit_free(&c->edits[i]);
	root_close(&c->root);
	free(c);
	return r;
}
