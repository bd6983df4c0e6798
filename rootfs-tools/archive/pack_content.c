/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/archive/pack_content.h"

#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "rootfs-tools/archive/acl.h"
#include "rootfs-tools/core/xattr.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"

#define BUFFER_SIZE ((size_t)256 << 10)
#define ZEROS_SIZE ((size_t)1 << 30) /* of addresses: they are all one page */
#define EXTENTS_MAX ((size_t)1 << 20)
#define NAMES_MAX (XATTR_BYTES_MAX / 2)

/* Of struct vfs_ns_cap_data: in version 3 the user namespace's root is behind it. */
#define CAP_V2_SIZE 20
#define CAP_V3_SIZE 24
#define CAP_VERSION_MASK 0xff000000u
#define CAP_V2 0x02000000u
#define CAP_V3 0x03000000u

struct extent {
	off_t start;
	off_t end;
};

struct pack_ways {
	struct extent *extents; /* of data, in the file that pack_holes() saw last */
	size_t n;
	size_t cap;
	void *zeros;
	char buffer[BUFFER_SIZE];
	char names[XATTR_BYTES_MAX];
	char value[XATTR_BYTES_MAX];
	const char *sorted[NAMES_MAX];
};

struct pack_ways *pack_ways_new(void)
{
	struct pack_ways *ways = calloc(1, sizeof(*ways));

	if (!ways)
		return NULL;
	ways->zeros = mmap(NULL, ZEROS_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			   -1, 0);
	if (ways->zeros == MAP_FAILED) {
		free(ways);
		return NULL;
	}
	return ways;
}

void pack_ways_free(struct pack_ways *ways)
{
	if (!ways)
		return;
	munmap(ways->zeros, ZEROS_SIZE);
	free(ways->extents);
	free(ways);
}

/* --- extended attributes --- */

/* A file capability of the map's root is one of whoever is root where it is unpacked. */
static size_t capability_of_root(char *value, size_t len)
{
	uint32_t magic;

	if (len != CAP_V3_SIZE)
		return len;
	memcpy(&magic, value, sizeof(magic));
	magic = le32toh(magic);
	if ((magic & CAP_VERSION_MASK) != CAP_V3)
		return len;
	magic = htole32((magic & ~CAP_VERSION_MASK) | CAP_V2);
	memcpy(value, &magic, sizeof(magic));
	return CAP_V2_SIZE;
}

static int add_xattr(struct pack_ways *ways, const struct archive_lib *lib,
		     struct archive_entry *entry, const char *name, size_t len)
{
	if (!strcmp(name, ACL_ACCESS_XATTR))
		return acl_to_entry(lib, entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, ways->value, len);
	if (!strcmp(name, ACL_DEFAULT_XATTR))
		return acl_to_entry(lib, entry, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, ways->value, len);
	if (!strcmp(name, "security.capability"))
		len = capability_of_root(ways->value, len);
	lib->archive_entry_xattr_add_entry(entry, name, ways->value, len);
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t sort_names(struct pack_ways *ways, size_t len)
{
	size_t n = 0;

	for (const char *name = ways->names; name < ways->names + len && n < NAMES_MAX;
	     name += strlen(name) + 1)
		if (!xattr_is_hosts(name))
			ways->sorted[n++] = name;
	qsort(ways->sorted, n, sizeof(ways->sorted[0]), compare);
	return n;
}

int pack_xattrs(struct pack_ways *ways, const struct archive_lib *lib, struct archive_entry *entry,
		int fd, int dir, const char *name,
		void (*lost)(void *arg, const char *name, int errnum), void *arg)
{
	char path[NAME_MAX + 64];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, name);
	len = fd >= 0 ? flistxattr(fd, ways->names, sizeof(ways->names)) :
			llistxattr(path, ways->names, sizeof(ways->names));
	if (len <= 0)
		return len == 0 || errno == EOPNOTSUPP ? 0 : -errno;
	/* The last one that is added is the first that is written. */
	for (size_t i = sort_names(ways, (size_t)len); i-- > 0;) {
		const char *attr = ways->sorted[i];
		ssize_t n = fd >= 0 ? fgetxattr(fd, attr, ways->value, sizeof(ways->value)) :
				      lgetxattr(path, attr, ways->value, sizeof(ways->value));
		int r = n < 0 ? -errno : add_xattr(ways, lib, entry, attr, (size_t)n);

		if (r == -ENOMEM || r == -EIO)
			return r;
		if (r < 0)
			lost(arg, attr, -r);
	}
	return 0;
}

/* --- content --- */

static int add_extent(struct pack_ways *ways, off_t start, off_t end)
{
	if (ways->n == ways->cap) {
		size_t cap = ways->cap ? ways->cap * 2 : 64;
		struct extent *extents = reallocarray(ways->extents, cap, sizeof(*extents));

		if (!extents)
			return -ENOMEM;
		ways->extents = extents;
		ways->cap = cap;
	}
	ways->extents[ways->n++] = (struct extent){ start, end };
	return 0;
}

static int find_extents(struct pack_ways *ways, int fd, off_t size)
{
	off_t at = 0;
	int r = 0;

	ways->n = 0;
	while (r == 0 && at < size) {
		off_t start = lseek(fd, at, SEEK_DATA), end;

		if (start < 0 && errno == ENXIO)
			break;
		if (start < 0)
			return -errno;
		/* Of one with more holes than anybody needs the rest is taken for data. */
		end = ways->n == EXTENTS_MAX ? size : lseek(fd, start, SEEK_HOLE);
		if (end < 0)
			return -errno;
		if (start >= size)
			break;
		at = end < size ? end : size;
		r = add_extent(ways, start, at);
	}
	return r;
}

int pack_holes(struct pack_ways *ways, const struct archive_lib *lib, struct archive_entry *entry,
	       int fd, off_t size)
{
	int r = find_extents(ways, fd, size);

	if (r < 0 || size == 0 ||
	    (ways->n == 1 && ways->extents[0].start == 0 && ways->extents[0].end == size))
		return r;
	for (size_t i = 0; i < ways->n; i++)
		lib->archive_entry_sparse_add_entry(entry, ways->extents[i].start,
						    ways->extents[i].end - ways->extents[i].start);
	/* Where it ends in a hole, or is nothing else. */
	if (!ways->n || ways->extents[ways->n - 1].end < size)
		lib->archive_entry_sparse_add_entry(entry, size, 0);
	return 0;
}

static int write_some(const struct archive_lib *lib, struct archive *a, const char *data,
		      size_t len)
{
	while (len) {
		la_ssize_t n = lib->archive_write_data(a, data, len);

		if (n <= 0)
			return -EPIPE;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* libarchive wants to be given the holes too, and looks at nothing in them. */
static int write_zeros(struct pack_ways *ways, const struct archive_lib *lib, struct archive *a,
		       off_t len)
{
	int r = 0;

	while (r == 0 && len) {
		size_t n = len < (off_t)ZEROS_SIZE ? (size_t)len : ZEROS_SIZE;

		r = write_some(lib, a, ways->zeros, n);
		len -= (off_t)n;
	}
	return r;
}

static int write_extent(struct pack_ways *ways, const struct archive_lib *lib, struct archive *a,
			int fd, const struct extent *x, bool *ret_shorter)
{
	off_t at = x->start;
	int r = 0;

	while (r == 0 && at < x->end) {
		size_t want = x->end - at < (off_t)BUFFER_SIZE ? (size_t)(x->end - at) :
								 BUFFER_SIZE;
		ssize_t n = fs_pread_all(fd, ways->buffer, want, (uint64_t)at);

		if (n < 0)
			return (int)n;
		if ((size_t)n < want) {
			memset(ways->buffer + n, 0, want - (size_t)n);
			*ret_shorter = true;
		}
		r = write_some(lib, a, ways->buffer, want);
		at += (off_t)want;
	}
	return r;
}

int pack_content(struct pack_ways *ways, const struct archive_lib *lib, struct archive *a, int fd,
		 off_t size, bool *ret_shorter)
{
	off_t at = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ways->n; i++) {
		r = write_zeros(ways, lib, a, ways->extents[i].start - at);
		if (r == 0)
			r = write_extent(ways, lib, a, fd, &ways->extents[i], ret_shorter);
		at = ways->extents[i].end;
	}
	return r == 0 ? write_zeros(ways, lib, a, size - at) : r;
}
