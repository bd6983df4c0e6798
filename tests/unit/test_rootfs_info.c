/* SPDX-License-Identifier: MIT */
/* What info reads of a hostile root: os-release and the head of /bin/sh. */
#include "tests/unit/fixture.h"

#include <elf.h>

#include "rootfs-tools/inspect/elf.h"
#include "rootfs-tools/inspect/os_release.h"

static struct os_release parse(const char *text)
{
	struct os_release ret;

	memset(&ret, 'x', sizeof(ret));
	os_release_parse(text, strlen(text), &ret);
	return ret;
}

static void os_release_as_written(void **state)
{
	struct os_release os = parse("PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"
				     "# ID=comment\n"
				     "VERSION_ID='12'\n\n"
				     "VERSION_CODENAME=bookworm   \r\n"
				     "ID_LIKE=\n"
				     "ID=debian");

	(void)state;
	assert_string_equal(os.pretty_name, "Debian GNU/Linux 12 (bookworm)");
	assert_string_equal(os.version_id, "12");
	assert_string_equal(os.codename, "bookworm");
	assert_string_equal(os.id, "debian");
	assert_string_equal(os.id_like, "");
	os = parse("ID=a\nID=b\nXID=c\nID =d\n");
	assert_string_equal(os.id, "b");
	os = parse("PRETTY_NAME=\"a \\\"b\\\" \\$c\" d\nID='a\\b'\nVERSION_ID=1\\ 2 3\n");
	assert_string_equal(os.pretty_name, "a \"b\" $c");
	assert_string_equal(os.id, "a\\b");
	assert_string_equal(os.version_id, "1 2");
}

static void os_release_hostile(void **state)
{
	static const char nul[] = "ID=a\0b\nVERSION_ID=\"\x1b]0;x\x07\xc2\x9b\"\n";
	struct os_release os;
	char big[OS_RELEASE_FILE_MAX];

	(void)state;
	os_release_parse(nul, sizeof(nul) - 1, &os);
	assert_string_equal(os.id, "a?b");
	assert_null(strstr(os.version_id, "\x1b"));
	assert_null(strstr(os.version_id, "\x9b"));
	os = parse("ID=\"no end\nVERSION_ID='\nPRETTY_NAME=\\");
	assert_string_equal(os.id, "no end");
	assert_string_equal(os.version_id, "");
	assert_string_equal(os.pretty_name, "\\");
	os = parse("=\n==\nID\n=ID=x\n\n\n");
	assert_string_equal(os.id, "");
	memset(big, 'y', sizeof(big));
	memcpy(big, "ID=", 3);
	os_release_parse(big, sizeof(big), &os);
	assert_int_equal(strlen(os.id), OS_RELEASE_VALUE_MAX - 1);
	os_release_parse("", 0, &os);
	assert_string_equal(os.id, "");
}

/* A program of 64 bits with an interpreter. */
static size_t make_elf(uint8_t *buf, unsigned int machine, const char *interpreter)
{
	Elf64_Ehdr h = { .e_machine = (Elf64_Half)machine,
			 .e_phoff = sizeof(h),
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_phnum = interpreter ? 2 : 1 };
	Elf64_Phdr p[2] = { { .p_type = PT_LOAD },
			    { .p_type = PT_INTERP, .p_offset = sizeof(h) + sizeof(p) } };

	memcpy(h.e_ident, ELFMAG, SELFMAG);
	h.e_ident[EI_CLASS] = ELFCLASS64;
	h.e_ident[EI_DATA] = ELFDATA2LSB;
	if (interpreter)
		p[1].p_filesz = strlen(interpreter) + 1;
	memcpy(buf, &h, sizeof(h));
	memcpy(buf + sizeof(h), p, sizeof(p));
	if (interpreter)
		memcpy(buf + sizeof(h) + sizeof(p), interpreter, strlen(interpreter) + 1);
	return sizeof(h) + sizeof(p) + p[1].p_filesz;
}

static void expect_elf(const uint8_t *buf, size_t len, const char *arch, const char *libc)
{
	struct elf_facts facts;

	assert_int_equal(elf_parse(buf, len, &facts), 0);
	assert_string_equal(facts.arch, arch);
	assert_string_equal(facts.libc, libc);
}

static void elf_programs(void **state)
{
	uint8_t buf[512];
	Elf32_Ehdr big = { .e_ident = ELFMAG, .e_machine = __builtin_bswap16(EM_PPC) };

	(void)state;
	expect_elf(buf, make_elf(buf, EM_X86_64, "/lib64/ld-linux-x86-64.so.2"), "x86_64", "glibc");
	expect_elf(buf, make_elf(buf, EM_AARCH64, "/lib/ld-musl-aarch64.so.1"), "aarch64", "musl");
	expect_elf(buf, make_elf(buf, EM_RISCV, "/lib/ld64-uClibc.so.0"), "riscv64", "uclibc");
	expect_elf(buf, make_elf(buf, EM_X86_64, NULL), "x86_64", "static");
	expect_elf(buf, make_elf(buf, EM_X86_64, "/nix/store/x"), "x86_64", "other");
	expect_elf(buf, make_elf(buf, 0xfffe, NULL), "machine 65534", "static");
	big.e_ident[EI_CLASS] = ELFCLASS32;
	big.e_ident[EI_DATA] = ELFDATA2MSB;
	expect_elf((const uint8_t *)&big, sizeof(big), "ppc", "static");
}

static void elf_hostile(void **state)
{
	uint8_t buf[512], bad[512];
	size_t len = make_elf(buf, EM_X86_64, "/lib64/ld-linux-x86-64.so.2");
	struct elf_facts facts;
	Elf64_Phdr *p;
	Elf64_Ehdr *h;

	(void)state;
	assert_int_equal(elf_parse(buf, 0, &facts), -ENOEXEC);
	assert_int_equal(elf_parse((const uint8_t *)"#!/bin/sh\n", 10, &facts), -ENOEXEC);
	/* Every cut: the sanitizer sees what is read beyond. */
	for (size_t n = 1; n < len; n++) {
		uint8_t *exact = malloc(n);

		memcpy(exact, buf, n);
		elf_parse(exact, n, &facts);
		free(exact);
	}
	memcpy(bad, buf, sizeof(bad));
	p = (void *)(bad + sizeof(*h) + sizeof(*p));
	p->p_offset = UINT64_MAX - 3;
	p->p_filesz = 8;
	expect_elf(bad, len, "x86_64", "other");
	p->p_offset = 4;
	p->p_filesz = UINT64_MAX;
	expect_elf(bad, len, "x86_64", "other");
	h = (void *)bad;
	h->e_phoff = UINT64_MAX - 8;
	expect_elf(bad, len, "x86_64", "static");
	h->e_phoff = 0;
	h->e_phnum = 0xffff;
	h->e_phentsize = 0xffff;
	expect_elf(bad, len, "x86_64", "static");
	bad[EI_CLASS] = 7;
	assert_int_equal(elf_parse(bad, len, &facts), -ENOEXEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(os_release_as_written),
		cmocka_unit_test(os_release_hostile),
		cmocka_unit_test(elf_programs),
		cmocka_unit_test(elf_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
