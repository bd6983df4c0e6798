/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/archive/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rootfs-tools/core/enter.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"

#define PIPE_SIZE (1 << 20)
#define BUFFER_SIZE ((size_t)256 << 10)

/* Written by the process, read when it has ended. */
struct feed_shared {
	bool done;
	int errnum; /* of what could not be read; 0: nobody read the pipe any more */
	uint8_t sha256[SHA256_DIGEST_SIZE];
};

/* Return: 1, 0 at the end of @src, -ENOTSUP if that is no kind of file for it, or -errno. */
static int move_some(int src, int out)
{
	ssize_t n;

	do
		n = splice(src, NULL, out, NULL, PIPE_SIZE, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EINVAL || errno == ENOSYS ? -ENOTSUP : -errno;
	return n > 0;
}

/* The same, with a look at it. */
static int copy_some(int src, int out, char *buffer, struct sha256_ctx *hash)
{
	ssize_t n;
	int r;

	do
		n = read(src, buffer, BUFFER_SIZE);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : 0;
	if (hash)
		sha256_update(hash, (size_t)n, (const uint8_t *)buffer);
	r = fs_write_all(out, buffer, (size_t)n);
	return r < 0 ? r : 1;
}

static void feed_main(int src, int out, bool hash, struct feed_shared *shared)
{
	struct sha256_ctx ctx;
	char *buffer = malloc(BUFFER_SIZE);
	int r = buffer ? 1 : -ENOMEM;

	sha256_init(&ctx);
	while (r == 1 && !hash)
		r = move_some(src, out);
	if (r == -ENOTSUP)
		r = 1;
	while (r == 1)
		r = copy_some(src, out, buffer, hash ? &ctx : NULL);
	sha256_digest(&ctx, sizeof(shared->sha256), shared->sha256);
	shared->errnum = r == -EPIPE ? 0 : -r;
	shared->done = r == 0;
}

int feed_start(int src, bool hash, struct feed *ret, struct err *e)
{
	struct feed_shared *shared = enter_share(sizeof(*shared));
	pid_t pid = -1, parent = getpid();
	int fds[2];

	if (!shared)
		return err_oom(e);
	if (pipe2(fds, O_CLOEXEC) == 0) {
		/* Less of it is only slower. */
		fcntl(fds[1], F_SETPIPE_SZ, PIPE_SIZE);
		pid = fork();
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			close(fds[0]);
			if (getppid() == parent)
				feed_main(src, fds[1], hash, shared);
			_exit(0);
		}
		close(fds[1]);
		if (pid < 0)
			close(fds[0]);
	}
	if (pid < 0) {
		enter_unshare(shared, sizeof(*shared));
		return err_errno(e, errno, "cannot start what reads the archive");
	}
	*ret = (struct feed){ .pid = pid, .fd = fds[0], .shared = shared };
	return 0;
}

static void wait_for(struct feed *feed)
{
	cleanup_close(&feed->fd);
	while (feed->pid && waitpid(feed->pid, NULL, 0) < 0 && errno == EINTR)
		;
	feed->pid = 0;
}

int feed_finish(struct feed *feed, uint8_t ret_sha256[SHA256_DIGEST_SIZE])
{
	wait_for(feed);
	if (!feed->shared->done)
		return feed->shared->errnum ? -feed->shared->errnum : -EPIPE;
	if (ret_sha256)
		memcpy(ret_sha256, feed->shared->sha256, SHA256_DIGEST_SIZE);
	return 0;
}

void feed_stop(struct feed *feed)
{
	if (feed->pid)
		kill(feed->pid, SIGKILL);
	wait_for(feed);
	if (feed->shared)
		enter_unshare(feed->shared, sizeof(*feed->shared));
	feed->shared = NULL;
}
