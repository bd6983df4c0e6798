/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"

#include "rootfs-tools/archive/oci_blob.h"
#include "rootfs-tools/archive/oci_json.h"
#include "runner/base/cleanup.h"

#define DIGITS "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SHA256 "sha256:" DIGITS
#define OTHER     \
	"sha256:" \
	"ffff456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define INDEX "application/vnd.oci.image.index.v1+json"
#define MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define CONFIG "application/vnd.oci.image.config.v1+json"
#define LAYER "application/vnd.oci.image.layer.v1.tar"

#define DESCRIPTOR(type, digest, more) \
	"{\"mediaType\":\"" type "\",\"size\":2,\"digest\":\"" digest "\"" more "}"
#define PLATFORM(arch) ",\"platform\":{\"os\":\"linux\",\"architecture\":\"" arch "\"}"
#define NAMED(name) ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"" name "\"}"
#define INDEX_OF(list) "{\"schemaVersion\":2,\"manifests\":[" list "]}"
#define MANIFEST_OF(layers)                                                                      \
	"{\"schemaVersion\":2,\"config\":" DESCRIPTOR(CONFIG, SHA256, "") ",\"layers\":[" layers \
									  "]}"

/* Returns the name of what was chosen, or NULL with the error. */
static const char *choose(const char *text, const char *ref, bool any, struct err *e)
{
	static char name[OCI_DIGEST_SIZE];
	struct oci_index index = { 0 };
	const struct oci_descriptor *d;
	int r = oci_index_parse(text, strlen(text), &index, e);

	if (r == 0)
		r = oci_index_choose(&index, ref, any, &d, e);
	if (r == 0)
		snprintf(name, sizeof(name), "%s", d->digest);
	oci_index_free(&index);
	return r == 0 ? name : NULL;
}

static void expect_refused(const char *text, const char *ref, const char *why)
{
	struct err e;

	assert_null(choose(text, ref, false, &e));
	if (!strstr(e.text, why))
		fail_msg("\"%s\" does not say: %s", e.text, why);
}

static void digests(void **state)
{
	static const char *const wrong[] = {
		"",
		"sha256",
		"sha256:",
		"sha256:../../../../etc/passwd",
		"sha256:" DIGITS "0",
		"sha256:/" DIGITS,
		"sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef",
		"sha512:" DIGITS,
		"md5:d41d8cd98f00b204e9800998ecf8427e",
		"../sha256:" DIGITS,
		"sha256:..23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	};
	struct err e;

	(void)state;
	assert_int_equal(oci_digest_check(SHA256, &e), 0);
	assert_int_equal(oci_digest_check("sha512:" DIGITS DIGITS, &e), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(oci_digest_check(wrong[i], &e), -EINVAL);
}

static void hashes(void **state)
{
	char digest[OCI_DIGEST_SIZE];
	struct oci_hash hash;

	(void)state;
	oci_hash_begin(&hash, SHA256);
	oci_hash_add(&hash, "a", 1);
	oci_hash_add(&hash, "bc", 2);
	oci_hash_end(&hash, digest);
	assert_string_equal(digest, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff6"
				    "1f20015ad");
	oci_hash_begin(&hash, "sha512:" DIGITS DIGITS);
	oci_hash_add(&hash, "abc", 3);
	oci_hash_end(&hash, digest);
	assert_string_equal(digest,
			    "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39"
			    "a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

static void one_image(void **state)
{
	struct err e;

	(void)state;
	assert_string_equal(choose(INDEX_OF(DESCRIPTOR(MANIFEST, SHA256, "")), NULL, false, &e),
			    SHA256);
	assert_string_equal(choose(INDEX_OF(DESCRIPTOR(MANIFEST, SHA256, NAMED("a"))), "a", false,
				   &e),
			    SHA256);
	assert_string_equal(choose(INDEX_OF(DESCRIPTOR(MANIFEST, SHA256, "")), SHA256, false, &e),
			    SHA256);
	/* What is no image does not count. */
	assert_string_equal(choose(INDEX_OF(DESCRIPTOR("text/plain", OTHER,
						       "") "," DESCRIPTOR(INDEX, SHA256, "")),
				   NULL, false, &e),
			    SHA256);
	expect_refused(INDEX_OF(""), NULL, "no image");
	expect_refused(INDEX_OF(DESCRIPTOR(MANIFEST, SHA256, NAMED("a"))), "b", "one of: a");
}

static void several_images(void **state)
{
	static const char two[] = INDEX_OF(
		DESCRIPTOR(MANIFEST, SHA256, NAMED("one")) "," DESCRIPTOR(MANIFEST, OTHER,
									  NAMED("two")));
	static const char machines[] = INDEX_OF(
		DESCRIPTOR(MANIFEST, OTHER, PLATFORM("arm64")) "," DESCRIPTOR(
			MANIFEST, SHA256, PLATFORM("amd64")) "," DESCRIPTOR(MANIFEST, OTHER,
									    PLATFORM("amd64")));
	struct err e;

	(void)state;
	expect_refused(two, NULL, "one, two");
	assert_string_equal(choose(two, "two", false, &e), OTHER);
	assert_string_equal(choose(machines, NULL, true, &e), SHA256);
	expect_refused(machines, NULL, "choose one");
	expect_refused(INDEX_OF(DESCRIPTOR(MANIFEST, SHA256, PLATFORM("arm64"))), NULL,
		       "linux/arm64");
}

static void hostile_indexes(void **state)
{
	_cleanup_strbuf_ struct strbuf many = { 0 }, deep = { 0 };
	struct oci_index index;
	struct err e;

	(void)state;
	expect_refused("", NULL, "no JSON");
	expect_refused("[]", NULL, "no JSON object");
	expect_refused("{\"schemaVersion\":1,\"manifests\":[]}", NULL, "schemaVersion");
	expect_refused("{\"schemaVersion\":2}", NULL, "list of manifests");
	expect_refused("{\"schemaVersion\":2,\"manifests\":{}}", NULL, "list of manifests");
	expect_refused(INDEX_OF("1"), NULL, "no size");
	expect_refused(INDEX_OF("{\"size\":-1,\"digest\":\"" SHA256 "\"}"), NULL, "no size");
	expect_refused(INDEX_OF("{\"size\":9223372036854775807,\"digest\":\"" SHA256 "\"}"), NULL,
		       "no size");
	expect_refused(INDEX_OF("{\"size\":1e3,\"digest\":\"" SHA256 "\"}"), NULL, "no size");
	expect_refused(INDEX_OF("{\"size\":1,\"digest\":\"sha256:../../x\"}"), NULL, "no digest");
	expect_refused(INDEX_OF("{\"size\":1,\"digest\":[]}"), NULL, "no digest");

	strbuf_puts(&many, "{\"schemaVersion\":2,\"manifests\":[");
	for (int i = 0; i <= OCI_INDEX_MAX; i++)
		strbuf_printf(&many, "%s1", i ? "," : "");
	strbuf_puts(&many, "]}");
	assert_int_equal(oci_index_parse(many.data, many.len, &index, &e), -E2BIG);

	for (int i = 0; i < 100000; i++)
		strbuf_puts(&deep, "{\"a\":[");
	assert_int_equal(oci_index_parse(deep.data, deep.len, &index, &e), -EINVAL);
	assert_non_null(strstr(e.text, "depth"));
}

static int parse_manifest(const char *text, struct err *e)
{
	struct oci_manifest m;
	int r = oci_manifest_parse(text, strlen(text), &m, e);

	if (r == 0)
		oci_manifest_free(&m);
	return r;
}

static void manifests(void **state)
{
	static const char two[] = MANIFEST_OF(
		DESCRIPTOR(LAYER "+gzip", SHA256,
			   "") "," DESCRIPTOR("application/vnd.docker.image.rootfs.diff.tar", OTHER,
					      ""));
	_cleanup_strbuf_ struct strbuf many = { 0 };
	struct oci_manifest m;
	struct err e;

	(void)state;
	assert_int_equal(oci_manifest_parse(two, strlen(two), &m, &e), 0);
	assert_int_equal(m.n, 2);
	assert_string_equal(m.layers[0].filter, "gzip");
	assert_null(m.layers[1].filter);
	assert_string_equal(m.layers[1].digest, OTHER);
	assert_int_equal(m.config.size, 2);
	oci_manifest_free(&m);

	assert_int_equal(parse_manifest(MANIFEST_OF(""), &e), 0);
	assert_int_equal(parse_manifest(MANIFEST_OF(
						DESCRIPTOR(LAYER "+gzip+encrypted", SHA256, "")),
					&e),
			 -ENOTSUP);
	assert_int_equal(parse_manifest(MANIFEST_OF(DESCRIPTOR(INDEX, SHA256, "")), &e), -ENOTSUP);
	assert_int_equal(parse_manifest("{\"schemaVersion\":2,\"layers\":[]}", &e), -EINVAL);
	assert_int_equal(parse_manifest("{\"schemaVersion\":2,\"layers\":[],\"config\":" DESCRIPTOR(
						"application/vnd.oci.empty.v1+json", SHA256,
						"") "}",
					&e),
			 -EINVAL);

	/* As many as a document has room for. */
	strbuf_puts(&many, "{\"schemaVersion\":2,\"config\":" DESCRIPTOR(CONFIG, SHA256,
									 "") ",\"layers\":[1");
	for (int i = 0; i < 100000; i++)
		strbuf_puts(&many, ",1");
	strbuf_puts(&many, "]}");
	assert_int_equal(oci_manifest_parse(many.data, many.len, &m, &e), -E2BIG);
}

static void configs(void **state)
{
#define ROOTFS "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" SHA256 "\"]}"
	static const struct {
		const char *text;
		int result;
	} cases[] = {
		{ "{" ROOTFS "}", 0 },
		{ "{" ROOTFS ",\"config\":null}", 0 },
		{ "{\"os\":\"linux\",\"architecture\":\"amd64\"," ROOTFS "}", 0 },
		{ "{\"os\":\"linux\",\"architecture\":\"arm64\"," ROOTFS "}", -ENOTSUP },
		{ "{\"os\":\"windows\"," ROOTFS "}", -ENOTSUP },
		{ "{}", -EINVAL },
		{ "{\"rootfs\":{\"type\":\"layers\"}}", -EINVAL },
		{ "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[1]}}", -EINVAL },
		{ "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"../x\"]}}", -EINVAL },
	};
	static const char text[] = "{" ROOTFS
				   ",\"config\":{\"Cmd\":[\"a\"],\"Labels\":{\"x\":\"y\"}}}";
	struct oci_config c;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(oci_config_parse(cases[i].text, strlen(cases[i].text), &c, &e),
				 cases[i].result);
		if (cases[i].result)
			continue;
		assert_int_equal(c.n, 1);
		assert_null(c.config);
		oci_config_free(&c);
	}
	assert_int_equal(oci_config_parse(text, strlen(text), &c, &e), 0);
	assert_string_equal(c.diff_ids[0], SHA256);
	/* What is of no use to vmrun is kept, too. */
	assert_non_null(strstr(c.config, "Labels"));
	oci_config_free(&c);
}

static void layouts(void **state)
{
	struct err e;

	(void)state;
#define LAYOUT(text) oci_layout_parse(text, strlen(text), &e)
	assert_int_equal(LAYOUT("{\"imageLayoutVersion\":\"1.0.0\"}"), 0);
	assert_int_equal(LAYOUT("{\"imageLayoutVersion\":\"2.0.0\"}"), -EINVAL);
	assert_int_equal(LAYOUT("{\"imageLayoutVersion\":1}"), -EINVAL);
	assert_int_equal(LAYOUT("{}"), -EINVAL);
}

/* --- blobs --- */

#define HELLO "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define HELLO_PATH "blobs/sha256/2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

static int read_blob(int layout, const char *digest, uint64_t size, struct err *e)
{
	struct oci_descriptor d = { .kind = OCI_MANIFEST, .size = size };
	_cleanup_free_ char *text = NULL;
	size_t len;

	snprintf(d.digest, sizeof(d.digest), "%s", digest);
	return oci_blob_read(layout, &d, &text, &len, e);
}

static void put_file(const struct fixture *fx, const char *path, const char *text)
{
	_cleanup_close_ int fd = openat(fx->fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
					0644);

	assert_true(fd >= 0);
	assert_int_equal(fs_write_all(fd, text, strlen(text)), 0);
}

static void blobs(void **state)
{
	const struct fixture *fx = *state;
	struct err e;

	assert_int_equal(mkdirat(fx->fd, "blobs", 0755), 0);
	assert_int_equal(mkdirat(fx->fd, "blobs/sha256", 0755), 0);
	put_file(fx, HELLO_PATH, "hello");
	assert_int_equal(read_blob(fx->fd, HELLO, 5, &e), 0);
	assert_int_equal(read_blob(fx->fd, HELLO, 4, &e), -EBADMSG);
	assert_int_equal(read_blob(fx->fd, HELLO, 6, &e), -EBADMSG);
	assert_int_equal(read_blob(fx->fd, HELLO, (uint64_t)1 << 39, &e), -EFBIG);
	assert_int_equal(read_blob(fx->fd, SHA256, 5, &e), -ENOENT);
	put_file(fx, HELLO_PATH, "hallo");
	assert_int_equal(read_blob(fx->fd, HELLO, 5, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "damaged"));
	/* What the right content is reached by, and not in the blob's place. */
	put_file(fx, "elsewhere", "hello");
	assert_int_equal(unlinkat(fx->fd, HELLO_PATH, 0), 0);
	assert_int_equal(symlinkat("../../elsewhere", fx->fd, HELLO_PATH), 0);
	assert_int_equal(read_blob(fx->fd, HELLO, 5, &e), -ELOOP);
	assert_int_equal(unlinkat(fx->fd, HELLO_PATH, 0), 0);
	assert_int_equal(mkfifoat(fx->fd, HELLO_PATH, 0644), 0);
	assert_int_equal(read_blob(fx->fd, HELLO, 5, &e), -EINVAL);
	assert_int_equal(unlinkat(fx->fd, HELLO_PATH, 0), 0);
	assert_int_equal(mkdirat(fx->fd, HELLO_PATH, 0755), 0);
	assert_int_equal(read_blob(fx->fd, HELLO, 5, &e), -EINVAL);
}

static void blobs_below_a_symlink(void **state)
{
	const struct fixture *fx = *state;
	struct err e;

	assert_int_equal(mkdirat(fx->fd, "real", 0755), 0);
	assert_int_equal(mkdirat(fx->fd, "real/sha256", 0755), 0);
	put_file(fx, "real/sha256/2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
		 "hello");
	assert_int_equal(symlinkat("real", fx->fd, "blobs"), 0);
	assert_int_equal(read_blob(fx->fd, HELLO, 5, &e), -ELOOP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests),
		cmocka_unit_test(hashes),
		cmocka_unit_test(one_image),
		cmocka_unit_test(several_images),
		cmocka_unit_test(hostile_indexes),
		cmocka_unit_test(manifests),
		cmocka_unit_test(configs),
		cmocka_unit_test(layouts),
		cmocka_unit_test_setup_teardown(blobs, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(blobs_below_a_symlink, fixture_set_up,
						fixture_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
