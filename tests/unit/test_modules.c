/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"

#include <time.h>

#include "initramfs/modules.h"
#include "runner/base/cleanup.h"

#define SECOND_MS 1000

static const struct module_want want_9p[] = {
	{ "9p", true, "the root file system" },
	{ NULL, false, NULL },
};

/* Debian's own, shortened to what is wanted. */
static const char debian_dep[] =
	"kernel/drivers/virtio/virtio.ko:\n"
	"kernel/drivers/virtio/virtio_ring.ko: kernel/drivers/virtio/virtio.ko\n"
	"kernel/drivers/virtio/virtio_pci_legacy_dev.ko:\n"
	"kernel/drivers/virtio/virtio_pci_modern_dev.ko:\n"
	"kernel/drivers/virtio/virtio_pci.ko: kernel/drivers/virtio/virtio_pci_legacy_dev.ko "
	"kernel/drivers/virtio/virtio_pci_modern_dev.ko kernel/drivers/virtio/virtio.ko "
	"kernel/drivers/virtio/virtio_ring.ko\n"
	"kernel/drivers/char/virtio_console.ko: kernel/drivers/virtio/virtio.ko "
	"kernel/drivers/virtio/virtio_ring.ko\n"
	"kernel/drivers/char/hw_random/virtio-rng.ko: kernel/drivers/virtio/virtio.ko "
	"kernel/drivers/virtio/virtio_ring.ko\n"
	"kernel/fs/netfs/netfs.ko:\n"
	"kernel/fs/fscache/fscache.ko: kernel/fs/netfs/netfs.ko\n"
	"kernel/fs/9p/9p.ko: kernel/net/9p/9pnet.ko kernel/fs/fscache/fscache.ko "
	"kernel/fs/netfs/netfs.ko\n"
	"kernel/net/9p/9pnet.ko:\n"
	"kernel/net/9p/9pnet_virtio.ko: kernel/net/9p/9pnet.ko kernel/drivers/virtio/virtio.ko "
	"kernel/drivers/virtio/virtio_ring.ko\n"
	"kernel/net/9p/9pnet_rdma.ko: kernel/net/9p/9pnet.ko\n";
static const char debian_builtin[] = "kernel/drivers/virt/vmgenid.ko\n";

static int closure(const char *dep, const char *builtin, const struct module_want *want,
		   struct strvec *ret, struct err *e)
{
	*e = (struct err){ 0 };
	return modules_closure(dep, strlen(dep), builtin, strlen(builtin), want, ret, e);
}

/* @expected: the paths, a space behind each. */
static void expect_order(const char *dep, const char *builtin, const struct module_want *want,
			 const char *expected)
{
	_cleanup_strvec_ struct strvec got = { 0 };
	_cleanup_strbuf_ struct strbuf joined = { 0 };
	struct err e;

	if (closure(dep, builtin, want, &got, &e) != 0)
		fail_msg("%s", e.text);
	for (size_t i = 0; i < got.n; i++)
		strbuf_printf(&joined, "%s ", got.v[i]);
	assert_string_equal(strbuf_str(&joined), expected);
}

static void expect_error(const char *dep, const char *builtin, int want, const char *text)
{
	struct strvec got = { .n = 4711 };
	struct err e;

	assert_int_equal(closure(dep, builtin, want_9p, &got, &e), want);
	assert_int_equal(e.errnum, -want);
	if (!strstr(e.text, text))
		fail_msg("\"%s\" does not say \"%s\"", e.text, text);
	assert_int_equal(got.n, 4711);
}

static void test_debian(void **state)
{
	(void)state;
	expect_order(debian_dep, debian_builtin, modules_wanted,
		     "kernel/drivers/virtio/virtio_pci_legacy_dev.ko "
		     "kernel/drivers/virtio/virtio_pci_modern_dev.ko "
		     "kernel/drivers/virtio/virtio.ko "
		     "kernel/drivers/virtio/virtio_ring.ko "
		     "kernel/drivers/virtio/virtio_pci.ko "
		     "kernel/drivers/char/virtio_console.ko "
		     "kernel/net/9p/9pnet.ko "
		     "kernel/fs/netfs/netfs.ko "
		     "kernel/fs/fscache/fscache.ko "
		     "kernel/fs/9p/9p.ko "
		     "kernel/net/9p/9pnet_virtio.ko "
		     "kernel/drivers/char/hw_random/virtio-rng.ko ");
}

static void test_built_in(void **state)
{
	(void)state;
	expect_order("", "kernel/fs/9p/9p.ko\n", want_9p, "");
	expect_order("", "kernel/fs/9p/9p.ko", want_9p, "");
	/* a dependency that is no file any more */
	expect_order("a/9p.ko: a/net-fs.ko\n", "b/net_fs.ko\n", want_9p, "a/9p.ko ");
	/* what is in the kernel cannot be loaded again */
	expect_order("a/9p.ko:\n", "a/9p.ko\n", want_9p, "");
}

static void test_missing(void **state)
{
	struct strvec got = { 0 };
	struct err e;

	(void)state;
	expect_error("", "", -ENOENT, "the kernel has no module 9p");
	expect_error("a/9pnet.ko:\n", "a/x9p.ko\n", -ENOENT, "the root file system");
	expect_error("a/9p.o:\na/9p\na/9p.ko.lzo:\n.ko:\n", "", -ENOENT, "no module 9p");
	expect_error("a/9p.ko\n", "", -ENOENT, "no module 9p");

	/* the cloud flavour of Debian's kernel */
	assert_int_equal(closure("a/virtio_pci.ko:\n", "b/virtio_console.ko\n", modules_wanted,
				 &got, &e),
			 -ENOENT);
	assert_non_null(strstr(e.text, "CONFIG_9P_FS"));
	assert_non_null(strstr(e.text, "cloud flavour"));
	assert_non_null(strstr(e.text, "; install linux-image-amd64"));
	assert_non_null(strstr(e.text, "-k"));
}

static void test_compressed_and_dashes(void **state)
{
	static const struct module_want want[] = {
		{ "virtio_rng", true, "" },
		{ "virtio-net", true, "" },
		{ "vmgenid", false, "" },
		{ NULL, false, NULL },
	};

	(void)state;
	expect_order("a/virtio-rng.ko.xz: a/virtio.ko.gz\na/virtio.ko.gz:\n"
		     "a/virtio_net.ko.zst: a/virtio.ko.gz\n",
		     "", want, "a/virtio.ko.gz a/virtio-rng.ko.xz a/virtio_net.ko.zst ");
}

static void test_odd_text(void **state)
{
	(void)state;
	expect_order("a/9p.ko: a/b.ko\r\na/b.ko:\r\n", "x.ko\r\n", want_9p, "a/b.ko a/9p.ko ");
	expect_order("a/b.ko:\na/9p.ko: a/b.ko", "", want_9p, "a/b.ko a/9p.ko ");
	expect_order("\n\n:\n: :\n#\n/:\na/9p.ko:   a/b.ko  \n\na/b.ko:\n", "\n\r\n", want_9p,
		     "a/b.ko a/9p.ko ");
	expect_order("9p.ko:", "", want_9p, "9p.ko ");
	/* of two lines for one name the first counts */
	expect_order("a/9p.ko: a/b.ko\na/b.ko:\na/9p.ko: a/c.ko\nz/9p.ko:\na/b.ko: a/9p.ko\n", "",
		     want_9p, "a/b.ko a/9p.ko ");
	/* what is out of order does not matter where nobody needs it */
	expect_order("/abs.ko: /abs.ko\n../up.ko:\na/9p.ko:\n", "", want_9p, "a/9p.ko ");
}

static void test_cycles(void **state)
{
	(void)state;
	expect_error("a/9p.ko: a/9p.ko\n", "", -EINVAL, "depends on itself");
	expect_error("a/9p.ko: a/b.ko\na/b.ko: a/c.ko\na/c.ko: a/b.ko\n", "", -EINVAL,
		     "a/b.ko depends on itself");
}

static void test_paths(void **state)
{
	static const char *const bad[] = {
		"/lib/9p.ko",	   "../9p.ko",	 "a/../9p.ko",	    "a/./9p.ko",  "./9p.ko",
		"a//9p.ko",	   "a/.b/9p.ko", "a b/9p.ko",	    "a\tb/9p.ko", "a\x1b[31m/9p.ko",
		"a\xc3\xa4/9p.ko", "a;b/9p.ko",	 "$(reboot)/9p.ko", "a\\b/9p.ko",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_strbuf_ struct strbuf text = { 0 };

		strbuf_printf(&text, "%s:\n", bad[i]);
		expect_error(text.data, "", -EINVAL, "no clean relative path");
		strbuf_free(&text);
		/* as a dependency, be there a line for it or not */
		strbuf_printf(&text, "a/9p.ko: %s\n", bad[i]);
		expect_error(text.data, "", -EINVAL, "modules.dep");
	}
	expect_error("a/9p.ko: /b.ko\n/b.ko:\n", "", -EINVAL, "no clean relative path");
	expect_error("a/9p.ko: ../b.ko\n../b.ko:\n", "", -EINVAL, "no clean relative path");
	/* the same name at another place is not what was asked for */
	expect_error("a/9p.ko: ../b.ko\na/b.ko:\n", "", -EINVAL, "../b.ko, which has no line");
	expect_error("a/9p.ko: b/b.ko\na/b.ko:\n", "", -EINVAL, "b/b.ko, which has no line");
	expect_error("a/9p.ko: nonsense\n", "", -EINVAL, "nonsense, which has no line");
}

static void test_nul_bytes(void **state)
{
	static const char dep[] = "a\0b/9p.ko:\n";
	struct strvec got = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(modules_closure(dep, sizeof(dep) - 1, "", 0, want_9p, &got, &e), -EINVAL);
}

static void test_long_path(void **state)
{
	_cleanup_strbuf_ struct strbuf text = { 0 };

	(void)state;
	for (size_t i = 0; i < 600; i++)
		strbuf_putc(&text, 'a');
	strbuf_puts(&text, "/9p.ko:\n");
	expect_error(text.data, "", -EINVAL, "no clean relative path");
}

/* "m0: m1", "m1: m2" ... with 9p in front: @n modules in all. */
static void chain(struct strbuf *text, unsigned int n)
{
	strbuf_puts(text, "9p.ko:");
	for (unsigned int i = 1; i < n; i++)
		strbuf_printf(text, " m%u.ko\nm%u.ko:", i, i);
	strbuf_putc(text, '\n');
}

static void test_too_many(void **state)
{
	_cleanup_strbuf_ struct strbuf most = { 0 };
	_cleanup_strbuf_ struct strbuf more = { 0 };
	_cleanup_strbuf_ struct strbuf deep = { 0 };
	_cleanup_strvec_ struct strvec got = { 0 };
	struct err e;

	(void)state;
	chain(&most, MODULES_CLOSURE_MAX);
	assert_int_equal(closure(most.data, "", want_9p, &got, &e), 0);
	assert_int_equal(got.n, MODULES_CLOSURE_MAX);
	assert_string_equal(got.v[MODULES_CLOSURE_MAX - 1], "9p.ko");
	chain(&more, MODULES_CLOSURE_MAX + 1);
	expect_error(more.data, "", -EINVAL, "more than 128 modules");
	chain(&deep, 200000);
	expect_error(deep.data, "", -EINVAL, "more than 128 modules");
}

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Each text is 10 MB or more of another kind of work; none may cost seconds. */
static void test_large(void **state)
{
	const size_t size = (size_t)10 << 20;
	struct strbuf texts[5] = { 0 };

	(void)state;
	/* an honest one, far larger than any */
	for (unsigned int i = 0; texts[0].len < size; i++)
		strbuf_printf(&texts[0],
			      "kernel/drivers/some/where/else/module-%u.ko.xz: "
			      "kernel/drivers/some/where/else/module-%u.ko.xz\n",
			      i, i / 2);
	/* one line, one name for ever */
	strbuf_puts(&texts[1], "a/9p.ko:");
	while (texts[1].len < size)
		strbuf_puts(&texts[1], " a/b.ko");
	strbuf_puts(&texts[1], "\na/b.ko:\n");
	/* lines that are alike but for their ends, a few kilobytes on */
	for (unsigned int i = 0; texts[2].len < size; i++)
		strbuf_printf(&texts[2], "%04096u.ko:\n", i);
	/* one name again and again */
	while (texts[3].len < size)
		strbuf_puts(&texts[3], "drivers/net/the-same-long-name-again.ko: x.ko\n");
	/* nothing */
	while (texts[4].len < size)
		strbuf_puts(&texts[4], "\n");
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_strvec_ struct strvec got = { 0 };
		struct err e;
		long start = now_ms();

		strbuf_puts(&texts[i], "b/9p.ko:\n");
		assert_false(texts[i].failed);
		assert_int_equal(closure(texts[i].data, "", want_9p, &got, &e), 0);
		assert_int_equal(got.n, i == 1 ? 2 : 1);
		assert_true(now_ms() - start < 5 * SECOND_MS);
		strbuf_free(&texts[i]);
	}
}

static void test_too_many_lines(void **state)
{
	_cleanup_strbuf_ struct strbuf dep = { 0 };
	_cleanup_strbuf_ struct strbuf builtin = { 0 };

	(void)state;
	while (dep.len < (size_t)10 << 20) {
		strbuf_puts(&dep, "a.ko:\n");
		strbuf_puts(&builtin, "a.ko\n");
	}
	expect_error(dep.data, "", -EINVAL, "modules.dep names more than");
	expect_error("", builtin.data, -EINVAL, "modules.builtin names more than");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_debian),	  cmocka_unit_test(test_built_in),
		cmocka_unit_test(test_missing),	  cmocka_unit_test(test_compressed_and_dashes),
		cmocka_unit_test(test_odd_text),  cmocka_unit_test(test_cycles),
		cmocka_unit_test(test_paths),	  cmocka_unit_test(test_nul_bytes),
		cmocka_unit_test(test_long_path), cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_large),	  cmocka_unit_test(test_too_many_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
