/* SPDX-License-Identifier: MIT */
#include "tests/unit/cpio_reader.h"

#include "initramfs/build.h"
#include "initramfs/modules.h"
#include "runner/base/cleanup.h"

#define INIT "\177ELF init"
#define NOISE_LEN ((size_t)50000)

static uint8_t noise[NOISE_LEN];

static int build(int modules_fd, struct strbuf *ret, struct err *e)
{
	*e = (struct err){ 0 };
	return initramfs_build(modules_fd, modules_wanted, INIT, sizeof(INIT) - 1, ret, e);
}

/* A module directory in all the forms that modules come in. */
static void make_modules(struct fixture *fx)
{
	_cleanup_strbuf_ struct strbuf xz = { 0 };
	_cleanup_strbuf_ struct strbuf zstd = { 0 };
	_cleanup_strbuf_ struct strbuf gz = { 0 };

	fixture_make(fx);
	compress_with("xz", noise, NOISE_LEN, &xz);
	compress_with("zstd", "a module", 8, &zstd);
	compress_with("gzip", "another module", 14, &gz);
	fixture_write(fx, "kernel/fs/9p/9p.ko.xz", xz.data, xz.len);
	fixture_write(fx, "kernel/net/9p/9pnet.ko.zst", zstd.data, zstd.len);
	fixture_write(fx, "kernel/net/9p/9pnet_virtio.ko.gz", gz.data, gz.len);
	fixture_puts(fx, "kernel/drivers/char/hw_random/virtio-rng.ko", "plain");
	fixture_puts(fx, "modules.dep",
		     "kernel/fs/9p/9p.ko.xz: kernel/net/9p/9pnet.ko.zst\n"
		     "kernel/net/9p/9pnet.ko.zst:\n"
		     "kernel/net/9p/9pnet_virtio.ko.gz: kernel/net/9p/9pnet.ko.zst\n"
		     "kernel/drivers/char/hw_random/virtio-rng.ko:\n");
	fixture_puts(fx, "modules.builtin",
		     "kernel/drivers/virtio/virtio_pci.ko\n"
		     "kernel/drivers/char/virtio_console.ko\n");
}

static int setup(void **state)
{
	static struct fixture fx;

	fill_noise(noise, NOISE_LEN);
	make_modules(&fx);
	*state = &fx;
	return 0;
}

static int teardown(void **state)
{
	fixture_remove(*state);
	return 0;
}

static void expect_file(const struct cpio_archive *ar, const char *name, uint32_t mode,
			const void *data, size_t len)
{
	const struct cpio_entry *en = cpio_find(ar, name);

	assert_int_equal(en->mode, S_IFREG | mode);
	assert_int_equal(en->size, len);
	assert_memory_equal(en->data, data, len);
}

static void test_content(void **state)
{
	static const char list[] = "/lib/9pnet.ko\n/lib/9p.ko\n/lib/9pnet_virtio.ko\n"
				   "/lib/virtio-rng.ko\n";
	const struct fixture *fx = *state;
	_cleanup_strbuf_ struct strbuf out = { 0 };
	const struct cpio_entry *console;
	struct cpio_archive ar;
	struct err e;

	if (build(fx->fd, &out, &e) != 0)
		fail_msg("%s", e.text);
	cpio_read(out.data, out.len, &ar);
	assert_int_equal(ar.n, 9);
	expect_file(&ar, "init", 0755, INIT, sizeof(INIT) - 1);
	expect_file(&ar, "modules", 0644, list, sizeof(list) - 1);
	expect_file(&ar, "lib/9p.ko", 0644, noise, NOISE_LEN);
	expect_file(&ar, "lib/9pnet.ko", 0644, "a module", 8);
	expect_file(&ar, "lib/9pnet_virtio.ko", 0644, "another module", 14);
	expect_file(&ar, "lib/virtio-rng.ko", 0644, "plain", 5);
	assert_int_equal(cpio_find(&ar, "dev")->mode, S_IFDIR | 0755);
	assert_int_equal(cpio_find(&ar, "lib")->mode, S_IFDIR | 0755);
	/* The kernel unpacks in order: a directory comes before what is in it. */
	assert_true(cpio_find(&ar, "lib") < cpio_find(&ar, "lib/9p.ko"));
	console = cpio_find(&ar, "dev/console");
	assert_true(console > cpio_find(&ar, "dev"));
	assert_int_equal(console->mode, S_IFCHR | 0600);
	assert_int_equal(console->rmajor, 5);
	assert_int_equal(console->rminor, 1);
}

static void test_reproducible(void **state)
{
	const struct fixture *fx = *state;
	_cleanup_strbuf_ struct strbuf first = { 0 };
	_cleanup_strbuf_ struct strbuf second = { 0 };
	struct fixture other;
	struct err e;

	make_modules(&other);
	assert_int_equal(build(fx->fd, &first, &e), 0);
	assert_int_equal(build(other.fd, &second, &e), 0);
	assert_int_equal(first.len, second.len);
	assert_memory_equal(first.data, second.data, first.len);
	fixture_remove(&other);
}

static void test_no_modules(void **state)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct cpio_archive ar;
	struct err e;

	(void)state;
	assert_int_equal(build(-1, &out, &e), 0);
	cpio_read(out.data, out.len, &ar);
	assert_int_equal(ar.n, 5);
	assert_int_equal(cpio_find(&ar, "modules")->size, 0);
	expect_file(&ar, "init", 0755, INIT, sizeof(INIT) - 1);
}

static void expect_error(const struct fixture *fx, int want, const char *text)
{
	struct strbuf out = { .len = 4711 };
	struct err e;

	assert_int_equal(build(fx->fd, &out, &e), want);
	assert_int_equal(e.errnum, -want);
	if (!strstr(e.text, text))
		fail_msg("\"%s\" does not say \"%s\"", e.text, text);
	assert_int_equal(out.len, 4711);
}

static void test_bad_lists(void **state)
{
	struct fixture fx;

	(void)state;
	make_modules(&fx);
	fixture_sparse(&fx, "modules.builtin", (off_t)10 << 40);
	expect_error(&fx, -EFBIG, "modules.builtin");
	unlink(fixture_path(&fx, "modules.builtin"));
	expect_error(&fx, -ENOENT, "no module virtio_pci");
	fixture_sparse(&fx, "modules.dep", (off_t)10 << 40);
	expect_error(&fx, -EFBIG, "modules.dep");
	unlink(fixture_path(&fx, "modules.dep"));
	expect_error(&fx, -ENOENT, "modules.dep");
	fixture_symlink(&fx, "/proc/self/environ", "modules.dep");
	expect_error(&fx, -ENOENT, "modules.dep");
	unlink(fixture_path(&fx, "modules.dep"));
	fixture_fifo(&fx, "modules.dep");
	expect_error(&fx, -EINVAL, "modules.dep");
	fixture_remove(&fx);
}

/* Replaces a module by what is not one. */
static void test_bad_modules(void **state)
{
	static const char plain[] = "kernel/drivers/char/hw_random/virtio-rng.ko";
	static const char packed[] = "kernel/fs/9p/9p.ko.xz";
	static const char cut_xz[] = "\3757zXZ\0and no more";
	const size_t bomb_len = MODULE_FILE_MAX + 1;
	_cleanup_free_ void *zeros = calloc(1, bomb_len);
	_cleanup_strbuf_ struct strbuf bomb = { 0 };
	struct fixture fx;

	(void)state;
	make_modules(&fx);
	unlink(fixture_path(&fx, plain));
	expect_error(&fx, -ENOENT, "modules.dep names kernel/drivers/char");
	fixture_symlink(&fx, "/etc/passwd", plain);
	expect_error(&fx, -ENOENT, "modules.dep names kernel/drivers/char");
	unlink(fixture_path(&fx, plain));
	fixture_symlink(&fx, "../../../../../../../../../../etc/passwd", plain);
	expect_error(&fx, -ENOENT, "modules.dep names kernel/drivers/char");
	unlink(fixture_path(&fx, plain));
	fixture_fifo(&fx, plain);
	expect_error(&fx, -EINVAL, plain);
	unlink(fixture_path(&fx, plain));
	fixture_mkdir(&fx, plain);
	expect_error(&fx, -EISDIR, plain);
	rmdir(fixture_path(&fx, plain));
	fixture_sparse(&fx, plain, (off_t)10 << 40);
	expect_error(&fx, -EFBIG, plain);
	fixture_puts(&fx, plain, "");

	fixture_write(&fx, packed, cut_xz, sizeof(cut_xz));
	expect_error(&fx, -EBADMSG, packed);
	fixture_puts(&fx, packed, "plain after all");
	expect_error(&fx, -ENOTSUP, packed);
	assert_non_null(zeros);
	compress_with("xz", zeros, bomb_len, &bomb);
	fixture_write(&fx, packed, bomb.data, bomb.len);
	expect_error(&fx, -EFBIG, packed);
	fixture_remove(&fx);
}

/* Each module within its limit, all together not. */
static void test_too_large(void **state)
{
	_cleanup_strbuf_ struct strbuf dep = { 0 };
	struct fixture fx;

	(void)state;
	make_modules(&fx);
	strbuf_puts(&dep, "9pnet_virtio.ko:\n9p.ko:");
	for (unsigned int i = 0; i < 9; i++) {
		char name[32];

		snprintf(name, sizeof(name), "m%u.ko", i);
		fixture_sparse(&fx, name, MODULE_FILE_MAX);
		strbuf_printf(&dep, " %s\n%s:", name, name);
	}
	strbuf_putc(&dep, '\n');
	fixture_write(&fx, "modules.dep", dep.data, dep.len);
	expect_error(&fx, -EFBIG, "more than 128 MiB");
	fixture_remove(&fx);
}

static void identify(int modules_fd, struct strbuf *ret, uint64_t *ret_newest)
{
	struct err e;

	strbuf_free(ret);
	*ret_newest = 0;
	if (initramfs_identify(modules_fd, modules_wanted, ret, ret_newest, &e) != 0)
		fail_msg("%s", e.text);
}

static bool same(const struct strbuf *a, const struct strbuf *b)
{
	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

/* The files that the archive is made of, and no others, are told by name and state. */
static void test_identity(void **state)
{
	_cleanup_strbuf_ struct strbuf was = { 0 }, is = { 0 };
	uint64_t newest, then;
	struct fixture fx;
	struct stat st;

	(void)state;
	make_modules(&fx);
	identify(fx.fd, &was, &newest);
	identify(fx.fd, &is, &then);
	assert_true(same(&was, &is));
	assert_int_equal(newest, then);
	assert_true(newest > 0);

	fixture_puts(&fx, "kernel/fs/ext4/ext4.ko", "not wanted");
	identify(fx.fd, &is, &then);
	assert_true(same(&was, &is));

	/* The same content, but written anew. */
	fixture_puts(&fx, "kernel/drivers/char/hw_random/virtio-rng.ko", "plain");
	identify(fx.fd, &is, &then);
	assert_false(same(&was, &is));
	assert_true(then >= newest);
	assert_int_equal(fstatat(fx.fd, "kernel/drivers/char/hw_random/virtio-rng.ko", &st, 0), 0);
	assert_true(then >= (uint64_t)st.st_ctim.tv_sec * 1000000000u);

	/* None at all is what --modules=none comes to. */
	strbuf_free(&is);
	identify(-1, &is, &then);
	assert_int_equal(is.len, 0);
	fixture_remove(&fx);
}

static void test_identity_of_missing(void **state)
{
	_cleanup_strbuf_ struct strbuf ids = { 0 };
	uint64_t newest = 0;
	struct fixture fx;
	struct err e;

	(void)state;
	make_modules(&fx);
	assert_int_equal(unlinkat(fx.fd, "kernel/fs/9p/9p.ko.xz", 0), 0);
	assert_int_equal(initramfs_identify(fx.fd, modules_wanted, &ids, &newest, &e), -ENOENT);
	assert_non_null(strstr(e.text, "9p.ko.xz"));
	fixture_remove(&fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),    cmocka_unit_test(test_identity_of_missing),
		cmocka_unit_test(test_content),	    cmocka_unit_test(test_reproducible),
		cmocka_unit_test(test_no_modules),  cmocka_unit_test(test_bad_lists),
		cmocka_unit_test(test_bad_modules), cmocka_unit_test(test_too_large),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
