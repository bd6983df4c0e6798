/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/edit/clone.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs-tools/core/enter.h"
#include "rootfs-tools/edit/identity.h"
#include "rootfs-tools/edit/keygen.h"
#include "rootfs-tools/core/partial.h"
#include "rootfs-tools/core/work.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"

#define KEYS_NAME_SIZE 40

/* What both sides know; inside, what it says is a copy, but for what .shared points to. */
struct clone {
	const struct clone_options *options;
	const char *src_path;
	char hostname[HOST_NAME_MAX + 1];
	char keys_dir[KEYS_NAME_SIZE]; /* in the copy's root */
	struct root src;
	struct partial dst;
	struct clone_shared *shared;
	struct clone_report *report;
};

/* Written inside, read outside. */
struct clone_shared {
	unsigned int keys; /* 1u << enum identity_key */
	struct stat root;  /* of SRC */
};

enum { DIR_SRC, DIR_DST };

/* --- inside --- */

static int op_copy(const int *dirs, void *arg, struct err *e)
{
	const struct clone *c = arg;
	int r = root_lock(dirs[DIR_SRC], c->src_path, false, c->options->shared, e);

	if (r == 0)
		r = base_dir_check(dirs[DIR_SRC], c->src_path, e);
	if (r == 0 && fstat(dirs[DIR_SRC], &c->shared->root) < 0)
		r = err_errno(e, errno, "cannot stat base '%s'", c->src_path);
	if (r == 0)
		r = tree_copy(dirs[DIR_SRC], dirs[DIR_DST], &c->report->copy, e);
	if (r == 0 && !c->options->keep_identity)
		r = identity_renew(dirs[DIR_DST], c->hostname, &c->shared->keys, e);
	return r;
}

/* From here on it may no longer be the caller's. */
static int op_seal(const int *dirs, void *arg, struct err *e)
{
	const struct clone *c = arg;
	const struct stat *st = &c->shared->root;
	const struct timespec times[2] = { st->st_atim, st->st_mtim };
	_cleanup_close_ int fd = openat(dirs[0], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (c->shared->keys)
		r = identity_move_keys(dirs[0], c->keys_dir, c->shared->keys, e);
	if (r < 0)
		return r;
	if (fd < 0 || fchown(fd, st->st_uid, st->st_gid) < 0 ||
	    fchmod(fd, st->st_mode & 07777) < 0 || futimens(fd, times) < 0)
		return err_errno(e, errno, "cannot complete the copy's root");
	return 0;
}

/* --- outside --- */

static int make_keys(struct clone *c, struct err *e)
{
	_cleanup_close_ int dir = -1;
	uint64_t random;
	int r;

	/* A name that SRC cannot have chosen. */
	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return err_errno(e, errno, "cannot make a random name");
	snprintf(c->keys_dir, sizeof(c->keys_dir), ".vmrun-keys-%016" PRIx64, random);
	if (mkdirat(c->dst.fd, c->keys_dir, 0700) < 0)
		return err_errno(e, errno, "cannot make a directory for host keys");
	dir = openat(c->dst.fd, c->keys_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return err_errno(e, errno, "cannot open the directory for host keys");
	r = keygen_run(dir, c->shared->keys, c->hostname, &c->src.idmap, e);
	if (r != -ENOENT)
		return r;
	/* Without it the copy is whole, but for what only sshd has need of. */
	if (unlinkat(c->dst.fd, c->keys_dir, AT_REMOVEDIR) < 0)
		return err_errno(e, errno, "cannot remove the directory for host keys");
	snprintf(c->report->warning, sizeof(c->report->warning),
		 "the copy has no SSH host keys, as this host has no ssh-keygen; run ssh-keygen -A "
		 "in the copy, or install openssh-client here and clone again");
	c->shared->keys = 0;
	return 0;
}

static int enter(struct clone *c, const struct enter_dir *dirs, unsigned int n, int signal_fd,
		 int (*op)(const int *dirs, void *arg, struct err *e), int *ret_signal,
		 struct err *e)
{
	struct enter in = { .idmap = &c->src.idmap, .n_dirs = n, .signal_fd = signal_fd };

	memcpy(in.dirs, dirs, n * sizeof(*dirs));
	return enter_run(&in, op, c, ret_signal, e);
}

static int fill(struct clone *c, int signal_fd, int *ret_signal, struct err *e)
{
	const struct enter_dir dirs[] = {
		[DIR_SRC] = { .fd = c->src.dir.fd, .read_only = true },
		[DIR_DST] = { .fd = c->dst.fd },
	};
	int r = enter(c, dirs, ARRAY_SIZE(dirs), signal_fd, op_copy, ret_signal, e);

	if (r == 0 && c->shared->keys)
		r = make_keys(c, e);
	if (r == 0)
		r = enter(c, &dirs[DIR_DST], 1, signal_fd, op_seal, ret_signal, e);
	return r == 0 ? partial_finish(&c->dst, e) : r;
}

/* A copy inside of what is copied would have no end. */
static int check_outside(const struct clone *c, struct err *e)
{
	_cleanup_free_ char *parent = NULL;
	size_t len = strlen(c->src.dir.path);
	int r = fs_fd_path(c->dst.parent, &parent);

	if (r < 0)
		return err_errno(e, -r, "cannot find the path of what '%s' is made in", c->dst.name);
	if (!strncmp(parent, c->src.dir.path, len) && (parent[len] == '/' || !parent[len]))
		return err_msg(e, EINVAL, "the copy would lie inside of '%s'; put it elsewhere",
			       c->src_path);
	return 0;
}

static int run(struct clone *c, const char *dst, int signal_fd, int *ret_signal, struct err *e)
{
	struct err while_removing;
	int r = root_open(c->src_path, &c->options->idmap, &c->src, e);

	if (r == 0)
		r = partial_open(dst, &c->dst, e);
	if (r == 0)
		r = check_outside(c, e);
	if (r < 0)
		return r;
	if (c->options->hostname)
		snprintf(c->hostname, sizeof(c->hostname), "%s", c->options->hostname);
	else
		identity_hostname(c->dst.name, c->hostname);
	r = partial_begin(&c->dst, &c->src.idmap, e);
	if (r == 0)
		r = fill(c, signal_fd, ret_signal, e);
	if (r < 0 && partial_remove(&c->dst, &while_removing) < 0)
		snprintf(c->report->warning, sizeof(c->report->warning), "%.250s",
			 while_removing.text);
	return r;
}

int clone_run(const char *src, const char *dst, const struct clone_options *options, int signal_fd,
	      struct clone_report *ret, int *ret_signal, struct err *e)
{
	struct clone c = {
		.options = options,
		.src_path = src,
		.src = { .dir = { .fd = -1 } },
		.dst = PARTIAL_INIT,
		.shared = enter_share(sizeof(*c.shared)),
		.report = ret,
	};
	int r = c.shared ? run(&c, dst, signal_fd, ret_signal, e) : err_oom(e);

	partial_close(&c.dst);
	root_close(&c.src);
	enter_unshare(c.shared, sizeof(*c.shared));
	return r;
}
