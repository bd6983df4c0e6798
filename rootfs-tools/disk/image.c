/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/disk/image.h"

#include <errno.h>
#include <inttypes.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "initramfs/decompress.h"
#include "rootfs-tools/disk/ext4.h"
#include "rootfs-tools/disk/fat.h"
#include "rootfs-tools/disk/gpt.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/host/kernel_find.h"

#define MIB_SECTORS 2048
#define BLOCK_SECTORS (EXT4_BLOCK / GPT_SECTOR)
#define ESP_FIRST MIB_SECTORS /* all before it is GRUB's, but for the table */
#define ESP_SECTORS ((uint64_t)64 * MIB_SECTORS)
#define ESP_SPARE ((uint64_t)32 * MIB_SECTORS) /* beside the files: room for a second set */
#define ROOT_SECTORS_MIN ((uint64_t)16 * MIB_SECTORS)
#define INITRD_MAX ((uint64_t)1 << 30)
#define ID_TEXT_SIZE 37

struct image {
	const struct image_make *make;
	int root;
	struct losses *losses;
	struct ext4_need need;
	uint8_t digest[EXT4_DIGEST_BYTES];
	uint8_t root_id[EXT4_ID_BYTES]; /* in the order of its text */
	struct kernel_choice kernel;
	char initrd[KERNEL_PATH_MAX]; /* "": vmrun's own, below */
	struct strbuf own_initrd;
	struct strbuf config;
	struct image_layout layout;
	time_t when;
};

/* --- identities --- */

/* @version_at: of the byte whose upper half says "random", as a version 4 GUID has it. */
static void make_id(const struct image *img, const char *purpose, size_t version_at,
		    uint8_t ret[16])
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, sizeof(img->digest), img->digest);
	sha256_update(&ctx, strlen(purpose), (const uint8_t *)purpose);
	sha256_digest(&ctx, sizeof(digest), digest);
	memcpy(ret, digest, 16);
	ret[version_at] = (uint8_t)((ret[version_at] & 0x0f) | 0x40);
	ret[8] = (uint8_t)((ret[8] & 0x3f) | 0x80);
}

static void id_text(const uint8_t id[16], char ret[ID_TEXT_SIZE])
{
	char *at = ret;

	for (int i = 0; i < 16; i++)
		at += snprintf(at, 4, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
			       id[i]);
}

/* --- layout --- */

int image_lay_out(uint64_t size, uint64_t esp_bytes, uint64_t root_blocks, struct image_layout *ret,
		  struct err *e)
{
	struct image_layout l = { .esp_first = ESP_FIRST, .esp_sectors = ESP_SECTORS };
	uint64_t esp = esp_bytes / GPT_SECTOR + ESP_SPARE, room;

	if (esp > l.esp_sectors)
		l.esp_sectors = (esp / MIB_SECTORS + 1) * MIB_SECTORS;
	l.root_first = l.esp_first + l.esp_sectors;
	if (size > IMAGE_SIZE_MAX || root_blocks > IMAGE_SIZE_MAX / EXT4_BLOCK / 2)
		return err_msg(e, EFBIG, "a disk image has at most %" PRIu64 " TiB",
			       IMAGE_SIZE_MAX >> 40);
	l.sectors = size / GPT_SECTOR;
	if (!size)
		l.sectors = ((l.root_first + root_blocks * BLOCK_SECTORS + GPT_SECTORS_AT_END) /
				     MIB_SECTORS +
			     1) *
			    MIB_SECTORS;
	room = l.root_first + GPT_SECTORS_AT_END;
	if (l.sectors < room + ROOT_SECTORS_MIN)
		return err_msg(e, ENOSPC,
			       "--size is too small: %" PRIu64 " MiB are needed at least",
			       (room + root_blocks * BLOCK_SECTORS) / MIB_SECTORS + 1);
	l.root_sectors = (l.sectors - room) / BLOCK_SECTORS * BLOCK_SECTORS;
	*ret = l;
	return 0;
}

/* --- what is booted --- */

/* Where distributions put the initramfs of a kernel. */
static const char *const initrd_names[] = {
	"/boot/initrd.img-%s",	      "/boot/initramfs-%s.img", "/boot/initrd-%s",
	"/usr/lib/modules/%s/initrd", "/lib/modules/%s/initrd",
};

static bool find_initrd(struct image *img)
{
	for (size_t i = 0; i < ARRAY_SIZE(initrd_names); i++) {
		const char *name = initrd_names[i], *hole = strstr(name, "%s");
		_cleanup_close_ int fd = -1;

		snprintf(img->initrd, sizeof(img->initrd), "%.*s%s%s", (int)(hole - name), name,
			 img->kernel.version, hole + 2);
		if (fs_open_regular(img->root, img->initrd, INITRD_MAX, &fd, NULL) == 0)
			return true;
	}
	*img->initrd = '\0';
	return false;
}

static int choose_boot(struct image *img, struct err *e)
{
	struct boot_config config = { .version = img->kernel.version };
	char kernel[KERNEL_PATH_MAX + 1], id[ID_TEXT_SIZE];
	int r = kernel_find(img->root, &img->kernel, e);

	if (r == -ENOENT)
		return err_msg(e, ENOENT,
			       "'%s' has no kernel that a disk could boot; install one in it, as by "
			       "vmrun rootfs customize --package linux-image-amd64",
			       img->make->src_path);
	if (r == 0 && !find_initrd(img))
		r = boot_initramfs(img->root, img->kernel.version, &img->own_initrd, e);
	if (r < 0)
		return r;
	id_text(img->root_id, id);
	snprintf(kernel, sizeof(kernel), "%s%s", *img->kernel.path == '/' ? "" : "/",
		 img->kernel.path);
	config.root_id = id;
	config.kernel = kernel;
	config.initrd = *img->initrd ? img->initrd : NULL;
	boot_config_text(&config, &img->config);
	return img->config.failed ? err_oom(e) : 0;
}

/* --- what is written --- */

static int write_table(struct image *img, struct err *e)
{
	const struct image_layout *l = &img->layout;
	struct gpt_partition partitions[] = {
		{ .type = GPT_TYPE_BIOS_BOOT,
		  .name = "bios-boot",
		  .first = GPT_FIRST_USABLE,
		  .last = ESP_FIRST - 1 },
		{ .type = GPT_TYPE_ESP,
		  .name = "esp",
		  .first = l->esp_first,
		  .last = l->root_first - 1 },
		{ .type = GPT_TYPE_ROOT_X86_64,
		  .name = "root",
		  .first = l->root_first,
		  .last = l->root_first + l->root_sectors - 1 },
	};
	struct gpt gpt = { .sectors = l->sectors,
			   .partitions = partitions,
			   .n_partitions = ARRAY_SIZE(partitions) };
	uint8_t head[GPT_HEAD_BYTES], tail[GPT_TAIL_BYTES];
	int r;

	make_id(img, "disk", 7, gpt.id);
	for (size_t i = 0; i < ARRAY_SIZE(partitions); i++)
		make_id(img, partitions[i].name, 7, partitions[i].id);
	memcpy(head, img->make->boot->mbr, BOOT_CODE_BYTES);
	r = gpt_make(&gpt, head, tail);
	if (r == 0)
		r = fs_pwrite_all(img->make->fd, head, sizeof(head), 0);
	if (r == 0)
		r = fs_pwrite_all(img->make->fd, tail, sizeof(tail),
				  (l->sectors - GPT_SECTORS_AT_END) * GPT_SECTOR);
	return r < 0 ? err_errno(e, -r, "cannot write the partition table") : 0;
}

static int write_core(const struct image *img, struct err *e)
{
	const struct boot_images *boot = img->make->boot;
	int r;

	if (boot->core_len > (ESP_FIRST - GPT_FIRST_USABLE) * GPT_SECTOR)
		return err_msg(e, EFBIG, "GRUB's core image has %zu bytes, more than its partition",
			       boot->core_len);
	r = fs_pwrite_all(img->make->fd, boot->core, boot->core_len, GPT_FIRST_USABLE * GPT_SECTOR);
	return r < 0 ? err_errno(e, -r, "cannot write the boot loader") : 0;
}

enum { ESP_EFI, ESP_EFI_BOOT, ESP_GRUB, ESP_LOADER, ESP_CONFIG, ESP_INITRD, ESP_END };

static int write_esp(const struct image *img, struct err *e)
{
	const struct boot_images *boot = img->make->boot;
	const struct fat_entry entries[] = {
		[ESP_EFI] = { -1, "EFI        ", NULL, 0 },
		[ESP_EFI_BOOT] = { ESP_EFI, "BOOT       ", NULL, 0 },
		[ESP_GRUB] = { -1, "GRUB       ", NULL, 0 },
		[ESP_LOADER] = { ESP_EFI_BOOT, "BOOTX64 EFI", boot->efi, boot->efi_len },
		[ESP_CONFIG] = { ESP_GRUB, "GRUB    CFG", img->config.data, img->config.len },
		[ESP_INITRD] = { -1, "INITRD  IMG", img->own_initrd.data, img->own_initrd.len },
	};
	struct fat fat = {
		.fd = img->make->fd,
		.offset = img->layout.esp_first * GPT_SECTOR,
		.sectors = img->layout.esp_sectors,
		.label = "ESP        ",
		.when = img->when,
		.entries = entries,
		.n_entries = img->own_initrd.data ? ESP_END : ESP_INITRD,
	};
	uint8_t id[16];

	make_id(img, "esp-volume", 7, id);
	memcpy(&fat.id, id, sizeof(fat.id));
	return fat_make(&fat, e);
}

static int write_root(const struct image *img, struct err *e)
{
	struct ext4_make make = {
		.fd = img->make->fd,
		.offset = img->layout.root_first * GPT_SECTOR,
		.blocks = img->layout.root_sectors / BLOCK_SECTORS,
		.inodes = ext4_inodes(&img->need),
		.when = img->when,
		.epoch = img->make->epoch,
	};
	int r;

	memcpy(make.id, img->root_id, sizeof(make.id));
	r = ext4_make(&make, img->root, img->losses, e);
	if (r == -ENOSPC && img->make->size)
		err_prefix(e, "--size is too small, %" PRIu64 " MiB fit well",
			   (ext4_size(&img->need) * BLOCK_SECTORS + img->layout.root_first) /
					   MIB_SECTORS +
				   2);
	return r;
}

static int measure(struct image *img, struct err *e)
{
	int64_t epoch = img->make->epoch;
	int r = ext4_measure(img->root, &img->need, img->digest, e);

	if (r < 0)
		return r;
	img->when = img->need.newest < epoch ? img->need.newest : epoch;
	/* To libext2fs 0 is "now"; its superblock has 32 bits for it. */
	if (img->when < 1)
		img->when = 1;
	if (img->when > UINT32_MAX)
		img->when = UINT32_MAX;
	make_id(img, "root-file-system", 6, img->root_id);
	return 0;
}

static int make_all(struct image *img, struct err *e)
{
	const struct image_make *make = img->make;
	int r = measure(img, e);

	if (r == 0)
		r = choose_boot(img, e);
	if (r == 0)
		r = image_lay_out(make->size, make->boot->efi_len + img->own_initrd.len,
				  ext4_size(&img->need), &img->layout, e);
	if (r == 0)
		r = boot_place(make->boot, GPT_FIRST_USABLE, e);
	if (r == 0 && ftruncate(make->fd, (off_t)(img->layout.sectors * GPT_SECTOR)) < 0)
		r = err_errno(e, errno, "cannot make a file of %" PRIu64 " MiB",
			      img->layout.sectors / MIB_SECTORS);
	if (r == 0)
		r = write_table(img, e);
	if (r == 0)
		r = write_core(img, e);
	if (r == 0)
		r = write_esp(img, e);
	return r == 0 ? write_root(img, e) : r;
}

int image_prepare(struct err *e)
{
	decompress_prepare();
	return ext4_prepare(e);
}

int image_make(const struct image_make *make, int root, struct losses *losses, struct err *e)
{
	struct image img = { .make = make, .root = root, .losses = losses };
	int r = make_all(&img, e);

	strbuf_free(&img.own_initrd);
	strbuf_free(&img.config);
	return r;
}
