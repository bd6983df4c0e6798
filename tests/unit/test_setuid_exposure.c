/* SPDX-License-Identifier: MIT */
/* Over real directories: FIXTURE/home/base and FIXTURE/home/volume, all open at first. */
#include "tests/unit/fixture.h"
#include "tests/unit/child.h"

#include <endian.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/xattr.h>

#include "runner/host/setuid_exposure.h"

struct world {
	struct fixture fx;
	struct base_dir base;
	struct vm_spec spec;
	struct id_map uids;
	struct setuid_input in;
	char warning[ERR_TEXT_MAX];
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct err e;

	assert_non_null(w);
	fixture_make(&w->fx);
	fixture_mkdir(&w->fx, "home/base");
	fixture_mkdir(&w->fx, "home/volume");
	assert_int_equal(chmod(w->fx.dir, 0755), 0);
	assert_int_equal(base_dir_open(fixture_path(&w->fx, "home/base"), &w->base, &e), 0);
	vm_spec_init(&w->spec);
	/* A caller whose directories these are, or for root: who has nothing else. */
	w->in = (struct setuid_input){ .spec = &w->spec,
				       .base = &w->base,
				       .uids = &w->uids,
				       .uid = geteuid(),
				       .gid = getegid() };
	w->uids = (struct id_map){ .n = 2, .e = { { 0, geteuid(), 1 }, { 1, 1000000, 65536 } } };
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	base_dir_close(&w->base);
	vm_spec_free(&w->spec);
	fixture_remove(&w->fx);
	free(w);
	return 0;
}

static void set_mode(struct world *w, const char *name, mode_t mode)
{
	assert_int_equal(chmod(fixture_path(&w->fx, name), mode), 0);
}

static void add_volume(struct world *w, const char *name, bool read_only)
{
	w->spec.volumes = calloc(1, sizeof(*w->spec.volumes));
	assert_non_null(w->spec.volumes);
	w->spec.volumes[0] = (struct volume){ .src = strdup(fixture_path(&w->fx, name)),
					      .dst = strdup("/mnt"),
					      .read_only = read_only };
	w->spec.n_volumes = 1;
}

static bool exposed(struct world *w)
{
	return setuid_exposure(&w->in, w->warning);
}

static void expect_warning(struct world *w, const char *what)
{
	char place[4200];

	snprintf(place, sizeof(place), "makes in %s runs as you", fixture_path(&w->fx, what));
	assert_true(exposed(w));
	assert_non_null(strstr(w->warning, place));
	assert_non_null(strstr(w->warning, "--allow-setuid"));
	assert_null(strchr(w->warning, '\n'));
}

static void an_open_base(void **state)
{
	struct world *w = *state;
	char remedy[4200];

	expect_warning(w, "home/base");
	/* What the caller can close, as near as there is one. */
	snprintf(remedy, sizeof(remedy), "chmod go-x %s, or use --read-only or --ephemeral",
		 fixture_path(&w->fx, "home"));
	assert_non_null(strstr(w->warning, remedy));
}

/* In mmdebstrap's layout root makes such a file by chown. */
static void the_caller_past_the_range(void **state)
{
	struct world *w = *state;

	w->uids = (struct id_map){ .n = 2,
				   .e = { { 0, 1000000, 65536 }, { 65536, geteuid(), 1 } } };
	expect_warning(w, "home/base");
	w->uids.n = 1;
	assert_false(exposed(w));
	/* In the middle of an extent, and just beside it. */
	w->in.uid = 1000000 + 65535;
	assert_true(exposed(w));
	w->in.uid = 1000000 + 65536;
	assert_false(exposed(w));
}

static void not_where_it_is_allowed(void **state)
{
	struct world *w = *state;

	w->spec.allow_setuid = true;
	assert_false(exposed(w));
}

static void not_where_nothing_is_written(void **state)
{
	struct world *w = *state;

	w->spec.root_mode = ROOT_READ_ONLY;
	assert_false(exposed(w));
	w->spec.root_mode = ROOT_EPHEMERAL;
	assert_false(exposed(w));
}

static void a_closed_parent(void **state)
{
	static const mode_t closed[] = { 0700, 0600, 0750, 0710, 0766, 0 };
	static const mode_t open[] = { 0755, 0711, 0701, 0777, 0001 };
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++) {
		set_mode(w, "home", closed[i]);
		assert_false(exposed(w));
	}
	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
		set_mode(w, "home", open[i]);
		assert_true(exposed(w));
	}
	set_mode(w, "home", 0755);
	/* One further up. */
	assert_int_equal(chmod(w->fx.dir, 0700), 0);
	assert_false(exposed(w));
}

/* The guest's root owns the base: it can open what was closed. */
static void the_mode_of_the_base_is_no_protection(void **state)
{
	struct world *w = *state;

	set_mode(w, "home/base", 0700);
	assert_true(exposed(w));
}

static void open_to_another_group(void **state)
{
	struct world *w = *state;

	set_mode(w, "home", 0750);
	assert_false(exposed(w));
	w->in.gid++;
	assert_true(exposed(w));
	set_mode(w, "home", 0740);
	assert_false(exposed(w));
}

struct acl_entry {
	uint16_t tag, perm;
	uint32_t id;
};

/* user::rwx, user:4711:--x, group::---, mask::--x, other::--- */
static void open_by_an_acl(void **state)
{
	struct world *w = *state;
	const struct acl_entry entries[] = {
		{ htole16(0x01), htole16(7), htole32(~0U) },
		{ htole16(0x02), htole16(1), htole32(4711) },
		{ htole16(0x04), 0, htole32(~0U) },
		{ htole16(0x10), htole16(1), htole32(~0U) },
		{ htole16(0x20), 0, htole32(~0U) },
	};
	uint8_t acl[4 + sizeof(entries)] = { 2 };

	memcpy(acl + 4, entries, sizeof(entries));
	set_mode(w, "home", 0710);
	assert_false(exposed(w));
	if (setxattr(fixture_path(&w->fx, "home"), "system.posix_acl_access", acl, sizeof(acl), 0) <
	    0) {
		assert_int_equal(errno, ENOTSUP);
		return;
	}
	assert_true(exposed(w));
	set_mode(w, "home", 0700);
	assert_false(exposed(w));
}

static void volumes(void **state)
{
	struct world *w = *state;

	w->spec.root_mode = ROOT_READ_ONLY;
	add_volume(w, "home/volume", false);
	expect_warning(w, "home/volume");
	assert_non_null(strstr(w->warning, ":ro"));
	w->spec.volumes[0].read_only = true;
	assert_false(exposed(w));
	w->spec.volumes[0].read_only = false;
	set_mode(w, "home", 0700);
	assert_false(exposed(w));
}

/* A file can be made setuid, too; by a symlink it is what that leads to. */
static void volumes_that_are_files_or_links(void **state)
{
	struct world *w = *state;

	w->spec.root_mode = ROOT_EPHEMERAL;
	fixture_puts(&w->fx, "home/file", "");
	fixture_mkdir(&w->fx, "closed/away");
	fixture_symlink(&w->fx, "../home/file", "closed/link");
	set_mode(w, "closed", 0700);
	add_volume(w, "closed/link", false);
	expect_warning(w, "home/file");
	free(w->spec.volumes[0].src);
	w->spec.volumes[0].src = strdup(fixture_path(&w->fx, "closed/away"));
	assert_false(exposed(w));
	free(w->spec.volumes[0].src);
	w->spec.volumes[0].src = strdup(fixture_path(&w->fx, "nowhere"));
	assert_false(exposed(w));
}

static void check_mount(struct world *w, const char *path, unsigned long flags, bool is_exposed)
{
	int fd;

	CHILD_CHECK(mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | flags, NULL) == 0);
	fd = open(path, O_PATH | O_CLOEXEC);
	CHILD_CHECK(fd >= 0);
	close(w->base.fd);
	w->base.fd = fd;
	CHILD_CHECK(exposed(w) == is_exposed);
}

static void check_mounts(const void *arg)
{
	struct world *w = *(struct world *const *)arg;
	const char *path = fixture_path(&w->fx, "home/base");

	CHILD_CHECK(unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0);
	CHILD_CHECK(mount(path, path, NULL, MS_BIND, NULL) == 0);
	check_mount(w, path, 0, true);
	check_mount(w, path, MS_NOSUID, false);
	check_mount(w, path, MS_NODEV, true);
	check_mount(w, path, MS_NOEXEC, false);
}

static void a_mount_where_setuid_means_nothing(void **state)
{
	run_unprivileged(check_mounts, state);
}

/* Nothing that the caller could close: then it must be moved. */
static void directories_of_others(void **state)
{
	struct world *w = *state;

	w->in.uid = 4711;
	w->uids.e[0].outside = 4711;
	expect_warning(w, "home/base");
	assert_non_null(strstr(w->warning, "chmod go-x a directory"));
	assert_non_null(strstr(w->warning, "move it"));
}

/* Long names and control characters neither break the line nor lose the advice. */
static void hostile_names(void **state)
{
	struct world *w = *state;
	char name[600];
	struct err e;

	memset(name, 'x', sizeof(name));
	memcpy(name, "home/\x1b[2J", 9);
	name[200] = name[400] = '/';
	name[599] = '\0';
	fixture_mkdir(&w->fx, name);
	base_dir_close(&w->base);
	assert_int_equal(base_dir_open(fixture_path(&w->fx, name), &w->base, &e), 0);
	assert_true(exposed(w));
	assert_null(strchr(w->warning, '\x1b'));
	assert_non_null(strstr(w->warning, "--allow-setuid if that is meant"));
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(an_open_base),
		test(the_caller_past_the_range),
		test(not_where_it_is_allowed),
		test(not_where_nothing_is_written),
		test(a_closed_parent),
		test(the_mode_of_the_base_is_no_protection),
		test(open_to_another_group),
		test(open_by_an_acl),
		test(volumes),
		test(volumes_that_are_files_or_links),
		test(a_mount_where_setuid_means_nothing),
		test(directories_of_others),
		test(hostile_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
