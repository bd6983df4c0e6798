/* SPDX-License-Identifier: MIT */
#include "tests/unit/plan_world.h"

/* The word after @option on QEMU's command line, which must be there once. */
static const char *value_of(const struct vm_plan *plan, const char *option)
{
	const char *found = NULL;

	for (size_t i = 0; i + 1 < plan->qemu_argv.n; i++) {
		if (strcmp(plan->qemu_argv.v[i], option))
			continue;
		assert_null(found);
		found = plan->qemu_argv.v[i + 1];
	}
	if (!found)
		fail_msg("QEMU gets no %s", option);
	return found;
}

static bool has_arg(const struct vm_plan *plan, const char *arg)
{
	for (size_t i = 0; i < plan->qemu_argv.n; i++)
		if (!strcmp(plan->qemu_argv.v[i], arg))
			return true;
	return false;
}

static void assert_no_arg_says(const struct vm_plan *plan, const char *text)
{
	for (size_t i = 0; i < plan->qemu_argv.n; i++)
		if (strstr(plan->qemu_argv.v[i], text))
			fail_msg("\"%s\" says \"%s\"", plan->qemu_argv.v[i], text);
}

static void the_machine(void **state)
{
	struct plan_world *w = *state;
	const struct vm_plan *p = &w->plan;

	plan_world_make(w);
	assert_string_equal(p->qemu_argv.v[0], "/usr/bin/qemu-system-x86_64");
	assert_null(p->qemu_argv.v[p->qemu_argv.n]);
	assert_true(has_arg(p, "-nodefaults"));
	assert_true(has_arg(p, "-no-user-config"));
	assert_true(has_arg(p, "-no-reboot"));
	assert_int_equal(strncmp(value_of(p, "-machine"), "q35,", 4), 0);
	assert_string_equal(value_of(p, "-m"), "size=512M");
	assert_string_equal(value_of(p, "-kernel"), "/proc/self/fd/5");
	assert_string_equal(value_of(p, "-initrd"), "/proc/self/fd/6");
	assert_string_equal(value_of(p, "-append"), p->cmdline);
	assert_string_equal(value_of(p, "-sandbox"), "on,obsolete=deny,elevateprivileges=deny,"
						     "spawn=deny,resourcecontrol=deny");
	assert_true(has_arg(p, "local,id=root,path=/vm/root,security_model=passthrough,"
			       "multidevs=remap"));
	assert_true(has_arg(p, "local,id=volumes,path=/vm/volumes,security_model=passthrough,"
			       "multidevs=remap"));
	assert_true(has_arg(p, "socket,id=agent,fd=3"));
	assert_true(has_arg(p, "socket,id=console,fd=4"));
	assert_false(has_arg(p, "-name"));
}

static void the_accelerator_decides_cpus(void **state)
{
	struct plan_world *w = *state;

	plan_world_make(w);
	assert_string_equal(value_of(&w->plan, "-accel"), "tcg");
	assert_string_equal(value_of(&w->plan, "-cpu"), "max,la57=off");
	assert_string_equal(value_of(&w->plan, "-smp"), "1");
	assert_int_equal(w->plan.cpus, 1);

	w->in.accel = ACCEL_KVM;
	plan_world_make(w);
	assert_string_equal(value_of(&w->plan, "-accel"), "kvm");
	assert_string_equal(value_of(&w->plan, "-cpu"), "host");
	assert_string_equal(value_of(&w->plan, "-smp"), "4");

	w->spec.cpus = 7;
	plan_world_make(w);
	assert_string_equal(value_of(&w->plan, "-smp"), "7");
	w->in.accel = ACCEL_TCG;
	plan_world_make(w);
	assert_string_equal(value_of(&w->plan, "-smp"), "7");
}

/* One machine shape: nothing of the host or the base is part of it. */
static void hostile_names_stay_out_of_qemus_options(void **state)
{
	static const char evil[] = "x,path=/etc,\n'\"$(id)";
	struct plan_world *w = *state;
	char volume[64];
	size_t n;

	plan_world_make(w);
	n = w->plan.qemu_argv.n;

	w->in.base_path = "/srv/x,path=/etc,\n'\"$(id)";
	plan_world_set(&w->spec.root, evil);
	plan_world_set(&w->spec.kernel, evil);
	plan_world_set(&w->spec.modules, evil);
	plan_world_set(&w->spec.user, evil);
	plan_world_set(&w->spec.workdir, evil);
	strvec_add(&w->spec.command, evil);
	strvec_add(&w->spec.env, evil);
	snprintf(volume, sizeof(volume), "%s:/%s:ro", evil, evil);
	plan_world_volume(w, volume);
	memcpy(w->report.kernel_path, evil, sizeof(evil));
	memcpy(w->report.kernel_version, evil, sizeof(evil));
	plan_world_make(w);
	assert_int_equal(w->plan.qemu_argv.n, n);
	assert_no_arg_says(&w->plan, "/etc");
	assert_no_arg_says(&w->plan, "x,path");
	assert_no_arg_says(&w->plan, "(id)");
	assert_no_arg_says(&w->plan, "\n");
}

static void disks_are_files_of_the_jail(void **state)
{
	static const char evil[] = "x,file.driver=null\",\"backing\":\"/etc/passwd";
	static const struct disk_image images[] = { { -1, DISK_RAW }, { -1, DISK_QCOW2 } };
	struct plan_world *w = *state;
	char words[128];

	snprintf(words, sizeof(words), "%s:ro", evil);
	assert_int_equal(spec_value_disk(&w->spec, words, &w->e), 0);
	assert_int_equal(spec_value_disk(&w->spec, "b", &w->e), 0);
	w->in.disks = images;
	plan_world_make(w);
	assert_no_arg_says(&w->plan, "/etc");
	assert_true(has_arg(&w->plan,
			    "{\"driver\":\"file\",\"node-name\":\"file0\",\"filename\":"
			    "\"/vm/disks/0\",\"read-only\":true,\"auto-read-only\":false,"
			    "\"locking\":\"off\",\"aio\":\"threads\",\"discard\":\"unmap\"}"));
	assert_true(has_arg(&w->plan,
			    "{\"driver\":\"raw\",\"node-name\":\"disk0\",\"file\":\"file0\","
			    "\"read-only\":true,\"discard\":\"unmap\"}"));
	assert_true(has_arg(&w->plan,
			    "{\"driver\":\"qcow2\",\"node-name\":\"disk1\",\"file\":\"file1\","
			    "\"backing\":null,\"read-only\":false,\"discard\":\"unmap\"}"));
	assert_true(has_arg(&w->plan, "virtio-blk-pci,drive=disk1"));
	/* A template is of a machine without any. */
	w->in.start = START_MAKE;
	plan_world_make(w);
	assert_no_arg_says(&w->plan, "disk0");
}

static void a_name_is_shown(void **state)
{
	struct plan_world *w = *state;

	plan_world_set(&w->spec.name, "web-1");
	plan_world_make(w);
	assert_string_equal(value_of(&w->plan, "-name"), "guest=web-1");
	assert_string_equal(w->plan.hostname, "web-1");
}

static void kernel_command_line(void **state)
{
	struct plan_world *w = *state;

	plan_world_make(w);
	assert_string_equal(w->plan.cmdline,
			    "console=ttyS0 panic=-1 rdinit=/init acpi_mask_gpe=0x05 no_timer_check "
			    "init_on_alloc=0 psi=0 "
			    "quiet loglevel=4");
	w->spec.verbose = VERBOSE_CLEAN;
	plan_world_make(w);
	assert_string_equal(w->plan.cmdline,
			    "console=ttyS0 panic=-1 rdinit=/init acpi_mask_gpe=0x05 no_timer_check "
			    "init_on_alloc=0 psi=0");
	w->in.accel = ACCEL_KVM;
	plan_world_make(w);
	assert_string_equal(w->plan.cmdline,
			    "console=ttyS0 panic=-1 rdinit=/init acpi_mask_gpe=0x05");
	plan_world_set(&w->spec.append, "quiet x=1,accel=kvm -monitor stdio");
	plan_world_make(w);
	assert_string_equal(value_of(&w->plan, "-append"),
			    "console=ttyS0 panic=-1 rdinit=/init acpi_mask_gpe=0x05 "
			    "quiet x=1,accel=kvm -monitor stdio");
	assert_string_equal(value_of(&w->plan, "-accel"), "kvm");
}

static void hostnames_from_bases(void **state)
{
	static const struct {
		const char *path, *hostname;
	} cases[] = {
		{ "/srv/base", "base" },
		{ "/srv/Debian.12", "Debian.12" },
		{ "/srv/my base", "my-base" },
		{ "/srv/a,b\n\tc", "a-b-c" },
		{ "/srv/-x-", "x" },
		{ "/srv/...", "vmrun" },
		{ "/srv/a..b", "a.b" },
		{ "/srv/a-.b", "a-b" },
		{ "/srv/a.-b", "a.b" },
		{ "/srv/.hidden.", "hidden" },
		{ "/srv/;reboot", "reboot" },
		{ "/srv/\x1b[2J", "2J" },
		{ "/srv/b\xc3\xa4se", "b-se" },
		{ "/srv/\xff\xfe", "vmrun" },
		{ "/srv/-", "vmrun" },
		{ "/", "vmrun" },
		{ "", "vmrun" },
		{ "/srv/0123456789012345678901234567890123456789012345678901234567890123456789",
		  "012345678901234567890123456789012345678901234567890123456789012" },
		{ "/srv/01234567890123456789012345678901234567890123456789012345678901----------x",
		  "01234567890123456789012345678901234567890123456789012345678901" },
	};
	struct plan_world *w = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		w->in.base_path = cases[i].path;
		plan_world_make(w);
		assert_string_equal(w->plan.hostname, cases[i].hostname);
		assert_int_equal(spec_value_check_hostname(w->plan.hostname, &w->e), 0);
	}
}

/* Whatever a base is called: a name that the option would accept, too. */
static void hostnames_from_noise(void **state)
{
	struct plan_world *w = *state;
	uint8_t noise[4096];
	char path[48];

	fill_noise(noise, sizeof(noise));
	for (size_t at = 0; at + sizeof(path) <= sizeof(noise); at += 16) {
		path[0] = '/';
		for (size_t i = 1; i < sizeof(path) - 1; i++) {
			/* Half of them of what makes labels. */
			uint8_t c = at % 32 ? noise[at + i] : (uint8_t) "a.-B0_"[noise[at + i] % 6];

			path[i] = c && c != '/' ? (char)c : '.';
		}
		path[sizeof(path) - 1] = '\0';
		w->in.base_path = path;
		plan_world_make(w);
		if (spec_value_check_hostname(w->plan.hostname, &w->e) != 0)
			fail_msg("%s", w->e.text);
	}
}

static void hostname_options_win(void **state)
{
	static const char longest[] = "xn--abc.012345678901234567890123456789012345678901234567890"
				      ".789";
	struct plan_world *w = *state;

	plan_world_set(&w->spec.name, "my_vm");
	plan_world_make(w);
	assert_string_equal(w->plan.hostname, "my-vm");
	assert_int_equal(strlen(longest), 63);
	plan_world_set(&w->spec.hostname, longest);
	plan_world_make(w);
	assert_string_equal(w->plan.hostname, longest);
}

static void caches_and_locks(void **state)
{
	static const struct {
		enum root_mode mode;
		bool shared;
		enum cache_policy asked;
		enum cache_policy root, volumes;
		enum plan_lock lock;
	} cases[] = {
		{ ROOT_RW, false, CACHE_AUTO, CACHE_MMAP, CACHE_MMAP, LOCK_WRITER },
		{ ROOT_READ_ONLY, false, CACHE_AUTO, CACHE_LOOSE, CACHE_MMAP, LOCK_READERS },
		{ ROOT_EPHEMERAL, false, CACHE_AUTO, CACHE_LOOSE, CACHE_MMAP, LOCK_READERS },
		/* Others may write: nothing may be taken for granted. */
		{ ROOT_RW, true, CACHE_AUTO, CACHE_MMAP, CACHE_MMAP, LOCK_TOLERANT },
		{ ROOT_READ_ONLY, true, CACHE_AUTO, CACHE_MMAP, CACHE_MMAP, LOCK_TOLERANT },
		{ ROOT_EPHEMERAL, true, CACHE_AUTO, CACHE_MMAP, CACHE_MMAP, LOCK_TOLERANT },
		{ ROOT_RW, false, CACHE_NONE, CACHE_NONE, CACHE_NONE, LOCK_WRITER },
		{ ROOT_EPHEMERAL, false, CACHE_MMAP, CACHE_MMAP, CACHE_MMAP, LOCK_READERS },
		{ ROOT_RW, true, CACHE_LOOSE, CACHE_LOOSE, CACHE_LOOSE, LOCK_TOLERANT },
	};
	struct plan_world *w = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		w->spec.root_mode = cases[i].mode;
		w->spec.shared = cases[i].shared;
		w->spec.cache = cases[i].asked;
		plan_world_make(w);
		assert_int_equal(w->plan.root_cache, cases[i].root);
		assert_int_equal(w->plan.volume_cache, cases[i].volumes);
		assert_int_equal(w->plan.lock, cases[i].lock);
		assert_int_equal(plan_lock(&w->spec), cases[i].lock);
	}
}

static void networks(void **state)
{
	struct plan_world *w = *state;

	plan_world_make(w);
	assert_int_equal(w->plan.network, NET_USER);
	assert_string_equal(value_of(&w->plan, "-netdev"),
			    "stream,id=net0,server=off,addr.type=fd,addr.str=10");
	w->spec.network = NET_USER;
	plan_world_port(w, "8080:80");
	plan_world_port(w, "0.0.0.0:5353:53/udp");
	plan_world_make(w);
	assert_int_equal(w->plan.network, NET_USER);
	/* Ports are none of QEMU's business. */
	assert_string_equal(value_of(&w->plan, "-netdev"),
			    "stream,id=net0,server=off,addr.type=fd,addr.str=10");
	w->spec.network = NET_NONE;
	plan_world_make(w);
	assert_int_equal(w->plan.network, NET_NONE);
	assert_string_equal(value_of(&w->plan, "-netdev"), "hubport,id=net0,hubid=0");
	/* One that is to become a template serves guests with and without. */
	w->spec.network = NET_USER;
	w->in.start = START_MAKE;
	plan_world_make(w);
	assert_string_equal(value_of(&w->plan, "-netdev"), "hubport,id=net0,hubid=0");
}

/* The earliest where there is something to fall back to, the latest under emulation. */
static void deadlines(void **state)
{
	struct plan_world *w = *state;
	uint64_t tcg, trial;

	plan_world_make(w);
	tcg = w->plan.start_deadline_ms;
	assert_true(tcg >= 60000);
	w->in.accel = ACCEL_KVM;
	plan_world_make(w);
	trial = w->plan.start_deadline_ms;
	assert_true(trial >= 5000);
	w->spec.accel = ACCEL_KVM;
	plan_world_make(w);
	assert_true(w->plan.start_deadline_ms > trial);
	assert_true(w->plan.start_deadline_ms < tcg);
}

static void memory_within_the_hosts(void **state)
{
	struct plan_world *w = *state;
	struct vm_plan untouched = { .cpus = 99 };

	w->spec.memory = w->facts.memory;
	plan_world_make(w);
	assert_string_equal(value_of(&w->plan, "-m"), "size=8192M");
	w->spec.memory += (uint64_t)1 << 20;
	assert_int_equal(vm_plan_make(&w->in, &untouched, &w->e), -EINVAL);
	assert_int_equal(w->e.errnum, EINVAL);
	assert_string_equal(w->e.text,
			    "--memory asks for 8193 MiB and this host has 8192; ask for less");
	w->spec.memory = UINT64_MAX;
	assert_int_equal(vm_plan_make(&w->in, &untouched, &w->e), -EINVAL);
	assert_int_equal(untouched.cpus, 99);
	assert_null(untouched.cmdline);
}

static void free_twice(void **state)
{
	struct plan_world *w = *state;

	plan_world_make(w);
	vm_plan_free(&w->plan);
	assert_null(w->plan.cmdline);
	assert_int_equal(w->plan.qemu_argv.n, 0);
	vm_plan_free(&w->plan);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, plan_world_set_up, plan_world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_machine),
		TEST(the_accelerator_decides_cpus),
		TEST(hostile_names_stay_out_of_qemus_options),
		TEST(disks_are_files_of_the_jail),
		TEST(a_name_is_shown),
		TEST(kernel_command_line),
		TEST(hostnames_from_bases),
		TEST(hostnames_from_noise),
		TEST(hostname_options_win),
		TEST(caches_and_locks),
		TEST(networks),
		TEST(deadlines),
		TEST(memory_within_the_hosts),
		TEST(free_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
