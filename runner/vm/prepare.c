/* SPDX-License-Identifier: MIT */
#include "runner/vm/prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "initramfs/build.h"
#include "initramfs/kernel.h"
#include "initramfs/modules.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/host/base_dir.h"
#include "runner/host/image_config.h"
#include "runner/host/kernel_find.h"
#include "runner/vm/channel.h"
#include "runner/vm/kcache.h"

struct kernel_bytes {
	char *data;
	size_t len;
};

static void cleanup_kernel_bytes(struct kernel_bytes *k)
{
	free(k->data);
}

static int find_base_kernel(const struct prepare_input *in, struct base_report *report,
			    struct boot_source *source, struct err *e)
{
	struct kernel_choice choice;
	int r = kernel_find(in->root_fd, &choice, e);

	if (r < 0)
		return err_prefix(e, "base '%s'", in->base);
	snprintf(report->kernel_version, sizeof(report->kernel_version), "%s", choice.version);
	snprintf(report->kernel_path, sizeof(report->kernel_path), "%s", choice.path);
	r = fs_open_regular(in->root_fd, choice.path, KERNEL_IMAGE_MAX, &source->kernel_fd, NULL);
	if (r < 0)
		return err_errno(e, -r, "cannot read kernel %s in base '%s'", choice.path,
				 in->base);
	return 0;
}

static int read_kernel(int fd, const struct base_report *report, struct kernel_bytes *ret,
		       struct err *e)
{
	int r = lseek(fd, 0, SEEK_SET) < 0 ?
			-errno :
			fs_read_fd(fd, KERNEL_IMAGE_MAX, &ret->data, &ret->len);

	return r < 0 ? err_errno(e, -r, "cannot read kernel %s", report->kernel_path) : 0;
}

/* Which modules belong to a kernel that was given, only the kernel itself tells. */
static int take_given_kernel(const struct prepare_input *in, struct base_report *report,
			     struct boot_source *source, struct err *e)
{
	_cleanup_(cleanup_kernel_bytes) struct kernel_bytes image = { 0 };
	struct bzimage bz;
	int r;

	snprintf(report->kernel_path, sizeof(report->kernel_path), "%s", in->kernel);
	source->kernel_fd = fcntl(in->kernel_fd, F_DUPFD_CLOEXEC, 3);
	if (source->kernel_fd < 0)
		return err_errno(e, errno, "cannot keep hold of kernel %s", in->kernel);
	r = read_kernel(source->kernel_fd, report, &image, e);
	if (r < 0)
		return r;
	r = bzimage_parse((const uint8_t *)image.data, image.len, &bz, e);
	if (r < 0)
		return err_prefix(e, "kernel %s", report->kernel_path);
	snprintf(report->kernel_version, sizeof(report->kernel_version), "%s", bz.version);
	return 0;
}

static int seal_memfd(const char *name, int *fd, int *ret_fd, struct err *e)
{
	if (fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		return err_errno(e, errno, "cannot seal the %s", name);
	*ret_fd = steal_fd(fd);
	return 0;
}

/* Takes bytes that QEMU is to load as they are. */
static int to_memfd(const char *name, const void *data, size_t len, int *ret_fd, struct err *e)
{
	_cleanup_close_ int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r = fd < 0 ? -errno : fs_write_all(fd, data, len);

	if (r < 0)
		return err_errno(e, -r, "cannot hold the %s in memory", name);
	return seal_memfd(name, &fd, ret_fd, e);
}

int prepare_config(const struct prepare_input *in, int *ret_fd, struct err *e)
{
	_cleanup_(image_config_free) struct image_config config = { 0 };
	_cleanup_strbuf_ struct strbuf packed = { 0 };
	int r = image_config_read(in->root_fd, &config, e);

	if (r < 0)
		return err_prefix(e, "base '%s'", in->base);
	*ret_fd = -1;
	if (!config.there)
		return 0;
	image_config_pack(&config, &packed);
	if (packed.failed)
		return err_oom(e);
	return to_memfd("image's defaults", packed.data, packed.len, ret_fd, e);
}

static int ask(int channel, const struct channel_msg *msg, struct channel_msg *ret, int *ret_fd,
	       struct err *e)
{
	int r = channel_send(channel, msg, -1);

	if (r == 0)
		r = channel_recv(channel, ret, ret_fd);
	return r < 0 ? err_errno(e, -r, "the jail lost vmrun") : 0;
}

/* Through the read-only mount: not even a descriptor of QEMU's can write to it. */
int prepare_cached(int kernels_fd, const uint8_t digest[32], int *ret_fd)
{
	char name[KCACHE_NAME_SIZE];

	if (kernels_fd < 0)
		return -ENOENT;
	kcache_name(digest, name);
	return fs_open_regular(kernels_fd, name, VMLINUX_MAX, ret_fd, NULL);
}

/* Unpacked for this run only: where there is no cache, or no room in it. */
static int unpack_to_memory(const struct kernel_bytes *image, const struct bzimage *bz, int *ret_fd,
			    struct err *e)
{
	_cleanup_close_ int fd = memfd_create("vmlinux", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return err_errno(e, errno, "cannot hold the kernel in memory");
	r = kernel_unpack((const uint8_t *)image->data, image->len, bz, fd, e);
	if (r < 0)
		return r;
	return seal_memfd("kernel", &fd, ret_fd, e);
}

/*
 * The unpacked kernel, from the cache or made now. @fd: to unpack to, or -1; taken.
 * Return: 0, -ENOTSUP if this kernel has no payload that can be unpacked.
 */
static int unpacked_kernel(const struct prepare_input *in, const struct kernel_bytes *image,
			   const struct bzimage *bz, const struct base_report *report,
			   const struct channel_msg *answer, int fd, int *ret_fd, struct err *e)
{
	struct channel_msg made = { .kind = CHANNEL_MADE }, reply = { 0 };
	_cleanup_close_ int place = fd;
	int r;

	if (answer->kind == CHANNEL_CACHED &&
	    prepare_cached(in->kernels_fd, report->kernel_digest, ret_fd) == 0)
		return 0;
	if (answer->kind == CHANNEL_MAKE && place >= 0) {
		r = kernel_unpack((const uint8_t *)image->data, image->len, bz, place, e);
		if (r < 0)
			made.kind = CHANNEL_UNMADE;
		if (r == 0)
			r = ask(in->channel, &made, &reply, NULL, e);
		else if (channel_send(in->channel, &made, -1) < 0)
			return r;
		if (r == 0 && prepare_cached(in->kernels_fd, report->kernel_digest, ret_fd) == 0)
			return 0;
		/* A full disk does not matter to this run; a bad kernel stays one. */
		if (r == -ENOTSUP || r == -EBADMSG || r == -EINVAL)
			return r;
	}
	return unpack_to_memory(image, bz, ret_fd, e);
}

/* What QEMU loads: an ELF with a PVH entry, else the image itself. */
static int bootable_kernel(const struct prepare_input *in, const struct kernel_bytes *image,
			   struct base_report *report, int *ret_fd, struct err *e)
{
	struct channel_msg msg = { .kind = CHANNEL_KERNEL }, answer = { 0 };
	_cleanup_close_ int elf = -1;
	struct sha256_ctx sha;
	struct bzimage bz;
	int fd = -1, r;

	sha256_init(&sha);
	sha256_update(&sha, image->len, (const uint8_t *)image->data);
	sha256_digest(&sha, sizeof(report->kernel_digest), report->kernel_digest);
	msg.report = *report;
	r = ask(in->channel, &msg, &answer, &fd, e);
	if (r < 0)
		return r;

	r = bzimage_parse((const uint8_t *)image->data, image->len, &bz, e);
	if (r < 0)
		return err_prefix(e, "kernel %s", report->kernel_path);
	r = unpacked_kernel(in, image, &bz, report, &answer, fd, &elf, e);
	if (r < 0 && r != -ENOTSUP)
		return err_prefix(e, "kernel %s", report->kernel_path);
	report->pvh = r == 0 && vmlinux_has_pvh(elf) == 1;
	if (report->pvh) {
		*ret_fd = steal_fd(&elf);
		return 0;
	}
	if (bz.format == KERNEL_ELF)
		return err_msg(e, ENOTSUP,
			       "kernel %s is an ELF file without a PVH entry; build it with "
			       "CONFIG_PVH=y or give its bzImage",
			       report->kernel_path);
	return to_memfd("kernel", image->data, image->len, ret_fd, e);
}

/* The module directory: given, or the kernel's own in the base or on the host. */
static int open_modules(const struct prepare_input *in, const char *version, int *ret_fd,
			struct err *e)
{
	if (in->modules_fd >= 0) {
		*ret_fd = fcntl(in->modules_fd, F_DUPFD_CLOEXEC, 3);
		return *ret_fd < 0 ? err_errno(e, errno, "cannot open the module directory") : 0;
	}
	if (!kernel_version_valid(version))
		return err_msg(e, EINVAL,
			       "kernel %s does not tell its version; name its module directory "
			       "with --modules",
			       in->kernel);
	return kernel_open_modules(in->root_fd, version, ret_fd, e);
}

static size_t init_size(void)
{
	return (size_t)(vmrun_init_end - vmrun_init_start);
}

static const struct module_want *wanted(const struct prepare_input *in)
{
	return in->disks ? modules_wanted_with_disks : modules_wanted;
}

static int build_initramfs(const struct prepare_input *in, int modules_fd,
			   struct base_report *report, int *ret_fd, struct err *e)
{
	_cleanup_strbuf_ struct strbuf image = { 0 };
	int r = initramfs_build(modules_fd, wanted(in), vmrun_init_start, init_size(), &image, e);

	if (r < 0)
		return err_prefix(e, "kernel %s", report->kernel_path);
	report->initramfs_size = image.len;
	return to_memfd("initramfs", image.data, image.len, ret_fd, e);
}

/* What would be booted, by the identities of all files that decide it. */
static int make_stamp(const struct prepare_input *in, const struct base_report *report,
		      struct boot_source *source, struct err *e)
{
	_cleanup_strbuf_ struct strbuf ids = { 0 };
	struct sha256_ctx sha;
	struct file_id kernel;
	struct stat st;
	int r;

	if (fstat(source->kernel_fd, &st) < 0)
		return err_errno(e, errno, "cannot stat kernel %s", report->kernel_path);
	fs_file_id(&st, &kernel);
	source->newest_ns = kernel.ctime_ns;
	strbuf_add(&ids, &kernel, sizeof(kernel));
	r = initramfs_identify(source->modules_fd, wanted(in), &ids, &source->newest_ns, e);
	if (r < 0)
		return err_prefix(e, "kernel %s", report->kernel_path);
	sha256_init(&sha);
	sha256_update(&sha, init_size(), vmrun_init_start);
	sha256_update(&sha, ids.len, (const uint8_t *)strbuf_str(&ids));
	sha256_digest(&sha, sizeof(source->stamp), source->stamp);
	return ids.failed ? err_oom(e) : 0;
}

static int find_all(const struct prepare_input *in, struct base_report *report,
		    struct boot_source *source, struct err *e)
{
	int r = base_dir_check(in->root_fd, in->base, e);

	if (r == 0)
		r = in->kernel_fd >= 0 ? take_given_kernel(in, report, source, e) :
					 find_base_kernel(in, report, source, e);
	if (r == 0 && !in->no_modules)
		r = open_modules(in, report->kernel_version, &source->modules_fd, e);
	return r < 0 ? r : make_stamp(in, report, source, e);
}

int prepare_find(const struct prepare_input *in, struct base_report *ret_report,
		 struct boot_source *ret, struct err *e)
{
	struct boot_source source = BOOT_SOURCE_INIT;
	struct base_report report = { 0 };
	int r = find_all(in, &report, &source, e);

	if (r < 0) {
		boot_source_close(&source);
		return r;
	}
	*ret = source;
	*ret_report = report;
	return 0;
}

void boot_source_close(struct boot_source *source)
{
	cleanup_close(&source->kernel_fd);
	cleanup_close(&source->modules_fd);
}

int prepare_boot(const struct prepare_input *in, const struct boot_source *source,
		 struct base_report *report, int *ret_kernel_fd, int *ret_initrd_fd, struct err *e)
{
	_cleanup_(cleanup_kernel_bytes) struct kernel_bytes image = { 0 };
	_cleanup_close_ int kernel_fd = -1;
	int r = read_kernel(source->kernel_fd, report, &image, e);

	if (r == 0)
		r = bootable_kernel(in, &image, report, &kernel_fd, e);
	if (r == 0)
		r = build_initramfs(in, source->modules_fd, report, ret_initrd_fd, e);
	if (r < 0)
		return r;
	*ret_kernel_fd = steal_fd(&kernel_fd);
	return 0;
}
