/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/disk/import_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rootfs-tools/core/enter.h"
#include "rootfs-tools/core/guest.h"
#include "rootfs-tools/disk/helper.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/base/parse.h"

#define WORDS_MAX 65536
#define PARTITION_MAX 128
/* Whose tar was cut short is about to say why. */
#define LAST_WORDS_MS 10000

static const struct {
	const char *magic;
	size_t len;
	size_t offset;
} magics[] = {
	{ "QFI\xfb", 4, 0 },	 /* qcow2 */
	{ "EFI PART", 8, 512 },	 /* GPT */
	{ "\x55\xaa", 2, 510 },	 /* MBR, FAT */
	{ "\x53\xef", 2, 1080 }, /* ext2 and up */
	{ "XFSB", 4, 0 },
	{ "_BHRfS_M", 8, 65600 },
	/* Of others, which --disk tells more of. */
	{ "KDMV", 4, 0 },
	{ "vhdxfile", 8, 0 },
	{ "conectix", 8, 0 },
	{ "\x7f\x10\xda\xbe", 4, 64 },
};

bool import_disk_detect(const struct import_source *src)
{
	/* A tar has room for the first of these in its first header, but not for all zeros. */
	if (src->head_len >= 262 && !memcmp(src->head + 257, "ustar", 5))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
		if (src->head_len >= magics[i].offset + magics[i].len &&
		    !memcmp(src->head + magics[i].offset, magics[i].magic, magics[i].len))
			return true;
	return false;
}

/* --- what the guest says --- */

static const char *after(const char *line, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(line, prefix, len) == 0 ? line + len : NULL;
}

void import_disk_words(char *text, uint64_t *ret_entries, struct losses *losses,
		       char ret[ERR_TEXT_MAX])
{
	char *line, *next;
	const char *words;

	*ret = '\0';
	for (line = text; *line; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		if ((words = after(line, "end: ")))
			(void)!parse_uint(words, 0, UINT64_MAX, ret_entries);
		else if ((words = after(line, "note: ")))
			losses_add(losses, 0, "%s", words);
		else if (!*ret &&
			 ((words = after(line, "error: ")) || (words = after(line, "vmrun: "))))
			snprintf(ret, ERR_TEXT_MAX, "%s", words);
	}
}

/* --- the guest --- */

static int check_options(const struct import *import, struct err *e)
{
	uint64_t number;

	if (lseek(import->src, 0, SEEK_CUR) < 0)
		return err_msg(e, ESPIPE,
			       "a disk image is read here and there: '%.300s' must be a file",
			       import->src_path);
	if (import->options->partition &&
	    parse_uint(import->options->partition, 1, PARTITION_MAX, &number) < 0)
		return err_msg(e, EINVAL, "--partition: '%.100s' is no number from 1 to %d",
			       import->options->partition, PARTITION_MAX);
	return 0;
}

static void idmap_option(const struct idmap_choice *idmap, char *ret, size_t size)
{
	static const char *const names[] = { "auto", "caller", "subid", "single", NULL };
	char map[512];

	idmap_format(&idmap->uids, map, sizeof(map));
	snprintf(ret, size, "--idmap=%s", names[idmap->kind] ? names[idmap->kind] : map);
}

struct running {
	int pidfd;
	int tar;   /* read end */
	int words; /* memory file */
};

static int make_words(int *ret, struct err *e)
{
	_cleanup_close_ int fd = memfd_create("words", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, WORDS_MAX) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return err_errno(e, errno, "cannot make a file in memory");
	*ret = steal_fd(&fd);
	return 0;
}

static int start(const struct import *import, const struct helper *helper, struct running *ret,
		 struct err *e)
{
	_cleanup_free_ char *image = NULL, *disk = NULL;
	_cleanup_close_ int tar_in = -1;
	char idmap[600];
	int pair[2], r = fs_fd_path(import->src, &image);

	if (r < 0)
		return err_errno(e, -r, "cannot find the path of '%.300s'", import->src_path);
	if (asprintf(&disk, "--disk=%s:ro", image) < 0)
		return err_oom(e);
	idmap_option(import->idmap, idmap, sizeof(idmap));
	r = make_words(&ret->words, e);
	if (r < 0)
		return r;
	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_errno(e, errno, "cannot make a pipe");
	ret->tar = pair[0];
	tar_in = pair[1];
	const struct guest guest = {
		.options = (const char *const[]){ "--quiet", "--no-tty", "--network=none",
						  "--read-only", "--shared", idmap, disk, NULL },
		.root = helper->path,
		.command = (const char *const[]){ HELPER_READER, import->options->partition, NULL },
		.fds = { -1, tar_in, ret->words },
	};

	return guest_start(&guest, &ret->pidfd, e);
}

struct unpacking {
	const struct import *import;
	int tar;
};

static int op_unpack(const int *dirs, void *arg, struct err *e)
{
	const struct unpacking *u = arg;
	const struct unpack unpack = {
		.fd = u->tar,
		.root = dirs[0],
		.name = u->import->src_path,
	};
	int r = unpack_run(&unpack, u->import->report, e);

	return r == 0 ? unpack_seal(dirs[0], u->import->report, e) : r;
}

static int unpack(const struct import *import, const struct running *guest, int *ret_signal,
		  struct err *e)
{
	struct unpacking u = { .import = import, .tar = guest->tar };
	const struct enter enter = {
		.idmap = import->idmap,
		.dirs = { { .fd = import->dst->fd } },
		.n_dirs = 1,
		.fds = &guest->tar,
		.n_fds = 1,
		.signal_fd = import->signal_fd,
	};

	return enter_run(&enter, op_unpack, &u, ret_signal, e);
}

/* --- both --- */

/*
 * One whose tar nobody reads any more is ended; but if that was cut short, it is about to
 * end, and to say why.
 * @unpacked: what became of the tar.
 */
static int end(const struct import *import, struct running *guest, int unpacked, int *ret_status,
	       int *ret_signal, struct err *e)
{
	struct pollfd ended = { .fd = guest->pidfd, .events = POLLIN };

	cleanup_close(&guest->tar);
	if (unpacked == 0)
		return guest_wait(guest->pidfd, import->signal_fd, ret_status, ret_signal, e);
	if (unpacked != -EBADMSG || poll(&ended, 1, LAST_WORDS_MS) <= 0)
		syscall(SYS_pidfd_send_signal, guest->pidfd, SIGTERM, NULL, 0);
	return guest_wait(guest->pidfd, -1, ret_status, NULL, e);
}

/* @unpacked: with @e where it is an error. Return: what became of it all. */
static int judge(const struct import *import, const struct running *guest, int unpacked, int status,
		 struct err *e)
{
	uint64_t unpacked_entries = import->report->entries, entries = UINT64_MAX;
	char text[WORDS_MAX + 1], why[ERR_TEXT_MAX];
	ssize_t n = fs_pread_all(guest->words, text, WORDS_MAX, 0);

	text[n > 0 ? n : 0] = '\0';
	import_disk_words(text, &entries, &import->report->losses, why);
	/* Its own reason comes first, unless it is that nobody read its tar. */
	if (unpacked < 0 && unpacked != -EBADMSG)
		return unpacked;
	if (status && *why)
		return err_msg(e, EIO, "'%.200s': %s", import->src_path, why);
	if (unpacked < 0)
		return unpacked;
	if (status)
		return err_msg(e, EIO, "'%.200s': the guest that reads it ended with status %d",
			       import->src_path, status);
	if (entries != unpacked_entries)
		return err_msg(e, EIO,
			       "'%.200s': %" PRIu64 " files arrived, which is not what the guest "
			       "that reads it has sent",
			       import->src_path, unpacked_entries);
	return 0;
}

static void running_end(struct running *guest)
{
	cleanup_close(&guest->pidfd);
	cleanup_close(&guest->tar);
	cleanup_close(&guest->words);
}

static int run(const struct import *import, const struct helper *helper, int *ret_signal,
	       struct err *e)
{
	_cleanup_(running_end) struct running guest = { .pidfd = -1, .tar = -1, .words = -1 };
	struct err waiting;
	int status = 0, unpacked, ended;
	int r = start(import, helper, &guest, e);

	if (r < 0)
		return r;
	unpacked = unpack(import, &guest, ret_signal, e);
	ended = end(import, &guest, unpacked, &status, ret_signal, &waiting);
	if (ended < 0 && unpacked == 0) {
		*e = waiting;
		return ended;
	}
	return judge(import, &guest, unpacked, status, e);
}

int import_disk(const struct import *import, int *ret_signal, struct err *e)
{
	struct helper helper = HELPER_INIT;
	struct err removing;
	int r = check_options(import, e);

	if (r == 0)
		r = unpack_prepare(e);
	if (r == 0)
		r = helper_make(import->dst, import->idmap, import->options->kernel,
				import->signal_fd, &helper, ret_signal, e);
	if (r == 0)
		r = run(import, &helper, ret_signal, e);
	if (helper_remove(&helper, &removing) < 0 && r == 0) {
		*e = removing;
		r = -removing.errnum;
	}
	return r;
}
