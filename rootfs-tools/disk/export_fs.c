/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "rootfs-tools/core/enter.h"
#include "rootfs-tools/core/work.h"
#include "rootfs-tools/disk/export_disk.h"
#include "rootfs-tools/disk/ext4.h"
#include "rootfs-tools/disk/tool_run.h"
#include "runner/base/cleanup.h"

#define SRC_NAME "src"
#define OUT "/proc/self/fd/1"
#define STATUS_LOCKED 75 /* none that either program ends with */
#define WORDS_MAX 32

static const char src[] = TOOL_DIR "/" SRC_NAME;

/* flock(1) of util-linux holds the directory as a guest that only reads does. */
static const char *const lock_words[] = { "flock", "--shared", "--nonblock", "--conflict-exit-code",
					  "75",	   src };

struct measuring {
	const struct export *x;
	struct ext4_need *need; /* enter_share()d */
};

static int op_measure(const int *dirs, void *arg, struct err *e)
{
	const struct measuring *m = arg;
	uint8_t digest[EXT4_DIGEST_BYTES];
	int r = root_lock(dirs[0], m->x->src_path, false, m->x->options->shared, e);

	if (r == 0)
		r = base_dir_check(dirs[0], m->x->src_path, e);
	return r == 0 ? ext4_measure(dirs[0], m->need, digest, e) : r;
}

/*
 * When the file system is said to be made: when something in the directory was changed for
 * the last time, unless that is too late. Both programs take that from SOURCE_DATE_EPOCH,
 * and change what times of files are later.
 */
static int find_time(const struct export *x, int64_t *ret, int *ret_signal, struct err *e)
{
	struct measuring m = { .x = x, .need = enter_share(sizeof(*m.need)) };
	const struct enter in = {
		.idmap = &x->root->idmap,
		.dirs = { { .fd = x->root->dir.fd, .read_only = true } },
		.n_dirs = 1,
		.signal_fd = x->signal_fd,
	};
	int64_t when;
	int r;

	if (!m.need)
		return err_oom(e);
	r = enter_run(&in, op_measure, &m, ret_signal, e);
	when = m.need->newest < x->epoch ? m.need->newest : x->epoch;
	enter_unshare(m.need, sizeof(*m.need));
	if (r == 0)
		*ret = when < 0 ? 0 : when;
	return r;
}

/* @words: a program and its own, that read src and write OUT. */
static int make(const struct export *x, const char *const *words, const char *package, int64_t when,
		int *ret_signal, struct err *e)
{
	const char *argv[WORDS_MAX + ARRAY_SIZE(lock_words)] = { 0 };
	char epoch[48];
	const char *const env[] = { epoch, NULL };
	struct tool_run run = {
		.tool = { .idmap = &x->root->idmap,
			  .argv = argv,
			  .env = env,
			  .places = { { .name = SRC_NAME,
					.fd = x->root->dir.fd,
					.read_only = true } },
			  .n_places = 1,
			  .fds = { -1, x->out, -1 } },
		.name = words[0],
		.package = package,
		.losses = &x->report->losses,
	};
	size_t n = 0;
	int r;

	snprintf(epoch, sizeof(epoch), "SOURCE_DATE_EPOCH=%" PRId64, when);
	if (!x->options->shared) {
		memcpy(argv, lock_words, sizeof(lock_words));
		n = ARRAY_SIZE(lock_words);
	}
	for (size_t i = 0; words[i]; i++)
		argv[n++] = words[i];
	r = tool_run(&run, x->signal_fd, ret_signal, e);
	if (r == -EIO && run.status == STATUS_LOCKED)
		return err_msg(e, EBUSY,
			       "base '%s' is being written by a guest; wait for its end, or use "
			       "--shared to go on all the same",
			       x->src_path);
	return r;
}

int export_squashfs(const struct export *x, int *ret_signal, struct err *e)
{
	/* zstd 3 is as small as the default, gzip 9, in a tenth of the time. */
	static const char *const words[] = { "mksquashfs", src,	      OUT,
					     "-noappend",  "-quiet",  "-no-progress",
					     "-comp",	   "zstd",    "-Xcompression-level",
					     "3",	   "-xattrs", NULL };
	int64_t when = 0;
	int r = find_time(x, &when, ret_signal, e);

	/* It has 32 bits for times. */
	if (when > UINT32_MAX)
		when = UINT32_MAX;
	return r == 0 ? make(x, words, "squashfs-tools", when, ret_signal, e) : r;
}

int export_erofs(const struct export *x, int *ret_signal, struct err *e)
{
	/* Found by what it is attached as: nobody asks for its UUID. */
	static const char *const words[] = { "mkfs.erofs",
					     "--quiet",
					     "-d1",
					     "-zlz4",
					     "-U",
					     "00000000-0000-4000-8000-000000000000",
					     "--preserve-mtime",
					     OUT,
					     src,
					     NULL };
	int64_t when = 0;
	int r = find_time(x, &when, ret_signal, e);

	return r == 0 ? make(x, words, "erofs-utils", when, ret_signal, e) : r;
}
