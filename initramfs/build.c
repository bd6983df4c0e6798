/* SPDX-License-Identifier: MIT */
#include "initramfs/build.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "initramfs/decompress.h"
#include "initramfs/image.h"
#include "initramfs/modules.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"

#define INITRAMFS_MAX ((size_t)128 << 20) /* bytes; Debian's kernel needs 1.6 MB */

static int sink_strbuf(void *ctx, const void *data, size_t len)
{
	struct strbuf *b = ctx;

	strbuf_add(b, data, len);
	return b->failed ? -ENOMEM : 0;
}

static bool is_compressed(const char *path)
{
	size_t len = strlen(path);

	return len < 3 || strcmp(path + len - 3, ".ko") != 0;
}

/* Of "kernel/fs/9p/9p.ko.xz" the "9p.ko". */
static void module_file_name(const char *path, const char **ret, int *ret_len)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	size_t len = strlen(name);

	if (is_compressed(path))
		len = (size_t)(strrchr(name, '.') - name);
	*ret = name;
	*ret_len = (int)len;
}

static int read_module(int modules_fd, const char *path, struct strbuf *ret, struct err *e)
{
	_cleanup_free_ char *data = NULL;
	size_t len;
	int r = fs_read_regular(modules_fd, path, MODULE_FILE_MAX, &data, &len);

	if (r == -ENOENT)
		return err_msg(e, ENOENT,
			       "modules.dep names %s, but there is no such file; run depmod or "
			       "install the kernel again",
			       path);
	if (r < 0)
		return err_errno(e, -r, "cannot read the module %s", path);
	if (!is_compressed(path)) {
		strbuf_add(ret, data, len);
		return ret->failed ? err_oom(e) : 0;
	}
	r = decompress(data, len, MODULE_FILE_MAX, sink_strbuf, ret, e);
	if (ret->failed)
		return err_oom(e);
	return r < 0 ? err_prefix(e, "module %s", path) : 0;
}

static int add_module(struct image *img, int modules_fd, const char *path, struct strbuf *list,
		      struct err *e)
{
	_cleanup_strbuf_ struct strbuf name = { 0 };
	_cleanup_strbuf_ struct strbuf data = { 0 };
	const char *file;
	int file_len;
	int r = read_module(modules_fd, path, &data, e);

	if (r < 0)
		return r;
	module_file_name(path, &file, &file_len);
	strbuf_printf(&name, "lib/%.*s", file_len, file);
	strbuf_printf(list, "/%s\n", strbuf_str(&name));
	if (name.failed || list->failed)
		return err_oom(e);
	image_add(img, name.data, S_IFREG | 0644, data.data, data.len);
	if (img->out.len > INITRAMFS_MAX)
		return err_msg(e, EFBIG, "the modules for the guest have more than %zu MiB",
			       INITRAMFS_MAX >> 20);
	return 0;
}

static int find_modules(int modules_fd, const struct module_want *want, struct strvec *ret,
			struct err *e)
{
	_cleanup_free_ char *dep = NULL;
	_cleanup_free_ char *builtin = NULL;
	size_t dep_len, builtin_len = 0;
	int r = fs_read_regular(modules_fd, "modules.dep", MODULES_DEP_MAX, &dep, &dep_len);

	if (r < 0)
		return err_errno(e, -r, "cannot read the kernel's modules.dep");
	r = fs_read_regular(modules_fd, "modules.builtin", MODULES_DEP_MAX, &builtin, &builtin_len);
	if (r < 0 && r != -ENOENT)
		return err_errno(e, -r, "cannot read the kernel's modules.builtin");
	return modules_closure(dep, dep_len, builtin, builtin_len, want, ret, e);
}

static int identify(int modules_fd, const char *path, struct strbuf *ids, uint64_t *newest_ns)
{
	_cleanup_close_ int fd = -1;
	struct file_id id;
	struct stat st;
	int r = fs_open_in_root(modules_fd, path, O_PATH, &fd);

	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return -errno;
	fs_file_id(&st, &id);
	if (id.ctime_ns > *newest_ns)
		*newest_ns = id.ctime_ns;
	strbuf_add(ids, path, strlen(path) + 1);
	strbuf_add(ids, &id, sizeof(id));
	return 0;
}

int initramfs_identify(int modules_fd, const struct module_want *want, struct strbuf *ids,
		       uint64_t *newest_ns, struct err *e)
{
	_cleanup_strvec_ struct strvec paths = { 0 };
	int r;

	if (modules_fd < 0)
		return 0;
	/* modules.dep and modules.builtin tell no more than this list. */
	r = find_modules(modules_fd, want, &paths, e);
	for (size_t i = 0; r == 0 && i < paths.n; i++) {
		r = identify(modules_fd, paths.v[i], ids, newest_ns);
		if (r < 0)
			err_errno(e, -r, "cannot look at module %s", paths.v[i]);
	}
	if (r == 0 && (ids->failed || paths.failed))
		return err_oom(e);
	return r;
}

static int add_modules(struct image *img, int modules_fd, const struct module_want *want,
		       struct err *e)
{
	_cleanup_strvec_ struct strvec paths = { 0 };
	_cleanup_strbuf_ struct strbuf list = { 0 };
	int r;

	if (modules_fd >= 0) {
		r = find_modules(modules_fd, want, &paths, e);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < paths.n; i++) {
		r = add_module(img, modules_fd, paths.v[i], &list, e);
		if (r < 0)
			return r;
	}
	image_add(img, "modules", S_IFREG | 0644, list.data, list.len);
	return 0;
}

int initramfs_build(int modules_fd, const struct module_want *want, const void *init,
		    size_t init_len, struct strbuf *ret, struct err *e)
{
	struct image img = { 0 };
	int r;

	image_add(&img, "dev", S_IFDIR | 0755, NULL, 0);
	/* The kernel opens it as the first process's stdin, stdout and stderr. */
	image_add_node(&img, "dev/console", S_IFCHR | 0600, 5, 1);
	image_add(&img, "init", S_IFREG | 0755, init, init_len);
	image_add(&img, "lib", S_IFDIR | 0755, NULL, 0);
	r = add_modules(&img, modules_fd, want, e);
	image_finish(&img);
	if (r == 0 && img.out.failed)
		r = err_oom(e);
	if (r < 0)
		strbuf_free(&img.out);
	else
		*ret = img.out;
	return r;
}
