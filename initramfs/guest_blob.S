/* SPDX-License-Identifier: MIT */
/* vmrun-init, embedded: the program is one file, whatever directory it runs from. */
	.section .rodata
	.balign 16
	.globl vmrun_init_start
	.globl vmrun_init_end
	.type vmrun_init_start, @object
	.type vmrun_init_end, @object
vmrun_init_start:
	.incbin VMRUN_INIT_PATH
vmrun_init_end:
	.size vmrun_init_start, vmrun_init_end - vmrun_init_start
	.section .note.GNU-stack, "", @progbits
