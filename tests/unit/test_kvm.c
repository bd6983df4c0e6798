/* SPDX-License-Identifier: MIT */
/*
 * The probe without KVM: in a mount namespace whose /dev holds nothing but what a
 * test puts there, and with an ioctl(2) of our own for KVM_CREATE_VM.
 */
#include "tests/unit/fixture.h"
#include "tests/unit/child.h"

#include <linux/kvm.h>
#include <sched.h>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include "runner/host/host_facts.h"

static int create_vm_errno;
static unsigned int create_vm_calls;

int ioctl(int fd, unsigned long request, ...)
{
	(void)fd;
	CHILD_CHECK(request == KVM_CREATE_VM);
	create_vm_calls++;
	if (create_vm_errno) {
		errno = create_vm_errno;
		return -1;
	}
	return memfd_create("vm", MFD_CLOEXEC);
}

static int set_up(void **state)
{
	struct fixture *fx = malloc(sizeof(*fx));

	assert_non_null(fx);
	fixture_make(fx);
	/* For whom run_unprivileged() runs as. */
	assert_int_equal(chmod(fx->dir, 0777), 0);
	fixture_puts(fx, "qemu", "one");
	*state = fx;
	return 0;
}

static int tear_down(void **state)
{
	fixture_remove(*state);
	free(*state);
	return 0;
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHILD_CHECK(fd >= 0 && fs_write_all(fd, text, strlen(text)) == 0);
	close(fd);
}

static void empty_dev(void)
{
	char uids[32], gids[32];

	snprintf(uids, sizeof(uids), "%u %u 1", geteuid(), geteuid());
	snprintf(gids, sizeof(gids), "%u %u 1", getegid(), getegid());
	CHILD_CHECK(unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0);
	put("/proc/self/uid_map", uids);
	put("/proc/self/setgroups", "deny");
	put("/proc/self/gid_map", gids);
	CHILD_CHECK(mount("none", "/dev", "tmpfs", 0, NULL) == 0);
}

static void drop_caps(void)
{
	cap_t none = cap_init();

	CHILD_CHECK(none && cap_set_proc(none) == 0);
	cap_free(none);
}

static void add_kvm(mode_t mode)
{
	put("/dev/kvm", "");
	CHILD_CHECK(chmod("/dev/kvm", mode) == 0);
}

static void probe_states(const void *arg)
{
	bool by_group = true;

	(void)arg;
	empty_dev();
	CHILD_CHECK(kvm_probe("", "/qemu", &by_group) == KVM_ABSENT);
	CHILD_CHECK(!by_group && create_vm_calls == 0);
	add_kvm(0666);
	CHILD_CHECK(kvm_probe("", "/qemu", &by_group) == KVM_USABLE);
	CHILD_CHECK(!by_group && create_vm_calls == 1);
	create_vm_errno = ENODEV;
	CHILD_CHECK(kvm_probe("", "/qemu", &by_group) == KVM_BROKEN);
	CHILD_CHECK(!by_group && create_vm_calls == 2);
	drop_caps();
	add_kvm(0);
	CHILD_CHECK(kvm_probe("", "/qemu", &by_group) == KVM_DENIED);
	CHILD_CHECK(!by_group && create_vm_calls == 2);
}

static void states(void **state)
{
	(void)state;
	run_unprivileged(probe_states, NULL);
}

/* Whether a supplementary group is what opens it: then the jail has to keep it. */
static void probe_by_group(const void *arg)
{
	gid_t groups[256];
	int n = getgroups(256, groups);
	bool member = false, by_group;

	(void)arg;
	for (int i = 0; i < n; i++)
		member |= groups[i] == getegid();
	empty_dev();
	add_kvm(0666);
	CHILD_CHECK(kvm_probe("", "/qemu", &by_group) == KVM_USABLE && !by_group);
	/* Whoever the owner is: in the jail he may be nobody. */
	add_kvm(0660);
	CHILD_CHECK(kvm_probe("", "/qemu", &by_group) == KVM_USABLE && by_group == member);
}

static void by_group(void **state)
{
	(void)state;
	run_unprivileged(probe_by_group, NULL);
}

struct paths {
	char cache[128], verdict[160], qemu[128];
};

static struct paths paths_of(const char *dir)
{
	struct paths p = { 0 };

	snprintf(p.cache, sizeof(p.cache), "%s/home/.cache/vmrun", dir);
	snprintf(p.verdict, sizeof(p.verdict), "%s/home/.cache/vmrun/kvm-broken", dir);
	snprintf(p.qemu, sizeof(p.qemu), "%s/qemu", dir);
	return p;
}

static enum kvm_state probe(const struct paths *p)
{
	bool ignored;

	return kvm_probe(p->cache, p->qemu, &ignored);
}

static void remember_and_probe(const void *arg)
{
	const struct paths p = paths_of(arg);

	empty_dev();
	add_kvm(0666);
	CHILD_CHECK(probe(&p) == KVM_USABLE);
	kvm_remember_broken(p.cache, p.qemu);
	CHILD_CHECK(probe(&p) == KVM_BROKEN);
	CHILD_CHECK(kvm_probe("", p.qemu, &(bool){ false }) == KVM_USABLE);
	/* It is about this QEMU. */
	CHILD_CHECK(kvm_probe(p.cache, "/proc/self/exe", &(bool){ false }) == KVM_USABLE);
	CHILD_CHECK(kvm_probe(p.cache, "/no/such/qemu", &(bool){ false }) == KVM_USABLE);
}

static void a_verdict_is_remembered(void **state)
{
	const struct fixture *fx = *state;

	run_unprivileged(remember_and_probe, fx->dir);
}

static void replace_qemu(const void *arg)
{
	const struct paths p = paths_of(arg);
	char updated[140];

	empty_dev();
	add_kvm(0666);
	kvm_remember_broken(p.cache, p.qemu);
	CHILD_CHECK(probe(&p) == KVM_BROKEN);
	snprintf(updated, sizeof(updated), "%s.new", p.qemu);
	put(updated, "two, as an update brings it");
	CHILD_CHECK(rename(updated, p.qemu) == 0);
	CHILD_CHECK(probe(&p) == KVM_USABLE);
	/* A new verdict takes the old one's place. */
	kvm_remember_broken(p.cache, p.qemu);
	CHILD_CHECK(probe(&p) == KVM_BROKEN);
}

static void a_new_qemu_is_tried_again(void **state)
{
	const struct fixture *fx = *state;

	run_unprivileged(replace_qemu, fx->dir);
}

static void spoil_verdict(const void *arg)
{
	const struct paths p = paths_of(arg);
	static char big[70000];
	char text[256];
	int fd;
	ssize_t n;

	empty_dev();
	add_kvm(0666);
	kvm_remember_broken(p.cache, p.qemu);
	fd = open(p.verdict, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	CHILD_CHECK(n > 37 && text[36] == ' ' && text[n - 1] == '\n');
	close(fd);
	text[n] = '\0';
	/* Another boot of the host. */
	text[0] = text[0] == '0' ? '1' : '0';
	put(p.verdict, text);
	CHILD_CHECK(probe(&p) == KVM_USABLE);
	put(p.verdict, "");
	CHILD_CHECK(probe(&p) == KVM_USABLE);
	memset(big, 'x', sizeof(big) - 1);
	put(p.verdict, big);
	CHILD_CHECK(probe(&p) == KVM_USABLE);
	CHILD_CHECK(unlink(p.verdict) == 0 && mkdir(p.verdict, 0700) == 0);
	CHILD_CHECK(probe(&p) == KVM_USABLE);
}

static void a_verdict_of_another_boot_is_none(void **state)
{
	const struct fixture *fx = *state;

	run_unprivileged(spoil_verdict, fx->dir);
}

static void the_file_of_the_verdict(void **state)
{
	const struct fixture *fx = *state;
	const struct paths p = paths_of(fx->dir);
	struct stat st;

	kvm_remember_broken(p.cache, p.qemu);
	assert_int_equal(stat(p.verdict, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(p.cache, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	/* A link there is replaced, not followed. */
	assert_int_equal(unlink(p.verdict), 0);
	fixture_puts(fx, "precious", "keep me");
	fixture_symlink(fx, "../../../precious", "home/.cache/vmrun/kvm-broken");
	kvm_remember_broken(p.cache, p.qemu);
	assert_int_equal(lstat(p.verdict, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(stat(fixture_path(fx, "precious"), &st), 0);
	assert_int_equal(st.st_size, 7);
	/* And nothing else is left there. */
	assert_int_equal(unlink(p.verdict), 0);
	assert_int_equal(rmdir(p.cache), 0);
}

static void what_cannot_be_remembered(void **state)
{
	const struct fixture *fx = *state;
	const struct paths p = paths_of(fx->dir);

	kvm_remember_broken("", p.qemu);
	kvm_remember_broken(p.cache, "/no/such/qemu");
	assert_int_equal(access(p.cache, F_OK), -1);
	fixture_puts(fx, "home", "a file");
	kvm_remember_broken(p.cache, p.qemu);
	assert_int_equal(unlink(fixture_path(fx, "home")), 0);
	/* Where the verdict cannot be, its temporary file does not stay either. */
	fixture_puts(fx, "home/.cache/vmrun/kvm-broken/x", "");
	kvm_remember_broken(p.cache, p.qemu);
	assert_int_equal(unlink(fixture_path(fx, "home/.cache/vmrun/kvm-broken/x")), 0);
	assert_int_equal(rmdir(p.verdict), 0);
	assert_int_equal(rmdir(p.cache), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(states),
		TEST(by_group),
		TEST(a_verdict_is_remembered),
		TEST(a_new_qemu_is_tried_again),
		TEST(a_verdict_of_another_boot_is_none),
		TEST(the_file_of_the_verdict),
		TEST(what_cannot_be_remembered),
	};

	/* Nobody is to look in. */
	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
