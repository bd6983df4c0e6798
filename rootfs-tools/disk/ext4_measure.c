/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <sys/stat.h>
#include <string.h>
#include <unistd.h>

#include "rootfs-tools/core/inode_map.h"
#include "rootfs-tools/core/tree.h"
#include "rootfs-tools/disk/dir_names.h"
#include "rootfs-tools/disk/ext4.h"
#include "runner/base/cleanup.h"
#include "runner/base/strbuf.h"

#define DIRENT_OVERHEAD 12 /* bytes: header and padding of a name */

struct measure {
	int root;
	uint64_t mount; /* the root's: no other is entered */
	struct tree_stack stack;
	struct inode_map seen;
	struct ext4_need need;
	struct sha256_ctx digest;
};

static uint64_t blocks_of(uint64_t bytes)
{
	return (bytes + EXT4_BLOCK - 1) / EXT4_BLOCK;
}

/* What is no hole of it, in whole blocks. What cannot be read is taken as full: ext4_fill()
 * will say why it cannot. */
static uint64_t content_blocks(int dir, const char *name, const struct stat *st)
{
	_cleanup_close_ int fd = -1;
	off_t at = 0;
	uint64_t n = 0;

	if ((uint64_t)st->st_blocks * 512 >= (uint64_t)st->st_size)
		return blocks_of((uint64_t)st->st_size);
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	while (at < st->st_size) {
		off_t data = lseek(fd, at, SEEK_DATA);

		if (data < 0)
			return errno == ENXIO ? n : blocks_of((uint64_t)st->st_size);
		at = lseek(fd, data, SEEK_HOLE);
		if (at < 0)
			return blocks_of((uint64_t)st->st_size);
		n += blocks_of((uint64_t)at) - (uint64_t)data / EXT4_BLOCK;
	}
	return n;
}

static void note_entry(struct measure *m, const char *name, const struct stat *st)
{
	const uint64_t facts[] = { st->st_mode, st->st_uid, st->st_gid,
				   (uint64_t)st->st_mtim.tv_sec, (uint64_t)st->st_mtim.tv_nsec,
				   /* A directory's is the host's file system's. */
				   S_ISDIR(st->st_mode) ? 0 : (uint64_t)st->st_size };

	if (st->st_mtim.tv_sec > m->need.newest)
		m->need.newest = st->st_mtim.tv_sec;
	sha256_update(&m->digest, strlen(name) + 1, (const uint8_t *)name);
	sha256_update(&m->digest, sizeof(facts), (const uint8_t *)facts);
}

static int measure_entry(struct measure *m, int dir, const char *path, const char *name,
			 struct err *e)
{
	struct stat st;
	int r = 1;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(e, errno, "cannot stat '%s%.300s/%s'", *path ? "/" : "", path,
				 name);
	note_entry(m, name, &st);
	if (S_ISDIR(st.st_mode))
		return tree_push(&m->stack, path, name, false, e);
	if (st.st_nlink > 1)
		r = inode_map_add(&m->seen, &st, NULL, NULL);
	if (r < 0)
		return err_errno(e, -r, "cannot remember '%s%.300s/%s'", *path ? "/" : "", path,
				 name);
	if (r == 0)
		return 0;
	m->need.inodes++;
	/* Attributes mostly fit the inode; a block is the most that they take. */
	if (S_ISREG(st.st_mode))
		m->need.blocks += content_blocks(dir, name, &st);
	else
		m->need.blocks += S_ISLNK(st.st_mode);
	return 0;
}

static int measure_dir(struct measure *m, const char *path, struct err *e)
{
	_cleanup_strvec_ struct strvec names = { 0 };
	uint64_t bytes = 0, mount = 0;
	DIR *dir;
	int r = tree_open_dir(m->root, path, &dir, e);

	if (r < 0)
		return r;
	r = tree_mount(dirfd(dir), &mount);
	if (r < 0)
		err_errno(e, -r, "cannot stat '/%.300s'", path);
	sha256_update(&m->digest, strlen(path) + 1, (const uint8_t *)path);
	if (r == 0 && mount == m->mount)
		r = dir_names(dir, path, &names, e);
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		bytes += strlen(names.v[i]) + DIRENT_OVERHEAD;
		r = measure_entry(m, dirfd(dir), path, names.v[i], e);
	}
	closedir(dir);
	/* A name is never in two blocks. */
	m->need.blocks += 1 + blocks_of(bytes + bytes / 8);
	m->need.inodes++;
	return r;
}

int ext4_measure(int root, struct ext4_need *ret, uint8_t ret_digest[EXT4_DIGEST_BYTES],
		 struct err *e)
{
	struct measure m = { .root = root, .need.newest = INT64_MIN };
	struct tree_dir at;
	struct stat st;
	int r;

	sha256_init(&m.digest);
	r = tree_mount(root, &m.mount);
	if (r < 0 || fstat(root, &st) < 0)
		return err_errno(e, r < 0 ? -r : errno, "cannot stat the root directory");
	note_entry(&m, "", &st);
	r = tree_push(&m.stack, "", "", false, e);
	while (r == 0 && tree_pop(&m.stack, &at)) {
		r = measure_dir(&m, at.path, e);
		tree_dir_free(&at);
	}
	tree_stack_free(&m.stack);
	inode_map_free(&m.seen);
	if (r < 0)
		return r;
	*ret = m.need;
	sha256_digest(&m.digest, EXT4_DIGEST_BYTES, ret_digest);
	return 0;
}
