/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"

#include "rootfs-tools/edit/sweep.h"
#include "runner/base/cleanup.h"

/* A sweep over fixture's root/, and what it told. */
struct world {
	struct fixture fx;
	struct sweep sweep;
	struct losses losses;
	struct strbuf told;
};

static void tell(void *arg, enum sweep_change change, const char *path)
{
	struct world *w = arg;

	strbuf_printf(&w->told, "%c%s ", "-0+"[change], path);
}

static void open_root(struct world *w, bool dry_run)
{
	w->sweep = (struct sweep){ .root = open(fixture_path(&w->fx, "root"),
						O_PATH | O_DIRECTORY | O_CLOEXEC),
				   .dry_run = dry_run,
				   .losses = &w->losses,
				   .tell = tell,
				   .arg = w };
	assert_true(w->sweep.root >= 0);
}

static void close_root(struct world *w)
{
	close(w->sweep.root);
	sweep_free(&w->sweep);
	strbuf_free(&w->told);
	w->told = (struct strbuf){ 0 };
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	fixture_make(&w->fx);
	fixture_mkdir(&w->fx, "root");
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

static bool is_there(const struct world *w, const char *name)
{
	struct stat st;

	return fstatat(w->fx.fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void apply(struct world *w, enum sweep_action action, const char *pattern)
{
	const struct sweep_rule rule = { action, pattern, "HWADDR  X" };
	struct err e = { 0 };

	if (sweep(&w->sweep, &rule, &e) != 0)
		fail_msg("%s: %s", pattern, e.text);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* In any order: a directory has none. */
static void expect_told(struct world *w, const char *want)
{
	_cleanup_strvec_ struct strvec words = { 0 };
	_cleanup_strbuf_ struct strbuf got = { 0 };
	char *text = strdup(strbuf_str(&w->told));

	assert_non_null(text);
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
		strvec_add(&words, word);
	if (words.n)
		qsort(words.v, words.n, sizeof(*words.v), by_text);
	for (size_t i = 0; i < words.n; i++)
		strbuf_printf(&got, "%s%s", i ? " " : "", words.v[i]);
	assert_string_equal(strbuf_str(&got), want);
	free(text);
	strbuf_free(&w->told);
	w->told = (struct strbuf){ 0 };
}

static void names_and_patterns(void **state)
{
	struct world *w = *state;

	fixture_puts(&w->fx, "root/etc/passwd-", "x");
	fixture_puts(&w->fx, "root/etc/group-", "x");
	fixture_puts(&w->fx, "root/etc/hosts-", "x");
	fixture_puts(&w->fx, "root/etc/.dot", "x");
	fixture_puts(&w->fx, "root/log/a.log", "x");
	fixture_puts(&w->fx, "root/log/d/e/b.log", "x");
	fixture_puts(&w->fx, "root/log/d/e/b.log.1", "x");
	fixture_puts(&w->fx, "root/log/d.log/c", "x");
	fixture_puts(&w->fx, "root/log/empty.log", "");
	open_root(w, false);
	apply(w, SWEEP_REMOVE, "/etc/@(passwd|group)-");
	expect_told(w, "-/etc/group- -/etc/passwd-");
	apply(w, SWEEP_REMOVE, "/etc/!(hosts-)");
	expect_told(w, "-/etc/.dot");
	apply(w, SWEEP_REMOVE, "/log/**/*.[0-9]");
	expect_told(w, "-/log/d/e/b.log.1");
	/* A directory of such a name is none of them. */
	apply(w, SWEEP_EMPTY, "/log/**/*.log");
	expect_told(w, "0/log/a.log 0/log/d/e/b.log");
	apply(w, SWEEP_REMOVE, "/log/*.log");
	expect_told(w, "-/log/a.log -/log/empty.log");
	apply(w, SWEEP_REMOVE_TREE, "/log/*");
	expect_told(w, "-/log/d.log/ -/log/d/");
	apply(w, SWEEP_REMOVE, "/nowhere/*/x");
	apply(w, SWEEP_REMOVE, "/etc/hosts-/*");
	apply(w, SWEEP_EMPTY, "/nowhere/**/x");
	expect_told(w, "");
	assert_true(is_there(w, "root/etc/hosts-") && is_there(w, "root/log"));
	assert_int_equal(w->losses.n, 0);
	close_root(w);
}

static void homes(void **state)
{
	struct world *w = *state;

	fixture_puts(&w->fx, "root/root/.h", "x");
	fixture_puts(&w->fx, "root/home/a/.h", "x");
	fixture_puts(&w->fx, "root/srv/git/.h", "x");
	fixture_puts(&w->fx, "root/srv/*/.h", "x");
	fixture_puts(&w->fx, "root/.h", "x");
	fixture_puts(&w->fx, "outside/.h", "x");
	open_root(w, false);
	strvec_add(&w->sweep.homes, "/srv/*");
	strvec_add(&w->sweep.homes, "/home/a");
	strvec_add(&w->sweep.homes, "/");
	strvec_add(&w->sweep.homes, "/../outside");
	strvec_add(&w->sweep.homes, "srv/git");
	strvec_add(&w->sweep.homes, "");
	strvec_add(&w->sweep.homes, "/**");
	apply(w, SWEEP_REMOVE, "~/.h");
	expect_told(w, "-/home/a/.h -/root/.h -/srv/*/.h");
	assert_true(is_there(w, "outside/.h") && is_there(w, "root/srv/git/.h") &&
		    is_there(w, "root/.h"));
	close_root(w);
}

static void plain_paths(void **state)
{
	(void)state;
	assert_true(sweep_is_plain("/a") && sweep_is_plain("/a/..b/.c/d."));
	assert_false(sweep_is_plain("") || sweep_is_plain("/") || sweep_is_plain("a") ||
		     sweep_is_plain("/a/") || sweep_is_plain("//a") || sweep_is_plain("/a//b") ||
		     sweep_is_plain("/.") || sweep_is_plain("/a/..") || sweep_is_plain("/../a") ||
		     sweep_is_plain("/a/./b"));
}

/* Nothing is followed, and what is emptied is so by one of its names only. */
static void hostile_tree(void **state)
{
	struct world *w = *state;
	struct err e;
	struct stat st;

	fixture_puts(&w->fx, "outside/x.log", "x");
	fixture_puts(&w->fx, "root/real/x.log", "x");
	fixture_symlink(&w->fx, "../../outside", "root/var/log");
	fixture_symlink(&w->fx, "/real", "root/var/run");
	fixture_symlink(&w->fx, "/nowhere", "root/var/dangling");
	fixture_symlink(&w->fx, "../real/x.log", "root/tmp/x.log");
	fixture_fifo(&w->fx, "root/tmp/y.log");
	fixture_puts(&w->fx, "root/tmp/a.log", "linked");
	assert_int_equal(linkat(w->fx.fd, "root/tmp/a.log", w->fx.fd, "outside/linked", 0), 0);
	fixture_mkdir(&w->fx, "root/tmp/wtmp");
	open_root(w, false);
	apply(w, SWEEP_REMOVE, "/var/log/x.log");
	apply(w, SWEEP_REMOVE, "/var/*/x.log");
	apply(w, SWEEP_REMOVE, "/var/**/x.log");
	apply(w, SWEEP_EMPTY, "/var/log/*");
	expect_told(w, "");
	apply(w, SWEEP_EMPTY, "/tmp/*");
	expect_told(w, "0/tmp/a.log");
	assert_int_equal(fstatat(w->fx.fd, "outside/linked", &st, 0), 0);
	assert_int_equal(st.st_size, 6);
	/* Named, they are something to speak of. */
	apply(w, SWEEP_EMPTY, "/tmp/x.log");
	apply(w, SWEEP_EMPTY, "/tmp/wtmp");
	apply(w, SWEEP_REMOVE, "/tmp/wtmp");
	assert_int_equal(w->losses.n, 3);
	assert_string_equal(w->losses.text[0],
			    "'/tmp/x.log' is no regular file, and left as it is");
	assert_string_equal(w->losses.text[2], "'/tmp/wtmp' is a directory, and left as it is");
	apply(w, SWEEP_REMOVE, "/tmp/*.log");
	expect_told(w, "-/tmp/a.log -/tmp/x.log -/tmp/y.log");
	apply(w, SWEEP_REMOVE, "/real/z");
	assert_int_equal(sweep_end(&w->sweep, &e), 0);
	/* Of the symlinks only one leads to where nobody came. */
	assert_int_equal(w->losses.n, 3);
	assert_true(is_there(w, "outside/x.log") && is_there(w, "root/real/x.log"));
	fixture_mkdir(&w->fx, "root/elsewhere");
	fixture_symlink(&w->fx, "/elsewhere", "root/var/spool");
	apply(w, SWEEP_REMOVE, "/var/spool/x");
	assert_int_equal(sweep_end(&w->sweep, &e), 0);
	assert_int_equal(w->losses.n, 4);
	assert_string_equal(w->losses.text[3],
			    "'/var/spool' is a symlink; what it leads to was left as it is");
	close_root(w);
}

/* A dry run tells what a real one does, where rules overlap as well. */
static void overlaps(void **state)
{
	static const struct sweep_rule rules[] = {
		{ SWEEP_EMPTY, "/log/**/*", NULL },    { SWEEP_EMPTY, "/log/a", NULL },
		{ SWEEP_REMOVE_TREE, "/log/d", NULL }, { SWEEP_REMOVE, "/log/**/*", NULL },
		{ SWEEP_REMOVE, "/log/d/x", NULL },    { SWEEP_EMPTY, "/log/d/x", NULL },
		{ SWEEP_REMOVE_TREE, "/*", NULL },     { SWEEP_REMOVE, "/log/a", NULL },
	};
	struct world *w = *state;
	struct err e;

	fixture_puts(&w->fx, "root/log/a", "x");
	fixture_puts(&w->fx, "root/log/d/x", "x");
	fixture_puts(&w->fx, "root/log/d/y", "");
	for (int dry_run = 1; dry_run >= 0; dry_run--) {
		const struct change_attrs attrs = { .mode = 0644 };

		open_root(w, dry_run);
		for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
			assert_int_equal(sweep(&w->sweep, &rules[i], &e), 0);
		for (int i = 0; i < 2; i++) {
			assert_int_equal(sweep_write(&w->sweep, "/new/dir/f", &attrs, "x", 1, &e),
					 0);
			assert_int_equal(sweep_link(&w->sweep, "/new/l", "f", &e), 0);
		}
		expect_told(w, "+/new/dir/f +/new/l -/log/ -/log/a -/log/d/ 0/log/a 0/log/d/x");
		assert_int_equal(is_there(w, "root/log/d/x"), dry_run);
		assert_int_equal(is_there(w, "root/new"), !dry_run);
		close_root(w);
	}
	assert_int_equal(w->losses.n, 0);
}

static void without_losses(void **state)
{
	struct world *w = *state;
	struct err e;

	fixture_mkdir(&w->fx, "root/x");
	fixture_symlink(&w->fx, "x", "root/y");
	open_root(w, false);
	w->sweep.losses = NULL;
	assert_int_equal(sweep(&w->sweep, &(struct sweep_rule){ SWEEP_REMOVE, "/x", NULL }, &e),
			 -EISDIR);
	assert_int_equal(sweep_write(&w->sweep, "/y/z", &(struct change_attrs){ 0 }, "", 0, &e),
			 -ELOOP);
	assert_int_equal(sweep_remove_tree(&w->sweep, "/y/z", &e), 0);
	assert_int_equal(sweep_remove_tree(&w->sweep, "/x", &e), 0);
	expect_told(w, "-/x/");
	close_root(w);
}

static void lines(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "" },
		{ "HWADDR=1\nA=2\n", "A=2\n" },
		{ "A=2\n \tHWADDR=1", "A=2\n" },
		{ "#HWADDR=1\nHWADDRS=2\nHWADDR\nXHWADDR=\n",
		  "#HWADDR=1\nHWADDRS=2\nHWADDR\nXHWADDR=\n" },
		{ "\n\nMAC=\n\nHWADDR", "\n\n\nHWADDR" },
		{ "=\n", "=\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_strbuf_ struct strbuf out = { 0 };
		char *exact = strndup(cases[i].text, strlen(cases[i].text));

		sweep_unset(exact, strlen(exact), "HWADDR MAC", &out);
		assert_string_equal(strbuf_str(&out), cases[i].want);
		free(exact);
	}
}

static void a_file_is_edited(void **state)
{
	struct world *w = *state;
	char text[64] = "";
	int fd;

	fixture_puts(&w->fx, "root/ifcfg-a", "A=1\nHWADDR=2\nX=3\n");
	fixture_puts(&w->fx, "root/ifcfg-b", "A=1\n");
	fixture_fifo(&w->fx, "root/ifcfg-c");
	open_root(w, false);
	apply(w, SWEEP_UNSET, "/ifcfg-*");
	expect_told(w, "+/ifcfg-a");
	fd = openat(w->fx.fd, "root/ifcfg-a", O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, text, sizeof(text) - 1), 4);
	close(fd);
	assert_string_equal(text, "A=1\n");
	close_root(w);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(names_and_patterns),
		TEST(homes),
		cmocka_unit_test(plain_paths),
		TEST(hostile_tree),
		TEST(overlaps),
		TEST(without_losses),
		cmocka_unit_test(lines),
		TEST(a_file_is_edited),
	};

	return cmocka_run_group_tests(tests, fixture_become_root, NULL);
}
