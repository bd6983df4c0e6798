/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/archive/oci_json.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner/base/cleanup.h"
#include "runner/base/strbuf.h"

#define REF_NAME "org.opencontainers.image.ref.name"
#define SHOWN_MAX 12 /* images, in an error */

static const struct media {
	const char *name;
	enum oci_kind kind;
	const char *filter;
} medias[] = {
	{ "application/vnd.oci.image.index.v1+json", OCI_INDEX, NULL },
	{ "application/vnd.docker.distribution.manifest.list.v2+json", OCI_INDEX, NULL },
	{ "application/vnd.oci.image.manifest.v1+json", OCI_MANIFEST, NULL },
	{ "application/vnd.docker.distribution.manifest.v2+json", OCI_MANIFEST, NULL },
	{ "application/vnd.oci.image.config.v1+json", OCI_CONFIG, NULL },
	{ "application/vnd.docker.container.image.v1+json", OCI_CONFIG, NULL },
	{ "application/vnd.oci.image.layer.v1.tar", OCI_LAYER, NULL },
	{ "application/vnd.oci.image.layer.v1.tar+gzip", OCI_LAYER, "gzip" },
	{ "application/vnd.oci.image.layer.v1.tar+zstd", OCI_LAYER, "zstd" },
	{ "application/vnd.oci.image.layer.nondistributable.v1.tar", OCI_LAYER, NULL },
	{ "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", OCI_LAYER, "gzip" },
	{ "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", OCI_LAYER, "zstd" },
	{ "application/vnd.docker.image.rootfs.diff.tar", OCI_LAYER, NULL },
	{ "application/vnd.docker.image.rootfs.diff.tar.gzip", OCI_LAYER, "gzip" },
	{ "application/vnd.docker.image.rootfs.diff.tar.zstd", OCI_LAYER, "zstd" },
	{ "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", OCI_LAYER, "gzip" },
};

static const struct {
	const char *prefix;
	size_t digits;
} algorithms[] = {
	{ "sha256:", 64 },
	{ "sha512:", 128 },
};

static void cleanup_json(json_t **json)
{
	json_decref(*json);
}

#define _cleanup_json_ _cleanup_(cleanup_json)

static int load(const char *text, size_t len, json_t **ret, struct err *e)
{
	json_error_t why;
	json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);

	if (!json)
		return err_msg(e, EINVAL, "it is no JSON: line %d: %.200s", why.line, why.text);
	if (!json_is_object(json)) {
		json_decref(json);
		return err_msg(e, EINVAL, "it is no JSON object");
	}
	*ret = json;
	return 0;
}

/* "" where it is not said. */
static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

int oci_digest_check(const char *digest, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++) {
		size_t prefix = strlen(algorithms[i].prefix);

		if (!strncmp(digest, algorithms[i].prefix, prefix) &&
		    strlen(digest) == prefix + algorithms[i].digits &&
		    strspn(digest + prefix, "0123456789abcdef") == algorithms[i].digits)
			return 0;
	}
	return err_msg(e, EINVAL, "'%.150s' is no digest of SHA-256 or SHA-512", digest);
}

static int take_digest(const char *digest, char ret[OCI_DIGEST_SIZE], struct err *e)
{
	int r = oci_digest_check(digest, e);

	if (r == 0)
		snprintf(ret, OCI_DIGEST_SIZE, "%s", digest);
	return r;
}

static int take_text(const char *text, size_t size, const char *what, char *ret, struct err *e)
{
	if (strlen(text) >= size)
		return err_msg(e, EINVAL, "%s is longer than %zu bytes", what, size - 1);
	snprintf(ret, size, "%s", text);
	return 0;
}

static int take_descriptor(const json_t *json, struct oci_descriptor *ret, struct err *e)
{
	const json_t *size = json_object_get(json, "size");
	const json_t *platform = json_object_get(json, "platform");
	const char *type = text_of(json, "mediaType");
	struct oci_descriptor d = { .kind = OCI_OTHER };
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(medias); i++)
		if (!strcmp(type, medias[i].name)) {
			d.kind = medias[i].kind;
			d.filter = medias[i].filter;
		}
	if (!json_is_integer(size) || json_integer_value(size) < 0 ||
	    (uint64_t)json_integer_value(size) > OCI_BLOB_MAX)
		return err_msg(e, EINVAL, "a descriptor has no size, or an impossible one");
	d.size = (uint64_t)json_integer_value(size);
	r = take_digest(text_of(json, "digest"), d.digest, e);
	if (r == 0)
		r = take_text(text_of(json_object_get(json, "annotations"), REF_NAME),
			      sizeof(d.ref), "an image's name", d.ref, e);
	if (r == 0)
		r = take_text(text_of(platform, "os"), sizeof(d.os), "a system's name", d.os, e);
	if (r == 0)
		r = take_text(text_of(platform, "architecture"), sizeof(d.architecture),
			      "an architecture's name", d.architecture, e);
	if (r == 0)
		*ret = d;
	return r;
}

/* @name: of the member of @json that is a list of descriptors. */
static int take_descriptors(const json_t *json, const char *name, size_t max,
			    struct oci_descriptor **ret, size_t *ret_n, struct err *e)
{
	const json_t *list = json_object_get(json, name);
	_cleanup_free_ struct oci_descriptor *d = NULL;
	size_t n = json_array_size(list);
	int r = 0;

	if (!json_is_array(list))
		return err_msg(e, EINVAL, "it has no list of %s", name);
	if (n > max)
		return err_msg(e, E2BIG, "it has %zu %s, and %zu is the most that is read", n, name,
			       max);
	d = calloc(n ? n : 1, sizeof(*d));
	if (!d)
		return err_oom(e);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = take_descriptor(json_array_get(list, i), &d[i], e);
	if (r < 0)
		return r;
	*ret = steal_ptr(d);
	*ret_n = n;
	return 0;
}

/* Index and manifest. */
static int load_version_2(const char *text, size_t len, json_t **ret, struct err *e)
{
	int r = load(text, len, ret, e);

	if (r == 0 && json_integer_value(json_object_get(*ret, "schemaVersion")) != 2)
		r = err_msg(e, EINVAL, "its schemaVersion is not 2");
	return r;
}

int oci_layout_parse(const char *text, size_t len, struct err *e)
{
	_cleanup_json_ json_t *json = NULL;
	int r = load(text, len, &json, e);

	if (r == 0 && strncmp(text_of(json, "imageLayoutVersion"), "1.", 2))
		r = err_msg(e, EINVAL, "its imageLayoutVersion is not 1");
	return r;
}

int oci_index_parse(const char *text, size_t len, struct oci_index *ret, struct err *e)
{
	_cleanup_json_ json_t *json = NULL;
	struct oci_index index;
	int r = load_version_2(text, len, &json, e);

	if (r == 0)
		r = take_descriptors(json, "manifests", OCI_INDEX_MAX, &index.list, &index.n, e);
	if (r == 0)
		*ret = index;
	return r;
}

void oci_index_free(struct oci_index *index)
{
	free(index->list);
	*index = (struct oci_index){ 0 };
}

static bool is_image(const struct oci_descriptor *d)
{
	return d->kind == OCI_INDEX || d->kind == OCI_MANIFEST;
}

static bool is_called(const struct oci_descriptor *d, const char *ref)
{
	return !ref || !strcmp(d->ref, ref) || !strcmp(d->digest, ref);
}

static bool is_for_this(const struct oci_descriptor *d)
{
	return (!*d->os || !strcmp(d->os, "linux")) &&
	       (!*d->architecture || !strcmp(d->architecture, OCI_ARCHITECTURE));
}

static void list_images(const struct oci_index *index, const char *ref, struct strbuf *out)
{
	size_t n = 0;

	for (size_t i = 0; i < index->n; i++) {
		const struct oci_descriptor *d = &index->list[i];

		if (!is_image(d) || !is_called(d, ref) || n++ >= SHOWN_MAX)
			continue;
		strbuf_printf(out, "%s%.80s", out->len ? ", " : "", *d->ref ? d->ref : d->digest);
		if (*d->architecture)
			strbuf_printf(out, " (%s/%s)", d->os, d->architecture);
	}
	if (n > SHOWN_MAX)
		strbuf_printf(out, " and %zu more", n - SHOWN_MAX);
}

int oci_index_choose(const struct oci_index *index, const char *ref, bool any,
		     const struct oci_descriptor **ret, struct err *e)
{
	_cleanup_strbuf_ struct strbuf all = { 0 }, called = { 0 };
	const struct oci_descriptor *found = NULL;
	size_t n = 0;

	for (size_t i = 0; i < index->n; i++) {
		const struct oci_descriptor *d = &index->list[i];

		if (!is_image(d) || !is_called(d, ref) || !is_for_this(d))
			continue;
		if (n++ == 0)
			found = d;
	}
	if (n == 1 || (n > 1 && any)) {
		*ret = found;
		return 0;
	}
	list_images(index, NULL, &all);
	list_images(index, ref, &called);
	if (!all.len)
		return err_msg(e, ENOENT, "there is no image in it");
	if (!called.len)
		return err_msg(e, ENOENT, "there is no image '%.100s' in it; --image is one of: %s",
			       ref, strbuf_str(&all));
	if (!n)
		return err_msg(e, ENOENT, "it has no image for linux/" OCI_ARCHITECTURE ", but %s",
			       strbuf_str(&called));
	return err_msg(e, EINVAL, "there are %zu images in it; choose one by --image: %s", n,
		       strbuf_str(&called));
}

int oci_manifest_parse(const char *text, size_t len, struct oci_manifest *ret, struct err *e)
{
	_cleanup_json_ json_t *json = NULL;
	struct oci_manifest m = { 0 };
	int r = load_version_2(text, len, &json, e);

	if (r == 0)
		r = take_descriptor(json_object_get(json, "config"), &m.config, e);
	if (r == 0 && m.config.kind != OCI_CONFIG)
		r = err_msg(e, EINVAL, "it is of something else than a container's image");
	if (r == 0)
		r = take_descriptors(json, "layers", OCI_LAYERS_MAX, &m.layers, &m.n, e);
	for (size_t i = 0; r == 0 && i < m.n; i++)
		if (m.layers[i].kind != OCI_LAYER)
			r = err_msg(e, ENOTSUP, "layer %zu is of an unknown media type '%.100s'",
				    i + 1,
				    text_of(json_array_get(json_object_get(json, "layers"), i),
					    "mediaType"));
	if (r < 0) {
		oci_manifest_free(&m);
		return r;
	}
	*ret = m;
	return 0;
}

void oci_manifest_free(struct oci_manifest *manifest)
{
	free(manifest->layers);
	*manifest = (struct oci_manifest){ 0 };
}

static int take_diff_ids(const json_t *json, struct oci_config *c, struct err *e)
{
	const json_t *rootfs = json_object_get(json, "rootfs");
	const json_t *list = json_object_get(rootfs, "diff_ids");
	size_t n = json_array_size(list);
	int r = 0;

	if (strcmp(text_of(rootfs, "type"), "layers") || !json_is_array(list))
		return err_msg(e, EINVAL, "it does not say what its layers hold");
	if (n > OCI_LAYERS_MAX)
		return err_msg(e, E2BIG, "it has %zu layers, and %d is the most that is read", n,
			       OCI_LAYERS_MAX);
	c->diff_ids = calloc(n ? n : 1, sizeof(*c->diff_ids));
	if (!c->diff_ids)
		return err_oom(e);
	for (size_t i = 0; r == 0 && i < n; i++) {
		const char *id = json_string_value(json_array_get(list, i));

		r = take_digest(id ? id : "", c->diff_ids[i], e);
	}
	c->n = n;
	return r;
}

static int check_machine(const json_t *json, struct err *e)
{
	const char *os = text_of(json, "os"), *architecture = text_of(json, "architecture");

	if ((!*os || !strcmp(os, "linux")) &&
	    (!*architecture || !strcmp(architecture, OCI_ARCHITECTURE)))
		return 0;
	return err_msg(e, ENOTSUP, "the image is for %.40s/%.40s, and guests are linux/%s", os,
		       architecture, OCI_ARCHITECTURE);
}

int oci_config_parse(const char *text, size_t len, struct oci_config *ret, struct err *e)
{
	_cleanup_json_ json_t *json = NULL;
	struct oci_config c = { 0 };
	const json_t *config;
	int r = load(text, len, &json, e);

	if (r == 0)
		r = check_machine(json, e);
	if (r == 0)
		r = take_diff_ids(json, &c, e);
	config = r == 0 ? json_object_get(json, "config") : NULL;
	if (config && !json_is_null(config)) {
		c.config = json_dumps(config, JSON_INDENT(2));
		if (!c.config)
			r = err_oom(e);
	}
	if (r < 0) {
		oci_config_free(&c);
		return r;
	}
	*ret = c;
	return 0;
}

void oci_config_free(struct oci_config *config)
{
	free(config->diff_ids);
	free(config->config);
	*config = (struct oci_config){ 0 };
}
