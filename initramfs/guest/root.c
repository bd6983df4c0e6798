/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * The root is put together in the initramfs, from the bottom up. What does not
 * depend on the run is made by root_prepare(), before HELLO:
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
 * more, only the descriptor that root_prepare() returns. Its files need not be
 * removed, for modules_load() did that with all that have a size.
 */
#include <errno.h>
#include <fcntl.h>
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
#define VOLUMES "/" ROOT_VOLUMES
#define VOLATILE_SIZE "70%" /* of the guest's memory */

static int initramfs = -1;
static int volatile_errno;
static int usr = -1;

int root_prepare(void)
{
	static const char *const dirs[] = { VOLATILE, "/data", "/newroot", VOLUMES };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		mkdir(dirs[i], 0700);
	if (mount("tmpfs", VOLATILE, "tmpfs", 0, "mode=755,size=" VOLATILE_SIZE) < 0)
		volatile_errno = errno;
	initramfs = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return initramfs;
}

/*
 * access=client and posixacl make the guest's kernel apply the ACLs that files
 * have; a kernel without CONFIG_9P_FS_POSIX_ACL passes over the latter. msize is
 * the most that the virtio transport takes.
 */
#define OPTIONS "trans=virtio,version=9p2000.L,msize=512000,access=client,posixacl,cache="

static int mount_9p(const char *tag, const char *dir, enum proto_cache cache, unsigned long flags)
{
	static const char *const options[] = {
		[PROTO_CACHE_NONE] = OPTIONS "none",
		[PROTO_CACHE_MMAP] = OPTIONS "mmap",
		[PROTO_CACHE_LOOSE] = OPTIONS "loose",
	};
	struct timespec pause = { .tv_nsec = DEVICE_PAUSE_NS };

	for (int i = 0; i < DEVICE_TRIES; i++) {
		if (mount(tag, dir, "9p", flags, options[cache]) == 0)
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

	if (volatile_errno)
		return fail_errno(f, volatile_errno, "cannot make room for volatile files");
	r = mount_9p(PROTO_TAG_ROOT, ephemeral ? "/data" : "/newroot", c->root_cache, flags);
	if (r == -ENODEV)
		return fail_text(f, ENODEV,
				 "the guest's kernel has no 9p file system; see the "
				 "console for the module that did not load");
	if (r < 0)
		return fail_errno(f, -r, "cannot mount the base over 9p");
	if (!ephemeral)
		return 0;
	return mount_overlay(f);
}

int root_enter(const struct conf *c, struct fail *f)
{
	int r = root_layers(c, f);

	if (r < 0)
		return r;
	if (c->n_volumes) {
		r = mount_9p(PROTO_TAG_VOLUMES, VOLUMES, c->volume_cache, 0);
		if (r < 0)
			return fail_errno(f, -r, "cannot mount the volumes over 9p");
	}
	if (initramfs < 0 || chdir("/newroot") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 ||
	    chroot(".") < 0 || chdir("/") < 0)
		return fail_errno(f, errno, "cannot change into the root file system");
	/* Without a cache, the guest's kernel asks the host four times about each part
	 * of each path, unless that is open. Most programs' paths begin with this. */
	usr = open("/usr", O_PATH | O_CLOEXEC);
	return 0;
}
