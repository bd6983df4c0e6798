/* SPDX-License-Identifier: MIT */
/* vmrun-disk-reader, embedded as vmrun-init is. */
	.section .rodata
	.balign 16
	.globl disk_reader_start
	.globl disk_reader_end
	.type disk_reader_start, @object
	.type disk_reader_end, @object
disk_reader_start:
	.incbin DISK_READER_PATH
disk_reader_end:
	.size disk_reader_start, disk_reader_end - disk_reader_start
	.section .note.GNU-stack, "", @progbits
