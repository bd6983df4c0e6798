/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "rootfs-tools/core/enter.h"
#include "rootfs-tools/core/work.h"
#include "rootfs-tools/disk/export_disk.h"
#include "rootfs-tools/disk/image.h"
#include "rootfs-tools/disk/tool_run.h"
#include "runner/base/cleanup.h"

#define QEMU_IMG_PACKAGE "qemu-utils (Fedora, Arch: qemu-img)"

struct making {
	struct image_make make;
	const struct export *x;
};

static int op_image(const int *dirs, void *arg, struct err *e)
{
	const struct making *m = arg;
	const struct export *x = m->x;
	int r = root_lock(dirs[0], x->src_path, false, x->options->shared, e);

	if (r == 0)
		r = base_dir_check(dirs[0], x->src_path, e);
	return r == 0 ? image_make(&m->make, dirs[0], &x->report->losses, e) : r;
}

static int make_raw(const struct export *x, int fd, int *ret_signal, struct err *e)
{
	struct boot_images boot = { 0 };
	struct making m = {
		.make = { .fd = fd,
			  .size = x->options->size,
			  .epoch = x->epoch,
			  .boot = &boot,
			  .src_path = x->src_path },
		.x = x,
	};
	const struct enter in = {
		.idmap = &x->root->idmap,
		.dirs = { { .fd = x->root->dir.fd, .read_only = true } },
		.n_dirs = 1,
		.fds = &fd,
		.n_fds = 1,
		.signal_fd = x->signal_fd,
	};
	int r = image_prepare(e);

	if (r == 0)
		r = boot_images_make(&x->root->idmap, x->signal_fd, &boot, ret_signal, e);
	if (r == 0)
		r = enter_run(&in, op_image, &m, ret_signal, e);
	boot_images_free(&boot);
	return r;
}

int export_raw(const struct export *x, int *ret_signal, struct err *e)
{
	return make_raw(x, x->out, ret_signal, e);
}

/* A file without a name where the result will be: there is room for it, or nowhere. */
static int open_unnamed(const struct export *x, int *ret_fd, struct err *e)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s", x->dst_path);
	fd = open(dirname(path), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(e, errno, "cannot make a temporary file beside '%s'", x->dst_path);
	*ret_fd = fd;
	return 0;
}

int export_qcow2(const struct export *x, int *ret_signal, struct err *e)
{
	static const char *const argv[] = {
		"qemu-img", "convert", "-q", "-f", "raw", "-O", "qcow2",
		/* By the order of the disk, with one request at a time. */
		"-m", "1", "/proc/self/fd/0", "/proc/self/fd/1", NULL
	};
	_cleanup_close_ int raw = -1;
	struct tool_run run = {
		.tool = { .idmap = &x->root->idmap, .argv = argv },
		.name = argv[0],
		.package = QEMU_IMG_PACKAGE,
	};
	int r;

	if (!tool_exists(argv[0]))
		return err_msg(e, ENOENT, "%s is not installed here; install " QEMU_IMG_PACKAGE,
			       argv[0]);
	r = open_unnamed(x, &raw, e);
	if (r == 0)
		r = make_raw(x, raw, ret_signal, e);
	if (r < 0)
		return r;
	run.tool.fds[0] = raw;
	run.tool.fds[1] = x->out;
	return tool_run(&run, x->signal_fd, ret_signal, e);
}
