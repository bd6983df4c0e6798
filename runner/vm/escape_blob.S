/* SPDX-License-Identifier: MIT */
/* The program of tests/escape, embedded: a self-test needs no file but vmrun. */
	.section .rodata
	.balign 16
	.globl escape_start
	.globl escape_end
	.type escape_start, @object
	.type escape_end, @object
escape_start:
	.incbin ESCAPE_PATH
escape_end:
	.size escape_start, escape_end - escape_start
	.section .note.GNU-stack, "", @progbits
