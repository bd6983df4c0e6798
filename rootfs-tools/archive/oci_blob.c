/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/archive/oci_blob.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/base/fs.h"

#define SHA512_PREFIX "sha512:"

void oci_hash_begin(struct oci_hash *hash, const char *digest)
{
	hash->wide = !strncmp(digest, SHA512_PREFIX, strlen(SHA512_PREFIX));
	if (hash->wide)
		sha512_init(&hash->sha512);
	else
		sha256_init(&hash->sha256);
}

void oci_hash_add(struct oci_hash *hash, const void *data, size_t len)
{
	if (hash->wide)
		sha512_update(&hash->sha512, len, data);
	else
		sha256_update(&hash->sha256, len, data);
}

void oci_hash_end(struct oci_hash *hash, char ret[OCI_DIGEST_SIZE])
{
	size_t size = hash->wide ? SHA512_DIGEST_SIZE : SHA256_DIGEST_SIZE;
	uint8_t digest[SHA512_DIGEST_SIZE];
	int n = snprintf(ret, OCI_DIGEST_SIZE, "%s", hash->wide ? SHA512_PREFIX : "sha256:");

	if (hash->wide)
		sha512_digest(&hash->sha512, size, digest);
	else
		sha256_digest(&hash->sha256, size, digest);
	for (size_t i = 0; i < size; i++)
		n += snprintf(ret + n, OCI_DIGEST_SIZE - (size_t)n, "%02x", digest[i]);
}

/* A FIFO does not make it wait. */
static int open_plain(int layout, const char *path, int *ret_fd, struct stat *ret_st)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	_cleanup_close_ int fd = (int)syscall(SYS_openat2, layout, path, &how, sizeof(how));

	if (fd < 0 || fstat(fd, ret_st) < 0)
		return -errno;
	if (!S_ISREG(ret_st->st_mode))
		return -EINVAL;
	*ret_fd = steal_fd(&fd);
	return 0;
}

static int cannot_open(const char *path, int errnum, struct err *e)
{
	if (errnum == ELOOP)
		return err_msg(e, errnum, "'%s' of the image is a symlink, which none may be",
			       path);
	if (errnum == EINVAL)
		return err_msg(e, errnum, "'%s' of the image is no regular file", path);
	if (errnum == EACCES)
		return err_msg(e, errnum,
			       "'%s' of the image may be read by none of the ids of the map; make it "
			       "readable for all, or import a tar of it",
			       path);
	return err_errno(e, errnum, "cannot open '%s' of the image", path);
}

int oci_read_file(int layout, const char *path, char **ret, size_t *ret_len, struct err *e)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r = open_plain(layout, path, &fd, &st);

	if (r < 0)
		return cannot_open(path, -r, e);
	r = fs_read_fd(fd, OCI_JSON_MAX, ret, ret_len);
	return r < 0 ? err_errno(e, -r, "cannot read '%s' of the image", path) : 0;
}

void oci_blob_path(const char *digest, char *ret, size_t size)
{
	snprintf(ret, size, "blobs/%s", digest);
	*strchr(ret, ':') = '/';
}

int oci_blob_open(int layout, const struct oci_descriptor *d, int *ret_fd, struct err *e)
{
	char path[OCI_PATH_SIZE];
	_cleanup_close_ int fd = -1;
	struct stat st = { 0 };
	int r;

	oci_blob_path(d->digest, path, sizeof(path));
	r = open_plain(layout, path, &fd, &st);
	if (r < 0)
		return cannot_open(path, -r, e);
	if ((uint64_t)st.st_size != d->size)
		return err_msg(e, EBADMSG,
			       "blob %s of the image has %llu bytes, and %llu are said of it",
			       d->digest, (unsigned long long)st.st_size,
			       (unsigned long long)d->size);
	*ret_fd = steal_fd(&fd);
	return 0;
}

int oci_blob_read(int layout, const struct oci_descriptor *d, char **ret, size_t *ret_len,
		  struct err *e)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *text = NULL;
	char digest[OCI_DIGEST_SIZE];
	struct oci_hash hash;
	size_t len;
	int r;

	if (d->size > OCI_JSON_MAX)
		return err_msg(e, EFBIG, "blob %s of the image has more than %zu MiB", d->digest,
			       OCI_JSON_MAX >> 20);
	r = oci_blob_open(layout, d, &fd, e);
	if (r < 0)
		return r;
	r = fs_read_fd(fd, d->size, &text, &len);
	if (r < 0)
		return err_errno(e, -r, "cannot read blob %s of the image", d->digest);
	oci_hash_begin(&hash, d->digest);
	oci_hash_add(&hash, text, len);
	oci_hash_end(&hash, digest);
	if (strcmp(digest, d->digest))
		return err_msg(e, EBADMSG, "blob %s of the image is damaged: its content has %s",
			       d->digest, digest);
	*ret = steal_ptr(text);
	*ret_len = len;
	return 0;
}
