/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * All that reads the image runs inside (enter.h), for all of it is hostile:
 *
 *	oci-layout, index.json      nothing vouches for them but the user
 *	└── index                   perhaps, for several machines; by digest, as all below
 *	    └── manifest
 *	        ├── configuration   says the digests of the unpacked layers
 *	        └── layers          in their order, each over what the ones before have made
 *
 * A tar of a layout is unpacked first, to a directory beside the new one that is removed
 * in the end: what comes first in a tar is not what is needed first. It lasts as long as
 * any partial directory (partial.h).
 *
 * The new root is closed to all others until the last layer is there, whatever a layer
 * says of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs-tools/archive/import.h"
#include "rootfs-tools/archive/oci_blob.h"
#include "rootfs-tools/archive/oci_layer.h"
#include "rootfs-tools/core/change.h"
#include "rootfs-tools/core/enter.h"
#include "rootfs-tools/core/tree.h"
#include "runner/base/cleanup.h"
#include "runner/host/image_config.h"

#define INDEX_DEPTH_MAX 4
#define CLOSED 0700
#define TAR_BLOCK 512
/* In the header of an entry. */
#define TAR_SIZE 124
#define TAR_SIZE_LEN 12
#define TAR_TYPE 156

enum { DIR_LAYOUT, DIR_DST };

/* What an image is made of. */
struct image {
	struct oci_manifest manifest;
	struct oci_config config;
};

static void image_free(struct image *image)
{
	oci_manifest_free(&image->manifest);
	oci_config_free(&image->config);
}

/* --- inside: the documents --- */

static int check_layout(int layout, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = oci_read_file(layout, "oci-layout", &text, &len, e);

	if (r == -ENOENT)
		return err_msg(e, EINVAL, "it is no image layout: it has no file oci-layout");
	if (r == 0)
		r = oci_layout_parse(text, len, e);
	return r < 0 ? err_prefix(e, "oci-layout") : 0;
}

/* The image's manifest, however many indexes lead to it. */
static int find_manifest(int layout, const char *ref, struct oci_descriptor *ret, struct err *e)
{
	struct oci_descriptor at = { .kind = OCI_INDEX };
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = oci_read_file(layout, "index.json", &text, &len, e);

	for (int depth = 0; r == 0; depth++) {
		_cleanup_(oci_index_free) struct oci_index index = { 0 };
		const struct oci_descriptor *next;

		r = oci_index_parse(text, len, &index, e);
		if (r < 0)
			return err_prefix(e, "index %s", depth ? at.digest : "index.json");
		r = oci_index_choose(&index, depth ? NULL : ref, depth > 0, &next, e);
		if (r < 0)
			return r;
		at = *next;
		if (at.kind == OCI_MANIFEST) {
			*ret = at;
			return 0;
		}
		if (depth + 1 == INDEX_DEPTH_MAX)
			return err_msg(e, ELOOP, "its indexes lead to indexes, %d deep",
				       INDEX_DEPTH_MAX);
		cleanup_free(&text);
		text = NULL;
		r = oci_blob_read(layout, &at, &text, &len, e);
	}
	return r;
}

static int check_config(const struct image *image, struct err *e)
{
	_cleanup_(image_config_free) struct image_config config = { 0 };
	const char *text = image->config.config;

	if (image->config.n != image->manifest.n)
		return err_msg(e, EINVAL,
			       "the image has %zu layers, and its configuration is of %zu",
			       image->manifest.n, image->config.n);
	if (!text)
		return 0;
	if (strlen(text) > IMAGE_CONFIG_MAX)
		return err_msg(e, EFBIG, "the image's config has more than %zu KiB",
			       IMAGE_CONFIG_MAX >> 10);
	/* What vmrun would refuse to start from is better refused now. */
	return image_config_parse(text, strlen(text), &config, e) < 0 ?
		       err_prefix(e, "the image's config") :
		       0;
}

static int read_image(int layout, const char *ref, struct image *ret, struct err *e)
{
	_cleanup_free_ char *manifest = NULL, *config = NULL;
	struct oci_descriptor d = { .kind = OCI_OTHER };
	size_t len = 0;
	int r = check_layout(layout, e);

	if (r == 0)
		r = find_manifest(layout, ref, &d, e);
	if (r == 0)
		r = oci_blob_read(layout, &d, &manifest, &len, e);
	if (r < 0)
		return r;
	r = oci_manifest_parse(manifest, len, &ret->manifest, e);
	if (r < 0)
		return err_prefix(e, "manifest %s", d.digest);
	r = oci_blob_read(layout, &ret->manifest.config, &config, &len, e);
	if (r < 0)
		return r;
	r = oci_config_parse(config, len, &ret->config, e);
	if (r < 0)
		return err_prefix(e, "configuration %s", ret->manifest.config.digest);
	return check_config(ret, e);
}

/* --- inside: the new root --- */

/* What a layer says of the root itself counts in the end, and is kept from others till then. */
static int set_aside(int root, struct stat *st, struct err *e)
{
	if (fstat(root, st) < 0 || fchmod(root, CLOSED) < 0)
		return err_errno(e, errno, "cannot close the new root");
	return 0;
}

static int unpack_layer(const int *dirs, const struct oci_descriptor *d, const char *diff_id,
			struct unpack_report *report, struct err *e)
{
	const struct unpack unpack = {
		.fd = -1,
		.root = dirs[DIR_DST],
		.name = d->digest,
		.whiteouts = true,
	};
	struct oci_layer layer = { .descriptor = d, .diff_id = diff_id };
	_cleanup_close_ int blob = -1;
	int r = oci_blob_open(dirs[DIR_LAYOUT], d, &blob, e);

	layer.blob = blob;
	return r == 0 ? oci_layer_unpack(&layer, &unpack, report, e) : r;
}

/* @ret_st: what the last layer that has the root says of it. */
static int unpack_layers(const int *dirs, const struct image *image, int root,
			 struct unpack_report *report, bool *ret_said, struct stat *ret_st,
			 struct err *e)
{
	bool said = false;
	int r = 0;

	for (size_t i = 0; r == 0 && i < image->manifest.n; i++) {
		report->has_root = false;
		r = unpack_layer(dirs, &image->manifest.layers[i], image->config.diff_ids[i],
				 report, e);
		if (r == 0 && report->has_root) {
			r = set_aside(root, ret_st, e);
			said = true;
		}
	}
	*ret_said = said;
	return r;
}

/* Whatever a layer has put there, a directory even. */
static int clear_config(int root, struct err *e)
{
	_cleanup_close_ int dir = -1;
	struct stat st;
	int r;

	if (!change_exists(root, IMAGE_CONFIG_DIR, &st))
		return 0;
	if (!S_ISDIR(st.st_mode))
		return change_remove(root, "/", IMAGE_CONFIG_DIR, e);
	dir = openat(root, IMAGE_CONFIG_DIR, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = dir < 0 ? err_errno(e, errno, "cannot open /%s", IMAGE_CONFIG_DIR) :
		      tree_remove(dir, e);
	if (r == 0 && unlinkat(root, IMAGE_CONFIG_DIR, AT_REMOVEDIR) < 0)
		r = err_errno(e, errno, "cannot remove /%s", IMAGE_CONFIG_DIR);
	return r;
}

static int write_config(int root, const char *text, struct err *e)
{
	const struct change_attrs attrs = { .mode = 0644 };
	_cleanup_close_ int dir = -1;
	int r = clear_config(root, e);

	if (r < 0 || !text)
		return r;
	if (mkdirat(root, IMAGE_CONFIG_DIR, 0755) < 0 ||
	    (dir = openat(root, IMAGE_CONFIG_DIR, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0 ||
	    fchmodat(dir, ".", 0755, 0) < 0)
		return err_errno(e, errno, "cannot make /%s", IMAGE_CONFIG_DIR);
	return change_replace(dir, "/" IMAGE_CONFIG_DIR, strrchr(IMAGE_CONFIG_PATH, '/') + 1,
			      &attrs, text, strlen(text), e);
}

/* Mode and times of the root itself; its owner it has. */
static int restore(int root, const struct stat *st, struct err *e)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };

	if (fchmod(root, st->st_mode & 07777) < 0 || futimens(root, times) < 0)
		return err_errno(e, errno, "cannot complete the new root");
	return 0;
}

static int op_layout(const int *dirs, void *arg, struct err *e)
{
	const struct import *in = arg;
	_cleanup_close_ int root = openat(dirs[DIR_DST], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(image_free) struct image image = { 0 };
	bool said = false;
	struct stat st;
	int r;

	if (root < 0)
		return err_errno(e, errno, "cannot open the new root");
	r = read_image(dirs[DIR_LAYOUT], in->options->image, &image, e);
	if (r < 0)
		err_prefix(e, "image '%.300s'", in->src_path);
	else
		r = unpack_layers(dirs, &image, root, in->report, &said, &st, e);
	if (r == 0)
		r = write_config(root, image.config.config, e);
	if (r < 0)
		return r;
	in->report->has_root = said;
	return said ? restore(root, &st, e) : unpack_seal(dirs[DIR_DST], in->report, e);
}

static int op_unpack_tar(const int *dirs, void *arg, struct err *e)
{
	const struct import *import = arg;
	const struct unpack unpack = {
		.fd = import->src,
		.root = dirs[0],
		.name = import->src_path,
		.keep_root = true,
	};

	return unpack_run(&unpack, import->report, e);
}

/* --- outside --- */

static int import_layout(const struct import *import, int layout, int *ret_signal, struct err *e)
{
	struct import inside = *import;
	const struct enter in = {
		.idmap = import->idmap,
		.dirs = { [DIR_LAYOUT] = { .fd = layout, .read_only = true },
			  [DIR_DST] = { .fd = import->dst->fd } },
		.n_dirs = 2,
		.signal_fd = import->signal_fd,
		.tick = import->tick,
		.tick_arg = import->tick_arg,
	};
	int r = oci_layer_prepare(e);

	return r == 0 ? enter_run(&in, op_layout, &inside, ret_signal, e) : r;
}

static int unpack_tar(const struct import *import, int *ret_signal, struct err *e)
{
	struct import inside = *import;
	const struct enter in = {
		.idmap = import->idmap,
		.dirs = { { .fd = import->dst->fd } },
		.n_dirs = 1,
		.fds = &inside.src,
		.n_fds = 1,
		.signal_fd = import->signal_fd,
	};

	return enter_run(&in, op_unpack_tar, &inside, ret_signal, e);
}

/* What a tar has that cannot be kept is no loss: only its blobs are of use. */
static int unpack_to_scratch(const struct import *import, struct partial *scratch, int *ret_signal,
			     struct err *e)
{
	struct import in = *import;
	int r;

	in.dst = scratch;
	in.report = enter_share(sizeof(*in.report));
	r = in.report ? unpack_prepare(e) : err_oom(e);
	if (r == 0)
		r = import_by_pipe(&in, unpack_tar, ret_signal, e);
	enter_unshare(in.report, sizeof(*in.report));
	return r;
}

static int import_tar_of_layout(const struct import *import, int *ret_signal, struct err *e)
{
	struct partial scratch = PARTIAL_INIT;
	struct import in = *import;
	struct err while_removing;
	char path[64 + NAME_MAX];
	int r;

	/* How far it is does not show in what is read of the tar. */
	in.tick = NULL;
	snprintf(path, sizeof(path), "/proc/self/fd/%d/.%.150s.layout", import->dst->parent,
		 import->dst->name);
	r = partial_open(path, &scratch, e);
	if (r == 0)
		r = partial_begin(&scratch, import->idmap, e);
	if (r == 0)
		r = unpack_to_scratch(&in, &scratch, ret_signal, e);
	if (r == 0)
		r = import_layout(&in, scratch.fd, ret_signal, e);
	if (partial_remove(&scratch, &while_removing) < 0 && r == 0) {
		*e = while_removing;
		r = -e->errnum;
	}
	partial_close(&scratch);
	return r;
}

/* Whether the header of a tar's entry is of what a layout has. */
static bool is_layouts(const char *name)
{
	static const char *const names[] = { "blobs/", "index.json", "oci-layout" };

	name += strncmp(name, "./", 2) ? 0 : 2;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strncmp(name, names[i], strlen(names[i])))
			return true;
	return false;
}

/* Of pax: attributes of what comes next, or of all. */
static bool is_extension(const uint8_t *header)
{
	return header[TAR_TYPE] == 'x' || header[TAR_TYPE] == 'g';
}

static uint64_t extension_size(const uint8_t *header)
{
	uint64_t size = 0;

	if (!is_extension(header))
		return 0;
	for (size_t i = 0; i < TAR_SIZE_LEN; i++)
		if (header[TAR_SIZE + i] >= '0' && header[TAR_SIZE + i] <= '7')
			size = size << 3 | (header[TAR_SIZE + i] - (uint64_t)'0');
	return size;
}

bool import_is_oci(const struct import_source *src)
{
	size_t at = 0;

	if (S_ISDIR(src->st.st_mode))
		return true;
	while (at < src->head_len && src->head_len - at >= 2 * TAR_BLOCK) {
		const uint8_t *header = src->head + at;
		uint64_t size = extension_size(header);

		/* Perhaps after one for the directory itself. */
		if (!is_extension(header) && strcmp((const char *)header, "./") != 0)
			return is_layouts((const char *)header);
		if (size > src->head_len)
			return false;
		at += TAR_BLOCK + ((size_t)size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
	}
	return false;
}

int import_oci(const struct import *import, int *ret_signal, struct err *e)
{
	struct stat st;

	if (fstat(import->src, &st) < 0)
		return err_errno(e, errno, "cannot stat '%s'", import->src_path);
	return S_ISDIR(st.st_mode) ? import_layout(import, import->src, ret_signal, e) :
				     import_tar_of_layout(import, ret_signal, e);
}
