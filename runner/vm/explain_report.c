/* SPDX-License-Identifier: MIT */
#include "runner/vm/explain_report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner/base/cleanup.h"
#include "runner/base/parse.h"
#include "runner/jail/limits.h"
#include "runner/vm/explain_text.h"

enum verdict { FACT, PLANNED, NOT_PLANNED, UNREADABLE };

static void say(struct report *r, enum verdict verdict, const char *label, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static void say(struct report *r, enum verdict verdict, const char *label, const char *fmt, ...)
{
	static const char *const words[] = { [FACT] = "",
					     [PLANNED] = "as planned: ",
					     [NOT_PLANNED] = "NOT as planned: ",
					     [UNREADABLE] = "unknown: " };
	_cleanup_free_ char *text = NULL;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (len < 0) {
		text = NULL;
		r->body.failed = true;
		return;
	}
	explain_item(&r->body, label, "%s%s", words[verdict], text);
	r->n_planned += verdict == PLANNED;
	r->n_unreadable += verdict == UNREADABLE;
	if (verdict != NOT_PLANNED)
		return;
	r->n_wrong++;
	if (!r->whose_said)
		explain_heading(&r->wrong, r->whose);
	r->whose_said = true;
	explain_item(&r->wrong, label, "%s%s", words[verdict], text);
}

static enum verdict if_planned(bool yes)
{
	return yes ? PLANNED : NOT_PLANNED;
}

/* --- ids --- */

static void report_map(struct report *r, int dir, const char *file, const char *label)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_strbuf_ struct strbuf lines = { 0 };
	struct proc_extent x;
	bool root = false;
	const char *p;
	int more = proc_read_text(dir, file, &text);

	p = text;
	while (more == 0 && (more = proc_next_extent(&p, &x)) > 0) {
		strbuf_printf(&lines, "%s%" PRIu64 " %" PRIu64 " %" PRIu64, lines.len ? "; " : "",
			      x.inside, x.outside, x.count);
		root |= x.outside == 0;
		more = 0;
	}
	if (more < 0)
		say(r, UNREADABLE, label, "%s", strerror(-more));
	else
		say(r, if_planned(!root && lines.len), label, "%s%s",
		    lines.len ? strbuf_str(&lines) : "no id is mapped",
		    root ? ": the host's root is in it" : "");
}

static void report_ids(struct report *r, int dir, const struct proc_status *st)
{
	if (st->uid == PROC_UNKNOWN || st->gid == PROC_UNKNOWN)
		say(r, UNREADABLE, "runs as", "the kernel does not say");
	else
		say(r, if_planned(st->uid != 0), "runs as",
		    "user %" PRIu64 ", group %" PRIu64 " of the host; further groups: %s", st->uid,
		    st->gid, st->groups[strspn(st->groups, " ")] ? st->groups : "none");
	report_map(r, dir, "uid_map", "user ids");
	report_map(r, dir, "gid_map", "group ids");
}

/* --- namespaces --- */

static void report_namespace(struct report *r, int proc, int dir, const struct role *role,
			     const struct jail_namespace *ns)
{
	bool planned = ns->kinds & role->kind, own;
	char its[64], ours[64], label[32];
	_cleanup_close_ int self = proc_open_self(proc);
	int error = proc_read_namespace(dir, ns->name, its, sizeof(its));

	snprintf(label, sizeof(label), "%s namespace", ns->name);
	if (error == 0)
		error = self < 0 ? self : proc_read_namespace(self, ns->name, ours, sizeof(ours));
	if (error < 0) {
		say(r, UNREADABLE, label, "%s",
		    error == -ENOENT ? "this kernel has none" : strerror(-error));
		return;
	}
	own = strcmp(its, ours) != 0;
	say(r, if_planned(own == planned), label, "%s", own ? "its own" : "the caller's");
}

static void report_namespaces(struct report *r, int proc, int dir, const struct role *role,
			      const struct proc_status *st)
{
	const struct jail_namespace *all;
	size_t n;

	if (st->pid_depth == PROC_UNKNOWN)
		say(r, UNREADABLE, "process ids", "the kernel does not say");
	else
		say(r, if_planned(st->pid_depth > 1 && (st->inner_pid == 1) == role->first),
		    "process ids", "%" PRIu64 " in the jail, %" PRIu64 " namespace%s deep",
		    st->inner_pid, st->pid_depth, st->pid_depth == 1 ? "" : "s");
	if (role->first) {
		say(r, FACT, "namespaces",
		    "hidden, as are memory, environment and descriptors: the process is "
		    "undumpable");
		return;
	}
	all = jail_namespaces(&n);
	for (size_t i = 0; i < n; i++)
		report_namespace(r, proc, dir, role, &all[i]);
}

/* --- rights --- */

static void report_caps(struct report *r, const struct role *role, const struct proc_status *st)
{
	static const char *const sets[] = {
		[CAPS_INHERITABLE] = "inheritable", [CAPS_PERMITTED] = "permitted",
		[CAPS_EFFECTIVE] = "effective",	    [CAPS_BOUNDING] = "bounding set",
		[CAPS_AMBIENT] = "ambient",
	};

	for (unsigned int i = 0; i < PROC_CAPS_END; i++) {
		_cleanup_strbuf_ struct strbuf names = { 0 };

		if (st->caps[i] == PROC_UNKNOWN) {
			say(r, UNREADABLE, sets[i], "the kernel does not say");
			continue;
		}
		explain_capabilities(st->caps[i], &names);
		say(r, if_planned(st->caps[i] == role->caps), sets[i], "%s", strbuf_str(&names));
	}
}

static void report_filters(struct report *r, const struct role *role, const struct proc_status *st)
{
	_cleanup_strbuf_ struct strbuf names = { 0 };
	unsigned int planned = role->n_filters + role->own_filter;

	for (unsigned int i = 0; i < role->n_filters; i++)
		explain_list(&names, filter_name(role->filters[i]));
	if (role->own_filter)
		explain_list(&names, "QEMU's own");
	if (st->seccomp == PROC_UNKNOWN)
		say(r, UNREADABLE, "system calls", "the kernel does not say");
	else if (st->seccomp != 2)
		say(r, NOT_PLANNED, "system calls", "not filtered (mode %" PRIu64 ")", st->seccomp);
	else if (st->filters == PROC_UNKNOWN)
		say(r, PLANNED, "system calls",
		    "filtered; the kernel does not say how many times (planned: %s)",
		    strbuf_str(&names));
	else
		say(r, if_planned(st->filters >= planned), "system calls",
		    "%" PRIu64 " filter%s (planned: %u: %s)", st->filters,
		    st->filters == 1 ? "" : "s", planned, strbuf_str(&names));
}

static void report_rights(struct report *r, int dir, const struct role *role,
			  const struct proc_status *st)
{
	int others = proc_other_threads(dir, st);

	report_caps(r, role, st);
	if (st->no_new_privs == PROC_UNKNOWN)
		say(r, UNREADABLE, "no_new_privs", "the kernel does not say");
	else
		say(r, if_planned(st->no_new_privs == 1), "no_new_privs", "%" PRIu64,
		    st->no_new_privs);
	report_filters(r, role, st);
	if (others < 0)
		say(r, UNREADABLE, "threads", "%s", strerror(-others));
	else if (others)
		say(r, NOT_PLANNED, "threads", "%d of %" PRIu64 " with other rights", others,
		    st->threads);
	else
		say(r, PLANNED, "threads", "%" PRIu64 ", all with the same rights", st->threads);
}

/* --- mounts --- */

/* What a mount on @target is in the jail's table. */
static enum jail_mount_id mount_id(const char *target)
{
	const struct jail_mount *table = jail_mounts();

	for (int i = 0; i < MOUNT_END; i++) {
		size_t len = strlen(table[i].target);

		if (!strcmp(target, table[i].target))
			return i;
		if (len > 3 && !strcmp(table[i].target + len - 3, "...") &&
		    !strncmp(target, table[i].target, len - 3))
			return i;
	}
	/* A QEMU outside the system's directories. */
	return MOUNT_PROGRAMS;
}

static bool has_option(const char *options, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = options; p; p = strchr(p, ',')) {
		p += *p == ',';
		if (!strncmp(p, name, len) && (p[len] == ',' || !p[len]))
			return true;
	}
	return false;
}

/* Flags of the table that @m lacks. */
static void missing_flags(const struct jail_mount *as, const struct proc_mount *m,
			  struct strbuf *out)
{
	uint64_t attrs = as->attrs;
	const char *name;

	while ((name = explain_attribute(&attrs)))
		if (!has_option(m->options, name))
			explain_list(out, name);
}

/* Return: whether it needs no line of its own: one of QEMU's files, as planned. */
static bool report_mount(struct report *r, const struct role *role, const struct proc_mount *m)
{
	enum jail_mount_id id = mount_id(m->target);
	const struct jail_mount *as = &jail_mounts()[id];
	_cleanup_strbuf_ struct strbuf missing = { 0 };

	missing_flags(as, m, &missing);
	if (!(as->kinds & role->kind))
		say(r, NOT_PLANNED, m->target, "nothing is to be mounted there");
	else if (missing.len)
		say(r, NOT_PLANNED, m->target, "%s, without %s", m->options, strbuf_str(&missing));
	else if (id == MOUNT_PROGRAMS && !strcmp(m->root, "/"))
		say(r, NOT_PLANNED, m->target, "a whole file system (%s)", m->source);
	else if (id == MOUNT_PROGRAMS)
		return true;
	else if (id == MOUNT_BINDS)
		say(r, PLANNED, m->target, "%s; %s of %s (%s)", m->options, m->root, m->source,
		    m->type);
	else
		say(r, PLANNED, m->target, "%s (%s)", m->options, m->type);
	return false;
}

static void report_mounts(struct report *r, int dir, const struct role *role)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_strbuf_ struct strbuf flags = { 0 };
	struct proc_mount m;
	unsigned int files = 0;
	char *rest;
	int more = proc_read_text(dir, "mountinfo", &text);

	if (more < 0) {
		say(r, UNREADABLE, "mounts", "%s", strerror(-more));
		return;
	}
	rest = text;
	while ((more = proc_next_mount(&rest, &m)) > 0)
		files += report_mount(r, role, &m);
	if (more < 0)
		say(r, UNREADABLE, "mounts", "a line that is none");
	explain_attributes(jail_mounts()[MOUNT_PROGRAMS].attrs, &flags);
	if (files)
		say(r, PLANNED, "programs", "%u mount%s, each with %s", files,
		    files == 1 ? "" : "s", strbuf_str(&flags));
}

/* --- what it may use up --- */

/* A number of /proc/PID/limits at @s. */
static uint64_t limit_number(const char *s, const char **ret_end)
{
	size_t len;
	char word[24];
	uint64_t n;

	s += strspn(s, " ");
	len = strcspn(s, " ");
	*ret_end = s + len;
	snprintf(word, sizeof(word), "%.*s", (int)len, s);
	if (!strcmp(word, "unlimited"))
		return RLIM_INFINITY;
	return parse_uint(word, 0, RLIM_INFINITY - 1, &n) < 0 ? LIMIT_KEEP : n;
}

/* "Max NAME   SOFT   HARD   UNITS" in @text. Return: whether it is there. */
static bool find_limit(const char *text, const char *name, uint64_t *ret_soft, uint64_t *ret_hard)
{
	uint64_t soft, hard;
	char key[64];
	const char *at;

	snprintf(key, sizeof(key), "\nMax %s  ", name);
	at = strstr(text, key);
	if (!at)
		return false;
	soft = limit_number(at + strlen(key), &at);
	hard = limit_number(at, &at);
	if (soft == LIMIT_KEEP || hard == LIMIT_KEEP)
		return false;
	*ret_soft = soft;
	*ret_hard = hard;
	return true;
}

static void report_limits(struct report *r, int dir, const struct role *role)
{
	_cleanup_free_ char *text = NULL;
	const struct jail_limit *limits;
	size_t n;
	int error = proc_read_text(dir, "limits", &text);

	if (error < 0) {
		say(r, UNREADABLE, "limits", "%s", strerror(-error));
		return;
	}
	limits = jail_limits(&n);
	for (size_t i = 0; i < n; i++) {
		rlim_t planned = jail_limit_value(&limits[i], role->kind);
		uint64_t soft, hard;

		if (planned == LIMIT_KEEP)
			continue;
		if (!find_limit(text, limits[i].name, &soft, &hard))
			say(r, UNREADABLE, limits[i].name, "the kernel does not say");
		else if (hard == RLIM_INFINITY)
			say(r, if_planned(planned == LIMIT_HARD || planned == RLIM_INFINITY),
			    limits[i].name, "unlimited");
		else
			say(r, if_planned(planned == LIMIT_HARD ? soft == hard : hard <= planned),
			    limits[i].name, "%" PRIu64, hard);
	}
}

/* A file of one line or some, as it is. */
static void report_text(struct report *r, int dir, const char *file, const char *label)
{
	_cleanup_free_ char *text = NULL;
	int error = proc_read_text(dir, file, &text);

	if (error < 0) {
		say(r, UNREADABLE, label, "%s", strerror(-error));
		return;
	}
	for (char *p = text; *p; p++)
		if (*p == '\n')
			*p = ' ';
	say(r, FACT, label, "%s", *text ? text : "none");
}

static void report_fds(struct report *r, int dir)
{
	static const char *const names[FD_KINDS] = {
		[FD_FILES] = "files and directories",
		[FD_SOCKETS] = "sockets",
		[FD_PIPES] = "pipes",
		[FD_EVENTS] = "of the kernel's events",
		[FD_MEMORY] = "memory files",
		[FD_OTHERS] = "others",
	};
	_cleanup_strbuf_ struct strbuf list = { 0 };
	unsigned int counts[FD_KINDS];
	int error = proc_count_fds(dir, counts);

	if (error < 0) {
		say(r, FACT, "open descriptors",
		    "hidden: they belong to the guest's ids, which are not the caller's");
		return;
	}
	for (int i = 0; i < FD_KINDS; i++)
		if (counts[i])
			strbuf_printf(&list, "%s%u %s", list.len ? ", " : "", counts[i], names[i]);
	say(r, FACT, "open descriptors", "%s", list.len ? strbuf_str(&list) : "none");
}

/* --- all of it --- */

void report_process(struct report *r, int proc, int dir, pid_t pid, const struct role *role,
		    const struct proc_status *st)
{
	_cleanup_free_ char *whose = NULL;

	if (asprintf(&whose, "%s: process %d", role->title, (int)pid) < 0) {
		whose = NULL;
		r->body.failed = true;
		return;
	}
	r->whose = whose;
	r->whose_said = false;
	explain_heading(&r->body, whose);
	say(r, FACT, "program", "%s", st->name);
	report_ids(r, dir, st);
	report_namespaces(r, proc, dir, role, st);
	report_rights(r, dir, role, st);
	report_mounts(r, dir, role);
	if (role->limited)
		report_limits(r, dir, role);
	report_text(r, dir, "oom_score_adj", "oom_score_adj");
	report_text(r, dir, "cgroup", "control groups");
	if (!role->first)
		report_fds(r, dir);
	r->whose = NULL;
}
