/* SPDX-License-Identifier: MIT */
/*
 * pax: an extended header with what ustar's has no room for before each entry. Names are
 * bytes, and hdrcharset says so. Attributes are SCHILY.xattr.NAME, ACLs among them, as
 * star and libarchive have them. Files with holes are GNU's sparse format 1.0: their map
 * is in front of their data.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "rootfs-tools/disk/guest/reader.h"

#define BLOCK 512
#define OUT_SIZE ((size_t)256 << 10)
#define XATTR_MAX 65536
/* libarchive takes a mebibyte of such headers. */
#define PAX_MAX ((size_t)1000 << 10)
/* More of them are not worth a map. */
#define SEGMENTS_MAX 10000

struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], chksum[8], typeflag;
	char linkname[100], magic[6], version[2], uname[32], gname[32], devmajor[8], devminor[8];
	char prefix[155], pad[12];
};

_Static_assert(sizeof(struct header) == BLOCK, "a header is a block");

struct segment {
	off_t at, len;
};

static char out[OUT_SIZE];
static size_t out_len;
static char pax[PAX_MAX];
static size_t pax_len;
static struct segment segments[SEGMENTS_MAX];
static size_t n_segments;

/* --- output --- */

static void flush(void)
{
	for (size_t at = 0; at < out_len;) {
		ssize_t n = write(STDOUT_FILENO, out + at, out_len - at);

		if (n < 0 && errno != EINTR)
			die("cannot write: %s", strerror(errno));
		at += n > 0 ? (size_t)n : 0;
	}
	out_len = 0;
}

static void put(const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		size_t n = OUT_SIZE - out_len < len ? OUT_SIZE - out_len : len;

		memcpy(out + out_len, p, n);
		out_len += n;
		p += n;
		len -= n;
		if (out_len == OUT_SIZE)
			flush();
	}
}

static void pad(uint64_t len)
{
	static const char zeros[BLOCK];

	if (len % BLOCK)
		put(zeros, BLOCK - len % BLOCK);
}

/* --- headers --- */

static void octal(char *field, size_t size, uint64_t value)
{
	char text[32];

	/* What does not fit is in the extended header. */
	snprintf(text, sizeof(text), "%0*" PRIo64, (int)size - 1, value);
	memcpy(field, strlen(text) < size ? text : "77777777777" + 12 - size,
	       size - 1);
}

static void put_header(struct header *h)
{
	unsigned int sum = 0;
	char text[8];

	memcpy(h->magic, "ustar", 6);
	memcpy(h->version, "00", 2);
	memset(h->chksum, ' ', sizeof(h->chksum));
	for (size_t i = 0; i < sizeof(*h); i++)
		sum += ((const unsigned char *)h)[i];
	snprintf(text, sizeof(text), "%06o", sum);
	memcpy(h->chksum, text, 7);
	put(h, sizeof(*h));
}

/* "LENGTH KEY=VALUE\n", the length being that of all of it. Return: false: no room. */
static bool record(const char *key, const void *value, size_t len)
{
	size_t rest = 1 + strlen(key) + 1 + len + 1, total = rest + 1;
	char text[32];

	while ((size_t)snprintf(text, sizeof(text), "%zu", total) + rest != total)
		total = (size_t)snprintf(text, sizeof(text), "%zu", total) + rest;
	if (total > PAX_MAX - pax_len)
		return false;
	pax_len += (size_t)sprintf(pax + pax_len, "%zu %s=", total, key);
	memcpy(pax + pax_len, value, len);
	pax_len += len;
	pax[pax_len++] = '\n';
	return true;
}

static void record_text(const char *key, const char *value)
{
	if (!record(key, value, strlen(value)))
		die("the attributes of a file are too many");
}

static void record_number(const char *key, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	record_text(key, text);
}

/* The fraction always counts up, as libarchive has it. */
static void record_time(const char *key, const struct timespec *t)
{
	char text[48];

	snprintf(text, sizeof(text), "%lld.%09ld", (long long)t->tv_sec, t->tv_nsec);
	record_text(key, text);
}

static bool is_ascii(const char *s)
{
	while (*s > 0)
		s++;
	return !*s;
}

/* --- extended attributes --- */

static void record_xattr(const struct tar_entry *e, const char *file, const char *name)
{
	static char value[XATTR_MAX];
	char key[sizeof("SCHILY.xattr.") + 256];
	ssize_t len = lgetxattr(file, name, value, sizeof(value));

	/* xfs shows ACLs a second time, under a name of its own. */
	if ((len < 0 && errno == ENODATA) || !strncmp(name, "trusted.SGI_ACL_", 16))
		return;
	/* A record's key ends at the first. */
	if (strchr(name, '=') || strlen(name) > 255)
		len = -1;
	snprintf(key, sizeof(key), "SCHILY.xattr.%.255s", name);
	if (len < 0 || !record(key, value, (size_t)len))
		note("'%.300s': attribute %.200s left out", e->path + 1, name);
}

static void record_xattrs(const struct tar_entry *e)
{
	static char names[XATTR_MAX];
	char file[320];
	ssize_t len;

	/* There are no calls that take a directory. */
	if (e->dir == AT_FDCWD)
		snprintf(file, sizeof(file), "%s", e->name);
	else
		snprintf(file, sizeof(file), "/proc/self/fd/%d/%s", e->dir, e->name);
	len = llistxattr(file, names, sizeof(names));
	if (len < 0 && errno != EOPNOTSUPP)
		die("cannot list the attributes of '%s': %s", e->path, strerror(errno));
	for (ssize_t at = 0; at < len; at += (ssize_t)strlen(names + at) + 1)
		record_xattr(e, file, names + at);
}

/* --- content --- */

static void put_content(const struct tar_entry *e, off_t at, off_t len)
{
	static char buf[OUT_SIZE];

	while (len) {
		size_t want = len < (off_t)sizeof(buf) ? (size_t)len : sizeof(buf);
		ssize_t n = pread(e->fd, buf, want, at);

		if (n <= 0)
			die("cannot read '%s': %s", e->path, n ? strerror(errno) : "it is cut short");
		put(buf, (size_t)n);
		at += n;
		len -= n;
	}
}

/* Return: whether the file has holes that are worth a map; segments[] then has the rest. */
static bool find_segments(const struct tar_entry *e)
{
	off_t at = 0, size = e->st->st_size, data = 0;

	n_segments = 0;
	if ((off_t)e->st->st_blocks * 512 >= size)
		return false;
	while (at < size) {
		off_t begin = lseek(e->fd, at, SEEK_DATA), end;

		if (begin < 0 && errno != ENXIO)
			return false;
		if (begin < 0)
			break;
		end = lseek(e->fd, begin, SEEK_HOLE);
		if (end < 0 || n_segments + 1 == SEGMENTS_MAX)
			return false;
		end = end > size ? size : end;
		segments[n_segments++] = (struct segment){ begin, end - begin };
		data += end - begin;
		at = end;
	}
	if (data == size)
		return false;
	/* GNU tar's, too: where it ends. */
	segments[n_segments++] = (struct segment){ size, 0 };
	return true;
}

/* Return: the map, in blocks of *ret_len bytes. */
static char *make_map(size_t *ret_len)
{
	size_t size = (n_segments + 1) * 2 * 22 + BLOCK, len;
	char *map = calloc(1, size);

	if (!map)
		die("the helper guest has not enough memory");
	len = (size_t)sprintf(map, "%zu\n", n_segments);
	for (size_t i = 0; i < n_segments; i++)
		len += (size_t)sprintf(map + len, "%lld\n%lld\n", (long long)segments[i].at,
				       (long long)segments[i].len);
	*ret_len = (len + BLOCK - 1) / BLOCK * BLOCK;
	return map;
}

/* --- entries --- */

static char type_of(const struct tar_entry *e)
{
	if (e->hard)
		return '1';
	switch (e->st->st_mode & S_IFMT) {
	case S_IFLNK:
		return '2';
	case S_IFCHR:
		return '3';
	case S_IFBLK:
		return '4';
	case S_IFDIR:
		return '5';
	case S_IFIFO:
		return '6';
	default:
		return '0';
	}
}

/* @stored: bytes of content that follow. @sparse: with a map in front. */
static void make_pax(const struct tar_entry *e, uint64_t stored, bool sparse)
{
	const struct stat *st = e->st;

	pax_len = 0;
	if (!is_ascii(e->path) || (e->link && !is_ascii(e->link)))
		record_text("hdrcharset", "BINARY");
	record_time("mtime", &st->st_mtim);
	record_time("atime", &st->st_atim);
	if (sparse) {
		record_text("GNU.sparse.major", "1");
		record_text("GNU.sparse.minor", "0");
		record_text("GNU.sparse.name", e->path);
		record_number("GNU.sparse.realsize", (uint64_t)st->st_size);
	} else if (strlen(e->path) >= sizeof(((struct header *)0)->name)) {
		record_text("path", e->path);
	}
	if (e->link && strlen(e->link) >= sizeof(((struct header *)0)->linkname))
		record_text("linkpath", e->link);
	if (stored >> 33)
		record_number("size", stored);
	if (st->st_uid >> 21)
		record_number("uid", st->st_uid);
	if (st->st_gid >> 21)
		record_number("gid", st->st_gid);
	if (!e->hard)
		record_xattrs(e);
}

static void put_pax(void)
{
	struct header h = { .name = "pax", .mode = "0000644", .typeflag = 'x' };

	octal(h.size, sizeof(h.size), pax_len);
	octal(h.mtime, sizeof(h.mtime), 0);
	put_header(&h);
	put(pax, pax_len);
	pad(pax_len);
}

static void put_entry(const struct tar_entry *e, uint64_t stored)
{
	const struct stat *st = e->st;
	struct header h = { .typeflag = type_of(e) };
	int64_t mtime = st->st_mtim.tv_sec;

	strncpy(h.name, e->path, sizeof(h.name) - 1);
	octal(h.mode, sizeof(h.mode), st->st_mode & 07777);
	octal(h.uid, sizeof(h.uid), st->st_uid);
	octal(h.gid, sizeof(h.gid), st->st_gid);
	octal(h.size, sizeof(h.size), stored);
	octal(h.mtime, sizeof(h.mtime), mtime < 0 || mtime >> 33 ? 0 : (uint64_t)mtime);
	if (e->link)
		strncpy(h.linkname, e->link, sizeof(h.linkname) - 1);
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
		octal(h.devmajor, sizeof(h.devmajor), major(st->st_rdev));
		octal(h.devminor, sizeof(h.devminor), minor(st->st_rdev));
	}
	put_header(&h);
}

void tar_entry(const struct tar_entry *e)
{
	bool content = S_ISREG(e->st->st_mode) && !e->hard;
	bool sparse = content && find_segments(e);
	uint64_t stored = content ? (uint64_t)e->st->st_size : 0;
	size_t map_len = 0;
	char *map = NULL;

	if (sparse) {
		map = make_map(&map_len);
		stored = map_len;
		for (size_t i = 0; i < n_segments; i++)
			stored += (uint64_t)segments[i].len;
	}
	make_pax(e, stored, sparse);
	put_pax();
	put_entry(e, stored);
	put(map, map_len);
	free(map);
	for (size_t i = 0; sparse && i < n_segments; i++)
		put_content(e, segments[i].at, segments[i].len);
	if (content && !sparse)
		put_content(e, 0, e->st->st_size);
	pad(stored);
}

void tar_end(void)
{
	static const char zeros[2 * BLOCK];

	put(zeros, sizeof(zeros));
	flush();
}
