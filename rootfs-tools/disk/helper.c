/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/disk/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "initramfs/decompress.h"
#include "initramfs/modules.h"
#include "rootfs-tools/core/enter.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/host/kernel_find.h"

#define NAME_HERE "/boot/vmlinuz-"

extern const unsigned char disk_reader_start[], disk_reader_end[];

/* No distribution's kernel has all of them as modules, and some none. */
static const struct fs_modules {
	const char *fs;
	const struct module_want *want;
} fs_modules[] = {
	/* crc32c is asked for by what it does, which modules.dep does not tell. */
	{ "ext4", (const struct module_want[]){ { "crc32c_generic", false, "" },
						{ "ext4", false, "" },
						{ 0 } } },
	{ "xfs", (const struct module_want[]){ { "crc32c_generic", false, "" },
					       { "xfs", false, "" },
					       { 0 } } },
	/* And it has four kinds of checksum. */
	{ "btrfs", (const struct module_want[]){ { "crc32c_generic", false, "" },
						 { "xxhash_generic", false, "" },
						 { "sha256_generic", false, "" },
						 { "blake2b_generic", false, "" },
						 { "btrfs", false, "" },
						 { 0 } } },
	{ "vfat", (const struct module_want[]){ { "nls_cp437", false, "" },
						{ "nls_ascii", false, "" },
						{ "vfat", false, "" },
						{ 0 } } },
};

/* --- inside --- */

struct making {
	const char *version; /* NULL: the newest */
	const char *from;    /* for messages */
};

/* What is made from, and where. */
struct place {
	int to;	     /* the new root */
	int from;    /* the root with the kernel */
	int modules; /* the kernel's, of @from */
	struct kernel_choice kernel;
	char *dep, *builtin;
	size_t dep_len, builtin_len;
};

static void place_free(struct place *p)
{
	cleanup_close(&p->modules);
	free(p->dep);
	free(p->builtin);
}

static int make_dirs(int to, const char *path)
{
	char part[PATH_MAX];

	for (const char *p = path; (p = strchr(p, '/')); p++) {
		if ((size_t)snprintf(part, sizeof(part), "%.*s", (int)(p - path), path) >=
		    sizeof(part))
			return -ENAMETOOLONG;
		if (mkdirat(to, part, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

static int put(int to, const char *path, mode_t mode, const void *data, size_t len, struct err *e)
{
	_cleanup_close_ int fd = -1;
	int r = make_dirs(to, path);

	if (r == 0) {
		fd = openat(to, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
		r = fd < 0 ? -errno : fs_write_all(fd, data, len);
	}
	return r < 0 ? err_errno(e, -r, "cannot write the helper guest's /%s", path) : 0;
}

/* @from_path below @from, as it is. */
static int copy(int from, const char *from_path, uint64_t max, int to, const char *path,
		struct err *e)
{
	_cleanup_free_ char *data = NULL;
	size_t len;
	int r = fs_read_regular(from, from_path, max, &data, &len);

	if (r < 0)
		return err_errno(e, -r, "cannot read %s", from_path);
	return put(to, path, 0644, data, len, e);
}

static int find_kernel(const struct making *m, struct place *p, struct err *e)
{
	int r;

	if (m->version) {
		snprintf(p->kernel.version, sizeof(p->kernel.version), "%s", m->version);
		snprintf(p->kernel.path, sizeof(p->kernel.path), "boot/vmlinuz-%s", m->version);
	} else {
		r = kernel_find(p->from, &p->kernel, e);
		if (r == -ENOENT)
			return err_msg(e, ENOENT, "there is none that can be read");
		if (r < 0)
			return r;
	}
	r = kernel_open_modules(p->from, p->kernel.version, &p->modules, e);
	if (r == -ENOENT)
		return err_msg(e, ENOENT, "there are no modules of kernel %s", p->kernel.version);
	if (r == 0)
		r = fs_read_regular(p->modules, "modules.dep", MODULES_DEP_MAX, &p->dep,
				    &p->dep_len);
	if (r == 0) {
		r = fs_read_regular(p->modules, "modules.builtin", MODULES_DEP_MAX, &p->builtin,
				    &p->builtin_len);
		r = r == -ENOENT ? 0 : r;
	}
	return r < 0 ? err_errno(e, -r, "cannot read the modules of kernel %s", p->kernel.version) :
		       0;
}

static int closure(const struct place *p, const struct module_want *want, struct strvec *ret,
		   struct err *e)
{
	return modules_closure(p->dep, p->dep_len, p->builtin ? p->builtin : "", p->builtin_len,
			       want, ret, e);
}

/* The kernel and what vmrun loads itself: as in any root directory. */
static int put_kernel(const struct place *p, struct err *e)
{
	_cleanup_strvec_ struct strvec paths = { 0 };
	char dir[KERNEL_PATH_MAX], path[PATH_MAX];
	int r = closure(p, modules_wanted_with_disks, &paths, e);

	snprintf(dir, sizeof(dir), "lib/modules/%s", p->kernel.version);
	snprintf(path, sizeof(path), "boot/vmlinuz-%s", p->kernel.version);
	if (r == 0)
		r = copy(p->from, p->kernel.path, KERNEL_IMAGE_MAX, p->to, path, e);
	for (size_t i = 0; r == 0 && i < paths.n; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, paths.v[i]);
		r = copy(p->modules, paths.v[i], MODULE_FILE_MAX, p->to, path, e);
	}
	if (r == 0) {
		snprintf(path, sizeof(path), "%s/modules.dep", dir);
		r = put(p->to, path, 0644, p->dep, p->dep_len, e);
	}
	if (r == 0) {
		snprintf(path, sizeof(path), "%s/modules.builtin", dir);
		r = put(p->to, path, 0644, p->builtin ? p->builtin : "", p->builtin_len, e);
	}
	return r;
}

static int sink(void *arg, const void *data, size_t len)
{
	struct strbuf *b = arg;

	strbuf_add(b, data, len);
	return b->failed ? -ENOMEM : 0;
}

/* As modules/NAME.ko, unpacked: not every kernel can do that itself. */
static int put_module(const struct place *p, const char *path, struct strbuf *list, struct err *e)
{
	_cleanup_strbuf_ struct strbuf unpacked = { 0 };
	_cleanup_free_ char *data = NULL;
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	const char *suffix = strstr(name, ".ko");
	char to[PATH_MAX];
	size_t len;
	int r = fs_read_regular(p->modules, path, MODULE_FILE_MAX, &data, &len);

	if (r < 0)
		return err_errno(e, -r, "cannot read the module %s", path);
	if (suffix && suffix[3])
		r = decompress(data, len, MODULE_FILE_MAX, sink, &unpacked, e);
	if (unpacked.failed)
		return err_oom(e);
	if (r < 0)
		return err_prefix(e, "module %s", path);
	strbuf_printf(list, "%.*s.ko\n", (int)strcspn(name, "."), name);
	snprintf(to, sizeof(to), "modules/%.*s.ko", (int)strcspn(name, "."), name);
	return unpacked.len ? put(p->to, to, 0644, unpacked.data, unpacked.len, e) :
			      put(p->to, to, 0644, data, len, e);
}

static int put_file_systems(const struct place *p, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(fs_modules); i++) {
		_cleanup_strvec_ struct strvec paths = { 0 };
		_cleanup_strbuf_ struct strbuf list = { 0 };
		char path[64];

		r = closure(p, fs_modules[i].want, &paths, e);
		for (size_t n = 0; r == 0 && n < paths.n; n++)
			r = put_module(p, paths.v[n], &list, e);
		if (r == 0 && (list.failed || paths.failed))
			r = err_oom(e);
		snprintf(path, sizeof(path), "modules/%s.list", fs_modules[i].fs);
		if (r == 0)
			r = put(p->to, path, 0644, strbuf_str(&list), list.len, e);
	}
	return r;
}

/* What vmrun-init mounts over. */
static int put_places(int to, struct err *e)
{
	static const char *const places[] = { "proc/", "sys/", "dev/", "run/",
					      "tmp/",  "bin/", "etc/" };
	static const char *const files[] = { "etc/hosts", "etc/resolv.conf", "etc/passwd" };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(places); i++)
		r = make_dirs(to, places[i]);
	if (r < 0)
		return err_errno(e, -r, "cannot make the helper guest's root");
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(files); i++)
		r = put(to, files[i], 0644, "", 0, e);
	return r == 0 ? put(to, &HELPER_READER[1], 0755, disk_reader_start,
			    (size_t)(disk_reader_end - disk_reader_start), e) :
			r;
}

static int op_make(const int *dirs, void *arg, struct err *e)
{
	const struct making *m = arg;
	_cleanup_(place_free) struct place p = { .from = dirs[1], .modules = -1 };
	_cleanup_close_ int to = openat(dirs[0], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	p.to = to;
	umask(0);
	if (to < 0 || fchown(to, 0, 0) < 0 || fchmod(to, 0755) < 0)
		return err_errno(e, errno, "cannot make the helper guest's root");
	r = find_kernel(m, &p, e);
	if (r == 0)
		r = put_kernel(&p, e);
	if (r == 0)
		r = put_file_systems(&p, e);
	if (r < 0) {
		err_prefix(e, "no kernel to read the image with in '%.200s'", m->from);
		return err_msg(e, e->errnum, "%s; name a root directory that has one with --kernel",
			       strdupa(e->text));
	}
	return put_places(to, e);
}

/* --- outside --- */

/*
 * Which root directory, and which of its kernels.
 * @text: to free(); @ret_version points into it.
 */
static int open_source(const char *kernel, char **text, const char **ret_version, int *ret_fd,
		       struct err *e)
{
	struct stat st;
	char *here;
	int fd;

	if (!kernel)
		kernel = "/";
	*text = realpath(kernel, NULL);
	if (!*text || stat(*text, &st) < 0)
		return err_errno(e, errno, "--kernel: cannot open '%.300s'", kernel);
	*ret_version = NULL;
	if (!S_ISDIR(st.st_mode)) {
		here = strstr(*text, NAME_HERE);
		if (!here || !kernel_version_valid(here + strlen(NAME_HERE)))
			return err_msg(e, EINVAL,
				       "--kernel: '%.300s' is no root directory, and no "
				       "ROOT/boot/vmlinuz-VERSION: its modules cannot be found",
				       kernel);
		*ret_version = here + strlen(NAME_HERE);
		*here = '\0';
	}
	fd = open(**text ? *text : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, errno, "--kernel: cannot open '%.300s'", *text);
	*ret_fd = fd;
	return 0;
}

static int begin(const struct partial *beside, const struct idmap_choice *idmap, struct helper *h,
		 struct err *e)
{
	_cleanup_free_ char *parent = NULL;
	_cleanup_free_ char *path = NULL;
	int r = fs_fd_path(beside->parent, &parent);

	if (r < 0)
		return err_errno(e, -r, "cannot find the path of where to import to");
	/* In front: of a long name the end is cut. */
	if (asprintf(&path, "%s/helper-of-%.200s", parent, beside->name) < 0)
		return err_oom(e);
	r = partial_open(path, &h->root, e);
	if (r == 0)
		r = partial_begin(&h->root, idmap, e);
	if (r < 0)
		return r;
	r = fs_fd_path(h->root.fd, &h->path);
	return r < 0 ? err_errno(e, -r, "cannot find the path of the helper guest's root") : 0;
}

int helper_make(const struct partial *beside, const struct idmap_choice *idmap, const char *kernel,
		int signal_fd, struct helper *ret, int *ret_signal, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int source = -1;
	struct making m;
	struct enter enter = { .idmap = idmap, .n_dirs = 2, .signal_fd = signal_fd };
	int r = open_source(kernel, &text, &m.version, &source, e);

	if (r == 0)
		r = begin(beside, idmap, ret, e);
	if (r < 0)
		return r;
	decompress_prepare();
	m.from = *text ? text : "/";
	enter.dirs[0] = (struct enter_dir){ .fd = ret->root.fd };
	enter.dirs[1] = (struct enter_dir){ .fd = source, .read_only = true };
	return enter_run(&enter, op_make, &m, ret_signal, e);
}

int helper_remove(struct helper *helper, struct err *e)
{
	int r = partial_remove(&helper->root, e);

	partial_close(&helper->root);
	free(helper->path);
	helper->path = NULL;
	return r;
}
