/* SPDX-License-Identifier: MIT */
#ifndef VMRUN_ROOTFS_INSPECT_ELF_H
#define VMRUN_ROOTFS_INSPECT_ELF_H

#include <stddef.h>
#include <stdint.h>

#define ELF_HEAD_MAX 65536 /* bytes that are looked at */

struct elf_facts {
	char arch[24];	  /* as uname -m: "x86_64"; "machine 4711" for an unknown one */
	const char *libc; /* glibc, musl, uclibc, static, other; a literal */
};

/**
 * elf_parse() - the head of a hostile ELF file, @len of at most ELF_HEAD_MAX bytes.
 * Return: 0, or -ENOEXEC: it is none.
 */
int elf_parse(const uint8_t *data, size_t len, struct elf_facts *ret);

#endif
