/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/core/work.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "runner/host/base_dir.h"

/* What the child knows. */
struct inside {
	const struct root_work *work;
	int (*op)(int root, void *arg, struct err *e);
	void *arg;
};

int root_lock(int root, const char *path, bool writes, bool shared, struct err *e)
{
	int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(e, errno, "cannot open base '%s' to lock it", path);
	if (flock(fd, (writes ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0 || shared)
		return 0;
	if (errno != EWOULDBLOCK)
		return err_errno(e, errno, "cannot lock base '%s'", path);
	if (writes)
		return err_msg(e, EBUSY, "base '%s' is in use by a guest; wait for its end", path);
	return err_msg(e, EBUSY,
		       "base '%s' is being written by a guest; wait for its end, or use --shared "
		       "to "
		       "go on all the same",
		       path);
}

static int op_work(const int *dirs, void *arg, struct err *e)
{
	const struct inside *in = arg;
	const struct root_work *work = in->work;
	int r = root_lock(dirs[0], work->path, work->writes, work->shared, e);

	if (r == 0)
		r = base_dir_check(dirs[0], work->path, e);
	return r == 0 ? in->op(dirs[0], in->arg, e) : r;
}

int root_work(const struct root_work *work, int (*op)(int root, void *arg, struct err *e),
	      void *arg, int *ret_signal, struct err *e)
{
	struct inside inside = { .work = work, .op = op, .arg = arg };
	struct root root = { .dir.fd = -1 };
	int r = root_open(work->path, work->idmap, &root, e);

	if (r == 0) {
		const struct enter in = {
			.idmap = &root.idmap,
			.dirs = { { .fd = root.dir.fd, .read_only = !work->writes } },
			.n_dirs = 1,
			.fds = work->fds,
			.n_fds = work->n_fds,
			.signal_fd = work->signal_fd,
		};

		r = enter_run(&in, op_work, &inside, ret_signal, e);
	}
	root_close(&root);
	return r;
}
