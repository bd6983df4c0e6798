/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/edit/sysprep.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "rootfs-tools/core/work.h"
#include "rootfs-tools/edit/accounts.h"
#include "rootfs-tools/edit/sysprep_ops.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/spec/nearest.h"

#define PASSWD_MAX ((size_t)1 << 20) /* bytes; of a larger one no homes are taken */
#define NAME_SIZE 32
#define ALL_OPS (sysprep_n_ops == 64 ? ~UINT64_C(0) : (UINT64_C(1) << sysprep_n_ops) - 1)

/* --- which --- */

int sysprep_index(const char *name)
{
	for (unsigned int i = 0; i < sysprep_n_ops; i++)
		if (!strcmp(sysprep_ops[i].name, name))
			return (int)i;
	return -1;
}

bool sysprep_describe(unsigned int i, const char **ret_name, const char **ret_help, bool *ret_on)
{
	if (i >= sysprep_n_ops)
		return false;
	*ret_name = sysprep_ops[i].name;
	*ret_help = sysprep_ops[i].help;
	*ret_on = sysprep_ops[i].on;
	return true;
}

static uint64_t defaults(void)
{
	uint64_t ret = 0;

	for (unsigned int i = 0; i < sysprep_n_ops; i++)
		ret |= (uint64_t)sysprep_ops[i].on << i;
	return ret;
}

static int unknown(const char *word, size_t len, struct err *e)
{
	struct nearest nearest;

	nearest_begin(&nearest, word, len);
	for (unsigned int i = 0; i < sysprep_n_ops; i++)
		nearest_offer(&nearest, sysprep_ops[i].name);
	nearest_offer(&nearest, "defaults");
	if (nearest.name)
		return err_msg(e, EINVAL, "unknown operation '%.*s'; did you mean %s?",
			       (int)(len < 100 ? len : 100), word, nearest.name);
	return err_msg(e, EINVAL, "unknown operation '%.*s'; see vmrun rootfs sysprep --list",
		       (int)(len < 100 ? len : 100), word);
}

static int parse_name(const char *word, size_t len, uint64_t *ret, struct err *e)
{
	char name[NAME_SIZE];
	int i = -1;

	if (len < sizeof(name)) {
		memcpy(name, word, len);
		name[len] = '\0';
		i = sysprep_index(name);
		if (i < 0 && !strcmp(name, "defaults"))
			return *ret = defaults(), 0;
		if (i < 0 && !strcmp(name, "all"))
			return *ret = ALL_OPS, 0;
	}
	if (i < 0)
		return unknown(word, len, e);
	*ret = UINT64_C(1) << i;
	return 0;
}

static int parse_names(const char *list, uint64_t *ret, struct err *e)
{
	uint64_t all = 0, one = 0;
	int r;

	for (;;) {
		size_t len = strcspn(list, ",");

		r = parse_name(list, len, &one, e);
		if (r < 0)
			return r;
		all |= one;
		if (!list[len])
			break;
		list += len + 1;
	}
	*ret = all;
	return 0;
}

int sysprep_choose(const char *enable, const char *disable, uint64_t *ret, struct err *e)
{
	uint64_t yes = defaults(), no = 0;
	int r = enable ? parse_names(enable, &yes, e) : 0;

	if (r == 0 && disable)
		r = parse_names(disable, &no, e);
	if (r == 0)
		*ret = yes & ~no;
	return r;
}

/* --- inside --- */

/* What both sides know; inside it is a copy, but for what .report points to. */
struct preparation {
	const struct sysprep_options *options;
	int out;
	struct sysprep_report *report;
};

/* Where tell() writes to. */
struct teller {
	FILE *out; /* NULL: only counted */
	const char *op;
	uint64_t *counts;
};

static void tell(void *arg, enum sweep_change change, const char *path)
{
	static const char *const words[SWEEP_CHANGES] = {
		[SWEEP_REMOVED] = "remove",
		[SWEEP_EMPTIED] = "empty",
		[SWEEP_WRITTEN] = "write",
	};
	struct teller *t = arg;

	t->counts[change]++;
	if (!t->out)
		return;
	fprintf(t->out, "%s: %s ", t->op, words[change]);
	/* A name may be anything but what a terminal obeys. */
	for (const char *p = path; *p; p++)
		putc(text_is_control(p, path) ? '?' : *p, t->out);
	putc('\n', t->out);
}

static int add_home(const struct account *account, void *arg)
{
	struct strvec *homes = arg;

	/* What is below /home is found there. */
	if (strncmp(account->home, "/home/", 6) != 0)
		strvec_add(homes, account->home);
	return homes->failed ? -ENOMEM : 0;
}

static int find_homes(struct sweep *s, struct err *e)
{
	_cleanup_free_ char *passwd = NULL;
	size_t len;

	if (fs_read_regular(s->root, "/etc/passwd", PASSWD_MAX, &passwd, &len) < 0)
		return 0;
	return accounts_each(passwd, len, add_home, &s->homes) < 0 ? err_oom(e) : 0;
}

static int run_op(struct sysprep *p, const struct sysprep_op *op, struct err *e)
{
	int r = 0;

	for (const struct sweep_rule *rule = op->rules; r == 0 && rule && rule->pattern; rule++)
		r = sweep(&p->sweep, rule, e);
	return r == 0 && op->run ? op->run(p, e) : r;
}

static int run_ops(struct sysprep *p, struct teller *t, struct sysprep_report *report,
		   struct err *e)
{
	int r = find_homes(&p->sweep, e);

	for (unsigned int i = 0; r == 0 && i < sysprep_n_ops; i++) {
		if (!(p->options->chosen & UINT64_C(1) << i))
			continue;
		t->op = sysprep_ops[i].name;
		t->counts = report->changes[i];
		r = run_op(p, &sysprep_ops[i], e);
		if (r == -ENOMEM || r == -E2BIG)
			break;
		/* The others are none the worse. */
		if (r < 0)
			losses_add(&report->losses, 0, "%s: %s", t->op, e->text);
		r = 0;
	}
	return r == 0 ? sweep_end(&p->sweep, e) : r;
}

static int op_prepare(int root, void *arg, struct err *e)
{
	const struct preparation *prep = arg;
	struct teller t = { 0 };
	struct sysprep p = {
		.options = prep->options,
		.sweep = { .root = root,
			   .dry_run = prep->options->dry_run,
			   .losses = &prep->report->losses,
			   .tell = tell,
			   .arg = &t },
	};
	int r;

	if (prep->options->tell_paths && !(t.out = fdopen(prep->out, "w")))
		return err_oom(e);
	umask(022);
	r = run_ops(&p, &t, prep->report, e);
	if (t.out)
		prep->report->output_failed = fflush(t.out) != 0 || ferror(t.out);
	sweep_free(&p.sweep);
	return r;
}

/* --- outside --- */

int sysprep_run(const char *path, const struct sysprep_options *options, int out, int signal_fd,
		struct sysprep_report *ret, int *ret_signal, struct err *e)
{
	struct preparation prep = { options, out, ret };
	const struct root_work work = {
		.path = path,
		.idmap = &options->idmap,
		.writes = !options->dry_run,
		/* It only looks. */
		.shared = options->dry_run,
		.fds = &out,
		.n_fds = 1,
		.signal_fd = signal_fd,
	};

	return root_work(&work, op_prepare, &prep, ret_signal, e);
}
