/* SPDX-License-Identifier: MIT */
/*
 * The first byte: as a layer or not; then an archive, of which the checksums of headers
 * are put right, unpacked as root of a user namespace
 * that has one id, onto a file system in memory. Whatever it holds, what lies beside the
 * root is as it was.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "rootfs-tools/archive/unpack.h"
#include "rootfs-tools/core/tree.h"
#include "runner/base/fs.h"
#include "tests/unit/unpack_world.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int top = -1, root = -1;
static struct stat before;

static void check(int ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char dir[] = "/tmp/vmrun-fuzz-XXXXXX";
	struct err e;

	(void)argc;
	(void)argv;
	check(unpack_prepare(&e) == 0 && mkdtemp(dir) != NULL);
	check(unpack_world_enter() == 0 && unshare(CLONE_NEWNS) == 0);
	/* Seen by nobody else, so that the directory can go at once. */
	check(mount("tmpfs", dir, "tmpfs", MS_NODEV | MS_NOSUID, "size=16m,nr_inodes=2000") == 0);
	top = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	check(top >= 0 && umount2(dir, MNT_DETACH) == 0 && rmdir(dir) == 0);
	check(mkdirat(top, "root", 0700) == 0);
	root = openat(top, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	check(root >= 0 && fstat(top, &before) == 0);
	return 0;
}

static void put_right(uint8_t *data, size_t len)
{
	for (uint8_t *h = data; len >= 512; h += 512, len -= 512) {
		unsigned int sum = 0;

		if (memcmp(h + 257, "ustar", 5) != 0)
			continue;
		memset(h + 148, ' ', 8);
		for (size_t i = 0; i < 512; i++)
			sum += h[i];
		snprintf((char *)h + 148, 8, "%06o", sum & 0777777);
	}
}

/* libarchive takes memory for as long a name as cpio says: import.c has a limit for that. */
static void shorten_names(uint8_t *data, size_t len)
{
	for (size_t i = 0; i + 110 <= len; i++)
		if (!memcmp(data + i, "07070", 5))
			memset(data + i + 94, '0', 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct unpack_report report = { 0 };
	struct unpack unpack = { .root = root, .name = "fuzz" };
	struct err e;
	uint8_t *copy;
	struct stat st;

	if (!len)
		return 0;
	copy = malloc(len);
	check(copy != NULL);
	memcpy(copy, data, len);
	put_right(copy + 1, len - 1);
	shorten_names(copy + 1, len - 1);
	unpack.whiteouts = data[0] & 1;
	unpack.fd = memfd_create("fuzz", MFD_CLOEXEC);
	check(unpack.fd >= 0 && fs_write_all(unpack.fd, copy + 1, len - 1) == 0);
	free(copy);
	check(lseek(unpack.fd, 0, SEEK_SET) == 0);
	(void)!unpack_run(&unpack, &report, &e);
	close(unpack.fd);
	check(fstat(top, &st) == 0 && st.st_mtim.tv_sec == before.st_mtim.tv_sec &&
	      st.st_mtim.tv_nsec == before.st_mtim.tv_nsec && st.st_nlink == before.st_nlink);
	check(tree_remove(root, &e) == 0);
	return 0;
}
