/* SPDX-License-Identifier: MIT */
/* vmrun-disk-init, embedded: what exported disk images boot with. */
	.section .rodata
	.balign 16
	.globl vmrun_disk_init_start
	.globl vmrun_disk_init_end
	.type vmrun_disk_init_start, @object
	.type vmrun_disk_init_end, @object
vmrun_disk_init_start:
	.incbin VMRUN_DISK_INIT_PATH
vmrun_disk_init_end:
	.size vmrun_disk_init_start, vmrun_disk_init_end - vmrun_disk_init_start
	.section .note.GNU-stack, "", @progbits
