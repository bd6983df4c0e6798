/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "rootfs-tools/archive/import.h"
#include "rootfs-tools/core/enter.h"
#include "rootfs-tools/disk/import_disk.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/cmd_print.h"
#include "runner/cmd_rootfs.h"

static bool is_file(const struct import_source *src)
{
	return !S_ISDIR(src->st.st_mode);
}

/* The first one that is it; an archive is found out only by reading it. */
static const struct import_kind kinds[] = {
	{ "disk", import_disk_detect, import_disk },
	{ "oci", import_is_oci, import_oci },
	{ "tar", is_file, import_tar },
};

static int check_sha256(void *field, const char *value, struct err *e)
{
	(void)field;
	if (strlen(value) != 64 || strspn(value, "0123456789abcdefABCDEF") != 64)
		return err_msg(e, EINVAL, "'%s' is no SHA-256 digest, 64 hexadecimal digits",
			       value);
	return 0;
}

static const struct rootfs_option options[] = {
	{ "format", OPTION_IS_TEXT, offsetof(struct import_options, format), "FORMAT",
	  "what SRC is, rather than to look: tar, oci or disk", NULL },
	{ "sha256", OPTION_IS_TEXT, offsetof(struct import_options, sha256), "DIGEST",
	  "what SRC must have, in hexadecimal digits", check_sha256 },
	{ "image", OPTION_IS_TEXT, offsetof(struct import_options, image), "NAME",
	  "oci: which image, where SRC holds several", NULL },
	{ "idmap", OPTION_IS_VALUE, offsetof(struct import_options, idmap), "MAP",
	  "the guest's ids: auto (your subordinate ones), caller, subid, single or "
	  "GUEST:HOST:COUNT[,...]",
	  root_idmap_parse },
	{ "kernel", OPTION_IS_TEXT, offsetof(struct import_options, kernel), "ROOT",
	  "of a disk: the root directory, or its boot/vmlinuz-VERSION, whose kernel reads it; "
	  "else the host's",
	  NULL },
	{ "partition", OPTION_IS_TEXT, offsetof(struct import_options, partition), "N",
	  "of a disk: the partition with the root, where there are several", NULL },
	{ 0 },
};

static int open_src(const char *path, int *ret, struct err *e)
{
	int fd;

	/* Above 2: what runs inside keeps its number. */
	if (!strcmp(path, "-")) {
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
		if (fd < 0)
			return err_errno(e, errno, "cannot read standard input");
		*ret = fd;
		return 0;
	}
	fd = open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, errno, "cannot open '%s'", path);
	*ret = fd;
	return 0;
}

static const struct import_kind *find_kind(const struct import_source *src, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (name ? !strcmp(kinds[i].name, name) : kinds[i].detect(src))
			return &kinds[i];
	return NULL;
}

struct command {
	const struct import_options *options;
	const char *src_path;
	const char *dst_path;
	int src;
	struct stat src_st;
	struct partial dst;
	struct idmap_choice idmap;
	struct unpack_report *report;
	bool showing;
};

static int choose_kind(const struct command *c, const struct import_kind **ret, struct err *e)
{
	_cleanup_free_ uint8_t *head = malloc(IMPORT_HEAD_MAX);
	struct import_source src = { .fd = c->src, .st = c->src_st, .head = head };
	const char *format = c->options->format;
	ssize_t n;

	if (!head)
		return err_oom(e);
	/* Nothing of a pipe, which has no places. */
	n = is_file(&src) ? fs_pread_all(c->src, head, IMPORT_HEAD_MAX, 0) : 0;
	src.head_len = n > 0 ? (size_t)n : 0;
	*ret = find_kind(&src, format);
	if (*ret && c->options->image && (*ret)->run != import_oci)
		return err_msg(e, EINVAL, "--image is for images of containers, and '%s' is none",
			       c->src_path);
	if (*ret && (c->options->kernel || c->options->partition) && (*ret)->run != import_disk)
		return err_msg(e, EINVAL,
			       "--%s is for images of disks, and '%s' is none; --format disk, if "
			       "it is",
			       c->options->kernel ? "kernel" : "partition", c->src_path);
	if (*ret)
		return 0;
	if (format)
		return err_msg(e, EINVAL,
			       "--format: '%s' is none that can be imported; it is tar, oci or "
			       "disk",
			       format);
	return err_msg(e, EINVAL, "'%s' is nothing that can be imported", c->src_path);
}

static int verify(const struct command *c, const struct import_kind *kind, int signal_fd,
		  int *ret_signal, struct err *e)
{
	const char *want = c->options->sha256;

	if (!want)
		return 0;
	if (S_ISDIR(c->src_st.st_mode))
		return err_msg(e, EINVAL, "--sha256: '%s' is a directory", c->src_path);
	/* What is there only once is verified while it is read. */
	if (!S_ISREG(c->src_st.st_mode) && kind->run == import_tar)
		return 0;
	if (!S_ISREG(c->src_st.st_mode))
		return err_msg(e, EINVAL, "--sha256: '%s' is no file", c->src_path);
	return import_verify(c->src, c->src_path, want, signal_fd, ret_signal, e);
}

/* To somebody who sits there and waits. */
static void show(void *arg)
{
	struct command *c = arg;
	unsigned long long mib = c->report->read >> 20, all = (uint64_t)c->src_st.st_size >> 20;

	if (S_ISREG(c->src_st.st_mode) && all)
		fprintf(stderr, "\r%llu of %llu MiB\033[K", mib, all);
	else
		fprintf(stderr, "\r%llu MiB\033[K", mib);
	c->showing = true;
}

static void show_no_more(const struct command *c)
{
	if (c->showing)
		fprintf(stderr, "\r\033[K");
}

/* An archive may hold anything else, too. */
static void warn_of_no_root(const struct import *in)
{
	struct err e, why;

	if (import_check(in, &why) == 0)
		return;
	err_msg(&e, 0,
		"'%.300s' is no root directory that can be run: it has no /bin, /sbin or "
		"/usr/bin",
		in->dst->name);
	cmd_warn(why.errnum == EINVAL ? e.text : why.text);
}

static int fill(struct command *c, const struct import_kind *kind, int signal_fd, int *ret_signal,
		struct err *e)
{
	const struct import in = {
		.src_path = c->src_path,
		.src = c->src,
		.options = c->options,
		.idmap = &c->idmap,
		.dst = &c->dst,
		.signal_fd = signal_fd,
		.report = c->report,
		.tick = isatty(STDERR_FILENO) ? show : NULL,
		.tick_arg = c,
	};
	struct err while_removing;
	int r = partial_begin(&c->dst, &c->idmap, e);

	if (r == 0)
		r = kind->run(&in, ret_signal, e);
	show_no_more(c);
	if (r == 0)
		warn_of_no_root(&in);
	if (r == 0)
		r = partial_finish(&c->dst, e);
	if (r < 0 && partial_remove(&c->dst, &while_removing) < 0)
		cmd_warn(while_removing.text);
	return r;
}

static int import(struct command *c, int signal_fd, int *ret_signal, struct err *e)
{
	const struct import_kind *kind = NULL;
	int r = choose_kind(c, &kind, e);

	if (r == 0)
		r = root_idmap_for_new(&c->options->idmap, &c->idmap, e);
	if (r == 0)
		r = partial_open(c->dst_path, &c->dst, e);
	if (r == 0)
		r = verify(c, kind, signal_fd, ret_signal, e);
	return r == 0 ? fill(c, kind, signal_fd, ret_signal, e) : r;
}

static int tell(const struct command *c)
{
	if (*c->idmap.warning)
		cmd_warn(c->idmap.warning);
	return cmd_rootfs_tell_losses(&c->report->losses);
}

static int import_and_tell(struct command *c)
{
	_cleanup_close_ int signals = -1;
	int signal = 0, r;
	struct err e;

	/* Of a FIFO that waits for somebody to write; from then on signals are waited for. */
	r = open_src(c->src_path, &c->src, &e);
	if (r == 0 && fstat(c->src, &c->src_st) < 0)
		r = err_errno(&e, errno, "cannot stat '%s'", c->src_path);
	if (r == 0)
		r = enter_signals(&signals, &e);
	if (r == 0)
		r = import(c, signals, &signal, &e);
	if (r < 0)
		return r == -EINTR ? 128 + signal : cmd_fail(&e);
	return tell(c);
}

static int run(const void *values, char *const *operands)
{
	struct command c = {
		.options = values,
		.src_path = operands[0],
		.dst_path = operands[1],
		.src = -1,
		.dst = PARTIAL_INIT,
		.report = enter_share(sizeof(*c.report)),
	};
	struct err e;
	int code;

	if (!c.report) {
		err_oom(&e);
		return cmd_fail(&e);
	}
	code = import_and_tell(&c);
	cleanup_close(&c.src);
	partial_close(&c.dst);
	enter_unshare(c.report, sizeof(*c.report));
	return code;
}

static const char *const operands[] = { "SRC", "DIR", NULL };

const struct rootfs_command cmd_rootfs_import = {
	.name = "import",
	.usage = "vmrun rootfs import [--format FORMAT] [--sha256 DIGEST] [--image NAME] "
		 "[--kernel ROOT] [--partition N] [--idmap MAP] SRC DIR",
	.help = "make a root directory of an archive: SRC, or standard input for \"-\"",
	.options = options,
	.operands = operands,
	.values_size = sizeof(struct import_options),
	.run = run,
};
