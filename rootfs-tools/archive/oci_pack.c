/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/archive/oci_pack.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs-tools/archive/oci_blob.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/host/archive_lib.h"

#define PIPE_SIZE (1 << 20)

/* The thread's. */
struct squeeze {
	const struct archive_lib *lib;
	int in; /* of the pipe; the thread closes it */
	int out;
	struct oci_hash content;
	struct oci_hash blob;
	uint64_t size;
	int write_errno;
	int result;
	struct err err;
	char buffer[65536];
};

static la_ssize_t on_write(struct archive *a, void *arg, const void *data, size_t len)
{
	struct squeeze *s = arg;
	int r = fs_write_all(s->out, data, len);

	(void)a;
	s->write_errno = r < 0 ? -r : 0;
	if (r < 0)
		return -1;
	oci_hash_add(&s->blob, data, len);
	s->size += len;
	return (la_ssize_t)len;
}

static int failed(struct squeeze *s, struct archive *a)
{
	const char *why = s->lib->archive_error_string(a);

	if (s->write_errno)
		return err_errno(&s->err, s->write_errno, "cannot write the image's layer");
	return err_msg(&s->err, EIO, "cannot compress the image's layer: %.200s",
		       why ? why : "no reason given");
}

/* A stream of no format, compressed; libarchive wants an entry even so. */
static int begin(struct squeeze *s, struct archive *a)
{
	const struct archive_lib *lib = s->lib;
	int (*set_format_raw)(struct archive *);
	struct archive_entry *entry;
	int r = pack_compress(lib, a, OCI_PACK_COMPRESSION, &s->err);

	if (r < 0)
		return r;
	if (!archive_lib_find(lib, "archive_write_set_format_raw", &set_format_raw) ||
	    set_format_raw(a) != ARCHIVE_OK || !(entry = lib->archive_entry_new()))
		return failed(s, a);
	lib->archive_entry_set_filetype(entry, AE_IFREG);
	/* No padding behind the end. */
	lib->archive_write_set_bytes_in_last_block(a, 1);
	r = lib->archive_write_open(a, s, NULL, on_write, NULL) == ARCHIVE_OK &&
			    lib->archive_write_header(a, entry) == ARCHIVE_OK ?
		    0 :
		    failed(s, a);
	lib->archive_entry_free(entry);
	return r;
}

static int copy(struct squeeze *s, struct archive *a)
{
	ssize_t n;

	while ((n = read(s->in, s->buffer, sizeof(s->buffer))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(&s->err, errno, "cannot read the image's layer");
		oci_hash_add(&s->content, s->buffer, (size_t)n);
		if (s->lib->archive_write_data(a, s->buffer, (size_t)n) != n)
			return failed(s, a);
	}
	return s->lib->archive_write_close(a) == ARCHIVE_OK ? 0 : failed(s, a);
}

static void *squeeze_main(void *arg)
{
	struct squeeze *s = arg;
	struct archive *a = s->lib->archive_write_new();

	s->result = a ? begin(s, a) : err_oom(&s->err);
	if (s->result == 0)
		s->result = copy(s, a);
	/* What it would still write, once it failed, nobody is to see. */
	if (s->result < 0 && a)
		s->lib->archive_write_fail(a);
	if (a)
		s->lib->archive_write_free(a);
	close(s->in);
	return NULL;
}

static int pack_to(struct squeeze *s, int out, const struct pack *pack, struct losses *losses,
		   struct err *e)
{
	struct pack p = *pack;
	pthread_t thread;
	int r = pthread_create(&thread, NULL, squeeze_main, s);

	if (r) {
		close(s->in);
		close(out);
		return err_errno(e, r, "cannot start to write the image's layer");
	}
	p.fd = out;
	p.compression = NULL;
	r = pack_run(&p, losses, e);
	close(out);
	pthread_join(thread, NULL);
	/* Then packing failed only because nobody read it. */
	if (s->result < 0)
		*e = s->err;
	return s->result < 0 ? s->result : r;
}

int oci_pack(const struct pack *pack, int fd, struct oci_packed *ret, struct losses *losses,
	     struct err *e)
{
	_cleanup_free_ struct squeeze *s = calloc(1, sizeof(*s));
	int fds[2], r;

	if (!s)
		return err_oom(e);
	s->lib = archive_lib_load(e);
	if (!s->lib)
		return -e->errnum;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_errno(e, errno, "cannot write the image's layer");
	fcntl(fds[1], F_SETPIPE_SZ, PIPE_SIZE);
	s->in = fds[0];
	s->out = fd;
	oci_hash_begin(&s->content, "sha256:");
	oci_hash_begin(&s->blob, "sha256:");
	r = pack_to(s, fds[1], pack, losses, e);
	if (r < 0)
		return r;
	oci_hash_end(&s->blob, ret->digest);
	oci_hash_end(&s->content, ret->diff_id);
	ret->size = s->size;
	return 0;
}
