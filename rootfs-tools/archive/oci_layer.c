/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/archive/oci_layer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "rootfs-tools/archive/oci_blob.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/host/archive_lib.h"

#define PIPE_SIZE (1 << 20)

/*
 * What a layer unpacks to for each byte of it, beyond the first: gzip cannot do more than
 * 1032, and no layer that holds a system comes near.
 */
#define RATIO_MAX 1100
#define RATIO_FREE ((uint64_t)256 << 20)

static const struct filter {
	const char *name;
	const char *enable; /* libarchive's function */
	int code;
} filters[] = {
	{ "gzip", "archive_read_support_filter_gzip", ARCHIVE_FILTER_GZIP },
	{ "zstd", "archive_read_support_filter_zstd", ARCHIVE_FILTER_ZSTD },
};

/* The thread's. */
struct feed {
	const struct oci_layer *layer;
	const struct archive_lib *lib;
	int out; /* of the pipe; the thread closes it */
	struct oci_hash blob;
	struct oci_hash content;
	uint64_t read; /* bytes */
	uint64_t written;
	bool unread; /* nobody reads the pipe any more */
	int result;
	struct err err;
	char buffer[65536];
};

int oci_layer_prepare(struct err *e)
{
	return archive_lib_load(e) ? unpack_prepare(e) : -e->errnum;
}

static int cannot(const struct feed *f, int errnum, const char *what, struct err *e)
{
	return err_errno(e, errnum, "cannot %s layer %s", what, f->layer->descriptor->digest);
}

/* Some of the blob. Return: bytes, 0 at its end, -errno. */
static ssize_t read_blob(struct feed *f)
{
	uint64_t left = f->layer->descriptor->size - f->read;
	size_t want = left < sizeof(f->buffer) ? (size_t)left : sizeof(f->buffer);
	ssize_t n;

	if (!want)
		return 0;
	do
		n = read(f->layer->blob, f->buffer, want);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	oci_hash_add(&f->blob, f->buffer, (size_t)n);
	f->read += (uint64_t)n;
	return n;
}

static int put(struct feed *f, const void *data, size_t len)
{
	int r;

	f->written += len;
	if (f->written > RATIO_FREE && f->written / RATIO_MAX > f->read)
		return err_msg(&f->err, EFBIG, "layer %s unpacks to more than %d times its size",
			       f->layer->descriptor->digest, RATIO_MAX);
	oci_hash_add(&f->content, data, len);
	if (f->unread)
		return 0;
	r = fs_write_all(f->out, data, len);
	/* Whether that is an error is known where it is unpacked; digests are over all of it. */
	f->unread = r == -EPIPE;
	return r < 0 && !f->unread ? cannot(f, -r, "hand on", &f->err) : 0;
}

static int feed_plain(struct feed *f)
{
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = read_blob(f)) != 0)
		r = n < 0 ? cannot(f, (int)-n, "read", &f->err) : put(f, f->buffer, (size_t)n);
	return r;
}

/* --- by libarchive --- */

static la_ssize_t on_read(struct archive *a, void *arg, const void **ret)
{
	struct feed *f = arg;

	(void)a;
	*ret = f->buffer;
	return read_blob(f);
}

static int corrupt(const struct feed *f, struct archive *a, const char *filter, struct err *e)
{
	const char *why = f->lib->archive_error_string(a);

	return err_msg(e, EBADMSG, "layer %s is no %s data, or damaged: %.200s",
		       f->layer->descriptor->digest, filter, why ? why : "no reason given");
}

static int open_filter(struct feed *f, struct archive *a, const struct filter *filter)
{
	const struct archive_lib *lib = f->lib;
	struct archive_entry *entry;
	int (*enable)(struct archive *);

	/* It would run a program for what it was built without, and say so by a warning. */
	if (!archive_lib_find(lib, filter->enable, &enable) || enable(a) != ARCHIVE_OK)
		return err_msg(&f->err, ENOTSUP, "%s on this host cannot read %s", ARCHIVE_LIB_NAME,
			       filter->name);
	if (lib->archive_read_support_format_raw(a) != ARCHIVE_OK)
		return err_oom(&f->err);
	if (lib->archive_read_open(a, f, NULL, on_read, NULL) != ARCHIVE_OK ||
	    lib->archive_read_next_header(a, &entry) != ARCHIVE_OK)
		return corrupt(f, a, filter->name, &f->err);
	/* Two: the filter, and libarchive's own reader below it. */
	if (lib->archive_filter_count(a) != 2 || lib->archive_filter_code(a, 0) != filter->code)
		return err_msg(&f->err, EBADMSG, "layer %s is not one %s stream",
			       f->layer->descriptor->digest, filter->name);
	return 0;
}

static int feed_by(struct feed *f, struct archive *a, const struct filter *filter)
{
	int r = open_filter(f, a, filter);

	while (r == 0) {
		const void *block;
		size_t size;
		la_int64_t offset;
		int status = f->lib->archive_read_data_block(a, &block, &size, &offset);

		if (status == ARCHIVE_EOF)
			break;
		r = status == ARCHIVE_OK ? put(f, block, size) :
					   corrupt(f, a, filter->name, &f->err);
	}
	return r;
}

static int feed_filtered(struct feed *f, const struct filter *filter)
{
	struct archive *a = f->lib->archive_read_new();
	int r = a ? feed_by(f, a, filter) : err_oom(&f->err);

	if (a)
		f->lib->archive_read_free(a);
	return r;
}

/* --- the whole --- */

static int check(struct feed *f, struct oci_hash *hash, const char *want, const char *what)
{
	char digest[OCI_DIGEST_SIZE];

	oci_hash_end(hash, digest);
	if (strcmp(digest, want) == 0)
		return 0;
	return err_msg(&f->err, EBADMSG, "%s %s of the image is damaged: it has %s", what, want,
		       digest);
}

static int feed(struct feed *f)
{
	const char *name = f->layer->descriptor->filter;
	ssize_t n;
	int r = 0;

	if (!name)
		r = feed_plain(f);
	for (size_t i = 0; name && i < ARRAY_SIZE(filters); i++)
		if (!strcmp(filters[i].name, name))
			r = feed_filtered(f, &filters[i]);
	if (r < 0)
		return r;
	/* What a filter has no use for, behind its end, is part of the blob all the same. */
	while ((n = read_blob(f)) > 0)
		;
	if (n < 0)
		return cannot(f, (int)-n, "read", &f->err);
	r = check(f, &f->blob, f->layer->descriptor->digest, "layer");
	return r == 0 ? check(f, &f->content, f->layer->diff_id, "the content of a layer,") : r;
}

static void *feed_main(void *arg)
{
	struct feed *f = arg;

	f->result = feed(f);
	close(f->out);
	return NULL;
}

static int unpack_from(struct feed *f, int in, const struct unpack *unpack,
		       struct unpack_report *report, struct err *e)
{
	struct unpack u = *unpack;
	pthread_t thread;
	int r = pthread_create(&thread, NULL, feed_main, f);

	if (r) {
		close(f->out);
		close(in);
		return cannot(f, r, "start to read", e);
	}
	u.fd = in;
	r = unpack_run(&u, report, e);
	close(in);
	pthread_join(thread, NULL);
	/* Of a layer that is damaged it does not matter what could not be unpacked. */
	if (f->result < 0)
		*e = f->err;
	return f->result < 0 ? f->result : r;
}

int oci_layer_unpack(const struct oci_layer *layer, const struct unpack *unpack,
		     struct unpack_report *report, struct err *e)
{
	_cleanup_free_ struct feed *f = calloc(1, sizeof(*f));
	int fds[2];

	if (!f)
		return err_oom(e);
	f->layer = layer;
	f->lib = archive_lib_load(e);
	if (!f->lib)
		return -e->errnum;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return cannot(f, errno, "read", e);
	fcntl(fds[1], F_SETPIPE_SZ, PIPE_SIZE);
	f->out = fds[1];
	oci_hash_begin(&f->blob, layer->descriptor->digest);
	oci_hash_begin(&f->content, layer->diff_id);
	return unpack_from(f, fds[0], unpack, report, e);
}
