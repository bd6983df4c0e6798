/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A root directory becomes an image of one layer. Inside (enter.h), where the tree can be
 * read, the layer is written to a file that was opened outside, and so is the caller's;
 * and the configuration, with what /.vmrun/config.json has, to memory. What follows from
 * their digests is written outside. Nothing but the layer depends on what was read:
 *
 *	oci-layout, index.json ──> manifest ──> configuration, layer
 *
 * As a tar the layout is written in one go, with the layer first: it takes its place
 * behind a header that is filled in when its size is known.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "rootfs-tools/archive/export.h"
#include "rootfs-tools/archive/oci_blob.h"
#include "rootfs-tools/archive/oci_pack.h"
#include "rootfs-tools/core/enter.h"
#include "rootfs-tools/core/work.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/host/image_config.h"

#define CONFIG_MEDIA_TYPE "application/vnd.oci.image.config.v1+json"
#define MANIFEST_MEDIA_TYPE "application/vnd.oci.image.manifest.v1+json"
#define LAYOUT_TEXT "{\"imageLayoutVersion\":\"1.0.0\"}"
#define DEFAULT_REF "latest"
#define LAYER_TEMP "layer"
#define TAR_BLOCK 512u

static void cleanup_json(json_t **json)
{
	json_decref(*json);
}

#define _cleanup_json_ _cleanup_(cleanup_json)

/* What both sides know. */
struct oci_export {
	const struct export *x;
	struct oci_packed *packed; /* of enter_share() */
	int layer;
	int config; /* a memory file */
};

/* A small blob. */
struct blob {
	char *text;
	size_t len;
	char digest[OCI_DIGEST_SIZE];
};

static void blob_free(struct blob *b)
{
	free(b->text);
}

/* Takes @json. */
static int blob_of(json_t *json, struct blob *ret, struct err *e)
{
	_cleanup_json_ json_t *owned = json;
	struct oci_hash hash;
	char *text = owned ? json_dumps(owned, JSON_COMPACT) : NULL;

	if (!text)
		return err_oom(e);
	ret->text = text;
	ret->len = strlen(text);
	oci_hash_begin(&hash, "sha256:");
	oci_hash_add(&hash, text, ret->len);
	oci_hash_end(&hash, ret->digest);
	return 0;
}

/* --- inside --- */

/* The image's own words, of the root that was one. */
static int read_config(int root, json_t **ret, struct err *e)
{
	_cleanup_(image_config_free) struct image_config config = { 0 };
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = image_config_read(root, &config, e);

	if (r < 0)
		return r;
	*ret = NULL;
	if (!config.there)
		return 0;
	r = fs_read_regular(root, IMAGE_CONFIG_PATH, IMAGE_CONFIG_MAX, &text, &len);
	if (r < 0)
		return err_errno(e, -r, "cannot read /%s", IMAGE_CONFIG_PATH);
	*ret = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	return *ret ? 0 : err_oom(e);
}

static int write_config(const struct oci_export *o, json_t *config, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *all = json_pack("{s:s, s:s, s:o*, s:{s:s, s:[s]}}", "architecture",
					       OCI_ARCHITECTURE, "os", "linux", "config", config,
					       "rootfs", "type", "layers", "diff_ids",
					       o->packed->diff_id);
	time_t epoch = (time_t)o->x->epoch;
	char created[64];
	struct tm tm;
	int r;

	if (o->x->epoch != EXPORT_NO_EPOCH && gmtime_r(&epoch, &tm) &&
	    strftime(created, sizeof(created), "%Y-%m-%dT%H:%M:%SZ", &tm))
		json_object_set_new(all, "created", json_string(created));
	text = all ? json_dumps(all, JSON_COMPACT) : NULL;
	if (!text)
		return err_oom(e);
	r = fs_write_all(o->config, text, strlen(text));
	return r < 0 ? err_errno(e, -r, "cannot hold the image's configuration") : 0;
}

static int op_pack(const int *dirs, void *arg, struct err *e)
{
	const struct oci_export *o = arg;
	const struct pack pack = {
		.root = dirs[0],
		.fd = -1,
		.epoch = o->x->epoch,
		.skip = IMAGE_CONFIG_DIR,
	};
	json_t *config = NULL;
	int r = root_lock(dirs[0], o->x->src_path, false, o->x->options->shared, e);

	if (r == 0)
		r = read_config(dirs[0], &config, e);
	if (r < 0)
		return r;
	r = oci_pack(&pack, o->layer, o->packed, &o->x->report->losses, e);
	if (r < 0) {
		json_decref(config);
		return r;
	}
	return write_config(o, config, e);
}

/* --- outside --- */

static int pack_layer(struct oci_export *o, int *ret_signal, struct err *e)
{
	const int fds[] = { o->layer, o->config };
	const struct enter in = {
		.idmap = &o->x->root->idmap,
		.dirs = { { .fd = o->x->root->dir.fd, .read_only = true } },
		.n_dirs = 1,
		.fds = fds,
		.n_fds = ARRAY_SIZE(fds),
		.signal_fd = o->x->signal_fd,
	};
	struct err ignored;
	int r = pack_prepare(OCI_PACK_COMPRESSION, e);

	if (r == 0)
		r = enter_run(&in, op_pack, o, ret_signal, e);
	if (r < 0)
		return r;
	/* The digest becomes a name, and it was made where the tree was read. */
	o->packed->digest[sizeof(o->packed->digest) - 1] = '\0';
	if (oci_digest_check(o->packed->digest, &ignored) < 0)
		return err_msg(e, EPROTO, "the image's layer has no digest");
	return 0;
}

static json_t *descriptor(const char *type, const char *digest, uint64_t size)
{
	return json_pack("{s:s, s:s, s:I}", "mediaType", type, "digest", digest, "size",
			 (json_int_t)size);
}

static const char *ref_of(const struct export *x)
{
	return x->options->image ? x->options->image : DEFAULT_REF;
}

/* All documents of the layout, from the configuration up. */
enum { BLOB_CONFIG, BLOB_MANIFEST, BLOB_INDEX, BLOB_END };

static int make_documents(const struct oci_export *o, struct blob blobs[BLOB_END], struct err *e)
{
	struct blob *config = &blobs[BLOB_CONFIG], *manifest = &blobs[BLOB_MANIFEST];
	struct oci_hash hash;
	json_t *entry;
	int r = lseek(o->config, 0, SEEK_SET) < 0 ?
			-errno :
			fs_read_fd(o->config, OCI_JSON_MAX, &config->text, &config->len);

	if (r < 0)
		return err_errno(e, -r, "cannot read the image's configuration");
	oci_hash_begin(&hash, "sha256:");
	oci_hash_add(&hash, config->text, config->len);
	oci_hash_end(&hash, config->digest);
	r = blob_of(json_pack("{s:i, s:s, s:o, s:[o]}", "schemaVersion", 2, "mediaType",
			      MANIFEST_MEDIA_TYPE, "config",
			      descriptor(CONFIG_MEDIA_TYPE, config->digest, config->len), "layers",
			      descriptor(OCI_PACK_MEDIA_TYPE, o->packed->digest, o->packed->size)),
		    manifest, e);
	if (r < 0)
		return r;
	entry = descriptor(MANIFEST_MEDIA_TYPE, manifest->digest, manifest->len);
	json_object_set_new(entry, "annotations",
			    json_pack("{s:s}", "org.opencontainers.image.ref.name", ref_of(o->x)));
	return blob_of(json_pack("{s:i, s:[o]}", "schemaVersion", 2, "manifests", entry),
		       &blobs[BLOB_INDEX], e);
}

/* What a document is called in the layout. */
static void document_path(int which, const struct blob *b, char *ret, size_t size)
{
	if (which == BLOB_INDEX)
		snprintf(ret, size, "index.json");
	else
		oci_blob_path(b->digest, ret, size);
}

/* --- as a directory --- */

static int put_file(int dir, const char *path, const char *text, size_t len, struct err *e)
{
	_cleanup_close_ int fd = openat(dir, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	int r = fd < 0 ? -errno : fs_write_all(fd, text, len);

	return r < 0 ? err_errno(e, -r, "cannot write '%s' of the image", path) : 0;
}

static int write_directory(const struct oci_export *o, int dir, struct err *e)
{
	struct blob blobs[BLOB_END] = { 0 };
	char path[OCI_PATH_SIZE];
	int r = make_documents(o, blobs, e);

	oci_blob_path(o->packed->digest, path, sizeof(path));
	if (r == 0 && renameat(dir, LAYER_TEMP, dir, path) < 0)
		r = err_errno(e, errno, "cannot rename the image's layer");
	for (int i = 0; r == 0 && i < BLOB_END; i++) {
		document_path(i, &blobs[i], path, sizeof(path));
		r = put_file(dir, path, blobs[i].text, blobs[i].len, e);
	}
	if (r == 0)
		r = put_file(dir, "oci-layout", LAYOUT_TEXT, strlen(LAYOUT_TEXT), e);
	for (int i = 0; i < BLOB_END; i++)
		blob_free(&blobs[i]);
	return r;
}

static int fill_directory(struct oci_export *o, int *ret_signal, struct err *e)
{
	int dir = o->x->out_dir->fd, r;

	umask(022);
	o->layer = openat(dir, LAYER_TEMP, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (o->layer < 0 || mkdirat(dir, "blobs", 0755) < 0 ||
	    mkdirat(dir, "blobs/sha256", 0755) < 0)
		return err_errno(e, errno, "cannot make the image's files");
	r = pack_layer(o, ret_signal, e);
	if (r == 0)
		r = write_directory(o, dir, e);
	if (r == 0 && fchmod(dir, 0755) < 0)
		r = err_errno(e, errno, "cannot complete the image");
	return r;
}

/* --- as a tar --- */

/* Octal, with a NUL behind. */
static void tar_number(char *field, size_t size, uint64_t value)
{
	for (size_t i = size - 1; i-- > 0; value >>= 3)
		field[i] = (char)('0' + (value & 7));
}

/* POSIX's ustar, or, for a size that its eleven digits cannot say, GNU's binary one. */
static void tar_header(const char *name, uint64_t size, const struct export *x, char ret[TAR_BLOCK])
{
	bool dir = name[strlen(name) - 1] == '/';
	unsigned int sum = 0;

	memset(ret, 0, TAR_BLOCK);
	snprintf(ret, 100, "%s", name);
	tar_number(ret + 100, 8, dir ? 0755 : 0644);
	tar_number(ret + 108, 8, 0);
	tar_number(ret + 116, 8, 0);
	tar_number(ret + 136, 12, x->epoch == EXPORT_NO_EPOCH ? 0 : (uint64_t)x->epoch);
	if (size < (uint64_t)1 << 33) {
		tar_number(ret + 124, 12, size);
	} else {
		ret[124] = (char)0x80;
		for (int i = 0; i < 8; i++)
			ret[135 - i] = (char)(size >> 8 * i);
	}
	memset(ret + 148, ' ', 8);
	ret[156] = dir ? '5' : '0';
	snprintf(ret + 257, 6, "ustar");
	tar_number(ret + 263, 3, 0);
	for (unsigned int i = 0; i < TAR_BLOCK; i++)
		sum += (unsigned char)ret[i];
	tar_number(ret + 148, 7, sum);
}

static int tar_pad(int fd, uint64_t size)
{
	static const char zeros[TAR_BLOCK];

	return fs_write_all(fd, zeros, (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
}

static int tar_add(const struct export *x, const char *name, const char *text, size_t len)
{
	char header[TAR_BLOCK];
	int r;

	tar_header(name, len, x, header);
	r = fs_write_all(x->out, header, sizeof(header));
	if (r == 0)
		r = fs_write_all(x->out, text, len);
	return r == 0 ? tar_pad(x->out, len) : r;
}

/* Unnamed directories would be made by who unpacks it, and some make them root's. */
static const char *const directories[] = { "blobs/", "blobs/sha256/" };

static int begin_tar(const struct export *x)
{
	static const char no_header_yet[TAR_BLOCK];
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(directories); i++)
		r = tar_add(x, directories[i], "", 0);
	return r == 0 ? fs_write_all(x->out, no_header_yet, sizeof(no_header_yet)) : r;
}

static int end_tar(const struct oci_export *o, struct blob blobs[BLOB_END])
{
	static const char end[2 * TAR_BLOCK];
	char header[TAR_BLOCK], path[OCI_PATH_SIZE];
	int r = tar_pad(o->x->out, o->packed->size);

	for (int i = 0; r == 0 && i < BLOB_END; i++) {
		document_path(i, &blobs[i], path, sizeof(path));
		r = tar_add(o->x, path, blobs[i].text, blobs[i].len);
	}
	if (r == 0)
		r = tar_add(o->x, "oci-layout", LAYOUT_TEXT, strlen(LAYOUT_TEXT));
	if (r == 0)
		r = fs_write_all(o->x->out, end, sizeof(end));
	oci_blob_path(o->packed->digest, path, sizeof(path));
	tar_header(path, o->packed->size, o->x, header);
	if (r == 0 && lseek(o->x->out, ARRAY_SIZE(directories) * TAR_BLOCK, SEEK_SET) < 0)
		r = -errno;
	return r == 0 ? fs_write_all(o->x->out, header, sizeof(header)) : r;
}

static int fill_tar(struct oci_export *o, int *ret_signal, struct err *e)
{
	struct blob blobs[BLOB_END] = { 0 };
	int r = begin_tar(o->x);

	if (r < 0)
		return err_errno(e, -r, "cannot write to '%s'", o->x->dst_path);
	o->layer = o->x->out;
	r = pack_layer(o, ret_signal, e);
	if (r == 0)
		r = make_documents(o, blobs, e);
	if (r == 0) {
		r = end_tar(o, blobs);
		if (r < 0)
			err_errno(e, -r, "cannot write to '%s'", o->x->dst_path);
	}
	for (int i = 0; i < BLOB_END; i++)
		blob_free(&blobs[i]);
	return r;
}

/* --- both --- */

static int check_ref(const char *ref, struct err *e)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-._:@/+";

	if (strspn(ref, allowed) == strlen(ref) && strlen(ref) < OCI_REF_SIZE &&
	    strspn(ref, allowed) && !strchr("-._:@/+", ref[0]))
		return 0;
	return err_msg(e, EINVAL,
		       "--image: '%.100s' is no name of an image; give letters, digits and "
		       "-._:@/+, beginning with a letter or digit",
		       ref);
}

static int export_image(const struct export *x,
			int (*fill)(struct oci_export *o, int *ret_signal, struct err *e),
			int *ret_signal, struct err *e)
{
	struct oci_export o = {
		.x = x,
		.packed = enter_share(sizeof(*o.packed)),
		.layer = -1,
		.config = memfd_create("configuration", MFD_CLOEXEC),
	};
	int r = check_ref(ref_of(x), e);

	if (r == 0 && (!o.packed || o.config < 0))
		r = err_oom(e);
	if (r == 0)
		r = fill(&o, ret_signal, e);
	if (o.layer != x->out)
		cleanup_close(&o.layer);
	cleanup_close(&o.config);
	enter_unshare(o.packed, sizeof(*o.packed));
	return r;
}

int export_oci(const struct export *x, int *ret_signal, struct err *e)
{
	return export_image(x, fill_directory, ret_signal, e);
}

int export_oci_archive(const struct export *x, int *ret_signal, struct err *e)
{
	return export_image(x, fill_tar, ret_signal, e);
}
