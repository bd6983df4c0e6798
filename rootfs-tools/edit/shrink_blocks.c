/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/edit/shrink_blocks.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "rootfs-tools/core/tree.h"
#include "rootfs-tools/edit/sweep_change.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"

#define BLOCK ((size_t)4096) /* no file system of ours has smaller ones that matter */
#define CHUNK ((size_t)1 << 20)
#define HOLE_MIN ((uint64_t)32 << 10) /* bytes: less is not worth an extent that is cut in two */
#define STAT_BLOCK 512u
#define DEDUPE_MAX ((uint64_t)16 << 20) /* bytes that a call takes, at least: btrfs's limit */
#define EXTENTS_MAX 64u
#define FILES_MAX ((size_t)1 << 22)
#define SWAP_MAGIC "SWAPSPACE2" /* at the end of the first page */

/* A regular file that may have a double. */
struct candidate {
	char *path; /* owned */
	uint64_t size;
	uint64_t ino;
	uint8_t digest[SHA256_DIGEST_SIZE];
};

struct blocks {
	const struct sweep *swept;
	struct shrink_report *report;
	struct inode_map links;
	struct candidate *files;
	size_t n, cap;
	char *buffer; /* CHUNK bytes */
};

static int failed(const char *path, const char *what, int errnum, struct err *e)
{
	return err_errno(e, errnum, "cannot %s '/%.300s'", what, path);
}

static int open_file(const struct blocks *b, const char *path, int flags, int *ret)
{
	flags |= O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
	/* Somebody else's file says EPERM to the former. */
	return tree_open(b->swept->root, path, flags | O_NOATIME, ret) == 0 ?
		       0 :
		       tree_open(b->swept->root, path, flags, ret);
}

/* --- holes --- */

static bool may_have_holes(struct blocks *b, int fd, const struct stat *st)
{
	static const char magic[] = SWAP_MAGIC;

	if (st->st_mode & (S_ISUID | S_ISGID) || fgetxattr(fd, "security.capability", NULL, 0) >= 0)
		return false;
	return fs_pread_all(fd, b->buffer, BLOCK, 0) != (ssize_t)BLOCK ||
	       memcmp(b->buffer + BLOCK - (sizeof(magic) - 1), magic, sizeof(magic) - 1) != 0;
}

static bool is_zero(const char *p)
{
	return !*p && !memcmp(p, p + 1, BLOCK - 1);
}

/* Zeros from @at on, or in a dry run only counted. Return: 0 or -errno. */
static int punch(struct blocks *b, int fd, uint64_t at, uint64_t len, bool *ret_found)
{
	if (len < HOLE_MIN)
		return 0;
	*ret_found = true;
	if (b->swept->dry_run) {
		b->report->kind[SHRINK_HOLES].bytes += len;
		return 0;
	}
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)len) <
			       0 ?
		       -errno :
		       0;
}

/* The zeros between two offsets that are both on blocks' borders, but for the file's end. */
static int punch_part(struct blocks *b, int fd, uint64_t at, uint64_t end, bool *ret_found)
{
	uint64_t zeros = 0; /* that lie right before */

	while (at < end) {
		size_t want = end - at < CHUNK ? (size_t)(end - at) : CHUNK;
		ssize_t n = fs_pread_all(fd, b->buffer, want, at);
		int r = 0;

		if (n < 0)
			return (int)n;
		for (size_t i = 0; r == 0 && i + BLOCK <= (size_t)n; i += BLOCK) {
			if (is_zero(b->buffer + i)) {
				zeros += BLOCK;
			} else if (zeros) {
				r = punch(b, fd, at + i - zeros, zeros, ret_found);
				zeros = 0;
			}
		}
		if (r < 0)
			return r;
		/* What is left of less than a block, or was cut off meanwhile, ends it. */
		at += (size_t)n / BLOCK * BLOCK;
		if ((size_t)n < want || (size_t)n % BLOCK)
			break;
	}
	return punch(b, fd, at - zeros, zeros, ret_found);
}

static int punch_file(struct blocks *b, int fd, const struct stat *st, bool *ret_found)
{
	uint64_t at = 0, size = (uint64_t)st->st_size;
	int r = 0;

	while (r == 0 && at < size) {
		off_t data = lseek(fd, (off_t)at, SEEK_DATA), hole;

		if (data < 0)
			return errno == ENXIO ? 0 : -errno;
		hole = lseek(fd, data, SEEK_HOLE);
		if (hole < 0)
			return -errno;
		at = (uint64_t)data / BLOCK * BLOCK;
		r = punch_part(b, fd, at, (uint64_t)hole, ret_found);
		at = (uint64_t)hole;
	}
	return r;
}

static int make_holes(struct blocks *b, const char *path, struct err *e)
{
	const int access = b->swept->dry_run ? O_RDONLY : O_RDWR;
	_cleanup_close_ int fd = -1;
	struct timespec times[2];
	struct stat st, now;
	bool found = false;
	int r = open_file(b, path, access, &fd);

	if (r < 0 || fstat(fd, &st) < 0)
		return failed(path, "open", r < 0 ? -r : errno, e);
	if (!may_have_holes(b, fd, &st))
		return 0;
	r = punch_file(b, fd, &st, &found);
	if (r == -EOPNOTSUPP) {
		b->report->kind[SHRINK_HOLES].impossible = true;
		return 0;
	}
	if (r < 0)
		return failed(path, "make holes in", -r, e);
	b->report->kind[SHRINK_HOLES].files += found;
	if (!found || b->swept->dry_run)
		return 0;
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	if (futimens(fd, times) < 0 || fstat(fd, &now) < 0)
		return failed(path, "set the times of", errno, e);
	if (now.st_blocks < st.st_blocks)
		b->report->kind[SHRINK_HOLES].bytes += (uint64_t)(st.st_blocks - now.st_blocks) *
						       STAT_BLOCK;
	return 0;
}

/* --- duplicates --- */

static int by_size(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	return (x->size > y->size) - (x->size < y->size);
}

static int by_digest(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int order = memcmp(x->digest, y->digest, sizeof(x->digest));

	return order ? order : (x->ino > y->ino) - (x->ino < y->ino);
}

/* One that cannot be read has no double. */
static void digest_file(struct blocks *b, struct candidate *c)
{
	_cleanup_close_ int fd = -1;
	struct sha256_ctx sha;
	uint64_t at = 0;
	ssize_t n = 0;

	sha256_init(&sha);
	if (open_file(b, c->path, O_RDONLY, &fd) == 0)
		while ((n = fs_pread_all(fd, b->buffer, CHUNK, at)) > 0) {
			sha256_update(&sha, (size_t)n, (const uint8_t *)b->buffer);
			at += (uint64_t)n;
		}
	if (fd < 0 || n < 0)
		sha256_update(&sha, strlen(c->path), (const uint8_t *)c->path);
	sha256_digest(&sha, sizeof(c->digest), c->digest);
}

/* With room for what the kernel's structures only end with. */
union extents {
	char bytes[sizeof(struct fiemap) + EXTENTS_MAX * sizeof(struct fiemap_extent)];
	uint64_t alignment;
};

union dedupe {
	char bytes[sizeof(struct file_dedupe_range) + sizeof(struct file_dedupe_range_info)];
	uint64_t alignment;
};

static const struct fiemap *get_extents(int fd, union extents *buffer)
{
	struct fiemap *map = (void *)buffer;

	*map = (struct fiemap){ .fm_length = FIEMAP_MAX_OFFSET, .fm_extent_count = EXTENTS_MAX };
	return ioctl(fd, FS_IOC_FIEMAP, map) == 0 ? map : NULL;
}

/* Whether they have the same blocks already; as far as the first extents tell. */
static bool are_shared(int a, int b)
{
	union extents a_buffer = { 0 }, b_buffer = { 0 };
	const struct fiemap *x = get_extents(a, &a_buffer), *y = get_extents(b, &b_buffer);

	if (!x || !y || x->fm_mapped_extents != y->fm_mapped_extents)
		return false;
	for (unsigned int i = 0; i < x->fm_mapped_extents; i++)
		if (x->fm_extents[i].fe_physical != y->fm_extents[i].fe_physical ||
		    x->fm_extents[i].fe_logical != y->fm_extents[i].fe_logical ||
		    (x->fm_extents[i].fe_flags & FIEMAP_EXTENT_UNKNOWN))
			return false;
	return true;
}

/* Return: bytes of @to that are shared now, fewer than @len if they differ; or -errno. */
static int64_t share_part(int from, int to, uint64_t at, uint64_t len)
{
	union dedupe buffer = { 0 };
	struct file_dedupe_range *range = (void *)&buffer;

	range->src_offset = at;
	range->src_length = len;
	range->dest_count = 1;
	range->info[0].dest_fd = to;
	range->info[0].dest_offset = at;
	if (ioctl(from, FIDEDUPERANGE, range) < 0)
		return -errno;
	if (range->info[0].status)
		return range->info[0].status < 0 ? range->info[0].status : 0;
	return (int64_t)range->info[0].bytes_deduped;
}

static int64_t share(int from, int to, uint64_t size)
{
	uint64_t at = 0;
	int64_t n = 1;

	while (n > 0 && at < size) {
		n = share_part(from, to, at, size - at < DEDUPE_MAX ? size - at : DEDUPE_MAX);
		at += n > 0 ? (uint64_t)n : 0;
	}
	return n < 0 && !at ? n : (int64_t)at;
}

/* Whether the file system knows of sharing: asked for no byte of a file of its own. */
static bool can_share(struct blocks *b, const struct candidate *c)
{
	union dedupe buffer = { 0 };
	struct file_dedupe_range *range = (void *)&buffer;
	_cleanup_close_ int fd = -1;

	if (open_file(b, c->path, O_RDONLY, &fd) < 0)
		return true;
	range->dest_count = 1;
	range->info[0].dest_fd = fd;
	return ioctl(fd, FIDEDUPERANGE, range) == 0;
}

static int share_two(struct blocks *b, const struct candidate *first, const struct candidate *next,
		     struct err *e)
{
	_cleanup_close_ int from = -1, to = -1;
	int64_t n = (int64_t)next->size;

	if (open_file(b, first->path, O_RDONLY, &from) < 0 ||
	    open_file(b, next->path, O_RDONLY, &to) < 0 || are_shared(from, to))
		return 0;
	if (!b->swept->dry_run)
		n = share(from, to, next->size);
	if (n == -EOPNOTSUPP) {
		b->report->kind[SHRINK_DUPLICATES].impossible = true;
		return 0;
	}
	/* Immutable files, swap files, and such as are not the kernel's to touch just now. */
	if (n < 0 && n != -ENOSPC && n != -EIO) {
		losses_add(&b->report->losses, (int)-n, "'/%.300s': its blocks cannot be shared",
			   next->path);
		return 0;
	}
	if (n < 0)
		return failed(next->path, "share the blocks of", (int)-n, e);
	b->report->kind[SHRINK_DUPLICATES].bytes += (uint64_t)n;
	b->report->kind[SHRINK_DUPLICATES].files++;
	return 0;
}

/* @n files of one size. */
static int share_group(struct blocks *b, struct candidate *group, size_t n, struct err *e)
{
	const struct candidate *first = group;
	int r = 0;

	for (size_t i = 0; i < n; i++)
		digest_file(b, &group[i]);
	qsort(group, n, sizeof(*group), by_digest);
	for (size_t i = 1; r == 0 && i < n; i++) {
		if (memcmp(first->digest, group[i].digest, sizeof(first->digest)) != 0)
			first = &group[i];
		else
			r = share_two(b, first, &group[i], e);
	}
	return r;
}

static int share_all(struct blocks *b, struct err *e)
{
	bool *impossible = &b->report->kind[SHRINK_DUPLICATES].impossible;
	int r = 0;

	if (b->n && !can_share(b, &b->files[0])) {
		*impossible = true;
		return 0;
	}
	if (b->n)
		qsort(b->files, b->n, sizeof(*b->files), by_size);
	for (size_t i = 0, next; r == 0 && !*impossible && i < b->n; i = next) {
		for (next = i + 1; next < b->n && b->files[next].size == b->files[i].size; next++)
			;
		if (next - i > 1)
			r = share_group(b, &b->files[i], next - i, e);
	}
	return r;
}

/* --- the tree --- */

static int remember(struct blocks *b, const char *path, const struct stat *st, struct err *e)
{
	if (b->n == FILES_MAX)
		return err_msg(e, E2BIG, "there are more than %zu files", FILES_MAX);
	if (b->n == b->cap) {
		size_t cap = b->cap ? 2 * b->cap : 1024;
		struct candidate *files = reallocarray(b->files, cap, sizeof(*files));

		if (!files)
			return err_oom(e);
		b->files = files;
		b->cap = cap;
	}
	b->files[b->n] = (struct candidate){ .path = strdup(path),
					     .size = (uint64_t)st->st_size,
					     .ino = st->st_ino };
	return b->files[b->n++].path ? 0 : err_oom(e);
}

/* By its first name. Files of less than a block have nothing to share. */
static int visit_file(struct blocks *b, const char *path, const struct stat *st, struct err *e)
{
	struct err why;
	int r = st->st_nlink > 1 ? inode_map_add(&b->links, st, NULL, NULL) : 1;

	if (r < 0)
		return r == -ENOMEM ? err_oom(e) : 0;
	if (r == 0 || (size_t)st->st_size < BLOCK || !st->st_blocks)
		return 0;
	if (!b->report->kind[SHRINK_HOLES].impossible && make_holes(b, path, &why) < 0)
		losses_add(&b->report->losses, 0, "%s", why.text);
	return remember(b, path, st, e);
}

static int visit_dir(struct blocks *b, struct tree_stack *stack, const char *path, struct err *e)
{
	struct dirent *de;
	DIR *dir = NULL;
	int r = tree_open_dir_here(b->swept->root, path, &dir, e);

	if (r == -EXDEV)
		return 0;
	while (r == 0 && (r = tree_read(dir, path, &de, e)) > 0) {
		_cleanup_free_ char *name = sweep_join(path, de->d_name);
		struct stat st;

		r = name ? 0 : err_oom(e);
		if (r < 0 || fstatat(dirfd(dir), de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    sweep_is_gone(b->swept, name))
			continue;
		if (S_ISDIR(st.st_mode))
			r = tree_push(stack, path, de->d_name, false, e);
		else if (S_ISREG(st.st_mode))
			r = visit_file(b, name, &st, e);
	}
	if (dir)
		closedir(dir);
	return r;
}

int shrink_blocks(const struct sweep *swept, struct shrink_report *report, struct err *e)
{
	struct blocks b = { .swept = swept, .report = report, .buffer = malloc(CHUNK) };
	struct tree_stack stack = { 0 };
	struct tree_dir at;
	int r = b.buffer ? tree_push(&stack, "", "", false, e) : err_oom(e);

	while (r == 0 && tree_pop(&stack, &at)) {
		r = visit_dir(&b, &stack, at.path, e);
		tree_dir_free(&at);
	}
	if (r == 0)
		r = share_all(&b, e);
	for (size_t i = 0; i < b.n; i++)
		free(b.files[i].path);
	free(b.files);
	free(b.buffer);
	inode_map_free(&b.links);
	tree_stack_free(&stack);
	return r;
}
