/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A disk image boots by GRUB, on BIOS and on UEFI, from the same configuration:
 *
 *	sector 0	GRUB's boot.img as the MBR's code: reads one sector
 *	partition 1	"BIOS boot": GRUB's core image. Its first sector reads the rest
 *	partition 2	ESP, vfat: EFI/BOOT/BOOTX64.EFI, where firmware looks; grub/grub.cfg;
 *			an initramfs, if the system brings none
 *	partition 3	the system, ext4: nothing is added to it
 *
 * Neither image of GRUB has anything of one disk in it but where the configuration is: in
 * partition 2 of the disk that was booted from. grub-install would do the same, and needs
 * root and a block device; what it patches into boot.img and the core image are three
 * numbers.
 *
 * The kernel is the one that vmrun boots, out of the system itself; with its initramfs,
 * where the system has one. If not, one of vmrun's own (initramfs/disk) finds the system,
 * so that every root directory that vmrun runs can become a disk image.
 */
#ifndef VMRUN_ROOTFS_DISK_BOOT_H
#define VMRUN_ROOTFS_DISK_BOOT_H

#include <stddef.h>
#include <stdint.h>

#include "runner/base/err.h"
#include "runner/base/strbuf.h"
#include "runner/plan/idmap.h"

#define BOOT_SECTOR 512
#define BOOT_CODE_BYTES 440 /* of the MBR, before the table */
#define BOOT_ESP_PARTITION 2

/* What GRUB is made of. Free with boot_images_free(). */
struct boot_images {
	uint8_t mbr[BOOT_SECTOR]; /* boot.img */
	char *core;		  /* of BIOS, whole sectors; owned */
	size_t core_len;
	char *efi; /* owned */
	size_t efi_len;
};

/**
 * boot_images_make() - have them made by the host's grub-mkimage.
 * @idmap: it runs with, as every tool does; the images do not depend on it.
 * @ret_signal: as of tool_wait().
 *
 * What is missing on the host is told with the package that brings it.
 */
int boot_images_make(const struct idmap_choice *idmap, int signal_fd, struct boot_images *ret,
		     int *ret_signal, struct err *e);
void boot_images_free(struct boot_images *images);

/**
 * boot_place() - patch where the core image lies into it and into the MBR's code. Pure.
 * @sector: the core image's first, of the disk.
 *
 * Return: 0, or -EINVAL: they are not what GRUB 2 makes.
 */
int boot_place(struct boot_images *images, uint64_t sector, struct err *e);

/* What is booted; paths are of the characters that kernel_version_valid() allows, and "/". */
struct boot_config {
	const char *version;
	const char *root_id; /* UUID of the system's file system */
	const char *kernel;  /* path in the system */
	const char *initrd;  /* path in the system; NULL: BOOT_INITRD in the ESP */
};

#define BOOT_INITRD "/initrd.img"

/** boot_config_text() - GRUB's configuration. Pure. */
void boot_config_text(const struct boot_config *config, struct strbuf *out);

/**
 * boot_initramfs() - inside: one for a system that has none.
 * @root: O_PATH.
 * @ret: strbuf_free() it.
 */
int boot_initramfs(int root, const char *version, struct strbuf *ret, struct err *e);

#endif
