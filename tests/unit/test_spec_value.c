/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "tests/unit/cli_words.h"

static void expect_volume(struct cli *c, const char *value, const char *src, const char *dst,
			  bool read_only)
{
	good(c, "-v", value, "b");
	assert_int_equal(c->spec.n_volumes, 1);
	assert_string_equal(c->spec.volumes[0].src, src);
	assert_string_equal(c->spec.volumes[0].dst, dst);
	assert_int_equal(c->spec.volumes[0].read_only, read_only);
}

static void volumes(void **state)
{
	struct cli *c = *state;

	expect_volume(c, "/a:/b", "/a", "/b", false);
	expect_volume(c, "/a:/b:ro", "/a", "/b", true);
	expect_volume(c, "/a:/b:rw", "/a", "/b", false);
	expect_volume(c, "../x:/b/c", "../x", "/b/c", false);
	expect_volume(c, ".:/b", ".", "/b", false);
	expect_volume(c, "a,b=c d:/e,f", "a,b=c d", "/e,f", false);
	expect_volume(c, "a\nb:/c\nd", "a\nb", "/c\nd", false);
	/* A colon in SRC is fine; in DST it cannot be told from a separator. */
	expect_volume(c, "a:b:/c:ro", "a:b", "/c", true);
	expect_volume(c, "ro:/c", "ro", "/c", false);
	expect_volume(c, "/a:/ro", "/a", "/ro", false);
}

static void expect_disk(struct cli *c, const char *value, const char *src, bool read_only,
			enum disk_format format)
{
	good(c, "--disk", value, "b");
	assert_int_equal(c->spec.n_disks, 1);
	assert_string_equal(c->spec.disks[0].src, src);
	assert_int_equal(c->spec.disks[0].read_only, read_only);
	assert_int_equal(c->spec.disks[0].format, format);
}

static void disks(void **state)
{
	static const char *const values[] = {
		"",	 ":ro",	   "a:",     "a:b",	"a:ro,",   "a:,ro",
		"a:RO",	 "a:ro,rw", "a:ro,ro", "a:raw,qcow2", "a:ro:x", "a:ro,vmdk",
	};
	struct cli *c = *state;

	expect_disk(c, "a", "a", false, DISK_AUTO);
	expect_disk(c, "a:ro", "a", true, DISK_AUTO);
	expect_disk(c, "a:rw", "a", false, DISK_AUTO);
	expect_disk(c, "a:qcow2,ro", "a", true, DISK_QCOW2);
	expect_disk(c, "/x/a:raw", "/x/a", false, DISK_RAW);
	expect_disk(c, "a:b:rw", "a:b", false, DISK_AUTO);
	expect_disk(c, "/x:y/a,b", "/x:y/a,b", false, DISK_AUTO);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		bad(c, "--disk: ", "--disk", values[i], "b");
}

static void volume_places_are_normalised(void **state)
{
	struct cli *c = *state;

	expect_volume(c, "a://b//c///", "a", "/b/c", false);
	expect_volume(c, "a:/./b/./c/.", "a", "/b/c", false);
	expect_volume(c, "a:/..b/c../...:ro", "a", "/..b/c../...", true);
	expect_volume(c, "a:/.b", "a", "/.b", false);
	bad(c, "--volume: 'a:/' would be", "-va:/", "b");
	bad(c, "--volume: 'a:///.//:ro' would be", "-va:///.//:ro", "b");
	bad(c, "by way of ..", "-va:/b/..", "b");
	bad(c, "by way of ..", "-va:/../b", "b");
	bad(c, "by way of ..", "-va:/b/../c:ro", "b");
}

static void bad_volumes(void **state)
{
	static const char *const values[] = {
		"",	  ":",	     "::",     "/a",	    "a:",	  ":/b",
		":/b:ro", "a:b",     "a:ro",   ":ro",	    "a::ro",	  "a:b:ro",
		"a:/b:",  "a:/b:RO", "a:/b:z", "a:/b:ro,z", "a:/b:ro:rw",
	};
	struct cli *c = *state;

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		bad(c, "--volume: '", "-v", values[i], "b");
		if (!strstr(c->e.text, "SRC:DST"))
			fail_msg("'%s': %s", values[i], c->e.text);
		assert_int_equal(c->spec.n_volumes, 0);
	}
}

static void long_volume_paths(void **state)
{
	struct cli *c = *state;
	char value[10000];

	memset(value, 'a', sizeof(value));
	value[5000] = ':';
	value[5001] = '/';
	value[5010] = '\0';
	bad(c, "too long", "-v", value, "b");
	value[10] = ':';
	value[11] = '/';
	value[5000] = 'a';
	bad(c, "too long", "-v", value, "b");
}

static void expect_port(struct cli *c, const char *value, const char *ip, unsigned int host,
			unsigned int guest, bool udp)
{
	good(c, "-p", value, "b");
	assert_int_equal(c->spec.n_ports, 1);
	assert_string_equal(c->spec.ports[0].host_ip, ip);
	assert_int_equal(c->spec.ports[0].host_port, host);
	assert_int_equal(c->spec.ports[0].guest_port, guest);
	assert_int_equal(c->spec.ports[0].udp, udp);
}

static void ports(void **state)
{
	static const char *const values[] = {
		"",
		"x",
		"0",
		"65536",
		"-1",
		":80",
		"80:",
		"8080:0",
		"0:80",
		"1.2.3.4:80",
		"1.2.3.4::80",
		"1.2.3:80:80",
		"1.2.3.4.5:80:80",
		"256.0.0.1:80:80",
		"localhost:80:80",
		"[::1]:80:80",
		"80/sctp",
		"80/",
		"80/TCP",
		"80/tcp/udp",
		"80-90",
		"1:2:3:4",
		"127.0.0.1,hostfwd=:80:80",
		" 80",
		"80\n",
	};
	struct cli *c = *state;

	expect_port(c, "80", "127.0.0.1", 80, 80, false);
	expect_port(c, "8080:80", "127.0.0.1", 8080, 80, false);
	expect_port(c, "0.0.0.0:8080:80", "0.0.0.0", 8080, 80, false);
	expect_port(c, "192.168.100.200:65535:1/tcp", "192.168.100.200", 65535, 1, false);
	expect_port(c, "53/udp", "127.0.0.1", 53, 53, true);
	expect_port(c, "127.0.0.53:5353:53/udp", "127.0.0.53", 5353, 53, true);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		bad(c, "is no port to forward; give [[IP:]HOST:]GUEST[/tcp|/udp]", "-p", values[i],
		    "b", NULL);
		assert_int_equal(c->spec.n_ports, 0);
	}
}

static void environment(void **state)
{
	struct cli *c = *state;

	assert_int_equal(setenv("VMRUN_TEST_SET", "of\nthe caller", 1), 0);
	assert_int_equal(setenv("VMRUN_TEST_EMPTY", "", 1), 0);
	assert_int_equal(unsetenv("VMRUN_TEST_UNSET"), 0);
	good(c, "-e", "A=b", "-eC=", "--env", "D=e=f\ng", "-e", "VMRUN_TEST_SET", "-e",
	     "VMRUN_TEST_UNSET", "-e", "VMRUN_TEST_EMPTY", "-e", "A=again", "-e", "a b=c", "b");
	assert_int_equal(c->spec.env.n, 7);
	assert_string_equal(c->spec.env.v[0], "A=b");
	assert_string_equal(c->spec.env.v[1], "C=");
	assert_string_equal(c->spec.env.v[2], "D=e=f\ng");
	assert_string_equal(c->spec.env.v[3], "VMRUN_TEST_SET=of\nthe caller");
	assert_string_equal(c->spec.env.v[4], "VMRUN_TEST_EMPTY=");
	assert_string_equal(c->spec.env.v[5], "A=again");
	assert_string_equal(c->spec.env.v[6], "a b=c");
	bad(c, "--env: '' has no name", "-e", "", "b");
	bad(c, "--env: '=x' has no name", "-e", "=x", "b");
}

static void environment_string_is_bounded(void **state)
{
	struct cli *c = *state;
	char *big = malloc(131073);

	assert_non_null(big);
	memset(big, 'x', 131072);
	memcpy(big, "A=", 2);
	big[131072] = '\0';
	bad(c, "--env: 'A' has a value of more than 128 KiB", "-e", big, "b");
	big[131071] = '\0';
	good(c, "-e", big, "b");
	free(big);
}

/* Writes @len bytes of @text to a file of which the name is in @path. */
static void make_file(char path[32], const char *text, size_t len)
{
	static const char template[] = "/tmp/vmrun-test-env-XXXXXX";
	int fd;

	memcpy(path, template, sizeof(template));
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(fs_write_all(fd, text, len), 0);
	close(fd);
}

static void env_file(void **state)
{
	static const char text[] = "# a comment\n"
				   "\n"
				   "A=b\n"
				   "  B=with blanks \n"
				   "\t# another\n"
				   "C=\"quotes stay\" # and so does this\n"
				   "VMRUN_TEST_SET\n"
				   "VMRUN_TEST_UNSET\n"
				   "D=";
	struct cli *c = *state;
	char path[32];

	assert_int_equal(setenv("VMRUN_TEST_SET", "caller's", 1), 0);
	make_file(path, text, sizeof(text) - 1);
	good(c, "-e", "FIRST=1", "--env-file", path, "-e", "LAST=1", "b");
	unlink(path);
	assert_int_equal(c->spec.env.n, 7);
	assert_string_equal(c->spec.env.v[0], "FIRST=1");
	assert_string_equal(c->spec.env.v[1], "A=b");
	assert_string_equal(c->spec.env.v[2], "B=with blanks ");
	assert_string_equal(c->spec.env.v[3], "C=\"quotes stay\" # and so does this");
	assert_string_equal(c->spec.env.v[4], "VMRUN_TEST_SET=caller's");
	assert_string_equal(c->spec.env.v[5], "D=");
	assert_string_equal(c->spec.env.v[6], "LAST=1");
}

#define TEXT(s) s, sizeof(s) - 1

static void bad_env_files(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *say;
	} cases[] = {
		{ TEXT("A=b\n\n=c\n"), "line 3: '=c' has no name" },
		{ TEXT("export A=b\n"), "line 1: 'export A=b' has a blank in its name" },
		{ TEXT("two words\n"), "line 1: 'two words' has a blank" },
		{ TEXT("A=b\0c\n"), "holds a NUL byte" },
		{ TEXT("\033[2J x\n"), "line 1: '?[2J x' has a blank" },
	};
	struct cli *c = *state;
	char path[32];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		make_file(path, cases[i].text, cases[i].len);
		bad(c, cases[i].say, "--env-file", path, "b");
		unlink(path);
		assert_non_null(strstr(c->e.text, path));
	}
	bad(c, "--env-file: cannot read '/tmp': Is a directory", "--env-file=/tmp", "b");
	bad(c, "cannot read '/nonexistent': No such file", "--env-file=/nonexistent", "b");
	bad(c, "'/dev/zero' is larger than 1 MiB", "--env-file=/dev/zero", "b");
}

static void idmaps(void **state)
{
	static const char *const values[] = {
		"",	  "bogus",   "0",	"0:1",
		"0:1:",	  "0:1:2:3", "0:1:0",	"-1:1:1",
		"0:1:1,", ",0:1:1",  "0:1:1;",	"0:4294967295:1",
		"0:1:1 ", "0:x:1",   "caller,", "0:1:4294967296",
		"Auto",
	};
	struct cli *c = *state;

	good(c, "--idmap=auto", "b");
	assert_int_equal(c->spec.idmap, IDMAP_AUTO);
	good(c, "--idmap=caller", "b");
	assert_int_equal(c->spec.idmap, IDMAP_CALLER);
	good(c, "--idmap=subid", "b");
	assert_int_equal(c->spec.idmap, IDMAP_SUBID);
	good(c, "--idmap=single", "b");
	assert_int_equal(c->spec.idmap, IDMAP_SINGLE);
	good(c, "--idmap=0:1000:1,1:100000:65536", "b");
	assert_int_equal(c->spec.idmap, IDMAP_EXPLICIT);
	assert_int_equal(c->spec.idmap_explicit.n, 2);
	assert_int_equal(c->spec.idmap_explicit.e[0].outside, 1000);
	assert_int_equal(c->spec.idmap_explicit.e[1].inside, 1);
	assert_int_equal(c->spec.idmap_explicit.e[1].outside, 100000);
	assert_int_equal(c->spec.idmap_explicit.e[1].count, 65536);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		bad(c, "is no id map; give auto, caller, subid, single or GUEST:HOST:COUNT",
		    "--idmap", values[i], "b", NULL);
}

static void idmap_extents_are_bounded(void **state)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };
	struct cli *c = *state;

	for (int i = 0; i < ID_MAP_MAX; i++)
		strbuf_printf(&b, "%s%d:%d:1", i ? "," : "", i, 1000 + i);
	good(c, "--idmap", strbuf_str(&b), "b");
	assert_int_equal(c->spec.idmap_explicit.n, ID_MAP_MAX);
	strbuf_puts(&b, ",99:99:1");
	bad(c, "--idmap: more than 32", "--idmap", strbuf_str(&b), "b");
}

static void names(void **state)
{
	static const char *const bad_names[] = {
		"",	    "-a",
		".a",	    "_a",
		"a b",	    "a/b",
		"a,b",	    "a\n",
		"\xc3\xa9", "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg",
	};
	struct cli *c = *state;

	good(c, "--name", "a", "b");
	good(c, "--name", "9_.-Z", "b");
	good(c, "--name", "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg", "b");
	for (size_t i = 0; i < ARRAY_SIZE(bad_names); i++)
		bad(c, "is no name; give 1 to 63 of", "--name", bad_names[i], "b", NULL);
}

static void hostnames(void **state)
{
	static const char *const bad_names[] = {
		"",
		".",
		"-a",
		"a-",
		"a.",
		".a",
		"a..b",
		"a.-b",
		"a-.b",
		"a_b",
		"a b",
		"a\n",
		"\xc3\xa9",
		/* a label of 64; 65 in all */
		"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg",
		"aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd.eeeeeeeeeeffffffffffgggg",
	};
	struct cli *c = *state;

	good(c, "--hostname", "a", "b");
	good(c, "--hostname", "Host-1.example.org", "b");
	good(c, "--hostname", "127.0.0.1", "b");
	good(c, "--hostname", "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd.eeeeeeeeeeffffffffffggg",
	     "b");
	for (size_t i = 0; i < ARRAY_SIZE(bad_names); i++)
		bad(c, "is no host name", "--hostname", bad_names[i], "b");
}

static void users(void **state)
{
	static const char *const bad_users[] = {
		"", ":", ":g", "u:", "u:g:h", "u g", "u\n", "u/v", "\177",
	};
	static const char *const good_users[] = {
		"u", "u:g", "0", "1000:1000", "DOM\\u", "u@example.org", "svc$", "j\xc3\xb6rg",
	};
	struct cli *c = *state;

	for (size_t i = 0; i < ARRAY_SIZE(good_users); i++) {
		good(c, "-u", good_users[i], "b");
		assert_string_equal(c->spec.user, good_users[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad_users); i++)
		bad(c, "is no user; give USER[:GROUP]", "-u", bad_users[i], "b", NULL);
}

static void paths_and_append(void **state)
{
	struct cli *c = *state;
	char big[5000];

	good(c, "-w", "/a/../b", "-k", "rel,a=b", "--modules=none", "-a", "x=\"y z\",", "b");
	assert_string_equal(c->spec.workdir, "/a/../b");
	assert_string_equal(c->spec.kernel, "rel,a=b");
	assert_string_equal(c->spec.modules, "none");
	assert_string_equal(c->spec.append, "x=\"y z\",");
	bad(c, "--workdir: 'x' is no absolute path", "-w", "x", "b");
	bad(c, "--workdir: '' is no absolute path", "-w", "", "b");
	bad(c, "--kernel: '' is no path", "-k", "", "b");
	bad(c, "--modules: '' is no path", "--modules=", "b");
	bad(c, "1024 printable ASCII", "-a", "a\nb", "b");
	bad(c, "1024 printable ASCII", "-a", "\xc3\xa9", "b");
	memset(big, '/', sizeof(big));
	big[1024] = '\0';
	good(c, "-a", big, "b");
	big[1024] = '/';
	big[1025] = '\0';
	bad(c, "1024 printable ASCII", "-a", big, "b");
	big[1025] = '/';
	big[4096] = '\0';
	bad(c, "is no absolute path", "-w", big, "b");
	bad(c, "is no path", "-k", big, "b");
}

static void repeated(struct cli *c, const char *option, const char *value, int n, bool ok,
		     const char *say)
{
	_cleanup_strvec_ struct strvec v = { 0 };
	int r;

	strvec_add(&v, "vmrun");
	for (int i = 0; i < n; i++) {
		strvec_add(&v, option);
		strvec_add(&v, value);
	}
	strvec_add(&v, "base");
	assert_false(v.failed);
	vm_spec_free(&c->spec);
	r = spec_cli_parse(&c->spec, SPEC_CLI_USAGE, (int)v.n, v.v, &c->e);
	if (ok)
		assert_int_equal(r, 0);
	else
		assert_int_equal(r, -EINVAL);
	if (!ok)
		assert_string_equal(c->e.text, say);
}

static void lists_are_bounded(void **state)
{
	struct cli *c = *state;

	repeated(c, "-v", "a:/b", 256, true, NULL);
	assert_int_equal(c->spec.n_volumes, 256);
	repeated(c, "-v", "a:/b", 257, false, "--volume: more than 256 volumes");
	repeated(c, "-p", "80", 256, true, NULL);
	assert_int_equal(c->spec.n_ports, 256);
	repeated(c, "-p", "80", 257, false, "--publish: more than 256 ports");
	repeated(c, "-e", "A=b", 4096, true, NULL);
	assert_int_equal(c->spec.env.n, 4096);
	repeated(c, "-e", "A=b", 4097, false, "--env: more than 4096 environment variables");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, cli_set_up, cli_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(volumes),
		TEST(disks),
		TEST(volume_places_are_normalised),
		TEST(bad_volumes),
		TEST(long_volume_paths),
		TEST(ports),
		TEST(environment),
		TEST(environment_string_is_bounded),
		TEST(env_file),
		TEST(bad_env_files),
		TEST(idmaps),
		TEST(idmap_extents_are_bounded),
		TEST(names),
		TEST(hostnames),
		TEST(users),
		TEST(paths_and_append),
		TEST(lists_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
