/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/disk/boot.h"

#include <errno.h>
#include <string.h>

#include "initramfs/build.h"
#include "rootfs-tools/disk/put.h"
#include "runner/base/cleanup.h"
#include "runner/host/kernel_find.h"

/* GRUB's include/grub/i386/pc/boot.h: of boot.img, and of a core image's first sector. */
#define MBR_KERNEL_SECTOR 0x5c /* 64 bits: what is read */
#define MBR_DRIVE 0x64	       /* 0xff: the one that was booted from */
#define MBR_DRIVE_CHECK 0x66   /* two bytes: a jump over what mends a BIOS that got it wrong */
#define CORE_LIST 0x1f4	       /* 64 bits: the second sector; 16: how many; 16: to where */

static const uint8_t jump_over_check[] = { 0xeb, 0x05 };

int boot_place(struct boot_images *images, uint64_t sector, struct err *e)
{
	size_t sectors = images->core_len / BOOT_SECTOR;
	uint8_t *mbr = images->mbr, *core = (uint8_t *)images->core;

	if (images->core_len % BOOT_SECTOR || sectors < 2 || mbr[MBR_DRIVE] != 0xff ||
	    memcmp(mbr + MBR_DRIVE_CHECK, jump_over_check, sizeof(jump_over_check)) != 0 ||
	    (core[CORE_LIST + 8] | core[CORE_LIST + 9] << 8) != (int)sectors - 1)
		return err_msg(e, EINVAL, "GRUB's boot.img or core image is of an unknown kind");
	put_le64(mbr + MBR_KERNEL_SECTOR, sector);
	/* As grub-install does for a hard disk. */
	memset(mbr + MBR_DRIVE_CHECK, 0x90, sizeof(jump_over_check));
	put_le64(core + CORE_LIST, sector + 1);
	return 0;
}

void boot_images_free(struct boot_images *images)
{
	free(images->core);
	free(images->efi);
	images->core = images->efi = NULL;
}

void boot_config_text(const struct boot_config *config, struct strbuf *out)
{
	strbuf_puts(out, "serial --unit=0 --speed=115200\n"
			 "terminal_input console serial\n"
			 "terminal_output console serial\n"
			 "set timeout=1\n"
			 "set timeout_style=hidden\n"
			 "set gfxpayload=keep\n"
			 "set esp=$root\n");
	strbuf_printf(out, "search --no-floppy --fs-uuid --set=root %s\n", config->root_id);
	strbuf_printf(out, "menuentry 'Linux %s' {\n", config->version);
	strbuf_printf(out, "\tlinux %s root=UUID=%s rw console=tty0 console=ttyS0,115200n8\n",
		      config->kernel, config->root_id);
	strbuf_printf(out, "\tinitrd %s%s\n}\n", config->initrd ? "" : "($esp)",
		      config->initrd ? config->initrd : BOOT_INITRD);
}

/* --- an initramfs for whoever has none --- */

#define DISK "a disk"

/*
 * The system's file system, then disks of QEMU, KVM, VirtualBox, VMware, Hyper-V, Xen and
 * real machines, the most likely first: no more are loaded than are needed.
 */
static const struct module_want wanted[] = {
	/* ext4's checksums, asked for by name, and so in no list of what it needs. */
	{ "crc32c_generic", false, "ext4" },
	{ "ext4", true, "the root file system (CONFIG_EXT4_FS)" },
	{ "virtio_pci", false, DISK },
	{ "virtio_blk", false, DISK },
	{ "virtio_scsi", false, DISK },
	{ "sd_mod", false, DISK },
	{ "ahci", false, DISK },
	{ "ata_piix", false, DISK },
	{ "ata_generic", false, DISK },
	{ "nvme", false, DISK },
	{ "mptspi", false, DISK },
	{ "mptsas", false, DISK },
	{ "vmw_pvscsi", false, DISK },
	{ "hv_storvsc", false, DISK },
	{ "xen_blkfront", false, DISK },
	{ "sdhci_pci", false, DISK },
	{ "mmc_block", false, DISK },
	{ "usb_storage", false, DISK },
	{ "uas", false, DISK },
	{ "xhci_pci", false, DISK },
	{ "ehci_pci", false, DISK },
	{ NULL, false, NULL },
};

int boot_initramfs(int root, const char *version, struct strbuf *ret, struct err *e)
{
	size_t init_len = (size_t)(vmrun_disk_init_end - vmrun_disk_init_start);
	_cleanup_close_ int modules = -1;
	int r = kernel_open_modules(root, version, &modules, e);

	/* None at all: what it needs is built in, or it does not boot by vmrun either. */
	if (r < 0 && r != -ENOENT)
		return r;
	return initramfs_build(modules, wanted, vmrun_disk_init_start, init_len, ret, e);
}
