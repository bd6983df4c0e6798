/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rootfs-tools/core/tool.h"
#include "rootfs-tools/disk/boot.h"
#include "rootfs-tools/disk/tool_run.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"

#define IMAGE_MAX ((uint64_t)16 << 20) /* bytes; 0.6 MB is usual */
#define GRUB_DIR "/usr/lib/grub/"
#define MODULES_MAX 32

/* What both need: the disk, the two file systems, the menu, the kernel. */
#define COMMON                                                                              \
	"part_gpt", "fat", "ext2", "search", "search_fs_uuid", "normal", "linux", "serial", \
		"terminal", "test", "echo", "ls", "cat", "reboot", "halt"

struct flavour {
	const char *format;
	const char *prefix; /* "(,gpt2)": of the disk that was booted from; UEFI knows it anyway */
	const char *package;
	const char *modules[MODULES_MAX];
};

static const struct flavour bios = {
	"i386-pc",
	"(,gpt2)/grub",
	"grub-pc-bin (Fedora: grub2-pc-modules, Arch: grub)",
	{ "biosdisk", COMMON, NULL },
};

/* all_video: else the kernel has no screen until it has a driver for it. */
static const struct flavour efi = {
	"x86_64-efi",
	"/grub",
	"grub-efi-amd64-bin (Fedora: grub2-efi-x64-modules, Arch: grub)",
	{ COMMON, "all_video", NULL },
};

static const char *program(void)
{
	return tool_exists("grub-mkimage") || !tool_exists("grub2-mkimage") ? "grub-mkimage" :
									      "grub2-mkimage";
}

static int check(const struct flavour *f, struct err *e)
{
	char path[96];

	snprintf(path, sizeof(path), GRUB_DIR "%s/normal.mod", f->format);
	if (access(path, R_OK) == 0)
		return 0;
	return err_msg(e, ENOENT,
		       "a disk image boots by GRUB, of which %s is not installed here; install %s",
		       f->format, f->package);
}

static int make(const struct flavour *f, const struct idmap_choice *idmap, int signal_fd,
		char **ret, size_t *ret_len, int *ret_signal, struct err *e)
{
	const char *argv[MODULES_MAX + 6] = { program(), "-O", f->format, "-p", f->prefix };
	_cleanup_close_ int out = memfd_create("grub", MFD_CLOEXEC);
	struct tool_run run = {
		.tool = { .idmap = idmap, .argv = argv, .fds = { -1, out, -1 } },
		.name = argv[0],
		.package = "grub-common (Fedora: grub2-tools-minimal, Arch: grub)",
	};
	int r;

	if (out < 0)
		return err_errno(e, errno, "cannot make a file in memory");
	for (size_t i = 0; f->modules[i]; i++)
		argv[5 + i] = f->modules[i];
	r = tool_run(&run, signal_fd, ret_signal, e);
	if (r < 0)
		return r;
	if (lseek(out, 0, SEEK_SET) < 0)
		return err_errno(e, errno, "cannot read what GRUB is made of");
	r = fs_read_fd(out, IMAGE_MAX, ret, ret_len);
	return r < 0 ? err_errno(e, -r, "cannot read what GRUB is made of") : 0;
}

/* Code that is read to whole sectors. */
static int pad_core(struct boot_images *images, struct err *e)
{
	size_t len = (images->core_len + BOOT_SECTOR - 1) / BOOT_SECTOR * BOOT_SECTOR;
	char *core = realloc(images->core, len);

	if (!core)
		return err_oom(e);
	memset(core + images->core_len, 0, len - images->core_len);
	images->core = core;
	images->core_len = len;
	return 0;
}

static int read_mbr(struct boot_images *images, struct err *e)
{
	const char *path = GRUB_DIR "i386-pc/boot.img";
	_cleanup_close_ int fd = -1;
	int r = fs_open_host_file(path, IMAGE_MAX, &fd);

	if (r == 0 && fs_pread_all(fd, images->mbr, BOOT_SECTOR, 0) != BOOT_SECTOR)
		r = -EIO;
	return r < 0 ? err_errno(e, -r, "cannot read %s", path) : 0;
}

int boot_images_make(const struct idmap_choice *idmap, int signal_fd, struct boot_images *ret,
		     int *ret_signal, struct err *e)
{
	struct boot_images images = { 0 };
	int r = check(&bios, e);

	if (r == 0)
		r = check(&efi, e);
	if (r == 0)
		r = read_mbr(&images, e);
	if (r == 0)
		r = make(&bios, idmap, signal_fd, &images.core, &images.core_len, ret_signal, e);
	if (r == 0)
		r = pad_core(&images, e);
	if (r == 0)
		r = make(&efi, idmap, signal_fd, &images.efi, &images.efi_len, ret_signal, e);
	if (r < 0)
		boot_images_free(&images);
	else
		*ret = images;
	return r;
}
