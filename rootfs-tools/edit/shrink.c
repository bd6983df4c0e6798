/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/edit/shrink.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs-tools/core/tree.h"
#include "rootfs-tools/core/work.h"
#include "rootfs-tools/edit/shrink_blocks.h"
#include "rootfs-tools/edit/sysprep_ops.h"
#include "runner/base/cleanup.h"

#define STAT_BLOCK 512u /* what st_blocks counts */

/* Licences are what may not be left out of a copy. */
static const struct sweep_rule docs_rules[] = {
	{ SWEEP_REMOVE, "/usr/share/doc/**/!(copyright*|COPYING*|LICENSE*|LICENCE*|NOTICE*)",
	  NULL },
	{ SWEEP_REMOVE_TREE, "/usr/share/@(man|info|gtk-doc|help)/*", NULL },
	{ 0 },
};

struct kind {
	const char *name;
	const char *op;			/* sysprep's, whose rules it has */
	const struct sweep_rule *rules; /* or these */
	bool (*wanted)(const struct shrink_options *o);
};

static bool wants_logs(const struct shrink_options *o)
{
	return o->logs;
}

static bool wants_docs(const struct shrink_options *o)
{
	return o->docs;
}

static const struct kind kinds[SHRINK_KINDS] = {
	[SHRINK_PACKAGES] = { "fetched packages", "package-manager-cache", NULL, NULL },
	[SHRINK_LISTS] = { "package lists", "package-lists", NULL, NULL },
	[SHRINK_CACHES] = { "caches", "program-caches", NULL, NULL },
	[SHRINK_LOGS] = { "logs", "logfiles", NULL, wants_logs },
	[SHRINK_DOCS] = { "documentation", NULL, docs_rules, wants_docs },
	[SHRINK_HOLES] = { "zeros", NULL, NULL, NULL },
	[SHRINK_DUPLICATES] = { "duplicates", NULL, NULL, NULL },
};

const char *shrink_kind_name(enum shrink_kind kind)
{
	return kinds[kind].name;
}

/* --- inside --- */

struct shrink {
	const struct shrink_options *options;
	struct shrink_report *report;
	enum shrink_kind now;
	struct sweep measure; /* a dry run: in the real one what is gone is measured before */
	struct sweep real;
};

static uint64_t disk(const struct stat *st)
{
	uint64_t names = S_ISDIR(st->st_mode) || !st->st_nlink ? 1 : st->st_nlink;

	return (uint64_t)st->st_blocks * STAT_BLOCK / names;
}

/* What cannot be looked at is counted as nothing. */
static uint64_t disk_of_entries(int root, struct tree_stack *stack, const char *path)
{
	uint64_t bytes = 0;
	struct dirent *de;
	struct err ignored;
	struct stat st;
	DIR *dir;

	if (tree_open_dir_here(root, path, &dir, &ignored) < 0)
		return 0;
	while (tree_read(dir, path, &de, &ignored) > 0) {
		if (fstatat(dirfd(dir), de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		bytes += disk(&st);
		if (S_ISDIR(st.st_mode))
			(void)tree_push(stack, path, de->d_name, false, &ignored);
	}
	closedir(dir);
	return bytes;
}

static uint64_t disk_of_tree(int root, const char *path)
{
	_cleanup_(tree_stack_free) struct tree_stack stack = { 0 };
	struct tree_dir at;
	struct err ignored;
	uint64_t bytes = 0;

	(void)tree_push(&stack, path, "", false, &ignored);
	while (tree_pop(&stack, &at)) {
		bytes += disk_of_entries(root, &stack, at.path);
		tree_dir_free(&at);
	}
	return bytes;
}

/* sweep.h tells of what would be gone; it is there still. */
static void measure(void *arg, enum sweep_change change, const char *path)
{
	struct shrink *s = arg;
	_cleanup_free_ char *plain = strdup(path + 1);
	_cleanup_close_ int fd = -1;
	size_t len;
	struct stat st;

	(void)change;
	if (!plain)
		return;
	len = strlen(plain);
	if (len && plain[len - 1] == '/')
		plain[len - 1] = '\0';
	if (tree_open(s->measure.root, plain, O_PATH | O_NOFOLLOW, &fd) < 0 || fstat(fd, &st) < 0)
		return;
	s->report->kind[s->now].files++;
	s->report->kind[s->now].bytes += disk(&st);
	if (S_ISDIR(st.st_mode))
		s->report->kind[s->now].bytes += disk_of_tree(s->measure.root, plain);
}

static int sweep_kind(struct shrink *s, enum shrink_kind kind, struct err *e)
{
	const struct sweep_rule *rules = kinds[kind].rules;
	int r = 0;

	if (kinds[kind].op)
		rules = sysprep_ops[sysprep_index(kinds[kind].op)].rules;
	s->now = kind;
	for (const struct sweep_rule *rule = rules; r == 0 && rule->pattern; rule++)
		r = sweep(&s->measure, rule, e);
	for (const struct sweep_rule *rule = rules; r == 0 && !s->options->dry_run && rule->pattern;
	     rule++)
		r = sweep(&s->real, rule, e);
	return r;
}

static int op_shrink(int root, void *arg, struct err *e)
{
	struct shrink *s = arg;
	struct losses ignored = { 0 };
	int r = 0;

	s->measure = (struct sweep){
		.root = root, .dry_run = true, .losses = &ignored, .tell = measure, .arg = s
	};
	s->real = (struct sweep){ .root = root, .losses = &s->report->losses };
	for (unsigned int i = 0; r == 0 && i < SHRINK_KINDS; i++) {
		if (kinds[i].wanted && !kinds[i].wanted(s->options))
			continue;
		s->report->kind[i].done = true;
		if (kinds[i].op || kinds[i].rules)
			r = sweep_kind(s, i, e);
	}
	if (r == 0)
		r = shrink_blocks(s->options->dry_run ? &s->measure : &s->real, s->report, e);
	sweep_free(&s->measure);
	sweep_free(&s->real);
	return r;
}

/* --- outside --- */

int shrink_run(const char *path, const struct shrink_options *options, int signal_fd,
	       struct shrink_report *ret, int *ret_signal, struct err *e)
{
	struct shrink s = { .options = options, .report = ret };
	const struct root_work work = {
		.path = path,
		.idmap = &options->idmap,
		.writes = !options->dry_run,
		/* It only looks. */
		.shared = options->dry_run,
		.signal_fd = signal_fd,
	};

	return root_work(&work, op_shrink, &s, ret_signal, e);
}
