/* SPDX-License-Identifier: MIT */
#include "runner/host/disk_image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/base/fs.h"

/* Where things are in a qcow2 header, as its specification has them; big-endian. */
enum {
	QCOW2_VERSION = 4,
	QCOW2_BACKING_OFFSET = 8,
	QCOW2_CLUSTER_BITS = 20,
	QCOW2_CRYPT_METHOD = 32,
	QCOW2_V2_SIZE = 72,
	QCOW2_INCOMPATIBLE = 72,
	QCOW2_V3_SIZE = 104,
};

#define QCOW2_EXTERNAL_DATA (UINT64_C(1) << 2)
/* Dirty, corrupt (which QEMU acts upon), external data, compression type, extended L2. */
#define QCOW2_KNOWN_FEATURES UINT64_C(0x1f)

/* Formats that QEMU knows and vmrun does not: a guest would see nonsense. */
static const struct {
	const char *magic;
	size_t len;
	size_t offset;
	const char *name;
} others[] = {
	{ "KDMV", 4, 0, "VMDK" },      { "COWD", 4, 0, "VMDK" },
	{ "# Disk Descriptor", 17, 0, "VMDK" },
	{ "vhdxfile", 8, 0, "VHDX" },  { "conectix", 8, 0, "VHD" },
	{ "QED\0", 4, 0, "QED" },      { "\x7f\x10\xda\xbe", 4, 64, "VDI" },
};

static uint64_t be(const uint8_t *p, size_t bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | *p++;
	return v;
}

static bool begins_with(const uint8_t *head, size_t len, size_t offset, const char *magic, size_t n)
{
	return len >= offset + n && memcmp(head + offset, magic, n) == 0;
}

static int check_qcow2(const uint8_t *head, size_t len, struct err *e)
{
	uint64_t version = len >= QCOW2_V2_SIZE ? be(head + QCOW2_VERSION, 4) : 0, features;

	if (version != 2 && version != 3)
		return err_msg(e, EINVAL,
			       "is no qcow2 image of version 2 or 3; is it cut short?");
	if (be(head + QCOW2_BACKING_OFFSET, 8))
		return err_msg(e, EINVAL,
			       "has a backing file, which is never opened; make one image of both: "
			       "qemu-img convert -O qcow2");
	if (be(head + QCOW2_CLUSTER_BITS, 4) < 9 || be(head + QCOW2_CLUSTER_BITS, 4) > 21)
		return err_msg(e, EINVAL, "begins like qcow2, but is damaged; :raw, if it is none");
	if (be(head + QCOW2_CRYPT_METHOD, 4))
		return err_msg(e, EINVAL, "is encrypted; qemu-img convert can decrypt it");
	if (version == 2)
		return 0;
	if (len < QCOW2_V3_SIZE)
		return err_msg(e, EINVAL, "is cut short within its header");
	features = be(head + QCOW2_INCOMPATIBLE, 8);
	if (features & QCOW2_EXTERNAL_DATA)
		return err_msg(e, EINVAL,
			       "has its data in another file, which is never opened; make one "
			       "image of both: qemu-img convert -O qcow2");
	if (features & ~QCOW2_KNOWN_FEATURES)
		return err_msg(e, EINVAL, "is qcow2 with features that are not known here");
	return 0;
}

int disk_image_format(const uint8_t *head, size_t len, enum disk_format asked,
		      enum disk_format *ret, struct err *e)
{
	bool qcow2 = begins_with(head, len, 0, "QFI\xfb", 4);
	int r;

	if (asked == DISK_RAW || (asked == DISK_AUTO && !qcow2)) {
		for (size_t i = 0; asked == DISK_AUTO && i < ARRAY_SIZE(others); i++)
			if (begins_with(head, len, others[i].offset, others[i].magic,
					others[i].len))
				return err_msg(e, EINVAL,
					       "is a %s image; make a qcow2 of it: qemu-img "
					       "convert -O qcow2",
					       others[i].name);
		*ret = DISK_RAW;
		return 0;
	}
	if (!qcow2)
		return err_msg(e, EINVAL, "is no qcow2 image");
	r = check_qcow2(head, len, e);
	if (r == 0)
		*ret = DISK_QCOW2;
	return r;
}

static int open_image(const struct disk *disk, struct disk_image *ret, struct err *e)
{
	/* Not waiting for whoever might write to a FIFO. */
	_cleanup_close_ int fd = open(disk->src, (disk->read_only ? O_RDONLY : O_RDWR) |
							 O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	uint8_t head[DISK_HEAD_SIZE];
	struct stat st;
	ssize_t n;
	int r;

	if (fd < 0 && errno == ENOENT)
		return err_msg(e, ENOENT, "does not exist; make it first");
	if (fd < 0 && errno == EISDIR)
		return err_msg(e, EISDIR, "is a directory; -v shows it to the guest");
	if (fd < 0 && (errno == EACCES || errno == EROFS) && !disk->read_only &&
	    access(disk->src, R_OK) == 0)
		return err_msg(e, EACCES, "cannot be written to; add :ro");
	if (fd < 0)
		return err_errno(e, errno, "cannot be opened");
	if (fstat(fd, &st) < 0)
		return err_errno(e, errno, "cannot be looked at");
	if (S_ISDIR(st.st_mode))
		return err_msg(e, EISDIR, "is a directory; -v shows it to the guest");
	if (!S_ISREG(st.st_mode))
		return err_msg(e, EINVAL, "is no regular file");
	if (st.st_size == 0)
		return err_msg(e, EINVAL, "is empty; truncate -s 1G makes it a disk");
	n = fs_pread_all(fd, head, sizeof(head), 0);
	if (n < 0)
		return err_errno(e, (int)-n, "cannot be read");
	r = disk_image_format(head, (size_t)n, disk->format, &ret->format, e);
	if (r == 0)
		ret->fd = steal_fd(&fd);
	return r;
}

int disk_images_open(const struct disk *disks, unsigned int n, struct disk_image *ret,
		     struct err *e)
{
	for (unsigned int i = 0; i < n; i++)
		ret[i] = (struct disk_image){ .fd = -1 };
	for (unsigned int i = 0; i < n; i++) {
		struct err why;
		int r = open_image(&disks[i], &ret[i], &why);

		if (r < 0)
			return err_msg(e, -r, "--disk: '%.300s' %s", disks[i].src, why.text);
	}
	return 0;
}

void disk_images_close(struct disk_image *images, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		cleanup_close(&images[i].fd);
}
