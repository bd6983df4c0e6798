/* SPDX-License-Identifier: MIT */
/*
 * QEMUs made of nothing but ELF headers, and a dynamic linker that is a script: it says
 * what the file "answer" holds, and notes each call in "calls".
 */
#include "tests/unit/fixture.h"

#include <elf.h>

#include "runner/host/programs.h"

#define QEMU "bin/qemu-system-x86_64"

struct world {
	struct fixture fx;
	struct host_facts facts;
	struct err e;
};

static const char *at(struct world *w, const char *name)
{
	return fixture_path(&w->fx, name);
}

struct elf {
	Elf64_Ehdr header;
	Elf64_Phdr ph[2];
	char interpreter[128];
};

static struct elf make_elf(const char *interpreter)
{
	struct elf elf = {
		.header = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64 },
			    .e_phoff = offsetof(struct elf, ph),
			    .e_phentsize = sizeof(Elf64_Phdr),
			    .e_phnum = 2 },
		.ph = { { .p_type = PT_LOAD }, { .p_type = PT_NULL } },
	};

	if (interpreter) {
		snprintf(elf.interpreter, sizeof(elf.interpreter), "%s", interpreter);
		elf.ph[1] = (Elf64_Phdr){ .p_type = PT_INTERP,
					  .p_offset = offsetof(struct elf, interpreter),
					  .p_filesz = strlen(interpreter) + 1 };
	}
	return elf;
}

static void put_program(struct world *w, const char *name, const char *interpreter)
{
	struct elf elf = make_elf(interpreter);

	fixture_write(&w->fx, name, &elf, sizeof(elf));
}

static void put_script(struct world *w, const char *name, const char *text)
{
	fixture_puts(&w->fx, name, text);
	assert_int_equal(chmod(at(w, name), 0755), 0);
}

/* A path in @ret, which has 256 bytes. */
static void path_of(struct world *w, const char *name, char *ret)
{
	const char *path = at(w, name);
	size_t size = strlen(path) + 1;

	assert_true(size <= 256);
	memcpy(ret, path, size);
}

static void put_linker(struct world *w)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "#!/bin/sh\necho \"$*\" >>%s/calls\n"
		 "[ \"$(/usr/bin/env)\" = \"PWD=$PWD\" ] || exit 9\n/bin/cat %s/answer\n",
		 w->fx.dir, w->fx.dir);
	put_script(w, "linker", text);
}

static void answer(struct world *w, const char *const *libraries)
{
	struct strbuf text = { 0 };

	strbuf_puts(&text, "\tlinux-vdso.so.1 (0x00007ffc0)\n");
	for (; *libraries; libraries++)
		strbuf_printf(&text, "\t%s => %s/%s (0x00007f00)\n", strrchr(*libraries, '/') + 1,
			      w->fx.dir, *libraries);
	fixture_puts(&w->fx, "answer", strbuf_str(&text));
	strbuf_free(&text);
}

static unsigned int calls(struct world *w)
{
	unsigned int lines = 0;
	char *text;
	size_t len;

	if (fs_read_host(at(w, "calls"), 1 << 20, &text, &len) < 0)
		return 0;
	for (char *p = text; (p = strchr(p, '\n')); p++)
		lines++;
	free(text);
	return lines;
}

static const char *const two[] = { "lib/libone.so", "lib/libtwo.so", NULL };

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	fixture_make(&w->fx);
	put_program(w, QEMU, at(w, "linker"));
	fixture_puts(&w->fx, "lib/libone.so", "one");
	fixture_puts(&w->fx, "lib/libtwo.so", "two");
	put_linker(w);
	answer(w, two);
	path_of(w, QEMU, w->facts.qemu);
	path_of(w, "home/cache", w->facts.cache_dir);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	fixture_remove(&w->fx);
	free(w);
	return 0;
}

/* --- the program itself --- */

static int interpret(struct world *w, const void *data, size_t len, char ret[64])
{
	fixture_write(&w->fx, "program", data, len);
	memset(ret, 'x', 64);
	return programs_interpreter(at(w, "program"), ret, 64, &w->e);
}

static void test_interpreter(void **state)
{
	struct elf elf = make_elf("/lib64/ld.so");
	struct world *w = *state;
	char linker[64];

	assert_int_equal(interpret(w, &elf, sizeof(elf), linker), 0);
	assert_string_equal(linker, "/lib64/ld.so");
	elf = make_elf(NULL);
	assert_int_equal(interpret(w, &elf, sizeof(elf), linker), 0);
	assert_string_equal(linker, "");
	assert_int_equal(programs_interpreter("/bin/true", linker, sizeof(linker), &w->e), 0);
	assert_int_equal(access(linker, X_OK), 0);
}

static void test_no_program(void **state)
{
	struct world *w = *state;
	char linker[64];

	assert_int_equal(interpret(w, "#!/bin/sh\n", 10, linker), -ENOEXEC);
	assert_non_null(strstr(w->e.text, "is a script"));
	assert_int_equal(interpret(w, "#!", 2, linker), -ENOEXEC);
	assert_non_null(strstr(w->e.text, "is a script"));
	assert_int_equal(programs_interpreter(w->fx.dir, linker, 64, &w->e), -EISDIR);
	fixture_fifo(&w->fx, "fifo");
	assert_int_equal(programs_interpreter(at(w, "fifo"), linker, 64, &w->e), -EINVAL);
	assert_int_equal(programs_interpreter(at(w, "none"), linker, 64, &w->e), -ENOENT);
}

static void test_truncated_elf(void **state)
{
	struct elf elf = make_elf("/lib64/ld.so");
	struct world *w = *state;
	char linker[64];

	for (size_t len = 0; len < sizeof(elf.header); len++) {
		assert_int_equal(interpret(w, &elf, len, linker), -ENOEXEC);
		assert_non_null(strstr(w->e.text, "no 64-bit ELF"));
	}
	/* Up to the end of its headers it names none, then one that is not there. */
	for (size_t len = sizeof(elf.header); len < offsetof(struct elf, interpreter); len++) {
		assert_int_equal(interpret(w, &elf, len, linker), 0);
		assert_string_equal(linker, "");
	}
	for (size_t n = 0; n <= strlen("/lib64/ld.so"); n++)
		assert_int_equal(interpret(w, &elf, offsetof(struct elf, interpreter) + n, linker),
				 -ENOEXEC);
}

static void test_hostile_elf(void **state)
{
	const struct elf good = make_elf("/lib64/ld.so");
	struct world *w = *state;
	struct elf elf = good;
	char linker[64];

	elf.header.e_ident[EI_CLASS] = ELFCLASS32;
	assert_int_equal(interpret(w, &elf, sizeof(elf), linker), -ENOEXEC);
	elf = good;
	elf.header.e_phentsize = 1;
	assert_int_equal(interpret(w, &elf, sizeof(elf), linker), -ENOEXEC);
	elf = good;
	elf.header.e_phnum = 65535;
	elf.ph[1].p_type = PT_NULL;
	assert_int_equal(interpret(w, &elf, sizeof(elf), linker), 0);
	elf = good;
	elf.header.e_phoff = UINT64_MAX - 8;
	assert_int_equal(interpret(w, &elf, sizeof(elf), linker), 0);
	elf.header.e_phoff = INT64_MAX;
	assert_int_equal(interpret(w, &elf, sizeof(elf), linker), 0);
	assert_string_equal(linker, "");

	elf = good;
	for (uint64_t bad = 63; bad; bad = bad < 65		? bad + 1 :
					   bad < UINT64_MAX / 3 ? bad * 3 :
								  0) {
		elf.ph[1].p_filesz = bad;
		elf.ph[1].p_offset = bad < 64 ? 2 : offsetof(struct elf, interpreter);
		assert_int_equal(interpret(w, &elf, sizeof(elf), linker), -ENOEXEC);
	}
	elf = good;
	elf.ph[1].p_filesz = 0;
	assert_int_equal(interpret(w, &elf, sizeof(elf), linker), -ENOEXEC);
	elf = good;
	elf.ph[1].p_offset = UINT64_MAX;
	assert_int_equal(interpret(w, &elf, sizeof(elf), linker), -ENOEXEC);
	elf = make_elf("ld.so");
	assert_int_equal(interpret(w, &elf, sizeof(elf), linker), -ENOEXEC);
	assert_non_null(strstr(w->e.text, "no proper dynamic linker"));
}

/* --- what the linker says --- */

static void expect(struct strvec *v, const char *const *paths)
{
	for (size_t i = 0; i < v->n; i++) {
		assert_non_null(paths[i]);
		assert_string_equal(v->v[i], paths[i]);
	}
	assert_null(paths[v->n]);
	strvec_free(v);
}

static void test_parse_list(void **state)
{
	char text[] = "\tlinux-vdso.so.1 (0x00007ffd0a5f2000)\n"
		      "\tlibz.so.1 => /lib/libz.so.1 (0x00007f32fef9d000)\n"
		      "\t/opt/fake.so (0x00007f32fef90000)\n"
		      "\tlibz.so.1 => /lib/libz.so.1 (0x00007f32fef9d000)\n"
		      "\tlibq.so => /opt/q/bin/../lib/./libq.so (0x00007f32fef9d000)\n"
		      "\tlibr.so => /opt//q/lib/libq.so (0x00007f32fef9d000)\n"
		      "\tliba b.so => /opt/a => b.so (0x00007f32fef9d000)\n"
		      "\tlibup.so => /../../up/libup.so (0x00007f32fef9d000)\n"
		      "\tlibroot.so => /.. (0x00007f32fef9d000)\n"
		      "\tstatically linked\n"
		      "/bin/x: /lib/libz.so.1: no version information available\n"
		      "\tlibrel.so => librel.so (0x00007f32fef9d000)\n"
		      "\tlibcut.so => /lib/libcut.so\n"
		      " => \n => /\n\n\t\n(0x\n (0x\n/lib64/ld.so (0x1)";
	struct strvec v = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(programs_parse_list("qemu", text, &v, &e), 0);
	expect(&v, (const char *const[]){ "/lib/libz.so.1", "/opt/fake.so", "/opt/q/lib/libq.so",
					  "/opt/a => b.so", "/up/libup.so", "/lib64/ld.so", NULL });
}

static void test_parse_hostile_list(void **state)
{
	struct strbuf text = { 0 };
	struct strvec v = { 0 };
	struct err e;

	(void)state;
	strbuf_puts(&text, "\tlong => /");
	for (int i = 0; i < 5000; i++)
		strbuf_puts(&text, "y/");
	strbuf_puts(&text, " (0x1)\n");
	assert_int_equal(programs_parse_list("qemu", text.data, &v, &e), 0);
	assert_int_equal(v.n, 0);
	strbuf_free(&text);

	for (int i = 0; i < 600; i++)
		strbuf_printf(&text, "\tlib => /lib/%d (0x1)\n", i);
	assert_int_equal(programs_parse_list("qemu", text.data, &v, &e), -E2BIG);
	strvec_free(&v);
	strbuf_free(&text);

	strbuf_puts(&text, "");
	for (unsigned int i = 0; i < 60000; i++)
		strbuf_putc(&text, "\t=>/.(0x \nl"[i * 7919 % 11]);
	assert_int_equal(programs_parse_list("qemu", text.data, &v, &e), 0);
	strvec_free(&v);
	strbuf_free(&text);
}

/* --- all together --- */

/* What is found is @wanted, relative to the fixture, with the linker's own files. */
static void expect_found(struct world *w, const char *const *wanted)
{
	struct strvec found = { 0 }, all = { 0 };

	assert_int_equal(programs_find(&w->facts, true, &found, &w->e), 0);
	for (; *wanted; wanted++) {
		if (!strcmp(*wanted, "linker")) {
			strvec_add(&all, at(w, "linker"));
			if (access("/etc/ld.so.cache", R_OK) == 0)
				strvec_add(&all, "/etc/ld.so.cache");
		} else {
			strvec_add(&all, at(w, *wanted));
		}
	}
	expect(&found, (const char *const *)all.v);
	strvec_free(&all);
}

static const char *const as_made[] = { QEMU, "linker", "lib/libone.so", "lib/libtwo.so", NULL };

static void test_static(void **state)
{
	struct world *w = *state;

	put_program(w, QEMU, NULL);
	fixture_puts(&w->fx, "lib/qemu/accel-tcg-x86_64.so", "");
	expect_found(w, (const char *const[]){ QEMU, NULL });
	fixture_puts(&w->fx, "share/seabios/bios-256k.bin", "");
	expect_found(w, (const char *const[]){ QEMU, "share/seabios/bios-256k.bin", NULL });
	assert_int_equal(calls(w), 0);
	assert_int_not_equal(access(w->facts.cache_dir, F_OK), 0);
}

static void test_installation(void **state)
{
	struct world *w = *state;
	char *said;
	size_t len;

	fixture_puts(&w->fx, "lib64/qemu/accel-tcg-x86_64.so", "");
	fixture_puts(&w->fx, "lib64/qemu/audio-alsa.so", "");
	fixture_puts(&w->fx, "share/qemu/kvmvapic.bin", "");
	fixture_puts(&w->fx, "share/qemu/bios-256k.bin", "");
	fixture_puts(&w->fx, "share/seabios/bios-256k.bin", "");
	fixture_puts(&w->fx, "share/qemu/other.bin", "");
	fixture_symlink(&w->fx, "kvmvapic.bin", "share/qemu/pvh.bin");
	fixture_symlink(&w->fx, "nowhere", "share/qemu/linuxboot.bin");
	expect_found(w, (const char *const[]){
				QEMU, "lib64/qemu/accel-tcg-x86_64.so", "linker", "lib/libone.so",
				"lib/libtwo.so", "share/qemu/bios-256k.bin",
				"share/qemu/kvmvapic.bin", "share/qemu/pvh.bin", NULL });
	/* It was asked about both, and in an empty environment. */
	assert_int_equal(fs_read_host(at(w, "calls"), 4096, &said, &len), 0);
	assert_non_null(strstr(said, "--list "));
	assert_non_null(strstr(said, QEMU "\n"));
	assert_non_null(strstr(said, "lib64/qemu/accel-tcg-x86_64.so\n"));
	free(said);
	assert_int_equal(calls(w), 2);
}

/* QEMU looks into it alone if there is one. */
static void test_bundle(void **state)
{
	struct world *w = *state;

	fixture_puts(&w->fx, "share/qemu/pvh.bin", "");
	fixture_puts(&w->fx, "bin/qemu-bundle/usr/share/seabios/bios-256k.bin", "");
	fixture_puts(&w->fx, "bin/qemu-bundle/usr/local/share/qemu/kvmvapic.bin", "");
	fixture_puts(&w->fx, "bin/qemu-bundle/usr/local/lib/qemu/accel-tcg-x86_64.so", "");
	expect_found(w, (const char *const[]){
				QEMU, "bin/qemu-bundle/usr/local/lib/qemu/accel-tcg-x86_64.so",
				"linker", "lib/libone.so", "lib/libtwo.so",
				"bin/qemu-bundle/usr/share/seabios/bios-256k.bin",
				"bin/qemu-bundle/usr/local/share/qemu/kvmvapic.bin", NULL });
}

static void test_real_programs(void **state)
{
	static const char *const programs[] = { "/bin/true", "/bin/sh" };
	struct world *w = *state;

	for (size_t i = 0; i < 2; i++) {
		struct strvec found = { 0 };
		bool libc = false;

		snprintf(w->facts.qemu, sizeof(w->facts.qemu), "%s", programs[i]);
		assert_int_equal(programs_find(&w->facts, true, &found, &w->e), 0);
		assert_string_equal(found.v[0], programs[i]);
		for (size_t j = 0; j < found.n; j++) {
			libc |= strstr(found.v[j], "/libc.so") != NULL;
			assert_int_equal(access(found.v[j], R_OK), 0);
		}
		assert_true(libc);
		strvec_free(&found);
	}
}

static int find_fails(struct world *w)
{
	struct strvec found = { 0 };
	int r = programs_find(&w->facts, true, &found, &w->e);

	assert_true(r < 0);
	assert_int_equal(found.n, 0);
	assert_null(strchr(w->e.text, '\n'));
	assert_int_not_equal(access(at(w, "home/cache/libraries"), F_OK), 0);
	return r;
}

static void test_linker_fails(void **state)
{
	struct world *w = *state;

	put_script(w, "linker", "#!/bin/sh\necho 'x: cannot find \33[2Jlibx.so' >&2\nexit 127\n");
	assert_int_equal(find_fails(w), -EIO);
	assert_non_null(strstr(w->e.text, "QEMU cannot be loaded: x: cannot find ?[2Jlibx.so;"));
	put_script(w, "linker", "#!/bin/sh\nkill -9 $$\n");
	assert_int_equal(find_fails(w), -EIO);
	put_script(w, "linker",
		   "#!/bin/sh\nwhile echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; do :; done\n");
	assert_int_equal(find_fails(w), -EFBIG);
	assert_int_equal(unlink(at(w, "linker")), 0);
	assert_int_equal(find_fails(w), -EIO);
	assert_non_null(strstr(w->e.text, "/linker"));
}

/* --- the cache --- */

static void test_kept(void **state)
{
	struct world *w = *state;
	struct strvec found = { 0 };

	assert_int_equal(programs_find(&w->facts, false, &found, &w->e), 0);
	strvec_free(&found);
	assert_int_not_equal(access(w->facts.cache_dir, F_OK), 0);
	expect_found(w, as_made);
	assert_int_equal(calls(w), 2);
	expect_found(w, as_made);
	expect_found(w, as_made);
	assert_int_equal(calls(w), 2);
	w->facts.cache_dir[0] = '\0';
	expect_found(w, as_made);
	assert_int_equal(calls(w), 3);
}

static void test_out_of_date(void **state)
{
	struct world *w = *state;

	expect_found(w, as_made);
	/* One of the files is another one now. */
	fixture_puts(&w->fx, "lib/libtwo.so", "changed");
	expect_found(w, as_made);
	assert_int_equal(calls(w), 2);
	put_program(w, QEMU, at(w, "linker"));
	expect_found(w, as_made);
	assert_int_equal(calls(w), 3);
	put_linker(w);
	expect_found(w, as_made);
	assert_int_equal(calls(w), 4);
	/* One is gone. */
	answer(w, (const char *const[]){ "lib/libone.so", NULL });
	assert_int_equal(unlink(at(w, "lib/libtwo.so")), 0);
	expect_found(w, (const char *const[]){ QEMU, "linker", "lib/libone.so", NULL });
	assert_int_equal(calls(w), 5);
	/* A module was installed. */
	fixture_puts(&w->fx, "lib/qemu/accel-tcg-x86_64.so", "");
	expect_found(w, (const char *const[]){ QEMU, "lib/qemu/accel-tcg-x86_64.so", "linker",
					       "lib/libone.so", NULL });
	assert_int_equal(calls(w), 7);
	/* Firmware is nothing to ask the linker about. */
	fixture_puts(&w->fx, "share/qemu/pvh.bin", "");
	expect_found(w, (const char *const[]){ QEMU, "lib/qemu/accel-tcg-x86_64.so", "linker",
					       "lib/libone.so", "share/qemu/pvh.bin", NULL });
	assert_int_equal(calls(w), 7);
}

static void test_other_qemu(void **state)
{
	struct world *w = *state;

	expect_found(w, as_made);
	put_program(w, "other/bin/qemu", at(w, "linker"));
	path_of(w, "other/bin/qemu", w->facts.qemu);
	expect_found(w, (const char *const[]){ "other/bin/qemu", "linker", "lib/libone.so",
					       "lib/libtwo.so", NULL });
	assert_int_equal(calls(w), 2);
}

#define KEPT "home/cache/libraries"

static void test_spoilt(void **state)
{
	struct world *w = *state;
	struct strbuf good = { 0 }, bad = { 0 };
	unsigned int asked;
	size_t len;
	char *text;

	expect_found(w, as_made);
	assert_int_equal(fs_read_host(at(w, KEPT), 4096, &text, &len), 0);
	strbuf_add(&good, text, len);
	free(text);

	/* Cut, though without its last newline it says the same; and with one byte changed. */
	for (size_t cut = 1; cut <= good.len; cut += 7) {
		fixture_write(&w->fx, KEPT, good.data, good.len - cut);
		asked = calls(w);
		expect_found(w, as_made);
		assert_int_equal(calls(w), asked + (cut > 1));
	}
	for (size_t i = 0; i < good.len; i += 11) {
		good.data[i] ^= 4;
		fixture_write(&w->fx, KEPT, good.data, good.len);
		good.data[i] ^= 4;
		asked = calls(w);
		expect_found(w, as_made);
		assert_int_equal(calls(w), asked + 1);
	}

	/* More than there was. */
	static const char *const more[] = { "/etc/passwd\n", "/etc\n", "../x\n", "/nonexistent\n" };
	for (size_t i = 0; i < 4; i++) {
		strbuf_add(&bad, good.data, good.len);
		strbuf_puts(&bad, more[i]);
		fixture_write(&w->fx, KEPT, bad.data, bad.len);
		strbuf_free(&bad);
		asked = calls(w);
		expect_found(w, as_made);
		assert_int_equal(calls(w), asked + 1);
	}
	for (int i = 0; i < 1000; i++)
		strbuf_puts(&bad, "/etc/passwd\n");
	fixture_write(&w->fx, KEPT, bad.data, bad.len);
	expect_found(w, as_made);
	strbuf_free(&bad);
	strbuf_free(&good);
}

static void test_no_file(void **state)
{
	struct world *w = *state;
	struct stat st;

	fixture_puts(&w->fx, "elsewhere", "mine");
	for (int kind = 0; kind < 4; kind++) {
		if (kind == 0)
			fixture_fifo(&w->fx, KEPT);
		else if (kind == 1)
			fixture_mkdir(&w->fx, KEPT);
		else if (kind == 2)
			fixture_symlink(&w->fx, "../../elsewhere", KEPT);
		else
			fixture_sparse(&w->fx, KEPT, (off_t)1 << 40);
		expect_found(w, as_made);
		assert_int_equal(lstat(at(w, KEPT), &st), 0);
		assert_true(S_ISREG(st.st_mode) && st.st_size < 4096);
		assert_int_equal(unlink(at(w, KEPT)), 0);
	}
	assert_int_equal(stat(at(w, "elsewhere"), &st), 0);
	assert_int_equal(st.st_size, 4);

	/* What cannot be replaced stays. */
	fixture_puts(&w->fx, KEPT "/full", "");
	expect_found(w, as_made);
	expect_found(w, as_made);
	assert_int_equal(access(at(w, KEPT "/full"), F_OK), 0);
	/* No directory can be made where a file is. */
	path_of(w, "elsewhere/cache", w->facts.cache_dir);
	expect_found(w, as_made);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_interpreter),	  TEST(test_no_program),   TEST(test_truncated_elf),
		TEST(test_hostile_elf),	  TEST(test_parse_list),   TEST(test_parse_hostile_list),
		TEST(test_static),	  TEST(test_installation), TEST(test_bundle),
		TEST(test_real_programs), TEST(test_linker_fails), TEST(test_kept),
		TEST(test_out_of_date),	  TEST(test_other_qemu),   TEST(test_spoilt),
		TEST(test_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
