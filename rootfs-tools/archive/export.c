/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/archive/export.h"

#include <string.h>

#include "rootfs-tools/archive/pack.h"
#include "rootfs-tools/core/work.h"

/* What the child knows. */
struct tar {
	const struct export *x;
	const char *compression;
};

static int op_pack(int root, void *arg, struct err *e)
{
	const struct tar *t = arg;
	const struct pack pack = {
		.root = root,
		.fd = t->x->out,
		.compression = t->compression,
		.epoch = t->x->epoch,
	};

	return pack_run(&pack, &t->x->report->losses, e);
}

int export_tar(const struct export *x, int *ret_signal, struct err *e)
{
	const char *dot = strchr(x->format, '.');
	struct tar tar = { .x = x, .compression = dot ? dot + 1 : NULL };
	const struct root_work work = {
		.path = x->src_path,
		.idmap = &x->options->idmap,
		.shared = x->options->shared,
		.fds = &x->out,
		.n_fds = 1,
		.signal_fd = x->signal_fd,
	};
	int r = pack_prepare(tar.compression, e);

	return r == 0 ? root_work(&work, op_pack, &tar, ret_signal, e) : r;
}
