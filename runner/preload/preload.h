/* SPDX-License-Identifier: MIT */
/*
 * ram_readonly.so, embedded: a shared object for LD_PRELOAD of a QEMU before 8.2,
 * which cannot be told to open the file of a template's memory for reading only.
 * See ram_readonly.c for what it does and what it does not.
 */
#ifndef VMRUN_PRELOAD_PRELOAD_H
#define VMRUN_PRELOAD_PRELOAD_H

/* The ELF file's first byte, and the one after its last. */
extern const unsigned char ram_readonly_start[], ram_readonly_end[];

#endif
