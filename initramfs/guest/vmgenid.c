/* SPDX-License-Identifier: MIT */
/*
 * A guest restored from a template has another vmgenid than the template: QEMU raises
 * an ACPI event, and the kernel renews its random numbers and tells whoever else must
 * know. To find that out it interprets ACPI's byte code, which an emulated guest takes
 * 10 ms for. So the event is masked (acpi_mask_gpe= on the kernel's command line, by
 * vmrun) and let through here a little later. Nothing waits for it: the random numbers
 * were renewed by entropy_add() before anything was done for the run.
 */
#include <fcntl.h>
#include <unistd.h>

#include "initramfs/guest/guest.h"

static int event = -1;

void vmgenid_prepare(void)
{
	/* QEMU's ACPI_VMGENID_CHANGE_STATUS is bit 5 of GPE block 0. */
	event = open("/sys/firmware/acpi/interrupts/gpe05", O_WRONLY | O_CLOEXEC);
}

void vmgenid_unmask(void)
{
	static const char word[] = "unmask\n";
	ssize_t unused;

	if (event < 0)
		return;
	unused = write(event, word, sizeof(word) - 1);
	(void)unused;
	close(event);
	event = -1;
}
