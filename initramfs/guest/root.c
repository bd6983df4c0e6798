/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * The root is put together in the initramfs, from the bottom up:
 *
 *	/volatile  a tmpfs that holds all that the run does not keep: the upper
 *		   layer of an ephemeral root, /tmp, /run and /dev/shm. One limit
 *		   for all of them leaves the kernel the memory to go on with; a
 *		   limit for each would add up to more than there is.
 *	/data      ephemeral only: the base over 9p
 *	/newroot   the result: the base over 9p, or the overlay of the two
 *	/volumes   the device that has all volumes, if there are any
 *
 * A read-only or ephemeral run mounts the base read-only, so no mistake above it
 * can write to it. root_layers() is the place for one more layer between the two.
 *
 * Then /newroot is moved over / and we chroot into it, as switch_root does. All
 * other mounts of the initramfs stay where they are: no path leads there any
 * more, only the descriptor that root_enter() returns. Its files need not be
 * removed, for modules_load() did that with all that have a size.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "initramfs/guest/guest.h"

/* Drivers are loaded long before; a device may lag behind. */
#define DEVICE_TRIES 200
#define DEVICE_PAUSE_NS 20000000

#define VOLATILE "/" ROOT_VOLATILE
#define VOLATILE_SIZE "70%" /* of the guest's memory */

void root_early(void)
{
	static const struct {
		const char *type, *dir;
	} mounts[] = { { "devtmpfs", "/dev" }, { "proc", "/proc" }, { "sysfs", "/sys" } };

	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		mkdir(mounts[i].dir, 0755);
		mount(mounts[i].type, mounts[i].dir, mounts[i].type, MS_NOSUID, NULL);
	}
}

/*
 * access=client and posixacl make the guest's kernel apply the ACLs that files
 * have; a kernel without CONFIG_9P_FS_POSIX_ACL passes over the latter. msize is
 * the most that the virtio transport takes.
 */
static int mount_9p(const char *tag, const char *dir, enum proto_cache cache, unsigned long flags)
{
	static const char *const caches[] = {
		[PROTO_CACHE_NONE] = "none",
		[PROTO_CACHE_MMAP] = "mmap",
		[PROTO_CACHE_LOOSE] = "loose",
	};
	struct timespec pause = { .tv_nsec = DEVICE_PAUSE_NS };
	char options[128];

	mkdir(dir, 0700);
	snprintf(options, sizeof(options),
		 "trans=virtio,version=9p2000.L,msize=512000,access=client,posixacl,cache=%s",
		 caches[cache]);
	for (int i = 0; i < DEVICE_TRIES; i++) {
		if (mount(tag, dir, "9p", flags, options) == 0)
			return 0;
		if (errno != ENOENT)
			break;
		nanosleep(&pause, NULL);
	}
	return -errno;
}

/* An overlay's root directory has the attributes of the upper layer's. */
static int copy_attributes(const char *from, const char *to)
{
	struct timespec times[2];
	struct stat st;

	if (stat(from, &st) < 0 || chown(to, st.st_uid, st.st_gid) < 0 ||
	    chmod(to, st.st_mode & 07777) < 0)
		return -errno;
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	return utimensat(AT_FDCWD, to, times, 0) < 0 ? -errno : 0;
}

static int mount_overlay(struct fail *f)
{
	int r;

	if (mkdir(VOLATILE "/upper", 0755) < 0 || mkdir(VOLATILE "/work", 0755) < 0)
		return fail_errno(f, errno, "cannot make the ephemeral layer");
	r = copy_attributes("/data", VOLATILE "/upper");
	if (r < 0)
		return fail_errno(f, -r, "cannot copy the attributes of the base's root directory");
	if (mount("overlay", "/newroot", "overlay", 0,
		  "lowerdir=/data,upperdir=" VOLATILE "/upper,workdir=" VOLATILE "/work") == 0)
		return 0;
	if (errno == ENODEV)
		return fail_text(f, ENODEV,
				 "the guest's kernel has no overlay file system "
				 "(CONFIG_OVERLAY_FS), which --ephemeral needs");
	return fail_errno(f, errno, "cannot mount the ephemeral layer over the base");
}

static int root_layers(const struct conf *c, struct fail *f)
{
	bool ephemeral = c->root_mode == PROTO_ROOT_EPHEMERAL;
	unsigned long flags = c->root_mode == PROTO_ROOT_RW ? 0 : MS_RDONLY;
	int r;

	mkdir(VOLATILE, 0700);
	if (mount("tmpfs", VOLATILE, "tmpfs", 0, "mode=755,size=" VOLATILE_SIZE) < 0)
		return fail_errno(f, errno, "cannot make room for volatile files");
	r = mount_9p(PROTO_TAG_ROOT, ephemeral ? "/data" : "/newroot", c->root_cache, flags);
	if (r == -ENODEV)
		return fail_text(f, ENODEV,
				 "the guest's kernel has no 9p file system; see the "
				 "console for the module that did not load");
	if (r < 0)
		return fail_errno(f, -r, "cannot mount the base over 9p");
	if (!ephemeral)
		return 0;
	mkdir("/newroot", 0755);
	return mount_overlay(f);
}

int root_enter(const struct conf *c, int *ret_initramfs, struct fail *f)
{
	int fd, r = root_layers(c, f);

	if (r < 0)
		return r;
	if (c->n_volumes) {
		r = mount_9p(PROTO_TAG_VOLUMES, "/" ROOT_VOLUMES, c->volume_cache, 0);
		if (r < 0)
			return fail_errno(f, -r, "cannot mount the volumes over 9p");
	}
	fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || chdir("/newroot") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 ||
	    chroot(".") < 0 || chdir("/") < 0)
		return fail_errno(f, errno, "cannot change into the root file system");
	*ret_initramfs = fd;
	return 0;
}
