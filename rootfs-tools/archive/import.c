/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/archive/import.h"

#include "rootfs-tools/core/enter.h"

static int op_unpack(const int *dirs, void *arg, struct err *e)
{
	const struct import *import = arg;
	const struct unpack unpack = {
		.fd = import->src,
		.root = dirs[0],
		.name = import->src_path,
	};
	int r = unpack_run(&unpack, import->report, e);

	return r == 0 ? unpack_seal(dirs[0], import->report, e) : r;
}

int import_tar(const struct import *import, int *ret_signal, struct err *e)
{
	struct import in = *import;
	const struct enter enter = {
		.idmap = import->idmap,
		.dirs = { { .fd = import->dst->fd } },
		.n_dirs = 1,
		.fds = &in.src,
		.n_fds = 1,
		.signal_fd = import->signal_fd,
	};
	int r = unpack_prepare(e);

	return r == 0 ? enter_run(&enter, op_unpack, &in, ret_signal, e) : r;
}
