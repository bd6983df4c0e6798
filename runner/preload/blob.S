/* SPDX-License-Identifier: MIT */
/* ram_readonly.so, embedded: see preload.h. */
	.section .rodata
	.balign 16
	.globl ram_readonly_start
	.globl ram_readonly_end
	.type ram_readonly_start, @object
	.type ram_readonly_end, @object
ram_readonly_start:
	.incbin RAM_READONLY_PATH
ram_readonly_end:
	.size ram_readonly_start, ram_readonly_end - ram_readonly_start
	.section .note.GNU-stack, "", @progbits
