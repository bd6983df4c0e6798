/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "rootfs-tools/archive/export.h"
#include "rootfs-tools/core/enter.h"
#include "rootfs-tools/core/partial_file.h"
#include "rootfs-tools/disk/export_disk.h"
#include "runner/base/cleanup.h"
#include "runner/base/parse.h"
#include "runner/cmd_print.h"
#include "runner/cmd_rootfs.h"

static const struct export_format formats[] = {
	{ "oci", { ".oci" }, EXPORT_DIRECTORY, export_oci },
	{ "oci-archive", { ".oci.tar" }, EXPORT_FILE, export_oci_archive },
	{ "tar", { ".tar" }, EXPORT_STREAM, export_tar },
	{ "tar.gz", { ".tar.gz", ".tgz" }, EXPORT_STREAM, export_tar },
	{ "tar.xz", { ".tar.xz", ".txz" }, EXPORT_STREAM, export_tar },
	{ "tar.zst", { ".tar.zst", ".tzst" }, EXPORT_STREAM, export_tar },
	{ "squashfs", { ".squashfs", ".sqfs" }, EXPORT_FILE, export_squashfs },
	{ "erofs", { ".erofs" }, EXPORT_FILE, export_erofs },
	{ "raw", { ".raw", ".img" }, EXPORT_FILE, export_raw },
	{ "qcow2", { ".qcow2" }, EXPORT_FILE, export_qcow2 },
};

static int parse_disk_size(void *field, const char *value, struct err *e)
{
	uint64_t size = 0;

	if (parse_size(value, &size) < 0 || !size)
		return err_msg(e, EINVAL, "'%s' is no size; write 10g or 4096m", value);
	*(uint64_t *)field = size;
	return 0;
}

static const struct rootfs_option options[] = {
	{ "format", OPTION_IS_TEXT, offsetof(struct export_options, format), "FORMAT",
	  "oci, oci-archive, tar, tar.gz, tar.xz, tar.zst, squashfs, erofs, raw, qcow2 (default: "
	  "what DST ends in)",
	  NULL },
	{ "image", OPTION_IS_TEXT, offsetof(struct export_options, image), "NAME",
	  "oci, oci-archive: what the image is called (default: latest)", NULL },
	{ "size", OPTION_IS_VALUE, offsetof(struct export_options, size), "SIZE",
	  "of a disk image (raw, qcow2), with a unit: 10g (default: what DIR needs, and some)",
	  parse_disk_size },
	{ "force", OPTION_IS_FLAG, offsetof(struct export_options, force), NULL,
	  "replace DST if it is there", NULL },
	{ "shared", OPTION_IS_FLAG, offsetof(struct export_options, shared), NULL,
	  "export DIR even while a guest writes to it", NULL },
	{ "idmap", OPTION_IS_VALUE, offsetof(struct export_options, idmap), "MAP",
	  "the guest's ids: auto, caller, subid, single or GUEST:HOST:COUNT[,...], as vmrun's",
	  root_idmap_parse },
	{ 0 },
};

static bool ends_in(const char *name, const char *suffix)
{
	size_t len = strlen(name), suffix_len = strlen(suffix);

	return len > suffix_len && !strcmp(name + len - suffix_len, suffix);
}

static bool is_format(const struct export_format *f, const char *name, const char *dst)
{
	if (name)
		return !strcmp(f->name, name);
	for (size_t i = 0; i < ARRAY_SIZE(f->suffixes) && f->suffixes[i]; i++)
		if (ends_in(dst, f->suffixes[i]))
			return true;
	return false;
}

static int find_format(const char *name, const char *dst, const struct export_format **ret,
		       struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		if (!is_format(&formats[i], name, dst))
			continue;
		*ret = &formats[i];
		return 0;
	}
	if (name)
		return err_msg(e, EINVAL,
			       "--format: '%s' is none that can be exported to; see vmrun rootfs "
			       "export --help for those that are",
			       name);
	return err_msg(e, EINVAL, "'%s' does not end as the name of any format does; use --format",
		       dst);
}

struct command {
	const struct export_options *options;
	struct export x;
	struct root root;
	struct partial_file file;
	struct partial dir;
};

static int check_stdout(const struct export_format *f, struct err *e)
{
	if (f->to != EXPORT_STREAM)
		return err_msg(e, EINVAL, "%s cannot be written to standard output", f->name);
	if (isatty(STDOUT_FILENO))
		return err_msg(e, EINVAL, "standard output is a terminal; redirect it");
	return 0;
}

static int begin(struct command *c, const struct export_format *f, struct err *e)
{
	struct export *x = &c->x;
	int r;

	if (!strcmp(x->dst_path, "-")) {
		r = check_stdout(f, e);
		if (r < 0)
			return r;
		/* Above 2: what runs inside keeps its number. */
		x->out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
		return x->out < 0 ? err_errno(e, errno, "cannot write standard output") : 0;
	}
	if (f->to == EXPORT_DIRECTORY) {
		r = partial_open(x->dst_path, &c->dir, e);
		if (r == 0)
			r = partial_begin(&c->dir, &c->root.idmap, e);
		x->out_dir = &c->dir;
		return r;
	}
	r = partial_file_begin(x->dst_path, c->options->force, &c->file, e);
	x->out = c->file.at.fd;
	return r;
}

static int finish(struct command *c, struct err *e)
{
	if (c->x.out_dir)
		return partial_finish(&c->dir, e);
	return c->file.at.fd >= 0 ? partial_file_finish(&c->file, e) : 0;
}

static void remove_begun(struct command *c)
{
	struct err e;

	if (c->x.out_dir && partial_remove(&c->dir, &e) < 0)
		cmd_warn(e.text);
	partial_file_remove(&c->file);
}

static int read_epoch(int64_t *ret, struct err *e)
{
	const char *text = getenv("SOURCE_DATE_EPOCH");
	uint64_t epoch = 0;

	*ret = EXPORT_NO_EPOCH;
	if (!text || !*text)
		return 0;
	/* Until the year 9999: more than any format has room for. */
	if (parse_uint(text, 0, 253402300799, &epoch) < 0)
		return err_msg(e, EINVAL, "SOURCE_DATE_EPOCH: '%s' is no number of seconds", text);
	*ret = (int64_t)epoch;
	return 0;
}

static int export(struct command *c, int *ret_signal, struct err *e)
{
	const struct export_format *f = NULL;
	int r = find_format(c->options->format, c->x.dst_path, &f, e);

	if (r == 0 && c->options->size && f->run != export_raw && f->run != export_qcow2)
		r = err_msg(e, EINVAL, "--size is for disk images, and %s is none", f->name);
	if (r == 0 && c->options->image && f->run != export_oci && f->run != export_oci_archive)
		r = err_msg(e, EINVAL, "--image is for images of containers, and %s is none",
			    f->name);
	if (r == 0)
		r = read_epoch(&c->x.epoch, e);
	if (r == 0)
		r = root_open(c->x.src_path, &c->options->idmap, &c->root, e);
	if (r == 0)
		r = begin(c, f, e);
	if (r < 0)
		return r;
	c->x.format = f->name;
	r = f->run(&c->x, ret_signal, e);
	return r == 0 ? finish(c, e) : r;
}

static int export_and_tell(struct command *c)
{
	int signal = 0, r;
	struct err e;

	r = enter_signals(&c->x.signal_fd, &e);
	if (r == 0)
		r = export(c, &signal, &e);
	if (r < 0) {
		remove_begun(c);
		return r == -EINTR ? 128 + signal : cmd_fail(&e);
	}
	return cmd_rootfs_tell_losses(&c->x.report->losses);
}

static int run(const void *values, char *const *operands)
{
	struct command c = {
		.options = values,
		.x = { .src_path = operands[0],
		       .dst_path = operands[1],
		       .options = values,
		       .out = -1,
		       .signal_fd = -1 },
		.root = { .dir = { .fd = -1 } },
		.file = PARTIAL_FILE_INIT,
		.dir = PARTIAL_INIT,
	};
	struct err e;
	int code;

	c.x.root = &c.root;
	c.x.report = enter_share(sizeof(*c.x.report));
	if (!c.x.report) {
		err_oom(&e);
		return cmd_fail(&e);
	}
	code = export_and_tell(&c);
	partial_close(&c.dir);
	root_close(&c.root);
	cleanup_close(&c.x.signal_fd);
	enter_unshare(c.x.report, sizeof(*c.x.report));
	return code;
}

static const char *const operands[] = { "DIR", "DST", NULL };

const struct rootfs_command cmd_rootfs_export = {
	.name = "export",
	.usage = "vmrun rootfs export [--format FORMAT] [--image NAME] [--size SIZE] [--force] "
		 "[--shared] [--idmap MAP] DIR DST",
	.help = "make an archive, a file system or a disk image of a root directory: DST, or "
		"standard output for \"-\"; the same "
		"one for the same directory",
	.options = options,
	.operands = operands,
	.values_size = sizeof(struct export_options),
	.run = run,
};
