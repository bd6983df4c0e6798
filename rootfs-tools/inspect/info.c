/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/inspect/info.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs-tools/core/enter.h"
#include "rootfs-tools/core/inode_map.h"
#include "rootfs-tools/core/tree.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/host/image_config.h"

#define GUEST_ARCH "x86_64" /* what vmrun's machine runs */

struct collect {
	const char *path; /* for messages */
	struct info *info;
};

/* --- distribution --- */

static void look_at_os_release(int root, struct info *info)
{
	static const char *const places[] = { "/etc/os-release", "/usr/lib/os-release" };

	for (size_t i = 0; i < ARRAY_SIZE(places) && !info->has_os_release; i++) {
		_cleanup_free_ char *text = NULL;
		size_t len;

		if (fs_read_regular(root, places[i], OS_RELEASE_FILE_MAX, &text, &len) < 0)
			continue;
		os_release_parse(text, len, &info->os);
		info->has_os_release = true;
	}
}

static void look_at_shell(int root, struct info *info)
{
	static uint8_t head[ELF_HEAD_MAX];
	_cleanup_close_ int fd = -1;
	ssize_t n;

	if (fs_open_regular(root, "/bin/sh", UINT64_MAX, &fd, NULL) < 0)
		return;
	n = fs_pread_all(fd, head, sizeof(head), 0);
	info->has_shell = n > 0 && elf_parse(head, (size_t)n, &info->shell) == 0;
}

/* --- init system --- */

static bool find(int root, const char *path, struct stat *ret)
{
	_cleanup_close_ int fd = -1;

	return fs_open_in_root(root, path, O_PATH, &fd) == 0 && fstat(fd, ret) == 0;
}

static enum init_system init_of(int root)
{
	/*
	 * In this order: /sbin/init is one file with the first ones; busybox and sysvinit
	 * may only be what starts openrc.
	 */
	static const struct {
		const char *path;
		bool is_init; /* the file is what /sbin/init leads to */
		enum init_system init;
	} signs[] = {
		{ "/usr/lib/systemd/systemd", true, INIT_SYSTEMD },
		{ "/lib/systemd/systemd", true, INIT_SYSTEMD },
		{ "/sbin/openrc", false, INIT_OPENRC },
		{ "/usr/bin/openrc", false, INIT_OPENRC },
		{ "/bin/busybox", true, INIT_BUSYBOX },
		{ "/etc/inittab", false, INIT_SYSVINIT },
	};
	struct stat init, st;

	if (!find(root, "/sbin/init", &init))
		return INIT_NONE;
	for (size_t i = 0; i < ARRAY_SIZE(signs); i++)
		if (find(root, signs[i].path, &st) &&
		    (!signs[i].is_init || (st.st_ino == init.st_ino && st.st_dev == init.st_dev)))
			return signs[i].init;
	return INIT_OTHER;
}

/* --- size --- */

struct count {
	struct info *info;
	struct inode_map seen;
	struct tree_stack stack;
};

static int count_one(struct count *c, int dir, const char *path, const char *name, struct err *e)
{
	struct info *info = c->info;
	struct stat st;
	int r = 1;

	/* Whoever uses the tree may remove a file just now. */
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 :
					 err_errno(e, errno, "cannot stat '/%.300s/%s'", path, name);
	if (S_ISDIR(st.st_mode)) {
		info->directories++;
		info->disk += (uint64_t)st.st_blocks * 512;
		return tree_push(&c->stack, path, name, false, e);
	}
	info->files++;
	if (st.st_nlink > 1)
		r = inode_map_add(&c->seen, &st, NULL, NULL);
	if (r < 0)
		return err_errno(e, -r, "cannot count what the tree holds");
	if (r == 0)
		return 0;
	info->disk += (uint64_t)st.st_blocks * 512;
	if (S_ISREG(st.st_mode))
		info->apparent += (uint64_t)st.st_size;
	return 0;
}

static int count_dir(struct count *c, int root, const struct tree_dir *at, struct err *e)
{
	struct dirent *entry;
	DIR *dir;
	int r = tree_open_dir(root, at->path, &dir, e);

	if (r < 0)
		return r;
	while ((r = tree_read(dir, at->path, &entry, e)) > 0) {
		r = count_one(c, dirfd(dir), at->path, entry->d_name, e);
		if (r < 0)
			break;
	}
	closedir(dir);
	return r;
}

static int count_all(int root, struct info *info, struct err *e)
{
	struct count c = { .info = info };
	struct tree_dir at;
	struct stat st;
	int r = tree_push(&c.stack, "", "", false, e);

	info->directories = 1;
	if (fstat(root, &st) == 0)
		info->disk = (uint64_t)st.st_blocks * 512;
	while (r == 0 && tree_pop(&c.stack, &at)) {
		r = count_dir(&c, root, &at, e);
		tree_dir_free(&at);
	}
	tree_stack_free(&c.stack);
	inode_map_free(&c.seen);
	return r;
}

/* --- */

/* Why a guest would not come up over it, as far as that can be seen. */
static void judge(struct info *info, const char *no_kernel)
{
	char *why = info->why_not;

	if (*no_kernel) {
		snprintf(why, ERR_TEXT_MAX, "%s", no_kernel);
		return;
	}
	for (unsigned int i = 0; i < info->n_kernels; i++)
		if (info->kernels[i].has_9p)
			goto kernel_is_there;
	snprintf(why, ERR_TEXT_MAX,
		 info->kernels[0].modules ?
			 "kernel %s has no 9p (a cloud flavour?); install linux-image-amd64 in the "
			 "base or name a kernel with -k" :
			 "kernel %s has no module directory; install the kernel's package in the "
			 "base or name a kernel with -k",
		 info->kernels[0].choice.version);
	return;
kernel_is_there:
	if (info->has_shell && strcmp(info->shell.arch, GUEST_ARCH) &&
	    strcmp(info->shell.arch, "i386") && strcmp(info->shell.arch, "x32"))
		snprintf(why, ERR_TEXT_MAX,
			 "its programs are for %s, and vmrun's machine is an " GUEST_ARCH,
			 info->shell.arch);
}

static void look_at_image_config(int root, struct info *info)
{
	_cleanup_(image_config_free) struct image_config config = { 0 };
	struct err e;

	if (image_config_read(root, &config, &e) == 0)
		info->has_image_config = config.there;
	else if (!*info->why_not)
		snprintf(info->why_not, sizeof(info->why_not), "%.700s; use --no-image-config",
			 e.text);
}

static int collect(const int *dirs, void *arg, struct err *e)
{
	const struct collect *c = arg;
	struct info *info = c->info;
	struct err kernels = { 0 };
	int r = base_dir_check(dirs[0], c->path, e);

	if (r < 0)
		return r;
	look_at_os_release(dirs[0], info);
	look_at_shell(dirs[0], info);
	info->init = init_of(dirs[0]);
	kernel_list(dirs[0], info->kernels, &info->n_kernels, &kernels);
	judge(info, kernels.text);
	look_at_image_config(dirs[0], info);
	return count_all(dirs[0], info, e);
}

int info_collect(const struct root *root, int signal_fd, struct info *ret, int *ret_signal,
		 struct err *e)
{
	struct collect c = { .path = root->dir.path, .info = ret };
	const struct enter in = {
		.idmap = &root->idmap,
		.dirs = { { .fd = root->dir.fd, .read_only = true } },
		.n_dirs = 1,
		.signal_fd = signal_fd,
	};
	int r = enter_run(&in, collect, &c, ret_signal, e);

	ret->looked_inside = r == 0;
	return r;
}

const char *info_init_name(enum init_system init)
{
	static const char *const names[] = {
		[INIT_NONE] = "none",		[INIT_SYSTEMD] = "systemd",
		[INIT_OPENRC] = "openrc",	[INIT_SYSVINIT] = "sysvinit",
		[INIT_BUSYBOX] = "busybox",	[INIT_OTHER] = "other",
	};

	return names[init];
}
