/* SPDX-License-Identifier: MIT */
#include "runner/jail/filter.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/jail/filter_table.h"
#include "runner/spec/help_text.h"

#define COLUMNS 80u
#define INDENT_GROUP 2u
#define INDENT_REASON 4u
#define INDENT_CALLS 6u

int filter_load(enum filter which, enum seccomp_mode mode, struct err *e)
{
	const struct filter_program *program = &filter_programs[which][mode];
	const struct sock_fprog load = {
		.len = program->len,
		/* The kernel copies it; its header does not say so. */
		.filter = (struct sock_filter *)program->code,
	};

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &load) == 0)
		return 0;
	if (errno == ENOSYS || errno == EINVAL)
		return err_errno(e, errno,
				 "cannot load the system call filter '%s'; the host's kernel must "
				 "have CONFIG_SECCOMP_FILTER",
				 filter_name(which));
	return err_errno(e, errno, "cannot load the system call filter '%s'", filter_name(which));
}

const char *filter_name(enum filter which)
{
	return filter_kinds[which].name;
}

/* Whether no row before this one is of the same filter and call: rows are alternatives. */
static bool is_first_row(size_t row, enum filter which)
{
	for (size_t i = 0; i < row; i++)
		if (filter_check_applies(&filter_checks[i], which) &&
		    !strcmp(filter_checks[i].call, filter_checks[row].call))
			return false;
	return true;
}

static unsigned int count_calls(const struct filter_group *group)
{
	const char *at = group->calls, *call;
	unsigned int n = 0;
	size_t len;

	while (filter_next_call(&at, &call, &len))
		n++;
	return n;
}

struct filter_counts filter_count(enum filter which)
{
	struct filter_counts counts = { 0 };

	for (size_t i = 0; i < filter_n_groups; i++) {
		const struct filter_group *group = &filter_groups[i];

		if (!(group->filters & 1u << which))
			continue;
		if (group->verdict == FILTER_ALLOW)
			counts.allowed += count_calls(group);
		else if (group->verdict == FILTER_KILL)
			counts.killed += count_calls(group);
	}
	for (size_t i = 0; i < filter_n_checks; i++)
		if (filter_check_applies(&filter_checks[i], which) && is_first_row(i, which))
			counts.by_argument++;
	return counts;
}

static void pad(struct strbuf *out, unsigned int n)
{
	strbuf_printf(out, "%*s", (int)n, "");
}

static void explain_kind(enum filter which, struct strbuf *out)
{
	static const char *const otherwise[] = {
		[FILTER_ALLOW] = "All others are allowed",
		[FILTER_REFUSE] = "All others get ENOSYS",
		[FILTER_KILL] = "All others kill it",
	};
	struct filter_counts counts = filter_count(which);
	_cleanup_strbuf_ struct strbuf text = { 0 };

	strbuf_printf(&text, "%s, of %s:", filter_name(which), filter_kinds[which].who);
	if (counts.allowed)
		strbuf_printf(&text, " %u system calls are allowed.", counts.allowed);
	if (counts.by_argument)
		strbuf_printf(&text, " %u are judged by their arguments.", counts.by_argument);
	if (counts.killed)
		strbuf_printf(&text, " %u kill the process.", counts.killed);
	strbuf_printf(&text, " %s; those of other machines (i386, x32) kill it.",
		      otherwise[filter_kinds[which].otherwise]);
	help_text_wrap(out, strbuf_str(&text), 0, INDENT_GROUP, COLUMNS);
}

/* "ioctl: KVM's, FIONBIO", a line for each call that has rows in this group. */
static void explain_checks(const struct filter_group *group, struct strbuf *out)
{
	for (size_t i = 0; i < filter_n_checks; i++) {
		const char *call = filter_checks[i].call;
		_cleanup_strbuf_ struct strbuf text = { 0 };
		bool again = false;

		for (size_t k = 0; k < filter_n_checks; k++) {
			if (strcmp(filter_checks[k].group, group->name) != 0 ||
			    strcmp(filter_checks[k].call, call) != 0)
				continue;
			again = again || k < i;
			strbuf_printf(&text, "%s%s", text.len ? ", " : "", filter_checks[k].what);
		}
		if (again || strcmp(filter_checks[i].group, group->name) != 0)
			continue;
		pad(out, INDENT_CALLS);
		strbuf_printf(out, "%s: ", call);
		help_text_wrap(out, strbuf_str(&text),
			       INDENT_CALLS + (unsigned int)strlen(call) + 2, INDENT_CALLS + 2,
			       COLUMNS);
	}
}

/* What several filters have is told once, at the first of them. */
static void explain_group(const struct filter_group *group, enum filter which, struct strbuf *out)
{
	static const char *const verdicts[] = {
		[FILTER_ALLOW] = "allowed",
		[FILTER_REFUSE] = "ENOSYS",
		[FILTER_KILL] = "kills",
	};
	enum filter first = (enum filter)__builtin_ctz(group->filters);

	pad(out, INDENT_GROUP);
	strbuf_printf(out, "%s (%s)", group->name, verdicts[group->verdict]);
	if (first != which) {
		strbuf_printf(out, ": as for \"%s\"\n", filter_name(first));
		return;
	}
	strbuf_putc(out, '\n');
	pad(out, INDENT_REASON);
	help_text_wrap(out, group->reason, INDENT_REASON, INDENT_REASON, COLUMNS);
	if (*group->calls) {
		pad(out, INDENT_CALLS);
		help_text_wrap(out, group->calls, INDENT_CALLS, INDENT_CALLS, COLUMNS);
	}
	explain_checks(group, out);
}

void filter_explain(enum filter which, struct strbuf *out)
{
	explain_kind(which, out);
	for (size_t i = 0; i < filter_n_groups; i++)
		if (filter_groups[i].filters & 1u << which)
			explain_group(&filter_groups[i], which, out);
}
