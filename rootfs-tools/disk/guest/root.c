/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "rootfs-tools/disk/guest/reader.h"

#define SUBVOL_INODE 256 /* of the root of a subvolume of btrfs */
#define SUBVOL_SIZE 300	 /* "subvol=" and a name */
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool has(int dir, const char *path)
{
	struct stat st;

	return fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool is_root(const char *path)
{
	int dir = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	bool ret;

	if (dir < 0)
		return false;
	ret = has(dir, "etc/os-release") || has(dir, "usr/lib/os-release") ||
	      (has(dir, "etc") && (has(dir, "usr/bin") || has(dir, "bin") || has(dir, "etc/fstab")));
	close(dir);
	return ret;
}

/* Where installers put it: Ubuntu and Arch, Fedora, Debian, others. */
static const char *const subvols[] = { "@", "root", "@rootfs", "@root" };

#define RANK_OTHER COUNT(subvols)

static size_t rank(const char *name)
{
	size_t i = 0;

	while (i < RANK_OTHER && strcmp(subvols[i], name) != 0)
		i++;
	return i;
}

/* The top of a btrfs is mounted: which of its subvolumes is a root. */
static bool find_subvol(const struct part *part, char ret[SUBVOL_SIZE])
{
	DIR *dir = opendir(ROOT_DIR);
	size_t best = RANK_OTHER + 1, same = 0;
	struct dirent *de;

	while (dir && (de = readdir(dir))) {
		char path[sizeof(ROOT_DIR) + 258];
		struct stat st;

		snprintf(path, sizeof(path), ROOT_DIR "/%s", de->d_name);
		if (strchr(de->d_name, ',') || !strcmp(de->d_name, ".") ||
		    !strcmp(de->d_name, "..") || lstat(path, &st) < 0 || !S_ISDIR(st.st_mode) ||
		    st.st_ino != SUBVOL_INODE || !is_root(path) || rank(de->d_name) > best)
			continue;
		same = rank(de->d_name) == best ? same + 1 : 0;
		best = rank(de->d_name);
		snprintf(ret, SUBVOL_SIZE, "subvol=%s", de->d_name);
	}
	if (dir)
		closedir(dir);
	if (same)
		die("the btrfs on /dev/%s has several subvolumes that look like a root", part->name);
	return best <= RANK_OTHER;
}

/* Return: 1 with the root mounted, 0 if it holds none, or -errno. */
static int try(const struct part *part, bool probing)
{
	char subvol[SUBVOL_SIZE];
	int r = fs_mount(part, NULL, ROOT_DIR, probing);
	bool found;

	if (r < 0)
		return r;
	if (is_root(ROOT_DIR))
		return 1;
	umount2(ROOT_DIR, MNT_DETACH);
	if (strcmp(part->fs->name, "btrfs") != 0)
		return 0;
	r = fs_mount(part, "subvolid=5", ROOT_DIR, true);
	if (r < 0)
		return r;
	found = find_subvol(part, subvol);
	umount2(ROOT_DIR, MNT_DETACH);
	if (!found)
		return 0;
	r = fs_mount(part, subvol, ROOT_DIR, probing);
	return r < 0 ? r : 1;
}

static _Noreturn void none(const struct disk *disk, unsigned int number, int why)
{
	for (unsigned int i = 0; i < disk->n; i++) {
		const struct part *p = &disk->parts[i];

		if (number && p->number != number)
			continue;
		if (why && p->fs)
			die("cannot mount the %s on /dev/%s: %s; is the image damaged or cut short?",
			    p->fs->name, p->name, strerror(why));
		if (p->other)
			die("/dev/%s is %s, which cannot be imported; import what a guest that "
			    "has it mounted packs as a tar",
			    p->name, p->other);
	}
	if (number)
		die("partition %u holds no root file system", number);
	die("no root file system was found: no ext4, xfs or btrfs with /etc and /usr");
}

void root_mount(const struct disk *disk, unsigned int number)
{
	const struct part *found = NULL;
	int why = 0;

	if (mkdir(ROOT_DIR, 0700) < 0 && errno != EEXIST)
		die("cannot make " ROOT_DIR ": %s", strerror(errno));
	for (unsigned int i = 0; i < disk->n; i++) {
		const struct part *p = &disk->parts[i];
		int r;

		if (!p->fs || (number && p->number != number))
			continue;
		r = try(p, true);
		if (r < 0)
			why = -r;
		if (r <= 0)
			continue;
		if (found)
			die("partitions %u and %u both hold a root; choose one with --partition",
			    found->number, p->number);
		found = p;
		umount2(ROOT_DIR, MNT_DETACH);
	}
	if (!found)
		none(disk, number, why);
	if (try(found, false) != 1)
		die("cannot mount /dev/%s again", found->name);
}
