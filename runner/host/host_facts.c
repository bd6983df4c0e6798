/* SPDX-License-Identifier: MIT */
#include "runner/host/host_facts.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runner/base/cleanup.h"

#define QEMU_NAME "qemu-system-x86_64"
#define FILES_MIN 64u

/*
 * A start holds some 30 open at a time. With few more, a guest comes up in which no
 * program can open its libraries.
 */
static int check_files(struct err *e)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < FILES_MIN)
		return err_msg(e, EMFILE,
			       "only %llu files may be open at a time here, and a guest takes %u; "
			       "raise ulimit -n",
			       (unsigned long long)files.rlim_cur, FILES_MIN);
	return 0;
}

/* An executable regular file, by its absolute path without symlinks. */
static bool usable_program(const char *path, struct host_facts *ret)
{
	char real[PATH_MAX];
	struct stat st;

	if (!realpath(path, real) || stat(real, &st) < 0 || !S_ISREG(st.st_mode) ||
	    access(real, X_OK) < 0 || strlen(real) >= sizeof(ret->qemu))
		return false;
	snprintf(ret->qemu, sizeof(ret->qemu), "%s", real);
	fs_file_id(&st, &ret->qemu_id);
	return true;
}

static int find_qemu(struct host_facts *ret, struct err *e)
{
	const char *own = getenv("VMRUN_QEMU"), *path = getenv("PATH");
	char search[PATH_MAX * 2], candidate[PATH_MAX];
	char *save = NULL;

	if (own && *own) {
		if (usable_program(own, ret))
			return 0;
		return err_msg(e, ENOENT, "VMRUN_QEMU is '%s', which is no program; unset it", own);
	}
	snprintf(search, sizeof(search), "%s:/usr/bin:/usr/local/bin:/usr/libexec",
		 path ? path : "");
	for (char *dir = strtok_r(search, ":", &save); dir; dir = strtok_r(NULL, ":", &save)) {
		snprintf(candidate, sizeof(candidate), "%s/" QEMU_NAME, dir);
		if (dir[0] == '/' && usable_program(candidate, ret))
			return 0;
	}
	return err_msg(e, ENOENT,
		       QEMU_NAME " not found; install it (Debian, Ubuntu: qemu-system-x86; Fedora: "
				 "qemu-system-x86-core; Arch: qemu-system-x86)");
}

void host_cache_dir(uint32_t uid, char *ret, size_t size)
{
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int len;

	if (!home || home[0] != '/') {
		struct passwd *pw = getpwuid(uid);

		home = pw ? pw->pw_dir : NULL;
	}
	if (xdg && xdg[0] == '/')
		len = snprintf(ret, size, "%s/vmrun", xdg);
	else if (home && home[0] == '/')
		len = snprintf(ret, size, "%s/.cache/vmrun", home);
	else
		len = -1;
	if (len < 0 || (size_t)len >= size)
		ret[0] = '\0';
}

int host_facts_collect(struct host_facts *ret, struct err *e)
{
	struct host_facts f = { .uid = geteuid(), .gid = getegid() };
	cpu_set_t set;
	int r = check_files(e);

	if (r < 0)
		return r;
	r = subid_load(f.uid, &f.subuids, &f.subgids, e);
	if (r < 0)
		return r;
	r = find_qemu(&f, e);
	if (r < 0)
		return r;
	f.cpus = sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned int)CPU_COUNT(&set) : 1;
	f.memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	host_cache_dir(f.uid, f.cache_dir, sizeof(f.cache_dir));
	f.kvm = kvm_probe(f.cache_dir, f.qemu, &f.kvm_by_group);
	if (f.kvm == KVM_USABLE || f.kvm == KVM_BROKEN)
		host_cpu_id(f.cpu_id);
	*ret = f;
	return 0;
}
