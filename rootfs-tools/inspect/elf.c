/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/inspect/elf.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "runner/base/cleanup.h"

#define SEGMENTS_MAX 128

/* The bytes, and how to read them. */
struct head {
	const uint8_t *data;
	size_t len;
	bool wide; /* 64 bits */
	bool big;  /* endian */
};

/* A number of @size bytes at @at, or 0 beyond the end. */
static uint64_t number(const struct head *h, uint64_t at, unsigned int size)
{
	uint64_t ret = 0;

	if (at > h->len || h->len - at < size)
		return 0;
	for (unsigned int i = 0; i < size; i++)
		ret = ret << 8 | h->data[at + (h->big ? i : size - 1 - i)];
	return ret;
}

#define FIELD(h, at, type, member)                                                        \
	((h)->wide ? number(h, (at) + offsetof(Elf64_##type, member),                     \
			    sizeof(((Elf64_##type *)0)->member)) :                        \
		     number(h, (at) + offsetof(Elf32_##type, member),                     \
			    sizeof(((Elf32_##type *)0)->member)))

static void name_arch(const struct head *h, char *ret, size_t size)
{
	static const struct {
		unsigned int machine;
		bool wide;
		const char *little;
		const char *big;
	} names[] = {
		{ EM_X86_64, true, "x86_64", NULL },
		{ EM_X86_64, false, "x32", NULL },
		{ EM_386, false, "i386", NULL },
		{ EM_AARCH64, true, "aarch64", "aarch64_be" },
		{ EM_ARM, false, "arm", "armeb" },
		{ EM_RISCV, true, "riscv64", NULL },
		{ EM_RISCV, false, "riscv32", NULL },
		{ EM_PPC64, true, "ppc64le", "ppc64" },
		{ EM_PPC, false, NULL, "ppc" },
		{ EM_S390, true, NULL, "s390x" },
		{ EM_MIPS, true, "mips64el", "mips64" },
		{ EM_MIPS, false, "mipsel", "mips" },
		{ 258, true, "loongarch64", NULL },
	};
	unsigned int machine = (unsigned int)FIELD(h, 0, Ehdr, e_machine);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *name = h->big ? names[i].big : names[i].little;

		if (names[i].machine == machine && names[i].wide == h->wide && name) {
			snprintf(ret, size, "%s", name);
			return;
		}
	}
	snprintf(ret, size, "machine %u", machine);
}

static const char *libc_of(const char *interpreter, size_t len)
{
	static const struct {
		const char *part;
		const char *libc;
	} names[] = {
		{ "/ld-musl", "musl" },	  { "/ld-uClibc", "uclibc" }, { "/ld64-uClibc", "uclibc" },
		{ "/ld-linux", "glibc" }, { "/ld64.so", "glibc" },    { "/ld.so", "glibc" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (memmem(interpreter, len, names[i].part, strlen(names[i].part)))
			return names[i].libc;
	return "other";
}

static const char *find_libc(const struct head *h)
{
	uint64_t table = FIELD(h, 0, Ehdr, e_phoff), entry = FIELD(h, 0, Ehdr, e_phentsize);
	uint64_t n = FIELD(h, 0, Ehdr, e_phnum);

	for (uint64_t i = 0; i < n && i < SEGMENTS_MAX && table < h->len; i++) {
		uint64_t at = table + i * entry, offset, size;

		if (FIELD(h, at, Phdr, p_type) != PT_INTERP)
			continue;
		offset = FIELD(h, at, Phdr, p_offset);
		size = FIELD(h, at, Phdr, p_filesz);
		if (offset >= h->len || size > h->len - offset)
			return "other";
		return libc_of((const char *)h->data + offset, size);
	}
	return "static";
}

int elf_parse(const uint8_t *data, size_t len, struct elf_facts *ret)
{
	struct head h = { .data = data, .len = len };

	if (len < sizeof(Elf32_Ehdr) || memcmp(data, ELFMAG, SELFMAG) != 0 ||
	    (data[EI_CLASS] != ELFCLASS32 && data[EI_CLASS] != ELFCLASS64) ||
	    (data[EI_DATA] != ELFDATA2LSB && data[EI_DATA] != ELFDATA2MSB))
		return -ENOEXEC;
	h.wide = data[EI_CLASS] == ELFCLASS64;
	h.big = data[EI_DATA] == ELFDATA2MSB;
	if (h.wide && len < sizeof(Elf64_Ehdr))
		return -ENOEXEC;
	name_arch(&h, ret->arch, sizeof(ret->arch));
	ret->libc = find_libc(&h);
	return 0;
}
