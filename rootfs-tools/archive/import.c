/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/archive/import.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "rootfs-tools/archive/feed.h"
#include "rootfs-tools/core/enter.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/host/base_dir.h"

#define BUFFER_SIZE ((size_t)1 << 20)

static const char *name_of(const char *path)
{
	return strcmp(path, "-") ? path : "standard input";
}

static int check_digest(const uint8_t digest[SHA256_DIGEST_SIZE], const char *want,
			const char *path, struct err *e)
{
	char hex[2 * SHA256_DIGEST_SIZE + 1];

	for (size_t i = 0; i < SHA256_DIGEST_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	if (!strcasecmp(hex, want))
		return 0;
	return err_msg(e, EBADMSG,
		       "'%.300s' has the SHA-256 digest %s; it is damaged, or another file than "
		       "the one that was asked for",
		       name_of(path), hex);
}

int import_verify(int src, const char *path, const char *want, int signal_fd, int *ret_signal,
		  struct err *e)
{
	_cleanup_free_ char *buffer = malloc(BUFFER_SIZE);
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct signalfd_siginfo info;
	struct sha256_ctx ctx;
	uint64_t at = 0;
	ssize_t n;

	if (!buffer)
		return err_oom(e);
	sha256_init(&ctx);
	while ((n = fs_pread_all(src, buffer, BUFFER_SIZE, at)) > 0) {
		sha256_update(&ctx, (size_t)n, (const uint8_t *)buffer);
		at += (uint64_t)n;
		/* It does not wait where there is none. */
		if (read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
			*ret_signal = (int)info.ssi_signo;
			return err_msg(e, EINTR, "interrupted");
		}
	}
	if (n < 0)
		return err_errno(e, (int)-n, "cannot read '%.300s'", path);
	sha256_digest(&ctx, sizeof(digest), digest);
	return check_digest(digest, want, path, e);
}

static int op_check(const int *dirs, void *arg, struct err *e)
{
	const struct import *import = arg;

	return base_dir_check(dirs[0], import->dst->name, e);
}

int import_check(const struct import *import, struct err *e)
{
	const struct enter enter = {
		.idmap = import->idmap,
		.dirs = { { .fd = import->dst->fd, .read_only = true } },
		.n_dirs = 1,
		.signal_fd = -1,
	};
	struct import in = *import;

	return enter_run(&enter, op_check, &in, NULL, e);
}

static int op_unpack(const int *dirs, void *arg, struct err *e)
{
	const struct import *import = arg;
	const struct unpack unpack = {
		.fd = import->src,
		.root = dirs[0],
		.name = name_of(import->src_path),
	};
	int r = unpack_limit(e);

	if (r == 0)
		r = unpack_run(&unpack, import->report, e);
	return r == 0 ? unpack_seal(dirs[0], import->report, e) : r;
}

static int unpack(const struct import *import, int *ret_signal, struct err *e)
{
	struct import in = *import;
	const struct enter enter = {
		.idmap = import->idmap,
		.dirs = { { .fd = import->dst->fd } },
		.n_dirs = 1,
		.fds = &in.src,
		.n_fds = 1,
		.signal_fd = import->signal_fd,
		.tick = import->tick,
		.tick_arg = import->tick_arg,
	};

	return enter_run(&enter, op_unpack, &in, ret_signal, e);
}

int import_by_pipe(const struct import *import,
		   int (*run)(const struct import *in, int *ret_signal, struct err *e),
		   int *ret_signal, struct err *e)
{
	const char *want = import->options->sha256;
	_cleanup_(feed_stop) struct feed feed = FEED_INIT;
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct import in = *import;
	int r = feed_start(import->src, want != NULL, &feed, e), fed;

	if (r < 0)
		return r;
	in.src = feed.fd;
	r = run(&in, ret_signal, e);
	if (r == -EINTR)
		return r;
	fed = feed_finish(&feed, digest);
	/* Then that is why it was cut short. */
	if (fed < 0 && (r == 0 || fed != -EPIPE))
		return err_errno(e, -fed, "cannot read '%.300s'", name_of(import->src_path));
	return r == 0 && want ? check_digest(digest, want, import->src_path, e) : r;
}

int import_tar(const struct import *import, int *ret_signal, struct err *e)
{
	int r = unpack_prepare(e);

	return r == 0 ? import_by_pipe(import, unpack, ret_signal, e) : r;
}
