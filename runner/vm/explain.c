/* SPDX-License-Identifier: MIT */
/*
 * The jail in words. What can be a fact of the jail's own tables is taken from there:
 * stages, namespaces, mounts, capabilities, limits, system calls. What is written out
 * here is what no table holds: who lives where, and what a guest can do all the same.
 */
#include "runner/vm/explain.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "runner/base/cleanup.h"
#include "runner/host/cgroup.h"
#include "runner/host/programs.h"
#include "runner/host/setuid_exposure.h"
#include "runner/jail/filter.h"
#include "runner/jail/jail.h"
#include "runner/jail/limits.h"
#include "runner/jail/userns.h"
#include "runner/vm/explain_text.h"

/* A guest's two jails. */
#define KINDS (JAIL_VMM | JAIL_NETWORK)

/* Of which of the two something is said. */
static const char *only(unsigned int kinds)
{
	kinds &= KINDS;
	return kinds == JAIL_VMM     ? " (QEMU only)" :
	       kinds == JAIL_NETWORK ? " (network helper only)" :
				       "";
}

static void explain_processes(const struct launch_input *in, struct strbuf *out)
{
	explain_heading(out, "Who lives where");
	explain_item(out, "vmrun",
		     "is the caller's, in the caller's namespaces. It holds the "
		     "terminal, and never reads what the guest decides unchecked.");
	explain_item(out, "first process",
		     "is vmrun's child, and PID 1 of the jail. It builds the jail, and reads the "
		     "base once that is closed: what a hostile base does to its reader, it does in "
		     "here. Then it waits for QEMU.");
	explain_item(out, "QEMU",
		     "is the first process's child, the only other one in the jail. Under "
		     "emulation it is no boundary, by its own documentation: the jail is.");
	explain_item(out, "network helper", "%s",
		     plan_network(in->spec) == NET_NONE ?
			     "is not there: --network=none." :
			     "is vmrun's child, in a jail of its own that has the caller's network "
			     "and no file. QEMU has a socket to it, and no other network. It is "
			     "started when the guest first sends something, or at once if ports "
			     "are published.");
}

/* --- ids --- */

static const char *map_is(enum idmap_kind kind)
{
	switch (kind) {
	case IDMAP_CALLER:
		return "caller: the guest's root is the caller, the guest's other ids are the "
		       "caller's subordinate ones";
	case IDMAP_SUBID:
		return "subid: the guest's ids, its root's too, are the caller's subordinate ones; "
		       "the caller is one of the last, so that its volumes can be opened";
	case IDMAP_SINGLE:
		return "single: the guest's root is the caller, and there is no other id";
	case IDMAP_EXPLICIT:
		return "explicit: as --idmap says";
	case IDMAP_AUTO:
		break;
	}
	return "";
}

static void explain_map(const char *label, const struct id_map *map, struct strbuf *out)
{
	for (unsigned int i = 0; i < map->n; i++)
		explain_item(out, i ? "" : label, "%" PRIu32 " %" PRIu32 " %" PRIu32,
			     map->e[i].inside, map->e[i].outside, map->e[i].count);
}

static void explain_ids(const struct launch_input *in, struct strbuf *out)
{
	explain_heading(out, "Ids (first one in the guest, on the host, how many)");
	if (!in->idmap) {
		explain_paragraph(out, "Follow from the owners of ROOT: name one to see them.");
		return;
	}
	explain_item(out, "layout", "%s", map_is(in->idmap->kind));
	explain_item(out, "because", "%s",
		     in->spec->idmap == IDMAP_AUTO ?
			     "of who owns ROOT, and its /etc, /usr, /root and /etc/passwd" :
			     "--idmap says so");
	explain_map("uid_map", &in->idmap->uids, out);
	explain_map("gid_map", &in->idmap->gids, out);
	if (userns_groups_denied(&in->idmap->uids, &in->idmap->gids))
		explain_item(out, "further groups",
			     "stay the caller's: the kernel lets nobody drop them under such a "
			     "map");
	explain_item(out, "all other ids",
		     "do not exist in the jail: what belongs to them can be "
		     "used as everybody may use it");
}

static void explain_namespaces(struct strbuf *out)
{
	const struct jail_namespace *all;
	size_t n;

	explain_heading(out, "Namespaces");
	all = jail_namespaces(&n);
	for (size_t i = 0; i < n; i++)
		explain_item(out, all[i].name, "%s%s: %s", all[i].kinds ? "own" : "the caller's",
			     only(all[i].kinds), all[i].why);
}

/* --- mounts --- */

static size_t directory_len(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) : 0;
}

/* The files of one directory in one item: there are dozens. */
static void explain_programs(const struct strvec *programs, struct strbuf *out)
{
	for (size_t i = 0; i < programs->n; i++) {
		const char *first = programs->v[i];
		size_t len = directory_len(first);
		_cleanup_strbuf_ struct strbuf names = { 0 }, directory = { 0 };
		bool said = false;

		for (size_t j = 0; j < programs->n; j++) {
			const char *path = programs->v[j];

			if (directory_len(path) != len || strncmp(path, first, len) != 0)
				continue;
			/* With an earlier one. */
			said |= j < i;
			strbuf_printf(&names, "%s%s", names.len ? " " : "", path + len + 1);
		}
		strbuf_add(&directory, first, len);
		if (!said)
			explain_item(out, strbuf_str(&directory), "%s", strbuf_str(&names));
		out->failed |= names.failed || directory.failed;
	}
}

static void explain_bind(const char *target, const char *source, bool read_only, struct strbuf *out)
{
	_cleanup_strbuf_ struct strbuf flags = { 0 };

	explain_attributes(jail_mounts()[MOUNT_BINDS].attrs | (read_only ? MOUNT_ATTR_RDONLY : 0),
			   &flags);
	explain_item(out, target, "%s: %s", strbuf_str(&flags), source);
	out->failed |= flags.failed;
}

static int explain_mounts(const struct launch_input *in, struct strbuf *out, struct err *e)
{
	_cleanup_strvec_ struct strvec programs = { 0 };
	const struct jail_mount *mounts = jail_mounts();
	int r = programs_find(in->facts, false, &programs, e);

	if (r < 0)
		return r;
	if (programs.failed)
		return err_oom(e);
	explain_heading(out, "Mounts, which is all that can be seen of the host");
	for (int i = 0; i < MOUNT_END; i++) {
		_cleanup_strbuf_ struct strbuf flags = { 0 };

		explain_attributes(mounts[i].attrs, &flags);
		explain_item(out, mounts[i].target, "%s: %s%s", strbuf_str(&flags), mounts[i].what,
			     only(mounts[i].kinds));
	}
	if (in->base)
		explain_bind(JAIL_ROOT_DIR, in->base->path, in->spec->root_mode != ROOT_RW, out);
	for (unsigned int i = 0; i < in->spec->n_volumes; i++) {
		const struct volume *v = &in->spec->volumes[i];
		char target[sizeof(JAIL_VOLUMES_DIR) + 16];

		snprintf(target, sizeof(target), JAIL_VOLUMES_DIR "/%u", i);
		explain_bind(target, v->src, v->read_only, out);
	}
	for (unsigned int i = 0; i < in->spec->n_disks; i++) {
		const struct disk *d = &in->spec->disks[i];
		char target[sizeof(JAIL_DISKS_DIR) + 16];

		snprintf(target, sizeof(target), JAIL_DISKS_DIR "/%u", i);
		explain_bind(target, d->src, d->read_only, out);
	}
	explain_heading(out, "Files of QEMU's, by directory");
	explain_programs(&programs, out);
	return 0;
}

/* --- stages --- */

static const char *const phase_is[PHASE_END] = {
	[PHASE_ATTACH] = "in the first process, with the caller's rights",
	[PHASE_CONFINE] = "in the first process, as root of the user namespace",
	[PHASE_REST] = "in the first process, before QEMU runs",
	[PHASE_EXEC] = "in the process that becomes QEMU, and in the network helper",
};

static void explain_stage(const struct jail_stage *stage, struct strbuf *out)
{
	const char *layer = jail_layer_name(stage->layer);

	explain_item(out, stage->name, "must: %s", stage->must);
	if (stage->must_not)
		explain_item(out, "", "must not: %s", stage->must_not);
	if (layer)
		explain_item(out, "", "layer %s%s", layer, only(stage->kinds));
	else if (*only(stage->kinds))
		explain_item(out, "", "%s", only(stage->kinds));
}

static void explain_stages(struct strbuf *out)
{
	const struct jail_stage *stages;
	enum jail_phase phase = PHASE_END;
	size_t n;

	stages = jail_stages(&n);
	for (size_t i = 0; i < n; i++) {
		if (!(stages[i].kinds & KINDS))
			continue;
		if (stages[i].phase != phase) {
			_cleanup_strbuf_ struct strbuf title = { 0 };

			phase = stages[i].phase;
			strbuf_printf(&title, "Stages \"%s\", %s", jail_phase_name(phase),
				      phase_is[phase]);
			explain_heading(out, strbuf_str(&title));
		}
		explain_stage(&stages[i], out);
	}
}

static void explain_layers(struct strbuf *out)
{
	_cleanup_strbuf_ struct strbuf names = { 0 };

	for (enum jail_layer layer = LAYER_NONE + 1; layer < LAYER_END; layer++)
		explain_list(&names, jail_layer_name(layer));
	explain_heading(out, "Layers, each of which --self-test can do without, to see what it "
			     "is for");
	explain_paragraph(out, strbuf_str(&names));
	out->failed |= names.failed;
}

/* --- rights --- */

static void explain_rights(struct strbuf *out)
{
	_cleanup_strbuf_ struct strbuf caps = { 0 };

	explain_capabilities(jail_capabilities(), &caps);
	explain_heading(out, "Capabilities, in the jail's user namespace alone");
	explain_item(out, "QEMU",
		     "%s, in every set, and no other can be had again. A 9p server that gives "
		     "files to their owners needs them; over ids that are not in the map they say "
		     "nothing.",
		     strbuf_str(&caps));
	explain_item(out, "first process", "none from before QEMU runs on");
	explain_item(out, "network helper", "none");
	out->failed |= caps.failed;
}

static void explain_calls(const struct launch_input *in, struct strbuf *out)
{
	explain_heading(out, "System calls");
	if (in->spec->seccomp == SECCOMP_LOG)
		explain_paragraph(out, "--seccomp=log: what is not named here is allowed, and "
				       "logged. Such a jail is for finding out, not for guests "
				       "that are not trusted.");
	for (enum filter which = 0; which < FILTER_END; which++) {
		strbuf_putc(out, '\n');
		filter_explain(which, out);
	}
}

/* --- limits --- */

static void limit_text(rlim_t value, char *ret, size_t size)
{
	if (value == LIMIT_KEEP)
		snprintf(ret, size, "the caller's");
	else if (value == LIMIT_HARD)
		snprintf(ret, size, "the caller's hard limit");
	else if (value == RLIM_INFINITY)
		snprintf(ret, size, "none");
	else
		snprintf(ret, size, "%" PRIu64, (uint64_t)value);
}

static void explain_limits(const struct launch_input *in, struct strbuf *out)
{
	bool emulated = in->accel != ACCEL_KVM;
	const struct cgroup_limits group = {
		.guest_memory = in->spec->memory,
		.cpus = plan_cpus(in->spec, in->facts, in->accel),
		.emulated = emulated,
	};
	_cleanup_strbuf_ struct strbuf of_group = { 0 };
	const struct jail_limit *limits;
	size_t n;

	explain_heading(out, "Limits");
	limits = jail_limits(&n);
	for (size_t i = 0; i < n; i++) {
		char vmm[32], network[32];

		limit_text(jail_limit_value(&limits[i], JAIL_VMM), vmm, sizeof(vmm));
		limit_text(jail_limit_value(&limits[i], JAIL_NETWORK), network, sizeof(network));
		explain_item(out, limits[i].name, "QEMU: %s; network helper: %s; %s", vmm, network,
			     limits[i].why);
	}
	cgroup_describe(&group, &of_group);
	explain_item(out, "control group", "%s", strbuf_str(&of_group));
	out->failed |= of_group.failed;
}

/* --- what is left --- */

static void explain_network(const struct launch_input *in, struct strbuf *out)
{
	const struct vm_spec *spec = in->spec;

	if (plan_network(spec) == NET_NONE) {
		explain_item(out, "network", "nothing: --network=none");
		return;
	}
	explain_item(out, "network",
		     "make connections from the host's addresses, as the caller could%s",
		     spec->host_loopback ?
			     ", and to the host's own 127.0.0.1 (--network=user,host-loopback)" :
			     ", but not to the host's loopback; one that takes over QEMU and then "
			     "the network helper, too, can do that");
	for (unsigned int i = 0; i < spec->n_ports; i++)
		explain_item(out, "", "answer on %s port %u", spec->ports[i].host_ip,
			     spec->ports[i].host_port);
}

static void explain_setuid(const struct launch_input *in, struct strbuf *out)
{
	const struct setuid_input input = { .spec = in->spec,
					    .base = in->base,
					    .uids = &in->idmap->uids,
					    .uid = in->facts->uid,
					    .gid = in->facts->gid };
	char text[ERR_TEXT_MAX];

	if (setuid_exposure(&input, text))
		explain_item(out, "setuid files", "%s", text);
}

static void explain_rest(const struct launch_input *in, struct strbuf *out)
{
	bool writes = in->spec->root_mode == ROOT_RW;

	explain_heading(out, "What a guest can do all the same");
	explain_item(out, "base and volumes",
		     "%s; read all of them, whatever the modes, as far as the ids are in the map",
		     writes ? "change anything in the base and in volumes that are not read-only, "
			      "and fill their disks" :
			      "change anything in volumes that are not read-only, and fill their "
			      "disks; the base is read-only by the host's kernel");
	explain_network(in, out);
	explain_item(out, "CPU and memory",
		     "use all that the host's scheduler gives to the caller; its own memory, and "
		     "what QEMU needs on top");
	explain_item(out, "output",
		     "write what it likes to vmrun's standard output and error: the command's "
		     "output is not changed");
	explain_item(out, "names",
		     "as a QEMU taken over: learn the host's paths of base and volumes, and "
		     "vmrun's command line");
	explain_item(out, "descriptors",
		     "as such, where its ids are the caller's and Linux is older than 6.16: send "
		     "itself so many that no process of the caller's can send any");
	explain_item(out, "side channels",
		     "measure what else runs on the same CPU, as any program of the caller's");
	explain_item(out, "host's kernel",
		     "look for its faults by the system calls below, and by no others");
	if (in->base && in->idmap)
		explain_setuid(in, out);
}

int explain_jail(const struct launch_input *in, struct strbuf *out, struct err *e)
{
	int r;

	explain_processes(in, out);
	explain_ids(in, out);
	explain_namespaces(out);
	r = explain_mounts(in, out, e);
	if (r < 0)
		return r;
	explain_stages(out);
	explain_layers(out);
	explain_rights(out);
	explain_limits(in, out);
	explain_rest(in, out);
	explain_calls(in, out);
	return out->failed ? err_oom(e) : 0;
}

/* --- a dry run's few lines --- */

static void plan_namespaces(enum jail_kind kind, struct strbuf *out)
{
	const struct jail_namespace *all;
	size_t n;

	strbuf_puts(out, "own namespaces:");
	all = jail_namespaces(&n);
	for (size_t i = 0; i < n; i++)
		if (all[i].kinds & kind)
			strbuf_printf(out, " %s", all[i].name);
	strbuf_putc(out, '\n');
}

static void plan_line(const char *what, struct strbuf *out)
{
	strbuf_printf(out, "%*s%s: ", 12, "", what);
}

static void plan_bind(const char *target, bool read_only, struct strbuf *out)
{
	plan_line("mount", out);
	strbuf_printf(out, "%s ", target);
	explain_attributes(jail_mounts()[MOUNT_BINDS].attrs | (read_only ? MOUNT_ATTR_RDONLY : 0),
			   out);
	strbuf_putc(out, '\n');
}

static void plan_mounts(const struct vm_spec *spec, enum jail_kind kind, struct strbuf *out)
{
	const struct jail_mount *mounts = jail_mounts();
	const char *semicolon = "";

	plan_line("mounts", out);
	for (int i = 0; i < MOUNT_END; i++) {
		if (i == MOUNT_BINDS || i == MOUNT_CACHES || !(mounts[i].kinds & kind))
			continue;
		strbuf_printf(out, "%s%s ", semicolon, mounts[i].target);
		explain_attributes(mounts[i].attrs, out);
		semicolon = "; ";
	}
	strbuf_putc(out, '\n');
	if (kind != JAIL_VMM)
		return;
	plan_bind(JAIL_ROOT_DIR, spec->root_mode != ROOT_RW, out);
	for (unsigned int i = 0; i < spec->n_volumes; i++) {
		char target[sizeof(JAIL_VOLUMES_DIR) + 16];

		snprintf(target, sizeof(target), JAIL_VOLUMES_DIR "/%u", i);
		plan_bind(target, spec->volumes[i].read_only, out);
	}
	for (unsigned int i = 0; i < spec->n_disks; i++) {
		char target[sizeof(JAIL_DISKS_DIR) + 16];

		snprintf(target, sizeof(target), JAIL_DISKS_DIR "/%u", i);
		plan_bind(target, spec->disks[i].read_only, out);
	}
}

static void plan_limits(enum jail_kind kind, struct strbuf *out)
{
	const struct jail_limit *limits;
	const char *comma = "";
	size_t n;

	plan_line("limits", out);
	limits = jail_limits(&n);
	for (size_t i = 0; i < n; i++) {
		/* As in the table: what old kernels make of it is left to --explain. */
		rlim_t value = kind == JAIL_NETWORK ? limits[i].network : limits[i].vmm;
		char text[32];

		if (value == LIMIT_KEEP)
			continue;
		limit_text(value, text, sizeof(text));
		strbuf_printf(out, "%s%s %s", comma, limits[i].name, text);
		comma = ", ";
	}
	strbuf_putc(out, '\n');
}

static void plan_jail(const struct vm_spec *spec, enum jail_kind kind, enum filter which,
		      uint64_t caps, struct strbuf *out)
{
	const struct filter_counts counts = filter_count(which);

	plan_namespaces(kind, out);
	plan_mounts(spec, kind, out);
	plan_line("capabilities", out);
	explain_capabilities(caps, out);
	strbuf_putc(out, '\n');
	plan_line("system calls", out);
	strbuf_printf(out, "%u allowed, %u by argument, %u killed%s\n", counts.allowed,
		      counts.by_argument, counts.killed,
		      spec->seccomp == SECCOMP_LOG ? "; others logged" : "");
	plan_limits(kind, out);
}

void explain_plan(const struct vm_plan *plan, struct strbuf *out)
{
	const struct vm_spec *spec = plan->in.spec;

	strbuf_puts(out, "jail        ");
	plan_jail(spec, JAIL_VMM, FILTER_QEMU, jail_capabilities(), out);
	if (plan->network == NET_NONE)
		return;
	strbuf_puts(out, "helper jail ");
	plan_jail(spec, JAIL_NETWORK, FILTER_NETWORK, 0, out);
}
