/* SPDX-License-Identifier: MIT */
#include "runner/vm/sandbox.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/host/base_dir.h"
#include "runner/host/host_facts.h"
#include "runner/plan/idmap.h"
#include "runner/vm/explain.h"

/* Owners tell nothing where there is no base: each of these can be had by name. */
static const struct {
	enum idmap_kind kind;
	const char *name;
} layouts[] = {
	{ IDMAP_CALLER, "caller" },
	{ IDMAP_SUBID, "subid" },
	{ IDMAP_SINGLE, "single" },
};

struct sandbox {
	struct base_dir base; /* .fd -1: none */
	struct host_facts facts;
	struct idmap_choice idmap;
	int signal_fd;
	struct launch_input in; /* refers to the others: the struct must not be copied */
};

#define SANDBOX_INIT                           \
	{                                      \
		.base.fd = -1, .signal_fd = -1 \
	}

static void sandbox_close(struct sandbox *s)
{
	base_dir_close(&s->base);
	cleanup_close(&s->signal_fd);
}

static int sandbox_open(const struct vm_spec *spec, struct sandbox *s, struct err *e)
{
	int r = spec->root ? base_dir_open(spec->root, &s->base, e) : 0;

	if (r == 0 && spec->root)
		r = base_dir_check_whole(s->base.fd, spec->root, e);
	if (r == 0)
		r = host_facts_collect(&s->facts, e);
	if (r < 0)
		return r;
	s->in.spec = spec;
	s->in.facts = &s->facts;
	s->in.base = spec->root ? &s->base : NULL;
	s->in.idmap = &s->idmap;
	s->in.signal_fd = -1;
	s->in.dry_run = true;
	s->in.accel = spec->accel == ACCEL_KVM ||
				      (spec->accel == ACCEL_AUTO && s->facts.kvm == KVM_USABLE) ?
			      ACCEL_KVM :
			      ACCEL_TCG;
	return 0;
}

static int choose_idmap(struct sandbox *s, enum idmap_kind kind, struct err *e)
{
	const struct base_owners none = { .o = { { "/", s->facts.uid, s->facts.gid } }, .n = 1 };
	const struct idmap_input input = {
		.kind = kind,
		.explicit_map = &s->in.spec->idmap_explicit,
		.uid = s->facts.uid,
		.gid = s->facts.gid,
		.subuids = &s->facts.subuids,
		.subgids = &s->facts.subgids,
		.owners = s->in.base ? &s->base.owners : &none,
	};

	return idmap_choose(&input, &s->idmap, e);
}

int sandbox_explain(const struct vm_spec *spec, struct strbuf *out, struct err *e)
{
	_cleanup_(sandbox_close) struct sandbox s = SANDBOX_INIT;
	int r = sandbox_open(spec, &s, e);

	if (r == 0 && (spec->root || spec->idmap != IDMAP_AUTO))
		r = choose_idmap(&s, spec->idmap, e);
	else
		s.in.idmap = NULL;
	return r == 0 ? explain_jail(&s.in, out, e) : r;
}

/* What is left about has to be cleared away, whatever ends the test. */
static int watch_signals(struct sandbox *s, struct err *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	/* Inherited ignored, it would take our children's exit status from us. */
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signal_fd < 0)
		return err_errno(e, errno, "cannot watch for signals");
	s->in.signal_fd = s->signal_fd;
	return 0;
}

static const char *layout_name(enum idmap_kind kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++)
		if (layouts[i].kind == kind)
			return layouts[i].name;
	return "explicit";
}

/* Adds what one layout gave to what all gave. */
static void add(const char *layout, const struct strbuf *own, const struct self_test_result *result,
		struct strbuf *lines, struct self_test_result *all)
{
	const char *line = strbuf_str(own);

	while (*line) {
		size_t len = strcspn(line, "\n") + 1;

		strbuf_printf(lines, "%s\t", layout);
		strbuf_add(lines, line, len);
		line += len;
	}
	all->tried += result->tried;
	all->out += result->out;
	all->unknown += result->unknown;
	for (size_t i = 0; i < result->names.n; i++)
		strvec_addf(&all->names, "%s/%s", layout, result->names.v[i]);
}

static int test_layout(struct sandbox *s, unsigned int without, struct strbuf *lines,
		       struct strvec *names, struct self_test_result *all, struct err *e)
{
	_cleanup_(self_test_free) struct self_test_result result = { 0 };
	_cleanup_strbuf_ struct strbuf own = { 0 };
	const char *name = layout_name(s->idmap.kind);
	int r = self_test_run(&s->in, without, &own, &result, e);

	if (r < 0)
		return err_prefix(e, "the self-test under the id layout %s", name);
	add(name, &own, &result, lines, all);
	strvec_add(names, name);
	return lines->failed || names->failed || all->names.failed ? err_oom(e) : 0;
}

static int test_layouts(struct sandbox *s, unsigned int without, struct strbuf *lines,
			struct strvec *names, struct self_test_result *all, struct err *e)
{
	enum idmap_kind asked = s->in.spec->idmap;
	int r;

	if (s->in.base || asked != IDMAP_AUTO) {
		r = choose_idmap(s, asked, e);
		return r == 0 ? test_layout(s, without, lines, names, all, e) : r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++) {
		/* Not everybody can have every one. */
		r = choose_idmap(s, layouts[i].kind, e);
		if (r == 0)
			r = test_layout(s, without, lines, names, all, e);
		else
			r = 0;
		if (r < 0)
			return r;
	}
	return names->n ? 0 : -e->errnum;
}

int sandbox_self_test(const struct vm_spec *spec, unsigned int without, struct strbuf *lines,
		      struct strvec *ret_layouts, struct self_test_result *ret, struct err *e)
{
	_cleanup_(self_test_free) struct self_test_result all = { 0 };
	_cleanup_(sandbox_close) struct sandbox s = SANDBOX_INIT;
	_cleanup_strvec_ struct strvec names = { 0 };
	int r = sandbox_open(spec, &s, e);

	if (r == 0)
		r = watch_signals(&s, e);
	if (r == 0)
		r = test_layouts(&s, without, lines, &names, &all, e);
	if (r < 0)
		return r;
	*ret_layouts = names;
	names = (struct strvec){ 0 };
	*ret = all;
	all = (struct self_test_result){ 0 };
	return 0;
}
