/* SPDX-License-Identifier: MIT */
#include "tests/unit/plan_world.h"

static const char *const hostile[] = {
	"",
	"a,b",
	"new\nline",
	"\n",
	"it's",
	"back\\slash\\",
	"$(reboot) `reboot` $HOME ${x} !! ~ * ? [a] {b,c} # ; & | < > ( )",
	"-n",
	"\x1b[2J\x1b]0;title\x07",
	"\0011digits\03707",
	"\x7f",
	"\302\23331m",
	"\xc2\x80\xc2\x9f\xc2\xa0",
	"stra\303\237e",
	"\xff\xfe\xc2",
	" blank ",
	"\t",
	"\r\x1b",
};

#define N_HOSTILE (sizeof(hostile) / sizeof(hostile[0]))

static void print(struct plan_world *w, struct strbuf *ret)
{
	plan_world_make(w);
	*ret = (struct strbuf){ 0 };
	vm_plan_print(&w->plan, ret);
	assert_false(ret->failed);
}

static unsigned int count_lines(const struct strbuf *b)
{
	unsigned int n = 0;

	for (size_t i = 0; i < b->len; i++)
		n += b->data[i] == '\n';
	return n;
}

/* Nothing that a terminal would act upon, C1 in UTF-8 included. */
static void assert_printable(const struct strbuf *b)
{
	assert_int_equal(strlen(b->data), b->len);
	for (size_t i = 0; i < b->len; i++) {
		uint8_t c = (uint8_t)b->data[i];

		if ((c < 0x20 && c != '\n') || c == 0x7f)
			fail_msg("control character %#x in: %s", c, b->data);
		if (c == 0xc2 && ((uint8_t)b->data[i + 1] & 0xe0) == 0x80)
			fail_msg("C1 control character in: %s", b->data);
	}
}

/* What stands on the one line that begins with @label. */
static const char *line_of(const struct strbuf *b, const char *label)
{
	static char line[8192];
	const char *p = b->data;
	size_t len = strlen(label), n;

	line[0] = '\0';
	for (; *p; p += n + 1) {
		n = strcspn(p, "\n");
		assert_int_equal(p[n], '\n');
		if (strncmp(p, label, len) || (p[len] != ' ' && p[len] != '\n'))
			continue;
		assert_int_equal(line[0], 0);
		assert_true(n < sizeof(line));
		p += len;
		n -= len;
		memcpy(line, p, n);
		line[n] = '\0';
	}
	return line + strspn(line, " ");
}

static void the_whole_text(void **state)
{
	struct plan_world *w = *state;
	struct strbuf out;

	plan_world_volume(w, "data:/data:ro");
	plan_world_port(w, "8080:80");
	plan_world_port(w, "0.0.0.0:53:5353/udp");
	w->in.accel = ACCEL_KVM;
	w->spec.root_mode = ROOT_EPHEMERAL;
	print(w, &out);
	assert_string_equal(line_of(&out, "command"), "/bin/true");
	assert_string_equal(line_of(&out, "base"),
			    "/srv/base, ephemeral, cache loose, lock shared with other readers");
	assert_string_equal(line_of(&out, "volume"), "data on /data, read-only, cache mmap");
	assert_string_equal(line_of(&out, "id map"),
			    "caller: uid 0:1000:1,1:100000:65536, gid 0:1000:1");
	assert_string_equal(line_of(&out, "kernel"), "/boot/vmlinuz-6.1.0-9-amd64, version "
						     "6.1.0-9-amd64, by PVH, initramfs 1700 KiB");
	assert_string_equal(line_of(&out, "machine"), "KVM, 4 CPUs, 512 MiB, host name base");
	assert_string_equal(line_of(&out, "network"),
			    "user, 127.0.0.1:8080 to 80/tcp, 0.0.0.0:53 to 5353/udp");
	assert_string_equal(line_of(&out, "qemu"), "/usr/bin/qemu-system-x86_64 \\");
	strbuf_free(&out);
}

static void other_words(void **state)
{
	struct plan_world *w = *state;
	struct strbuf out;

	strvec_free(&w->spec.command);
	w->spec.host_loopback = true;
	print(w, &out);
	assert_non_null(strstr(line_of(&out, "network"), "user, 10.0.2.2 is the host's 127.0.0.1"));
	strbuf_free(&out);
	w->spec.network = NET_NONE;
	w->spec.shared = true;
	w->report.pvh = false;
	w->idmap.kind = IDMAP_SUBID;
	print(w, &out);
	assert_string_equal(line_of(&out, "command"), "login shell of root");
	assert_string_equal(line_of(&out, "base"),
			    "/srv/base, read-write, cache mmap, lock tolerant");
	assert_non_null(strstr(line_of(&out, "kernel"), ", by bzImage, "));
	assert_string_equal(line_of(&out, "network"), "none");
	assert_string_equal(line_of(&out, "machine"), "TCG, 1 CPU, 512 MiB, host name base");
	assert_int_equal(strncmp(line_of(&out, "id map"), "subid: ", 7), 0);
	strbuf_free(&out);
	plan_world_set(&w->spec.user, "www-data");
	print(w, &out);
	assert_string_equal(line_of(&out, "command"), "login shell of www-data");
	strbuf_free(&out);
}

/* Every value hostile at once: as many lines as before, and none of it raw. */
static void always_one_line_a_value(void **state)
{
	struct plan_world *w = *state;
	struct strbuf out;
	unsigned int lines;

	plan_world_volume(w, "a:/a");
	plan_world_set(&w->spec.append, "");
	print(w, &out);
	lines = count_lines(&out);
	strbuf_free(&out);
	for (size_t i = 0; i < N_HOSTILE; i++) {
		strvec_free(&w->spec.command);
		strvec_add(&w->spec.command, hostile[i]);
		strvec_add(&w->spec.command, hostile[i]);
		plan_world_set(&w->spec.volumes[0].src, hostile[i]);
		plan_world_set(&w->spec.volumes[0].dst, hostile[i]);
		plan_world_set(&w->spec.append, hostile[i]);
		w->in.base_path = hostile[i];
		snprintf(w->report.kernel_path, sizeof(w->report.kernel_path), "%s", hostile[i]);
		snprintf(w->report.kernel_version, sizeof(w->report.kernel_version), "%s",
			 hostile[i]);
		snprintf(w->facts.qemu, sizeof(w->facts.qemu), "/usr/%s", hostile[i]);
		print(w, &out);
		assert_int_equal(count_lines(&out), lines);
		assert_printable(&out);
		strbuf_free(&out);
	}
	strvec_free(&w->spec.command);
	for (size_t i = 0; i < N_HOSTILE; i++) {
		if (!*hostile[i])
			continue;
		plan_world_set(&w->spec.user, hostile[i]);
		print(w, &out);
		assert_int_equal(count_lines(&out), lines);
		assert_printable(&out);
		strbuf_free(&out);
	}
}

/* What is printed is what a shell takes back, byte for byte. */
static void a_shell_takes_it_back(void **state)
{
	static const char *const bash[] = { "bash", "--norc", NULL };
	struct plan_world *w = *state;
	struct strbuf out, script = { 0 }, words;
	const char *p;

	strvec_free(&w->spec.command);
	for (size_t i = 0; i < N_HOSTILE; i++)
		strvec_add(&w->spec.command, hostile[i]);
	print(w, &out);
	assert_non_null(strstr(out.data, " $'\\302\\23331m' "));
	strbuf_printf(&script, "printf '%%s\\0' %s\n", line_of(&out, "command"));
	run_filter(bash, script.data, script.len, &words);
	p = words.data;
	for (size_t i = 0; i < N_HOSTILE; i++) {
		assert_string_equal(p, hostile[i]);
		p += strlen(p) + 1;
	}
	assert_ptr_equal(p, words.data + words.len);
	strbuf_free(&out);
	strbuf_free(&script);
	strbuf_free(&words);
}

/* The same for the lines that are QEMU's, put together as a shell does it. */
static void qemu_can_be_called_from_it(void **state)
{
	static const char *const bash[] = { "bash", "--norc", NULL };
	struct plan_world *w = *state;
	struct strbuf out, script = { 0 }, words;
	const char *p;

	plan_world_set(&w->spec.append, "a='b c',d \\");
	print(w, &out);
	p = strstr(out.data, "\nqemu ");
	assert_non_null(p);
	strbuf_printf(&script, "printf '%%s\\0' %s\n", p + strlen("\nqemu "));
	run_filter(bash, script.data, script.len, &words);
	p = words.data;
	for (size_t i = 0; i < w->plan.qemu_argv.n; i++) {
		assert_string_equal(p, w->plan.qemu_argv.v[i]);
		p += strlen(p) + 1;
	}
	assert_ptr_equal(p, words.data + words.len);
	strbuf_free(&out);
	strbuf_free(&script);
	strbuf_free(&words);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, plan_world_set_up, plan_world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_whole_text),
		TEST(other_words),
		TEST(always_one_line_a_value),
		TEST(a_shell_takes_it_back),
		TEST(qemu_can_be_called_from_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
