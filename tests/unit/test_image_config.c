/* SPDX-License-Identifier: MIT */
#include "tests/unit/fixture.h"

#include "runner/base/cleanup.h"
#include "runner/host/image_config.h"

static int parse(const char *text, struct image_config *ret, struct err *e)
{
	return image_config_parse(text, strlen(text), ret, e);
}

static const char all[] =
	"{\"Entrypoint\":[\"/bin/sh\",\"-c\"],\"Cmd\":[\"id\",\"\"],\"User\":\"7:8\","
	"\"Env\":[\"A=b\",\"PATH=/x\",\"nothing\",\"=c\"],\"WorkingDir\":\"/srv\","
	"\"StopSignal\":\"SIGINT\",\"ExposedPorts\":{\"80/tcp\":{}}}";

static void assert_all(const struct image_config *c)
{
	assert_true(c->there);
	assert_int_equal(c->entrypoint.n, 2);
	assert_string_equal(c->entrypoint.v[1], "-c");
	assert_int_equal(c->cmd.n, 2);
	assert_string_equal(c->cmd.v[0], "id");
	assert_string_equal(c->cmd.v[1], "");
	assert_int_equal(c->env.n, 2);
	assert_string_equal(c->env.v[1], "PATH=/x");
	assert_string_equal(c->user, "7:8");
	assert_string_equal(c->workdir, "/srv");
}

static void what_it_says(void **state)
{
	_cleanup_(image_config_free) struct image_config c = { 0 }, none = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(parse(all, &c, &e), 0);
	assert_all(&c);
	assert_int_equal(parse("{\"Cmd\":null,\"User\":\"\",\"Env\":null,\"WorkingDir\":\"\"}",
			       &none, &e),
			 0);
	assert_true(none.there);
	assert_int_equal(none.cmd.n, 0);
	assert_null(none.user);
	assert_null(none.workdir);
}

static void hostile_text(void **state)
{
	static const char *const wrong[] = {
		"",
		"[]",
		"{",
		"{\"Cmd\":\"id\"}",
		"{\"Cmd\":[1]}",
		"{\"Cmd\":[\"a\\u0000b\"]}",
		"{\"Env\":{}}",
		"{\"User\":[]}",
		"{\"User\":\"a b\"}",
		"{\"User\":\"a:b:c\"}",
		"{\"User\":\"../x\"}",
		"{\"WorkingDir\":\"srv\"}",
		"{\"Cmd\":[],\"Cmd\":[\"a\"]}",
		"{} {}",
	};
	struct image_config c = { 0 };
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		if (parse(wrong[i], &c, &e) != -EINVAL)
			fail_msg("taken: %s", wrong[i]);
	assert_false(c.there);
}

static void from_one_process_to_another(void **state)
{
	static const struct {
		const char *data;
		size_t len;
	} wrong[] = {
		{ "x", 1 },	 { "xa", 2 },	  { "q\0", 2 },	   { "\0", 1 },
		{ "cx\0\0", 4 }, { "ua b\0", 5 }, { "wsrv\0", 5 },
	};
	_cleanup_(image_config_free) struct image_config c = { 0 }, copy = { 0 };
	_cleanup_strbuf_ struct strbuf packed = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(parse(all, &c, &e), 0);
	image_config_pack(&c, &packed);
	assert_int_equal(image_config_unpack(packed.data, packed.len, &copy, &e), 0);
	assert_all(&copy);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_true(image_config_unpack(wrong[i].data, wrong[i].len, &copy, &e) < 0);
}

/* The words of the command that comes out, with a space behind each. */
static void expect_command(const char *config, const char *entrypoint, const char *command,
			   const char *want)
{
	_cleanup_(image_config_free) struct image_config c = { 0 };
	_cleanup_strbuf_ struct strbuf got = { 0 };
	struct vm_spec asked, completed;
	struct err e;

	vm_spec_init(&asked);
	if (entrypoint)
		asked.entrypoint = strdup(entrypoint);
	if (command)
		strvec_add(&asked.command, command);
	if (config)
		assert_int_equal(parse(config, &c, &e), 0);
	assert_int_equal(image_config_complete(&asked, &c, &completed, &e), 0);
	for (size_t i = 0; i < completed.command.n; i++)
		strbuf_printf(&got, "%s ", completed.command.v[i]);
	assert_string_equal(strbuf_str(&got), want);
	image_config_completed_free(&completed);
	vm_spec_free(&asked);
}

static void whose_command(void **state)
{
	static const char both[] = "{\"Entrypoint\":[\"e\"],\"Cmd\":[\"c\"]}";

	(void)state;
	expect_command(NULL, NULL, NULL, "");
	expect_command(NULL, NULL, "x", "x ");
	expect_command(NULL, "y", "x", "y x ");
	expect_command("{\"Cmd\":[\"c\"]}", NULL, NULL, "c ");
	expect_command("{\"Cmd\":[\"c\"]}", NULL, "x", "x ");
	expect_command(both, NULL, NULL, "e c ");
	expect_command(both, NULL, "x", "e x ");
	expect_command(both, "y", NULL, "y ");
	expect_command(both, "y", "x", "y x ");
	expect_command(both, "", "x", "x ");
	expect_command(both, "", NULL, "");
}

static void what_else_was_asked(void **state)
{
	_cleanup_(image_config_free) struct image_config c = { 0 };
	struct vm_spec asked, completed;
	struct err e;

	(void)state;
	assert_int_equal(parse(all, &c, &e), 0);
	vm_spec_init(&asked);
	strvec_add(&asked.env, "A=mine");
	assert_int_equal(image_config_complete(&asked, &c, &completed, &e), 0);
	assert_string_equal(completed.user, "7:8");
	assert_string_equal(completed.workdir, "/srv");
	/* The last one counts. */
	assert_int_equal(completed.env.n, 3);
	assert_string_equal(completed.env.v[2], "A=mine");
	image_config_completed_free(&completed);
	asked.user = strdup("root");
	asked.workdir = strdup("/");
	assert_int_equal(image_config_complete(&asked, &c, &completed, &e), 0);
	assert_string_equal(completed.user, "root");
	assert_string_equal(completed.workdir, "/");
	image_config_completed_free(&completed);
	vm_spec_free(&asked);
}

static void too_much_together(void **state)
{
	_cleanup_(image_config_free) struct image_config c = { .there = true };
	_cleanup_free_ char *word = calloc(1, 100001);
	struct vm_spec asked, completed;
	struct err e;

	(void)state;
	memset(word, 'a', 100000);
	for (int i = 0; i < 15; i++)
		strvec_add(&c.cmd, word);
	vm_spec_init(&asked);
	for (int i = 0; i < 15; i++)
		strvec_addf(&asked.env, "A=%s", word);
	assert_int_equal(image_config_complete(&asked, &c, &completed, &e), -EINVAL);
	vm_spec_free(&asked);
}

static void in_a_root(void **state)
{
	_cleanup_(image_config_free) struct image_config c = { 0 };
	struct fixture *fx = *state;
	struct err e;
	int fd;

	c.there = true;
	assert_int_equal(image_config_read(fx->fd, &c, &e), 0);
	assert_false(c.there);
	assert_int_equal(mkdirat(fx->fd, ".vmrun", 0755), 0);
	assert_int_equal(image_config_read(fx->fd, &c, &e), 0);
	assert_false(c.there);
	assert_int_equal(mkfifoat(fx->fd, ".vmrun/config.json", 0644), 0);
	assert_int_equal(image_config_read(fx->fd, &c, &e), -EINVAL);
	assert_int_equal(unlinkat(fx->fd, ".vmrun/config.json", 0), 0);
	fd = openat(fx->fd, ".vmrun/config.json", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0);
	assert_int_equal(image_config_read(fx->fd, &c, &e), -EFBIG);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(fs_write_all(fd, all, strlen(all)), 0);
	close(fd);
	assert_int_equal(image_config_read(fx->fd, &c, &e), 0);
	assert_all(&c);
}

static void sealed_files(void **state)
{
	struct fixture *fx = *state;
	_cleanup_close_ int memory = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	_cleanup_close_ int file = openat(fx->fd, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	uint64_t size;

	assert_int_equal(fs_write_all(memory, "abc", 3), 0);
	assert_int_equal(fs_write_all(file, "abc", 3), 0);
	assert_false(fs_is_sealed(memory, 10, &size));
	assert_int_equal(fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
	assert_true(fs_is_sealed(memory, 10, &size));
	assert_int_equal(size, 3);
	assert_false(fs_is_sealed(memory, 2, &size));
	/* One that can have no seals must not pass for one that has them all. */
	assert_false(fs_is_sealed(file, 10, &size));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_says),
		cmocka_unit_test(hostile_text),
		cmocka_unit_test(from_one_process_to_another),
		cmocka_unit_test(whose_command),
		cmocka_unit_test(what_else_was_asked),
		cmocka_unit_test(too_much_together),
		cmocka_unit_test_setup_teardown(in_a_root, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(sealed_files, fixture_set_up, fixture_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
