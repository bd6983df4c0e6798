/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"

#include <elf.h>

#include "initramfs/kernel.h"
#include "runner/base/cleanup.h"

#define SETUP_SECTS 2u
#define SETUP_SIZE ((SETUP_SECTS + 1) * 512)
#define LOADER_SIZE 1000u /* code between the setup part and the payload */
#define VERSION_AT 0x300u
#define NOTES_AT 0x100u

/* A kernel as unpacked: headers, a PVH note, 1 MiB of zeros, noise, zeros at the end. */
#define VMLINUX_SIZE ((size_t)1400000)

static uint8_t vmlinux[VMLINUX_SIZE];

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v);
	put16(p + 2, v >> 16);
}

/* Without the terminator. */
static void put_text(uint8_t *p, const char *text)
{
	while (*text)
		*p++ = (uint8_t)*text++;
}

/* Returns the length of a note put at @p. */
static size_t put_note(uint8_t *p, const char *name, uint32_t type, uint32_t desc_len, size_t align)
{
	size_t name_len = strlen(name) + 1;

	put32(p, (uint32_t)name_len);
	put32(p + 4, desc_len);
	put32(p + 8, type);
	memcpy(p + 12, name, name_len);
	return 12 + (name_len + align - 1) / align * align + (desc_len + align - 1) / align * align;
}

static void put_elf(uint8_t *p, size_t notes_len, size_t align)
{
	Elf64_Ehdr eh = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, 1 },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_phoff = sizeof(eh),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
	};
	Elf64_Phdr ph[2] = {
		{ .p_type = PT_LOAD, .p_offset = 0x1000 },
		{ .p_type = PT_NOTE,
		  .p_offset = NOTES_AT,
		  .p_filesz = notes_len,
		  .p_align = align },
	};

	memcpy(p, &eh, sizeof(eh));
	memcpy(p + sizeof(eh), ph, sizeof(ph));
}

static int setup(void **state)
{
	size_t n;

	(void)state;
	n = put_note(vmlinux + NOTES_AT, "GNU", 3, 20, 4);
	n += put_note(vmlinux + NOTES_AT + n, "Xen", 18, 4, 4);
	put_elf(vmlinux, n, 4);
	fill_noise(vmlinux + 0x1000 + (1 << 20), 200000);
	return 0;
}

/* A bzImage with @payload, behind which the size field is put unless it is gzip's own. */
static void make_bzimage(const struct strbuf *payload, bool gzip, struct strbuf *ret)
{
	static const uint8_t zeros[SETUP_SIZE + LOADER_SIZE];
	uint8_t size[4], *p;

	*ret = (struct strbuf){ 0 };
	strbuf_add(ret, zeros, sizeof(zeros));
	strbuf_add(ret, payload->data, payload->len);
	put32(size, VMLINUX_SIZE);
	if (!gzip)
		strbuf_add(ret, size, sizeof(size));
	assert_false(ret->failed);
	p = (uint8_t *)ret->data;
	p[0x1f1] = SETUP_SECTS;
	put16(p + 0x1fe, 0xaa55);
	put_text(p + 0x202, "HdrS");
	put16(p + 0x206, 0x020f);
	put16(p + 0x20e, VERSION_AT - 0x200);
	put16(p + 0x236, 1);
	put32(p + 0x248, LOADER_SIZE);
	put32(p + 0x24c, (uint32_t)(ret->len - SETUP_SIZE - LOADER_SIZE));
	put_text(p + VERSION_AT, "6.1.0-9-amd64 (someone@example) #1 SMP");
}

static void make_xz_bzimage(struct strbuf *ret)
{
	_cleanup_strbuf_ struct strbuf payload = { 0 };

	compress_with("xz", vmlinux, VMLINUX_SIZE, &payload);
	make_bzimage(&payload, false, ret);
}

/* Parses a copy in memory of just its size: a sanitizer sees every byte too far. */
static int parse(const void *data, size_t len, struct bzimage *ret, struct err *e)
{
	_cleanup_free_ uint8_t *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, data, len);
	*e = (struct err){ 0 };
	return bzimage_parse(copy, len, ret, e);
}

static void expect_refused(const void *data, size_t len, const char *text)
{
	struct bzimage bz = { .version = "untouched" };
	struct err e;

	assert_int_equal(parse(data, len, &bz, &e), -EINVAL);
	assert_non_null(strstr(e.text, text));
	assert_string_equal(bz.version, "untouched");
}

static void test_parse(void **state)
{
	_cleanup_strbuf_ struct strbuf image = { 0 };
	struct bzimage bz;
	struct err e;

	(void)state;
	make_xz_bzimage(&image);
	assert_int_equal(parse(image.data, image.len, &bz, &e), 0);
	assert_int_equal(bz.format, KERNEL_BZIMAGE);
	assert_string_equal(bz.version, "6.1.0-9-amd64");
	assert_int_equal(bz.payload_offset, SETUP_SIZE + LOADER_SIZE);
	assert_int_equal(bz.payload_len, image.len - SETUP_SIZE - LOADER_SIZE);

	/* No number of sectors means four. */
	image.data[0x1f1] = 0;
	assert_int_equal(parse(image.data, image.len - 1024, &bz, &e), -EINVAL);
	put32((uint8_t *)image.data + 0x24c, 1000);
	assert_int_equal(parse(image.data, image.len, &bz, &e), 0);
	assert_int_equal(bz.payload_offset, 5 * 512 + LOADER_SIZE);
}

static void test_every_length(void **state)
{
	_cleanup_strbuf_ struct strbuf image = { 0 };
	struct bzimage bz;
	struct err e;

	(void)state;
	make_xz_bzimage(&image);
	for (size_t len = 0; len < image.len; len += len < 4096 ? 1 : 10007) {
		assert_int_equal(parse(image.data, len, &bz, &e), -EINVAL);
		assert_non_null(strstr(e.text, len < 0x250 ? "no Linux kernel" : "cut short"));
	}
	expect_refused(image.data, image.len - 1, "cut short");
}

static void test_not_a_kernel(void **state)
{
	static const char text[4096] = "#!/bin/sh\n";
	_cleanup_strbuf_ struct strbuf image = { 0 };
	uint8_t elf[64];

	(void)state;
	expect_refused(text, sizeof(text), "no Linux kernel image");
	make_xz_bzimage(&image);
	image.data[0x202] = 'h';
	expect_refused(image.data, image.len, "no Linux kernel image");
	image.data[0x202] = 'H';
	image.data[0x1fe] = 0;
	expect_refused(image.data, image.len, "no Linux kernel image");

	memcpy(elf, vmlinux, sizeof(elf));
	expect_refused(elf, 63, "cut short");
	expect_refused(elf, 4, "cut short");
	elf[EI_CLASS] = ELFCLASS32;
	expect_refused(elf, 64, "x86-64");
	elf[EI_CLASS] = ELFCLASS64;
	put16(elf + offsetof(Elf64_Ehdr, e_machine), EM_AARCH64);
	expect_refused(elf, 64, "x86-64");
}

static void test_hostile_header(void **state)
{
	_cleanup_strbuf_ struct strbuf image = { 0 };
	struct bzimage bz;
	struct err e;
	uint8_t *p;

	(void)state;
	make_xz_bzimage(&image);
	p = (uint8_t *)image.data;
	put32(p + 0x248, 0xffffffff);
	expect_refused(p, image.len, "cut short");
	put32(p + 0x248, LOADER_SIZE);
	put32(p + 0x24c, 0xffffffff);
	expect_refused(p, image.len, "cut short");
	put32(p + 0x248, 0xffffffff);
	expect_refused(p, image.len, "cut short");
	put32(p + 0x248, LOADER_SIZE);
	put32(p + 0x24c, 1);
	p[0x1f1] = 0xff;
	expect_refused(p, 100000, "cut short");
	p[0x1f1] = SETUP_SECTS;
	put16(p + 0x236, 0);
	expect_refused(p, image.len, "32-bit");
	put16(p + 0x206, 0x020b); /* too old to say */
	assert_int_equal(parse(p, image.len, &bz, &e), 0);
}

static void test_version(void **state)
{
	_cleanup_strbuf_ struct strbuf image = { 0 };
	struct bzimage bz;
	struct err e;
	uint8_t *p;

	(void)state;
	make_xz_bzimage(&image);
	p = (uint8_t *)image.data;
	put16(p + 0x20e, 0);
	assert_int_equal(parse(p, image.len, &bz, &e), 0);
	assert_string_equal(bz.version, "");
	put16(p + 0x20e, 0xffff);
	assert_int_equal(parse(p, image.len, &bz, &e), 0);
	assert_string_equal(bz.version, "");
	/* up to the end of the setup part, with no terminator */
	memset(p + SETUP_SIZE - 3, 'v', 8);
	put16(p + 0x20e, SETUP_SIZE - 3 - 0x200);
	assert_int_equal(parse(p, image.len, &bz, &e), 0);
	assert_string_equal(bz.version, "vvv");
	/* longer than any version */
	memset(p + VERSION_AT, 'v', 600);
	put16(p + 0x20e, VERSION_AT - 0x200);
	assert_int_equal(parse(p, image.len, &bz, &e), 0);
	assert_int_equal(strlen(bz.version), sizeof(bz.version) - 1);
	put_text(p + VERSION_AT, "6.1\x1b[31m");
	assert_int_equal(parse(p, image.len, &bz, &e), 0);
	assert_string_equal(bz.version, "6.1");
	put_text(p + VERSION_AT, "6.1\xff");
	assert_int_equal(parse(p, image.len, &bz, &e), 0);
	assert_string_equal(bz.version, "6.1");
}

static int unpack(const struct strbuf *image, int fd, struct err *e)
{
	_cleanup_free_ uint8_t *copy = malloc(image->len);
	struct bzimage bz;

	assert_non_null(copy);
	memcpy(copy, image->data, image->len);
	assert_int_equal(bzimage_parse(copy, image->len, &bz, e), 0);
	*e = (struct err){ 0 };
	return kernel_unpack(copy, image->len, &bz, fd, e);
}

static void expect_vmlinux(int fd)
{
	_cleanup_free_ char *got = NULL;
	struct stat st;
	size_t len;

	assert_int_equal(fstat(fd, &st), 0);
	/* The megabyte of zeros and the zeros at the end take no room. */
	assert_true(st.st_blocks * 512 < 400000);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(fs_read_fd(fd, 2 * VMLINUX_SIZE, &got, &len), 0);
	assert_int_equal(len, VMLINUX_SIZE);
	assert_memory_equal(got, vmlinux, VMLINUX_SIZE);
	assert_int_equal(vmlinux_has_pvh(fd), 1);
}

static void test_unpack_each(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_KERNEL_COMPRESSORS; i++) {
		const char *name = kernel_compressors[i].name;
		_cleanup_strbuf_ struct strbuf payload = { 0 };
		_cleanup_strbuf_ struct strbuf image = { 0 };
		_cleanup_close_ int fd = fixture_memfd("", 0);
		struct err e;

		compress_with(name, vmlinux, VMLINUX_SIZE, &payload);
		make_bzimage(&payload, strcmp(name, "gzip") == 0, &image);
		if (unpack(&image, fd, &e) != 0)
			fail_msg("%s: %s", name, e.text);
		expect_vmlinux(fd);
	}
}

static void test_unpack_elf(void **state)
{
	const struct strbuf image = { .data = (char *)vmlinux, .len = VMLINUX_SIZE };
	_cleanup_close_ int fd = fixture_memfd("", 0);
	struct err e;

	(void)state;
	assert_int_equal(unpack(&image, fd, &e), 0);
	expect_vmlinux(fd);
}

static void expect_unpack_fails(const struct strbuf *image, int want, const char *text)
{
	_cleanup_close_ int fd = fixture_memfd("", 0);
	struct err e;

	assert_int_equal(unpack(image, fd, &e), want);
	assert_int_equal(e.errnum, -want);
	if (!strstr(e.text, text))
		fail_msg("\"%s\" does not say \"%s\"", e.text, text);
}

static void test_unpack_hostile(void **state)
{
	_cleanup_strbuf_ struct strbuf image = { 0 };
	uint8_t *p, *payload, *size;

	(void)state;
	make_xz_bzimage(&image);
	p = (uint8_t *)image.data;
	payload = p + SETUP_SIZE + LOADER_SIZE;
	size = p + image.len - 4;

	put32(size, VMLINUX_SIZE - 1);
	expect_unpack_fails(&image, -EBADMSG, "instead of 1399999");
	put32(size, 0xffffffff);
	expect_unpack_fails(&image, -EFBIG, "4095 MiB");
	put32(size, VMLINUX_SIZE);
	payload[100000] ^= 1;
	expect_unpack_fails(&image, -EBADMSG, "corrupt");
	payload[100000] ^= 1;
	put32(p + 0x24c, 5);
	expect_unpack_fails(&image, -EBADMSG, "5 bytes");
	/* a payload that is cut, by its own account */
	put32(p + 0x24c, 100000);
	put32(payload + 100000 - 4, VMLINUX_SIZE);
	expect_unpack_fails(&image, -EBADMSG, "cut short");
	put_text(payload, "\x89LZO");
	expect_unpack_fails(&image, -ENOTSUP, "no compression format");
	put32(p + 0x24c, 0);
	expect_unpack_fails(&image, -ENOTSUP, "payload");
	put32(p + 0x24c, 1000);
	put16(p + 0x206, 0x0207);
	expect_unpack_fails(&image, -ENOTSUP, "payload");
}

static void test_unpack_write_fails(void **state)
{
	_cleanup_strbuf_ struct strbuf image = { 0 };
	_cleanup_close_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct err e;

	(void)state;
	make_xz_bzimage(&image);
	assert_int_equal(unpack(&image, fd, &e), -EBADF);
	assert_non_null(strstr(e.text, "cannot write"));
}

static int has_pvh(const uint8_t *data, size_t len)
{
	_cleanup_close_ int fd = fixture_memfd(data, len);

	return vmlinux_has_pvh(fd);
}

/* Headers and a segment of @notes_len bytes, to be filled. */
static void small_elf(uint8_t elf[0x400], size_t notes_len, size_t align)
{
	memset(elf, 0, 0x400);
	put_elf(elf, notes_len, align);
}

static void test_pvh_notes(void **state)
{
	uint8_t elf[0x400], *note = elf + NOTES_AT;
	size_t n;

	(void)state;
	small_elf(elf, 0, 4);
	assert_int_equal(has_pvh(elf, sizeof(elf)), 0);
	for (size_t align = 0; align <= 16; align++) {
		size_t unit = align == 8 ? 8 : 4;

		small_elf(elf, 0x200, align);
		n = put_note(note, "Linux", 1, 5, unit);
		put_note(note + n, "Xen", 18, 4, unit);
		assert_int_equal(has_pvh(elf, sizeof(elf)), align == 4 || align == 8);
	}
	small_elf(elf, 0x200, 4);
	put_note(note, "Xen", 17, 4, 4);
	assert_int_equal(has_pvh(elf, sizeof(elf)), 0);
	put_note(note, "Xem", 18, 4, 4);
	assert_int_equal(has_pvh(elf, sizeof(elf)), 0);
	put_note(note, "Xen", 18, 0, 4);
	assert_int_equal(has_pvh(elf, sizeof(elf)), 0);
	put_note(note, "Xen", 18, 8, 4);
	assert_int_equal(has_pvh(elf, sizeof(elf)), 1);
}

static void test_pvh_hostile(void **state)
{
	_Alignas(Elf64_Phdr) uint8_t elf[0x400];
	uint8_t *note = elf + NOTES_AT;
	Elf64_Phdr *notes = (Elf64_Phdr *)(void *)(elf + sizeof(Elf64_Ehdr)) + 1;

	(void)state;
	/* lengths that overflow, in front of a note that is in order */
	for (unsigned int field = 0; field < 2; field++) {
		small_elf(elf, 0x200, 4);
		put_note(note, "Linux", 1, 4, 4);
		put_note(note + 24, "Xen", 18, 4, 4);
		assert_int_equal(has_pvh(elf, sizeof(elf)), 1);
		put32(note + 4 * field, 0xffffffff);
		assert_int_equal(has_pvh(elf, sizeof(elf)), 0);
		put32(note + 4 * field, 0xfffffff0);
		assert_int_equal(has_pvh(elf, sizeof(elf)), 0);
	}
	/* the note ends behind the segment, the segment behind the file */
	small_elf(elf, 19, 4);
	put_note(note, "Xen", 18, 4, 4);
	assert_int_equal(has_pvh(elf, sizeof(elf)), 0);
	notes->p_filesz = 20;
	assert_int_equal(has_pvh(elf, sizeof(elf)), 1);
	assert_int_equal(has_pvh(elf, NOTES_AT + 19), 0);
	assert_int_equal(has_pvh(elf, NOTES_AT), 0);
	notes->p_filesz = UINT64_MAX;
	assert_int_equal(has_pvh(elf, sizeof(elf)), 0);
	notes->p_filesz = 20;
	notes->p_offset = UINT64_MAX - 10;
	assert_int_equal(has_pvh(elf, sizeof(elf)), 0);
	notes->p_offset = INT64_MAX / 2;
	assert_int_equal(has_pvh(elf, sizeof(elf)), 0);
}

static void test_pvh_headers(void **state)
{
	uint8_t elf[0x400];
	Elf64_Ehdr eh, good;

	(void)state;
	small_elf(elf, 0x200, 4);
	put_note(elf + NOTES_AT, "Xen", 18, 4, 4);
	memcpy(&good, elf, sizeof(good));
	assert_int_equal(has_pvh(elf, sizeof(elf)), 1);
	for (size_t len = 0; len < NOTES_AT; len++)
		assert_int_equal(has_pvh(elf, len), 0);
#define EXPECT_NO_PVH(field, value)                             \
	do {                                                    \
		eh = good;                                      \
		eh.field = (value);                             \
		memcpy(elf, &eh, sizeof(eh));                   \
		assert_int_equal(has_pvh(elf, sizeof(elf)), 0); \
	} while (0)
	EXPECT_NO_PVH(e_phnum, 0xffff);
	EXPECT_NO_PVH(e_phnum, 1);
	EXPECT_NO_PVH(e_phentsize, 0);
	EXPECT_NO_PVH(e_phoff, UINT64_MAX);
	EXPECT_NO_PVH(e_phoff, (uint64_t)INT64_MAX - 60);
	EXPECT_NO_PVH(e_machine, EM_386);
	EXPECT_NO_PVH(e_ident[EI_DATA], ELFDATA2MSB);
	EXPECT_NO_PVH(e_ident[0], 'E');
#undef EXPECT_NO_PVH
	assert_int_equal(vmlinux_has_pvh(-1), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_not_a_kernel),
		cmocka_unit_test(test_hostile_header),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_unpack_each),
		cmocka_unit_test(test_unpack_elf),
		cmocka_unit_test(test_unpack_hostile),
		cmocka_unit_test(test_unpack_write_fails),
		cmocka_unit_test(test_pvh_notes),
		cmocka_unit_test(test_pvh_hostile),
		cmocka_unit_test(test_pvh_headers),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
