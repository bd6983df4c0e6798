/* SPDX-License-Identifier: MIT */
/*
 * Whether KVM is worth a try. That /dev/kvm exists, opens and creates a VM does
 * not mean that it runs a guest: some nested hypervisors hang or abort on the
 * first real kernel. So the last word is a guest's first sign of life, and a
 * guest that gave none is remembered for this boot of the host and this QEMU.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/host/host_facts.h"

#define VERDICT_FILE "kvm-broken"

/* What a verdict holds for: this boot of the host, this QEMU binary. */
static int verdict_text(const char *qemu, char *buf, size_t size)
{
	_cleanup_free_ char *boot_id = NULL;
	struct stat st;
	size_t len;

	if (fs_read_host("/proc/sys/kernel/random/boot_id", 64, &boot_id, &len) < 0 ||
	    stat(qemu, &st) < 0)
		return -ENOENT;
	boot_id[strcspn(boot_id, "\n")] = '\0';
	snprintf(buf, size, "%s %llx-%llx-%llx-%llx\n", boot_id, (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino, (unsigned long long)st.st_size,
		 (unsigned long long)st.st_mtim.tv_sec);
	return 0;
}

static bool verdict_is_broken(const char *cache_dir, const char *qemu)
{
	_cleanup_free_ char *have = NULL;
	char path[512], want[256];
	size_t len;

	if (!*cache_dir || verdict_text(qemu, want, sizeof(want)) < 0)
		return false;
	snprintf(path, sizeof(path), "%s/" VERDICT_FILE, cache_dir);
	return fs_read_host(path, sizeof(want), &have, &len) == 0 && !strcmp(have, want);
}

void kvm_remember_broken(const char *cache_dir, const char *qemu)
{
	char path[512], tmp[560], text[256];
	struct err ignored;
	int fd, r;

	if (!*cache_dir || verdict_text(qemu, text, sizeof(text)) < 0 ||
	    fs_mkdir_p(cache_dir, 0700, &ignored) < 0)
		return;
	snprintf(path, sizeof(path), "%s/" VERDICT_FILE, cache_dir);
	snprintf(tmp, sizeof(tmp), "%s.%d", path, (int)getpid());
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	r = fs_write_all(fd, text, strlen(text));
	close(fd);
	if (r < 0 || rename(tmp, path) < 0)
		unlink(tmp);
}

/* Who may open /dev/kvm that QEMU can be in the jail. */
enum reach { BY_OWNER, BY_OTHERS, BY_GROUP };

static enum reach reach_of_kvm(void)
{
	gid_t groups[1024];
	struct stat st;
	int n;

	if (stat("/dev/kvm", &st) < 0)
		return BY_OWNER;
	if ((st.st_mode & 0006) == 0006)
		return BY_OTHERS;
	n = getgroups((int)ARRAY_SIZE(groups), groups);
	for (int i = 0; i < n; i++)
		if (groups[i] == st.st_gid)
			return BY_GROUP;
	return BY_OWNER;
}

enum kvm_state kvm_probe(const char *cache_dir, const char *qemu, bool *ret_by_group)
{
	_cleanup_close_ int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	_cleanup_close_ int vm = -1;
	enum reach reach;

	*ret_by_group = false;
	if (kvm < 0)
		return errno == EACCES || errno == EPERM ? KVM_DENIED : KVM_ABSENT;
	vm = ioctl(kvm, KVM_CREATE_VM, 0UL);
	reach = reach_of_kvm();
	/* Root's own id is never one of a jail's: it gets there as root only here. */
	if (reach == BY_OWNER && geteuid() == 0)
		return KVM_DENIED;
	if (vm < 0 || verdict_is_broken(cache_dir, qemu))
		return KVM_BROKEN;
	*ret_by_group = reach == BY_GROUP;
	return KVM_USABLE;
}
