/* SPDX-License-Identifier: MIT */
/*
 * From a distribution's kernel image to what QEMU boots fastest: the ELF
 * vmlinux that is a bzImage's compressed payload, entered by PVH. Unpacked in
 * the guest under emulation the payload costs 2.4 s, here 0.7 s once, cached.
 *
 * Header fields: Documentation/arch/x86/boot.rst of Linux. PVH: the ELF note
 * XEN_ELFNOTE_PHYS32_ENTRY (18) of the name "Xen".
 */
#ifndef VMRUN_INITRAMFS_KERNEL_H
#define VMRUN_INITRAMFS_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runner/base/err.h"

#define VMLINUX_MAX ((uint64_t)512 << 20) /* bytes, unpacked */

enum kernel_format { KERNEL_BZIMAGE, KERNEL_ELF };

struct bzimage {
	enum kernel_format format;
	char version[128];	 /* from the header (first word), "" if it has none or ELF */
	uint64_t payload_offset; /* bytes from the start of the file; 0: no payload known */
	uint64_t payload_len;
};

/**
 * bzimage_parse() - read the setup header (or recognise an ELF kernel).
 * @image, @len: the whole file, hostile.
 *
 * Return: 0; -EINVAL with what is wrong ("is no Linux kernel image", "is cut short",
 * "is a 32-bit kernel"), for the caller to put the image's name in front.
 */
int bzimage_parse(const uint8_t *image, size_t len, struct bzimage *ret, struct err *e);

/**
 * kernel_unpack() - decompress the payload (gzip, xz, lzma, zstd, lz4, bzip2) to @out_fd;
 * an ELF image is copied as it is.
 * @bz: what bzimage_parse() said of @image.
 * @out_fd: empty regular file or memfd; sparse runs may be left as holes.
 *
 * Return: 0; -ENOTSUP if the kernel can only boot as a bzImage (no payload, or
 * one of an unknown compression); other errors with @e.
 */
int kernel_unpack(const uint8_t *image, size_t len, const struct bzimage *bz, int out_fd,
		  struct err *e);

/**
 * vmlinux_has_pvh() - whether an ELF kernel can be entered by PVH.
 *
 * Reads only headers and notes, all bounded. Return: 1, 0 (also for what is no
 * ELF) or -errno of read.
 */
int vmlinux_has_pvh(int fd);

#endif
