/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"

#include <sys/xattr.h>

#include "rootfs-tools/archive/unpack.h"
#include "runner/base/cleanup.h"
#include "runner/host/archive_lib.h"
#include "tests/unit/unpack_world.h"

/* What is packed into an archive, in its order. */
struct item {
	const char *name;
	char type; /* d, f, l (symlink), h (hard link) */
	mode_t mode;
	const char *text; /* content, or where a link goes */
};

static const struct archive_lib *lib;

static int enter(void **state)
{
	struct err e;

	(void)state;
	lib = archive_lib_load(&e);
	return lib && unpack_world_enter() == 0 ? 0 : -1;
}

static la_ssize_t collect(struct archive *a, void *arg, const void *data, size_t len)
{
	(void)a;
	strbuf_add(arg, data, len);
	return (la_ssize_t)len;
}

static void add(struct archive *a, const struct item *it)
{
	static const mode_t types[] = {
		['d'] = AE_IFDIR, ['f'] = AE_IFREG, ['l'] = AE_IFLNK, ['h'] = AE_IFREG
	};
	struct archive_entry *entry = lib->archive_entry_new();
	size_t len = it->type == 'f' && it->text ? strlen(it->text) : 0;

	assert_non_null(entry);
	lib->archive_entry_set_pathname(entry, it->name);
	lib->archive_entry_set_mode(entry, types[(int)it->type] | it->mode);
	lib->archive_entry_set_mtime(entry, 1000000000, 5);
	lib->archive_entry_set_size(entry, (int64_t)len);
	if (it->type == 'l')
		lib->archive_entry_set_symlink(entry, it->text);
	if (it->type == 'h')
		lib->archive_entry_set_hardlink(entry, it->text);
	assert_int_equal(lib->archive_write_header(a, entry), ARCHIVE_OK);
	assert_int_equal(lib->archive_write_data(a, it->text, len), len);
	lib->archive_entry_free(entry);
}

static void pack_items(const struct item *items, size_t n, struct strbuf *out)
{
	struct archive *a = lib->archive_write_new();

	assert_non_null(a);
	assert_int_equal(lib->archive_write_set_format_pax(a), ARCHIVE_OK);
	assert_int_equal(lib->archive_write_open(a, out, NULL, collect, NULL), ARCHIVE_OK);
	for (size_t i = 0; i < n; i++)
		add(a, &items[i]);
	assert_int_equal(lib->archive_write_close(a), ARCHIVE_OK);
	lib->archive_write_free(a);
	assert_false(out->failed);
}

static int unpack_bytes(const struct fixture *fx, const void *data, size_t len,
			const struct unpack *how, struct unpack_report *report, struct err *e)
{
	struct unpack u = *how;
	int r;

	u.fd = fixture_memfd(data, len);
	u.root = fx->fd;
	u.name = "test";
	r = unpack_run(&u, report, e);
	close(u.fd);
	return r;
}

static int unpack_items(const struct fixture *fx, const struct item *items, size_t n, bool layer,
			struct unpack_report *report)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	const struct unpack how = { .whiteouts = layer };
	struct err e = { 0 };
	int r;

	*report = (struct unpack_report){ 0 };
	pack_items(items, n, &out);
	r = unpack_bytes(fx, out.data, out.len, &how, report, &e);
	return r;
}

/* Of an array; the losses are expected to be none. */
#define UNPACK(fx, layer, ...)                                                          \
	({                                                                              \
		const struct item items_[] = { __VA_ARGS__ };                           \
		struct unpack_report report_;                                           \
		int r_ = unpack_items(fx, items_, ARRAY_SIZE(items_), layer, &report_); \
		assert_int_equal(report_.losses.n, 0);                                  \
		r_;                                                                     \
	})

static void expect(const struct fixture *fx, const char *name, const char *want)
{
	_cleanup_free_ char *data = NULL;
	size_t len;

	if (!want) {
		assert_int_not_equal(faccessat(fx->fd, name, F_OK, AT_SYMLINK_NOFOLLOW), 0);
		return;
	}
	assert_int_equal(fs_read_regular(fx->fd, name, 1000, &data, &len), 0);
	assert_string_equal(data, want);
}

static mode_t mode_of(const struct fixture *fx, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(fx->fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_mode;
}

static void attributes(void **state)
{
	struct fixture *fx = *state;
	struct stat st;

	assert_int_equal(UNPACK(fx, false, { "./d", 'd', 02751, NULL }, { "d/f", 'f', 06755, "x" },
				{ "d/closed", 'd', 0, NULL }, { "d/closed/f", 'f', 0, "y" },
				{ "d/l", 'l', 0777, "f" }, { "d/h", 'h', 06755, "d/f" },
				{ "made/below/f", 'f', 0644, "z" }),
			 0);
	assert_int_equal(mode_of(fx, "d"), S_IFDIR | 02751);
	assert_int_equal(mode_of(fx, "d/f"), S_IFREG | 06755);
	assert_int_equal(mode_of(fx, "d/closed"), S_IFDIR);
	assert_int_equal(mode_of(fx, "made/below"), S_IFDIR | 0755);
	for (const char *const *name = (const char *const[]){ "d", "d/f", "d/l", "d/closed", NULL };
	     *name; name++) {
		assert_int_equal(fstatat(fx->fd, *name, &st, AT_SYMLINK_NOFOLLOW), 0);
		assert_int_equal(st.st_mtim.tv_sec, 1000000000);
		assert_int_equal(st.st_mtim.tv_nsec, 5);
	}
	assert_int_equal(fstatat(fx->fd, "d/f", &st, 0), 0);
	assert_int_equal(st.st_nlink, 2);
}

static void last_one_counts(void **state)
{
	struct fixture *fx = *state;

	assert_int_equal(UNPACK(fx, false, { "d", 'd', 0700, NULL },
				{ "f", 'f', 0644, "long content" }, { "h", 'h', 0644, "f" },
				{ "f", 'f', 0600, "new" }, { "d", 'd', 0711, NULL },
				{ "l", 'l', 0777, "f" }, { "l", 'd', 0755, NULL },
				{ "l/x", 'f', 0644, "x" }, { "h", 'h', 0644, "h" }),
			 0);
	expect(fx, "f", "new");
	expect(fx, "h", "long content");
	expect(fx, "l/x", "x");
	assert_int_equal(mode_of(fx, "d"), S_IFDIR | 0711);
	assert_int_equal(UNPACK(fx, false, { "d", 'f', 0644, "no" }), -EEXIST);
}

static void whiteouts(void **state)
{
	struct fixture *fx = *state;

	assert_int_equal(UNPACK(fx, true, { "a", 'f', 0644, "1" }, { "b", 'f', 0644, "1" },
				{ "d/x/y", 'f', 0644, "1" }, { "d/z", 'f', 0644, "1" },
				{ "e/x/y", 'f', 0644, "1" }, { "e/z", 'f', 0644, "1" },
				{ "l", 'l', 0777, "d" }),
			 0);
	assert_int_equal(UNPACK(fx, true, { ".wh.a", 'f', 0, NULL }, { ".wh.none", 'f', 0, NULL },
				{ ".wh.l", 'f', 0, NULL }, { "d", 'd', 0755, NULL },
				{ ".wh..wh.plnk", 'd', 0700, NULL }, { "d/new", 'f', 0644, "2" },
				{ "d/x/new", 'f', 0644, "2" },
				/* Behind what is of this layer: that stays. */
				{ "d/.wh..wh..opq", 'f', 0, NULL }, { "e/x/new", 'f', 0644, "2" },
				{ ".wh.e", 'f', 0, NULL }, { "b", 'f', 0644, "2" },
				{ ".wh.b", 'f', 0, NULL }),
			 0);
	expect(fx, "a", NULL);
	expect(fx, "l", NULL);
	expect(fx, ".wh.a", NULL);
	expect(fx, ".wh..wh.plnk", NULL);
	expect(fx, "b", "2");
	expect(fx, "d/new", "2");
	expect(fx, "d/x/new", "2");
	expect(fx, "d/x/y", NULL);
	expect(fx, "d/z", NULL);
	expect(fx, "d/.wh..wh..opq", NULL);
	expect(fx, "e/x/new", "2");
	expect(fx, "e/x/y", NULL);
	expect(fx, "e/z", NULL);
	assert_int_equal(UNPACK(fx, true, { "x/.wh..", 'f', 0, NULL }), -EINVAL);
	assert_int_equal(UNPACK(fx, true, { "x/.wh...", 'f', 0, NULL }), -EINVAL);
	assert_int_equal(UNPACK(fx, true, { "x/.wh.", 'f', 0, NULL }), -EINVAL);
}

static void no_whiteouts_in_a_tar(void **state)
{
	struct fixture *fx = *state;

	assert_int_equal(UNPACK(fx, false, { "a", 'f', 0644, "1" }, { ".wh.a", 'f', 0644, "2" }),
			 0);
	expect(fx, "a", "1");
	expect(fx, ".wh.a", "2");
}

static void layers_replace(void **state)
{
	struct fixture *fx = *state;

	assert_int_equal(UNPACK(fx, true, { "d/x/y", 'f', 0644, "1" }, { "f", 'f', 0644, "1" },
				{ "l", 'l', 0777, "d" }, { "g", 'd', 0755, NULL }),
			 0);
	assert_int_equal(UNPACK(fx, true, { "d", 'f', 0644, "2" }, { "f", 'd', 0750, NULL },
				{ "f/x", 'f', 0644, "2" }, { "l", 'd', 0755, NULL },
				{ "l/x", 'f', 0644, "2" }, { "g", 'l', 0777, "f" }),
			 0);
	expect(fx, "d", "2");
	expect(fx, "f/x", "2");
	expect(fx, "l/x", "2");
	assert_true(S_ISLNK(mode_of(fx, "g")));
	/* Never through a lower layer's symlink. */
	assert_int_equal(UNPACK(fx, true, { "g/x", 'f', 0644, "3" }), -ELOOP);
}

/* A lower layer's directories have their attributes already. */
static void handed_down(void **state)
{
	static const uint8_t acl[] = {
		2, 0, 0,   0,	1,   0,	  7,  0, 255, 255, 255, 255, 2,	  0,   7,
		0, 0, 0,   0,	0,   4,	  0,  7, 0,   255, 255, 255, 255, 16,  0,
		7, 0, 255, 255, 255, 255, 32, 0, 0,   0,   255, 255, 255, 255,
	};
	struct fixture *fx = *state;

	assert_int_equal(UNPACK(fx, true, { "d", 'd', 02755, NULL }), 0);
	assert_int_equal(setxattr(fixture_path(fx, "d"), "system.posix_acl_default", acl,
				  sizeof(acl), 0),
			 0);
	assert_int_equal(setxattr(fixture_path(fx, "d"), "user.old", "x", 1, 0), 0);
	assert_int_equal(UNPACK(fx, true, { "d/f", 'f', 0640, "2" }, { "d/s", 'd', 0750, NULL }),
			 0);
	assert_int_equal(mode_of(fx, "d/f"), S_IFREG | 0640);
	assert_int_equal(mode_of(fx, "d/s"), S_IFDIR | 0750);
	assert_true(getxattr(fixture_path(fx, "d/f"), "system.posix_acl_access", NULL, 0) < 0);
	assert_true(getxattr(fixture_path(fx, "d/s"), "system.posix_acl_default", NULL, 0) < 0);
	assert_int_equal(mode_of(fx, "d"), S_IFDIR | 02755);
	/* Named, it is as the layer has it. */
	assert_int_equal(UNPACK(fx, true, { "d", 'd', 0711, NULL }), 0);
	assert_int_equal(mode_of(fx, "d"), S_IFDIR | 0711);
	assert_true(getxattr(fixture_path(fx, "d"), "system.posix_acl_default", NULL, 0) < 0);
	assert_true(getxattr(fixture_path(fx, "d"), "user.old", NULL, 0) < 0);
}

static void the_root_itself(void **state)
{
	struct fixture *fx = *state;
	static const struct item items[] = { { ".", 'd', 0711, NULL }, { "f", 'f', 0644, "1" } };
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct unpack how = { .keep_root = true };
	struct unpack_report report = { 0 };
	struct err e = { 0 };

	pack_items(items, 2, &out);
	assert_int_equal(unpack_bytes(fx, out.data, out.len, &how, &report, &e), 0);
	assert_int_equal(mode_of(fx, "."), S_IFDIR | 0700);
	assert_false(report.has_root);
	assert_int_equal(unpack_seal(fx->fd, &report, &e), 0);
	assert_int_equal(mode_of(fx, "."), S_IFDIR | 0755);
	how.keep_root = false;
	assert_int_equal(unpack_bytes(fx, out.data, out.len, &how, &report, &e), 0);
	assert_true(report.has_root);
	assert_int_equal(unpack_seal(fx->fd, &report, &e), 0);
	assert_int_equal(mode_of(fx, "."), S_IFDIR | 0711);
}

static void end_mark(void **state)
{
	struct fixture *fx = *state;
	static const struct item items[] = { { "f", 'f', 0644, "1" } };
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct unpack how = { 0 };
	struct unpack_report report = { 0 };
	struct err e = { 0 };

	pack_items(items, 1, &out);
	for (size_t len = 0; len < out.len; len += 512) {
		/* A header, more of them for the time, the content; then the mark. */
		bool marked = len > 4 * 512;

		assert_int_equal(unpack_bytes(fx, out.data, len, &how, &report, &e) == 0, marked);
	}
	/* A layer's digest says that it is whole. */
	how.whiteouts = true;
	assert_int_equal(unpack_bytes(fx, out.data, (size_t)4 * 512 + 512, &how, &report, &e), 0);
	/* Two in a row; and something that is none. */
	how.whiteouts = false;
	pack_items(items, 1, &out);
	report.entries = 0;
	assert_int_equal(unpack_bytes(fx, out.data, out.len, &how, &report, &e), 0);
	assert_int_equal(report.entries, 2);
	strbuf_add(&out, "rubbish, and more of it", 23);
	assert_int_equal(unpack_bytes(fx, out.data, out.len, &how, &report, &e), -EBADMSG);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_set_up, fixture_tear_down)
		TEST(attributes),      TEST(last_one_counts),
		TEST(whiteouts),       TEST(no_whiteouts_in_a_tar),
		TEST(layers_replace),  TEST(handed_down),
		TEST(the_root_itself), TEST(end_mark),
#undef TEST
	};

	return cmocka_run_group_tests(tests, enter, NULL);
}
