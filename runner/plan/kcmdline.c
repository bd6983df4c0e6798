/* SPDX-License-Identifier: MIT */
#include "runner/plan/parts.h"

char *plan_kcmdline(const struct plan_input *in)
{
	struct strbuf b = { 0 };

	/* Nothing that differs from run to run: the agent gets that by frames. */
	strbuf_puts(&b, "console=ttyS0 panic=-1 rdinit=/init");
	/* vmrun-init unmasks it: see initramfs/guest/vmgenid.c. */
	strbuf_puts(&b, " acpi_mask_gpe=0x05");
	/*
	 * On a busy host an emulated timer misses the kernel's check that its
	 * interrupts arrive: "IO-APIC + timer doesn't work", 4 of 24 guests.
	 */
	if (in->accel == ACCEL_TCG)
		strbuf_puts(&b, " no_timer_check");
	/*
	 * Pages zeroed twice and pressure accounted for at each switch cost an
	 * emulated guest 5 % of a start; "-a" has the last word.
	 */
	if (in->accel == ACCEL_TCG)
		strbuf_puts(&b, " init_on_alloc=0 psi=0");
	/* 4: errors and worse, so that a panic or an OOM kill is seen. */
	if (!in->spec->verbose)
		strbuf_puts(&b, " quiet loglevel=4");
	if (in->spec->append)
		strbuf_printf(&b, " %s", in->spec->append);
	return strbuf_steal(&b);
}
