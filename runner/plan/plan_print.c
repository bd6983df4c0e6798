/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include "runner/plan/vm_plan.h"

static const char *const cache_names[] = { "auto", "none", "mmap", "loose" };
static const char *const mode_names[] = { "read-write", "read-only", "ephemeral" };
static const char *const lock_names[] = { "shared with other readers", "exclusive", "tolerant" };
static const char *const idmap_names[] = { "auto", "caller", "subid", "single", "explicit" };

/* As a shell would take it back: quoted where it must be, always one line. */
static void print_word(struct strbuf *out, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789@%+=:,./-_";

	if (*word && word[strspn(word, plain)] == '\0') {
		strbuf_puts(out, word);
		return;
	}
	strbuf_puts(out, "$'");
	for (const char *p = word; *p; p++) {
		if (text_is_control(p, word))
			strbuf_printf(out, "\\%03o", (unsigned char)*p);
		else if (*p == '\'' || *p == '\\')
			strbuf_printf(out, "\\%c", *p);
		else
			strbuf_putc(out, *p);
	}
	strbuf_putc(out, '\'');
}

static void print_command(const struct vm_spec *spec, struct strbuf *out)
{
	strbuf_puts(out, "command    ");
	if (spec->command.n == 0) {
		strbuf_puts(out, " login shell of ");
		print_word(out, spec->user ? spec->user : "root");
	}
	for (size_t i = 0; i < spec->command.n; i++) {
		strbuf_putc(out, ' ');
		print_word(out, spec->command.v[i]);
	}
	strbuf_putc(out, '\n');
}

static void print_volumes(const struct vm_plan *plan, struct strbuf *out)
{
	for (unsigned int i = 0; i < plan->in.spec->n_volumes; i++) {
		const struct volume *v = &plan->in.spec->volumes[i];

		strbuf_puts(out, "volume      ");
		print_word(out, v->src);
		strbuf_puts(out, " on ");
		print_word(out, v->dst);
		strbuf_printf(out, ", %s, cache %s\n", v->read_only ? "read-only" : "read-write",
			      cache_names[plan->volume_cache]);
	}
}

static void print_disks(const struct vm_plan *plan, struct strbuf *out)
{
	for (unsigned int i = 0; i < plan->in.spec->n_disks; i++) {
		const struct disk *d = &plan->in.spec->disks[i];

		strbuf_puts(out, "disk        ");
		print_word(out, d->src);
		strbuf_printf(out, " as /dev/vd%c, %s, %s\n", 'a' + (int)i,
			      plan->in.disks[i].format == DISK_QCOW2 ? "qcow2" : "raw",
			      d->read_only ? "read-only" : "read-write");
	}
}

static void print_ids(const struct idmap_choice *idmap, struct strbuf *out)
{
	char uids[512], gids[512];

	idmap_format(&idmap->uids, uids, sizeof(uids));
	idmap_format(&idmap->gids, gids, sizeof(gids));
	strbuf_printf(out, "id map      %s: uid %s, gid %s\n", idmap_names[idmap->kind], uids,
		      gids);
}

static void print_kernel(const struct base_report *report, struct strbuf *out)
{
	strbuf_puts(out, "kernel      ");
	print_word(out, report->kernel_path);
	strbuf_puts(out, ", version ");
	print_word(out, report->kernel_version);
	strbuf_printf(out, ", by %s, initramfs %" PRIu64 " KiB\n", report->pvh ? "PVH" : "bzImage",
		      report->initramfs_size >> 10);
}

static void print_network(const struct vm_plan *plan, struct strbuf *out)
{
	strbuf_puts(out, plan->network == NET_USER ? "network     user" : "network     none");
	if (plan->network == NET_USER && plan->in.spec->host_loopback)
		strbuf_puts(out, ", 10.0.2.2 is the host's 127.0.0.1");
	for (unsigned int i = 0; i < plan->in.spec->n_ports; i++) {
		const struct port_forward *p = &plan->in.spec->ports[i];

		strbuf_printf(out, ", %s:%u to %u/%s", p->host_ip, p->host_port, p->guest_port,
			      p->udp ? "udp" : "tcp");
	}
	strbuf_putc(out, '\n');
}

void vm_plan_print(const struct vm_plan *plan, struct strbuf *out)
{
	const struct vm_spec *spec = plan->in.spec;

	print_command(spec, out);
	strbuf_puts(out, "base        ");
	print_word(out, plan->in.base_path);
	strbuf_printf(out, ", %s, cache %s, lock %s\n", mode_names[spec->root_mode],
		      cache_names[plan->root_cache], lock_names[plan->lock]);
	print_volumes(plan, out);
	print_disks(plan, out);
	print_ids(plan->in.idmap, out);
	print_kernel(plan->in.report, out);
	strbuf_printf(out, "machine     %s, %u CPU%s, %" PRIu64 " MiB, host name %s\n",
		      plan->in.accel == ACCEL_KVM ? "KVM" : "TCG", plan->cpus,
		      plan->cpus == 1 ? "" : "s", spec->memory >> 20, plan->hostname);
	print_network(plan, out);
	strbuf_printf(out, "start       %s\n",
		      plan->in.start == START_RESTORE ? "from a template" : "boot");
	strbuf_puts(out, "qemu       ");
	for (size_t i = 0; i < plan->qemu_argv.n; i++) {
		const char *arg = plan->qemu_argv.v[i];

		/* An option and its value share a line. */
		strbuf_puts(out, i > 0 && arg[0] == '-' ? " \\\n            " : " ");
		print_word(out, arg);
	}
	strbuf_putc(out, '\n');
}
