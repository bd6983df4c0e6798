/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A bzImage is a real-mode setup part of (setup_sects + 1) sectors, then the
 * protected-mode code, which carries the kernel proper as a compressed payload.
 * The setup header says where (boot protocol 2.08, Linux 2.6.26, and later).
 * The build puts the size of what the payload unpacks to behind it, as its last
 * four bytes; in gzip these are the stream's own last field. So the size is known
 * before anything is unpacked, and what comes out is held against it.
 *
 * Every number in the header is the image's claim: it is checked against the
 * length of the file before it is used.
 */
#include "initramfs/kernel.h"

#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "initramfs/decompress.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"

#define SECTOR 512u
#define PAGE 4096u

/* Setup header, bytes from the start of the file. */
enum {
	HDR_SETUP_SECTS = 0x1f1,    /* u8 */
	HDR_BOOT_FLAG = 0x1fe,	    /* u16 */
	HDR_MAGIC = 0x202,	    /* "HdrS" */
	HDR_PROTOCOL = 0x206,	    /* u16 */
	HDR_VERSION = 0x20e,	    /* u16: text at this + 0x200 */
	HDR_XLOADFLAGS = 0x236,	    /* u16, since protocol 2.12 */
	HDR_PAYLOAD_OFFSET = 0x248, /* u32, since protocol 2.08 */
	HDR_PAYLOAD_LENGTH = 0x24c, /* u32 */
	HDR_END = 0x250
};

#define BOOT_FLAG 0xaa55
#define PROTOCOL_PAYLOAD 0x0208
#define PROTOCOL_XLOADFLAGS 0x020c
#define XLF_KERNEL_64 1

#define PAYLOAD_SIZE_FIELD 4u

/* Bounds of what vmlinux_has_pvh() reads; a vmlinux has about 5 and 500 bytes. */
#define ELF_PHDRS_MAX 64
#define ELF_NOTES_MAX 65536
#define NOTE_PHYS32_ENTRY 18

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) | (uint32_t)get16(p + 2) << 16;
}

/* Whether @p, of at least sizeof(Elf64_Ehdr) bytes, starts an ELF file for x86-64. */
static bool is_elf_x86_64(const void *p)
{
	Elf64_Ehdr eh;

	memcpy(&eh, p, sizeof(eh));
	return memcmp(eh.e_ident, ELFMAG, SELFMAG) == 0 && eh.e_ident[EI_CLASS] == ELFCLASS64 &&
	       eh.e_ident[EI_DATA] == ELFDATA2LSB && eh.e_machine == EM_X86_64;
}

static int parse_elf(const uint8_t *image, size_t len, struct bzimage *ret, struct err *e)
{
	if (len < sizeof(Elf64_Ehdr))
		return err_msg(e, EINVAL, "is cut short");
	if (!is_elf_x86_64(image))
		return err_msg(e, EINVAL, "is no x86-64 kernel; a 64-bit guest needs one");
	*ret = (struct bzimage){ .format = KERNEL_ELF };
	return 0;
}

/* The first word of "6.1.0-9-amd64 (maintainer) #1 SMP ...". */
static void parse_version(const uint8_t *image, size_t setup_size, char *ret, size_t ret_size)
{
	uint16_t field = get16(image + HDR_VERSION);
	size_t at = (size_t)field + 0x200;
	size_t n = 0;

	if (field)
		while (at + n < setup_size && n < ret_size - 1 && isascii(image[at + n]) &&
		       isgraph(image[at + n])) {
			ret[n] = (char)image[at + n];
			n++;
		}
	ret[n] = '\0';
}

static int parse_payload(const uint8_t *image, size_t len, size_t setup_size, struct bzimage *bz,
			 struct err *e)
{
	uint64_t offset = (uint64_t)setup_size + get32(image + HDR_PAYLOAD_OFFSET);
	uint64_t payload_len = get32(image + HDR_PAYLOAD_LENGTH);

	if (payload_len == 0)
		return 0;
	if (offset > len || payload_len > len - offset)
		return err_msg(e, EINVAL, "is cut short: %zu bytes, but the kernel ends at %llu",
			       len, (unsigned long long)offset + payload_len);
	bz->payload_offset = offset;
	bz->payload_len = payload_len;
	return 0;
}

int bzimage_parse(const uint8_t *image, size_t len, struct bzimage *ret, struct err *e)
{
	struct bzimage bz = { .format = KERNEL_BZIMAGE };
	size_t setup_size;
	uint16_t protocol;
	int r;

	if (len >= SELFMAG && memcmp(image, ELFMAG, SELFMAG) == 0)
		return parse_elf(image, len, ret, e);
	if (len < HDR_END || get16(image + HDR_BOOT_FLAG) != BOOT_FLAG ||
	    memcmp(image + HDR_MAGIC, "HdrS", 4) != 0)
		return err_msg(e, EINVAL, "is no Linux kernel image (bzImage or vmlinux)");
	/* 0 stands for 4: the header is older than the field. */
	setup_size = (image[HDR_SETUP_SECTS] ? image[HDR_SETUP_SECTS] + 1u : 5u) * SECTOR;
	if (len < setup_size)
		return err_msg(e, EINVAL, "is cut short: %zu bytes", len);
	protocol = get16(image + HDR_PROTOCOL);
	if (protocol >= PROTOCOL_XLOADFLAGS && !(get16(image + HDR_XLOADFLAGS) & XLF_KERNEL_64))
		return err_msg(e, EINVAL, "is a 32-bit kernel; a 64-bit guest needs an x86-64 one");
	parse_version(image, setup_size, bz.version, sizeof(bz.version));
	if (protocol >= PROTOCOL_PAYLOAD) {
		r = parse_payload(image, len, setup_size, &bz, e);
		if (r < 0)
			return r;
	}
	*ret = bz;
	return 0;
}

/* Where the unpacked kernel goes. Pages of zeros are left out, as holes. */
struct sparse_file {
	int fd;
	uint64_t size;
	struct err *e;
};

static int sparse_pwrite(const struct sparse_file *f, const uint8_t *p, size_t len, uint64_t at)
{
	while (len) {
		ssize_t n = pwrite(f->fd, p, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(f->e, errno, "cannot write the unpacked kernel");
		p += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static bool is_zero(const uint8_t *p, size_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

/* The sink of decompress(): @data in pieces that end where the file's pages do. */
static int sparse_add(void *ctx, const void *data, size_t len)
{
	struct sparse_file *f = ctx;
	const uint8_t *p = data;
	size_t start = 0, at = 0; /* [start, at) is to be written */
	int r;

	while (at < len) {
		size_t piece = PAGE - (size_t)((f->size + at) % PAGE);

		if (piece > len - at)
			piece = len - at;
		if (is_zero(p + at, piece)) {
			r = sparse_pwrite(f, p + start, at - start, f->size + start);
			if (r < 0)
				return r;
			start = at + piece;
		}
		at += piece;
	}
	r = sparse_pwrite(f, p + start, len - start, f->size + start);
	if (r < 0)
		return r;
	f->size += len;
	return 0;
}

static int unpack_payload(const uint8_t *payload, size_t len, struct sparse_file *f, struct err *e)
{
	uint32_t size;
	int r;

	if (len < 2 * PAYLOAD_SIZE_FIELD)
		return err_msg(e, EBADMSG, "the payload has only %zu bytes", len);
	size = get32(payload + len - PAYLOAD_SIZE_FIELD);
	if (size > VMLINUX_MAX)
		return err_msg(e, EFBIG, "it claims to unpack to %u MiB, more than %llu MiB",
			       size >> 20, (unsigned long long)(VMLINUX_MAX >> 20));
	/* Only gzip has the field inside its stream; xz and zstd refuse what follows theirs. */
	if (memcmp(payload, "\x1f\x8b", 2) != 0)
		len -= PAYLOAD_SIZE_FIELD;
	r = decompress(payload, len, VMLINUX_MAX, sparse_add, f, e);
	if (r < 0)
		return r;
	if (f->size != size)
		return err_msg(e, EBADMSG, "it unpacks to %llu bytes instead of %u",
			       (unsigned long long)f->size, size);
	return 0;
}

int kernel_unpack(const uint8_t *image, size_t len, const struct bzimage *bz, int out_fd,
		  struct err *e)
{
	struct sparse_file f = { .fd = out_fd, .e = e };
	int r;

	if (bz->format == KERNEL_ELF)
		r = sparse_add(&f, image, len);
	else if (bz->payload_offset == 0)
		return err_msg(e, ENOTSUP, "the kernel's header does not say where its payload is");
	else
		r = unpack_payload(image + bz->payload_offset, (size_t)bz->payload_len, &f, e);
	if (r < 0)
		return err_prefix(e, "cannot unpack the kernel");
	/* A hole at the end is not there until the size says so. */
	if (ftruncate(out_fd, (off_t)f.size) < 0)
		return err_errno(e, errno, "cannot write the unpacked kernel");
	return 0;
}

/* As QEMU finds it: the notes are aligned as their segment is, 4 or 8. */
static bool notes_have_pvh(const uint8_t *p, size_t len, uint64_t align)
{
	size_t at = 0;

	if (align != 4 && align != 8)
		return false;
	while (len - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr nh;
		uint64_t desc, next;

		memcpy(&nh, p + at, sizeof(nh));
		desc = at + sizeof(nh) + ((uint64_t)nh.n_namesz + align - 1) / align * align;
		next = desc + ((uint64_t)nh.n_descsz + align - 1) / align * align;
		if (desc + nh.n_descsz > len)
			return false;
		if (nh.n_type == NOTE_PHYS32_ENTRY && nh.n_namesz == sizeof("Xen") &&
		    memcmp(p + at + sizeof(nh), "Xen", sizeof("Xen")) == 0 && nh.n_descsz >= 4)
			return true;
		if (next > len)
			return false;
		at = (size_t)next;
	}
	return false;
}

static int segment_has_pvh(int fd, const Elf64_Phdr *ph)
{
	_cleanup_free_ uint8_t *notes = NULL;
	ssize_t n;

	if (ph->p_type != PT_NOTE || ph->p_filesz > ELF_NOTES_MAX || ph->p_offset > INT64_MAX / 2)
		return 0;
	notes = malloc((size_t)ph->p_filesz + 1);
	if (!notes)
		return -ENOMEM;
	n = fs_pread_all(fd, notes, (size_t)ph->p_filesz, ph->p_offset);
	if (n < 0)
		return (int)n;
	return notes_have_pvh(notes, (size_t)n, ph->p_align);
}

int vmlinux_has_pvh(int fd)
{
	Elf64_Ehdr eh;
	ssize_t n = fs_pread_all(fd, &eh, sizeof(eh), 0);

	if (n < 0)
		return (int)n;
	if (n != sizeof(eh) || !is_elf_x86_64(&eh) || eh.e_phentsize != sizeof(Elf64_Phdr) ||
	    eh.e_phnum > ELF_PHDRS_MAX || eh.e_phoff > INT64_MAX / 2)
		return 0;
	for (unsigned int i = 0; i < eh.e_phnum; i++) {
		Elf64_Phdr ph;
		int r;

		n = fs_pread_all(fd, &ph, sizeof(ph), eh.e_phoff + i * sizeof(ph));
		if (n < 0)
			return (int)n;
		if (n != sizeof(ph))
			return 0;
		r = segment_has_pvh(fd, &ph);
		if (r != 0)
			return r;
	}
	return 0;
}
