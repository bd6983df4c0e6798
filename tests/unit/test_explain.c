/* SPDX-License-Identifier: MIT */
#include "tests/unit/explained.h"

#include "runner/jail/filter.h"
#include "runner/jail/jail.h"
#include "runner/jail/limits.h"
#include "runner/vm/explain.h"

/* --- layout --- */

static void items(void **state)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	char path[300];

	(void)state;
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	explain_heading(&out, "Things");
	explain_item(&out, "a", "%s", "b");
	explain_item(&out, "", "%s", "c");
	explain_item(&out, "a label that has no room beside it", "%s", "d");
	assert_string_equal(strbuf_str(&out), "Things\n"
					      "  a                      b\n"
					      "                         c\n"
					      "  a label that has no room beside it\n"
					      "                         d\n");
	explain_heading(&out, "More");
	explain_item(&out, path, "%s", path);
	explain_item(&out, "evil\033[2J", "a\tb\nc\033]0;x\007\xc2\x9b \x7f");
	for (size_t i = 0; i + 1 < sizeof(path); i++)
		path[i] = i % 2 ? '\x9b' : '\xc2';
	explain_item(&out, "C1", "%s", path);
	expect(&out, "evil\\033[2J");
	expect(&out, "a\\011b\\012c\\033]0;x\\007\\302\\233 \\177");
	check_text(&out);
}

/* A long word is broken between characters. */
static void long_words(void **state)
{
	_cleanup_strbuf_ struct strbuf out = { 0 }, word = { 0 }, joined = { 0 };

	(void)state;
	strbuf_putc(&word, 'x');
	for (int i = 0; i < 200; i++)
		strbuf_puts(&word, "\xe2\x82\xac");
	explain_item(&out, "", "%s", strbuf_str(&word));
	for (const char *p = strbuf_str(&out); *p; p++) {
		if (*p == '\n')
			assert_true((p[1] & 0xc0) != 0x80);
		if (*p != '\n' && *p != ' ')
			strbuf_putc(&joined, *p);
	}
	assert_string_equal(strbuf_str(&joined), strbuf_str(&word));
}

static void masks(void **state)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };

	(void)state;
	explain_capabilities(0, &out);
	explain_capabilities(UINT64_C(1) << 21 | 1, &out);
	assert_string_equal(strbuf_str(&out), "nonechown, sys_admin");
	explain_capabilities(UINT64_MAX, &out);
	expect(&out, ", 63");
}

/* --- the plan --- */

struct planned {
	struct vm_spec spec;
	struct host_facts facts;
	struct base_dir base;
	struct idmap_choice idmap;
	struct launch_input in;
};

static int set_up(void **state)
{
	struct planned *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	vm_spec_init(&p->spec);
	p->facts = (struct host_facts){ .uid = 1000, .gid = 1000 };
	/* A program with libraries, which is all that is looked at. */
	assert_true(readlink("/proc/self/exe", p->facts.qemu, sizeof(p->facts.qemu) - 1) > 0);
	p->base = (struct base_dir){ .fd = -1, .path = "/srv/a\033base" };
	p->idmap = (struct idmap_choice){
		.kind = IDMAP_CALLER,
		.uids = { .e = { { 0, 1000, 1 }, { 1, 100000, 65536 } }, .n = 2 },
		.gids = { .e = { { 0, 1000, 1 } }, .n = 1 },
	};
	p->in = (struct launch_input){
		.spec = &p->spec, .facts = &p->facts, .base = &p->base, .idmap = &p->idmap
	};
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct planned *p = *state;

	vm_spec_free(&p->spec);
	free(p);
	return 0;
}

static void explain(struct planned *p, struct strbuf *out)
{
	struct err e = { 0 };

	if (explain_jail(&p->in, out, &e) != 0)
		fail_msg("%s", e.text);
	check_text(out);
}

/* "  NAME " at the start of a line. */
static void expect_item(const struct strbuf *out, const char *name)
{
	char line[128];

	snprintf(line, sizeof(line), "\n  %s", name);
	expect(out, line);
}

static void names_all_there_is(void **state)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	const struct jail_namespace *namespaces;
	const struct jail_stage *stages;
	const struct jail_limit *limits;
	size_t n;

	explain(*state, &out);
	stages = jail_stages(&n);
	assert_true(n > 20);
	for (size_t i = 0; i < n; i++)
		/* No guest has a tool's jail. */
		if (stages[i].kinds & (JAIL_VMM | JAIL_NETWORK))
			expect_item(&out, stages[i].name);
	namespaces = jail_namespaces(&n);
	for (size_t i = 0; i < n; i++)
		expect_item(&out, namespaces[i].name);
	limits = jail_limits(&n);
	for (size_t i = 0; i < n; i++)
		expect_item(&out, limits[i].name);
	for (int i = 0; i < MOUNT_END; i++)
		expect_item(&out, jail_mounts()[i].target);
	for (enum filter f = 0; f < FILTER_END; f++) {
		char line[64];

		snprintf(line, sizeof(line), "\n%s, of ", filter_name(f));
		expect(&out, line);
	}
	expect_item(&out, "control group");
	for (enum jail_phase phase = 0; phase < PHASE_END; phase++)
		expect(&out, jail_phase_name(phase));
	for (enum jail_layer layer = LAYER_ROOT; layer < LAYER_END; layer++)
		expect(&out, jail_layer_name(layer));
	expect(&out, "/srv/a\\033base");
	expect(&out, "uid_map                0 1000 1\n"
		     "                         1 100000 65536\n");
	expect(&out, "gid_map                0 1000 1\n");
}

static void without_a_base(void **state)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct planned *p = *state;

	p->in.base = NULL;
	p->in.idmap = NULL;
	p->spec.network = NET_NONE;
	p->spec.root_mode = ROOT_READ_ONLY;
	explain(p, &out);
	expect(&out, "Follow from the owners of ROOT");
	expect(&out, "is not there: --network=none");
	expect_not(&out, "setuid files");
	expect_not(&out, "because");
}

static void each_layout(void **state)
{
	static const char *const say[] = {
		[IDMAP_CALLER] = "caller: ",
		[IDMAP_SUBID] = "subid: ",
		[IDMAP_SINGLE] = "single: ",
		[IDMAP_EXPLICIT] = "explicit: ",
	};
	struct planned *p = *state;

	p->spec.idmap = IDMAP_EXPLICIT;
	for (size_t i = IDMAP_CALLER; i < ARRAY_SIZE(say); i++) {
		_cleanup_strbuf_ struct strbuf out = { 0 };

		p->idmap.kind = (enum idmap_kind)i;
		explain(p, &out);
		expect(&out, say[i]);
		expect(&out, "because                --idmap says so");
	}
}

static void what_weakens_it_is_said(void **state)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct planned *p = *state;

	p->spec.seccomp = SECCOMP_LOG;
	p->spec.host_loopback = true;
	explain(p, &out);
	expect(&out, "--seccomp=log: what is not named here is allowed");
	expect(&out, "and to the host's own 127.0.0.1");
}

static void dry_run(void **state)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	struct planned *p = *state;
	struct volume volumes[] = { { .read_only = true }, { .read_only = false } };
	struct vm_plan plan = { .in = { .spec = &p->spec }, .network = NET_USER };

	p->spec.volumes = volumes;
	p->spec.n_volumes = 2;
	p->spec.root_mode = ROOT_EPHEMERAL;
	explain_plan(&plan, &out);
	p->spec.volumes = NULL;
	p->spec.n_volumes = 0;
	expect(&out, "jail        own namespaces: user mnt pid net ipc uts cgroup\n");
	expect(&out, "            mount: /vm/root ro, nosuid, nodev, noexec\n");
	expect(&out, "            mount: /vm/volumes/0 ro, nosuid, nodev, noexec\n");
	expect(&out, "            mount: /vm/volumes/1 nosuid, nodev, noexec\n");
	expect(&out, "            capabilities: chown, dac_override, fowner, fsetid\n");
	expect(&out, "helper jail own namespaces: user mnt pid ipc uts cgroup\n");
	expect(&out, "            capabilities: none\n");
	strbuf_free(&out);
	plan.network = NET_NONE;
	explain_plan(&plan, &out);
	expect_not(&out, "helper jail");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(items),       cmocka_unit_test(long_words),
		cmocka_unit_test(masks),       TEST(names_all_there_is),
		TEST(without_a_base),	       TEST(each_layout),
		TEST(what_weakens_it_is_said), TEST(dry_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
