/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "rootfs-tools/disk/export_disk.h"
#include "rootfs-tools/disk/tool_run.h"
#include "runner/base/cleanup.h"

#define SRC_NAME "src"
#define SRC TOOL_DIR "/" SRC_NAME
#define OUT "/proc/self/fd/1"
#define STATUS_LOCKED 75 /* none that either program ends with */
#define NUMBER_SIZE 48
#define WORDS_MAX 32

/* flock(1) of util-linux holds the directory as a guest that only reads does. */
static const char *const lock_words[] = { "flock", "--shared", "--nonblock", "--conflict-exit-code",
					  "75",	   SRC };

/* When the file system is made: what the directory itself says, and no moment of the host's. */
static int own_time(const struct export *x, char ret[NUMBER_SIZE], struct err *e)
{
	struct stat st;
	int64_t when = x->epoch;

	if (x->epoch == EXPORT_NO_EPOCH) {
		if (fstat(x->root->dir.fd, &st) < 0)
			return err_errno(e, errno, "cannot stat '%s'", x->src_path);
		when = st.st_mtim.tv_sec;
	}
	/* squashfs has 32 bits for it. */
	if (when < 0)
		when = 0;
	snprintf(ret, NUMBER_SIZE, "%" PRId64, when > UINT32_MAX ? UINT32_MAX : when);
	return 0;
}

/* @words: a program and its own, that read SRC and write OUT. */
static int make(const struct export *x, const char *const *words, const char *package,
		const char *const *env, int *ret_signal, struct err *e)
{
	const char *argv[WORDS_MAX + ARRAY_SIZE(lock_words)] = { 0 };
	struct tool tool = {
		.idmap = &x->root->idmap,
		.argv = argv,
		.env = env,
		.places = { { .name = SRC_NAME, .fd = x->root->dir.fd, .read_only = true } },
		.n_places = 1,
		.fds = { -1, x->out, -1 },
	};
	size_t n = 0;
	int status = 0, r;

	if (!tool_exists(words[0]))
		return err_msg(e, ENOENT, "%s is not installed here; install %s", words[0],
			       package);
	if (!x->options->shared) {
		memcpy(argv, lock_words, sizeof(lock_words));
		n = ARRAY_SIZE(lock_words);
	}
	for (size_t i = 0; words[i]; i++)
		argv[n++] = words[i];
	r = tool_run(&tool, package, x->signal_fd, &x->report->losses, &status, ret_signal, e);
	if (r == -EIO && status == STATUS_LOCKED)
		return err_msg(e, EBUSY,
			       "base '%s' is being written by a guest; wait for its end, or use "
			       "--shared to go on all the same",
			       x->src_path);
	return r;
}

int export_squashfs(const struct export *x, int *ret_signal, struct err *e)
{
	char epoch[NUMBER_SIZE + 32], when[NUMBER_SIZE];
	const char *env[] = { NULL, NULL };
	/* zstd 3 is as small as the default, gzip 9, in a tenth of the time. */
	const char *words[WORDS_MAX] = { "mksquashfs", SRC,	  OUT,
					 "-noappend",  "-quiet",  "-no-progress",
					 "-comp",      "zstd",	  "-Xcompression-level",
					 "3",	       "-xattrs", "-mkfs-time",
					 when };
	int r = own_time(x, when, e);

	if (r < 0)
		return r;
	if (x->epoch != EXPORT_NO_EPOCH) {
		/* Later times of files become this one, too. The option would exclude it. */
		snprintf(epoch, sizeof(epoch), "SOURCE_DATE_EPOCH=%s", when);
		env[0] = epoch;
		words[11] = words[12] = NULL;
	}
	return make(x, words, "squashfs-tools", env, ret_signal, e);
}

int export_erofs(const struct export *x, int *ret_signal, struct err *e)
{
	char when[NUMBER_SIZE], time_option[NUMBER_SIZE + 2];
	/* It is found by what it is attached as, or by its content: not by a UUID. */
	const char *words[WORDS_MAX] = { "mkfs.erofs", "--quiet", "-d1", "-zlz4", "-U",
					 "00000000-0000-4000-8000-000000000000", time_option,
					 /* Without it that time becomes every file's. */
					 "--preserve-mtime", OUT, SRC };
	int r = own_time(x, when, e);

	if (r < 0)
		return r;
	snprintf(time_option, sizeof(time_option), "-T%s", when);
	if (x->epoch != EXPORT_NO_EPOCH) {
		words[7] = OUT;
		words[8] = SRC;
		words[9] = NULL;
	}
	return make(x, words, "erofs-utils", NULL, ret_signal, e);
}
