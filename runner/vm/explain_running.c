/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * What the kernel says of a guest that runs, held against the tables that its jail was
 * made from. Nothing is kept anywhere for this: the guest is found by its QEMU's words,
 * and the rest follows from there.
 *
 *	vmrun                   parent of the next
 *	├── PID 1 of the jail   parent of QEMU
 *	│   └── QEMU            -name guest=NAME, in a user namespace of the caller's
 *	└── network helper      vmrun's other child that is PID 1 of a namespace
 *
 * The kernel is believed, the processes are not: a QEMU that was taken over can change
 * its words, not its capabilities. What cannot be read is said to be so, and is never
 * taken for right. The first process and the helper are undumpable, so that nobody but
 * the host's root can read their memory, descriptors and namespaces; status, id maps,
 * mounts and limits are everybody's to read.
 *
 * A line says "as planned" or "NOT as planned" where there is a plan; the lines that are
 * not as planned come first, too.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/vm/explain.h"
#include "runner/vm/explain_report.h"
#include "runner/vm/explain_text.h"

static const struct role qemu_role = {
	.title = "QEMU",
	.kind = JAIL_VMM,
	.limited = true,
	.filters = { FILTER_FIRST, FILTER_QEMU },
	.n_filters = 2,
	.own_filter = true,
};

static const struct role first_role = {
	.title = "The jail's first process",
	.kind = JAIL_VMM,
	.first = true,
	.limited = true,
	.filters = { FILTER_FIRST, FILTER_REAPER },
	.n_filters = 2,
};

static const struct role network_role = {
	.title = "The network helper",
	.kind = JAIL_NETWORK,
	.first = true,
	.limited = true,
	.filters = { FILTER_NETWORK },
	.n_filters = 1,
};

static void report_missing(struct report *r, const struct role *role, const char *why)
{
	explain_heading(&r->body, role->title);
	explain_paragraph(&r->body, why);
	r->n_unreadable++;
}

/* The other children of vmrun's that are PID 1: of a run there is one, or none. */
static void report_network(struct report *r, int proc, uint64_t vmrun, uint64_t first)
{
	_cleanup_(proc_list_free) struct proc_list children = { 0 };
	bool found = false;

	if (vmrun == PROC_UNKNOWN || vmrun == 0 || proc_find_children(proc, vmrun, &children) < 0) {
		report_missing(r, &network_role, "It cannot be looked for.");
		return;
	}
	for (unsigned int i = 0; i < children.n; i++) {
		struct proc_status st;

		if ((uint64_t)children.e[i].pid == first ||
		    proc_read_status(children.e[i].dir, &st) < 0 || st.inner_pid != 1)
			continue;
		report_process(r, proc, children.e[i].dir, children.e[i].pid, &network_role, &st);
		found = true;
	}
	if (!found) {
		explain_heading(&r->body, network_role.title);
		explain_paragraph(&r->body, "There is none: the guest has no network, or has not "
					    "used it yet.");
	}
}

/* Return: 0, or -ESRCH if it is gone by now. */
static int report_guest(struct report *r, int proc, int dir, pid_t pid)
{
	struct role role = qemu_role;
	struct proc_status qemu, first = { .parent = PROC_UNKNOWN }, again;
	_cleanup_close_ int first_dir = -1;
	int error = proc_read_status(dir, &qemu);

	if (error < 0)
		return error;
	role.caps = jail_capabilities();
	report_process(r, proc, dir, pid, &role, &qemu);
	first_dir = qemu.parent == PROC_UNKNOWN ? -ESRCH : proc_open(proc, qemu.parent);
	/*
	 * Gone before all of it was read: then half a report is none. While it is there,
	 * so is its parent, and nobody else has got that one's number.
	 */
	error = proc_read_status(dir, &again);
	if (error < 0 || again.parent != qemu.parent)
		return -ESRCH;
	if (first_dir >= 0 && proc_read_status(first_dir, &first) == 0)
		report_process(r, proc, first_dir, (pid_t)qemu.parent, &first_role, &first);
	else
		report_missing(r, &first_role, "It is not to be seen from here.");
	report_network(r, proc, first.parent, qemu.parent);
	return 0;
}

static void print_report(const char *name, pid_t pid, const struct report *r, struct strbuf *out)
{
	_cleanup_strbuf_ struct strbuf title = { 0 };

	strbuf_printf(&title, "Guest %s (process %d)", name, (int)pid);
	explain_heading(out, strbuf_str(&title));
	if (r->n_wrong)
		explain_item(out, "NOT as planned", "%u of %u", r->n_wrong,
			     r->n_wrong + r->n_planned);
	else
		explain_item(out, "as planned", "all %u that could be checked", r->n_planned);
	if (r->n_unreadable)
		explain_item(out, "unknown", "%u that could not", r->n_unreadable);
	if (r->n_wrong)
		strbuf_printf(out, "\n%s", strbuf_str(&r->wrong));
	strbuf_printf(out, "\n%s", strbuf_str(&r->body));
	if (r->body.failed || r->wrong.failed)
		out->failed = true;
}

int explain_running_in(int proc, uint32_t owner, const char *name, struct strbuf *out,
		       struct err *e)
{
	_cleanup_(proc_list_free) struct proc_list guests = { 0 };
	_cleanup_strbuf_ struct strbuf text = { 0 };
	unsigned int n = 0;
	int r = proc_find_guests(proc, owner, name, &guests);

	if (r < 0)
		return err_errno(e, -r, "cannot look for guests in /proc");
	for (unsigned int i = 0; i < guests.n; i++) {
		struct report report = { 0 };

		if (report_guest(&report, proc, guests.e[i].dir, guests.e[i].pid) == 0) {
			print_report(name, guests.e[i].pid, &report, &text);
			n++;
		}
		strbuf_free(&report.body);
		strbuf_free(&report.wrong);
	}
	if (n == 0)
		return err_msg(e, ENOENT,
			       "no guest of yours that runs is called '%s'; --name gives a guest "
			       "its name",
			       name);
	if (n + guests.more > 1)
		strbuf_printf(out,
			      "%u guests have that name, or say so: a QEMU that was taken over can "
			      "say\nwhat it likes.%s\n\n",
			      n + guests.more, guests.more ? " These are the first." : "");
	strbuf_add(out, strbuf_str(&text), text.len);
	if (text.failed)
		out->failed = true;
	return 0;
}

int explain_running(const char *name, struct strbuf *out, struct err *e)
{
	_cleanup_close_ int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (proc < 0)
		return err_errno(e, errno, "cannot open /proc");
	return explain_running_in(proc, geteuid(), name, out, e);
}
