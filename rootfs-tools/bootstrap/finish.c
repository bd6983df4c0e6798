/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/bootstrap/finish.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs-tools/core/change.h"
#include "rootfs-tools/core/tree.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/host/base_dir.h"
#include "runner/host/kernel_find.h"

static const struct change_attrs plain = { .mode = 0644 };

int finish_begin(const int *dirs, void *arg, struct err *e)
{
	_cleanup_close_ int fd = openat(dirs[0], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)arg;
	if (fd < 0 || fchown(fd, 0, 0) < 0 || fchmod(fd, 0755) < 0)
		return err_errno(e, errno, "cannot set up the new root");
	return 0;
}

/* Tools copy the host's, so that what they run in the new root can use the network. */
static int forget_resolver(int etc, struct err *e)
{
	struct stat st;

	/* A symlink is a package's: to the file of a service in the guest. */
	if (change_exists(etc, "resolv.conf", &st) && !S_ISREG(st.st_mode))
		return 0;
	return change_replace(etc, "/etc", "resolv.conf", &plain, "", 0, e);
}

/* Tools leave what they mounted the host's few devices on. */
static int empty_dev(int root, struct err *e)
{
	_cleanup_close_ int dev = -1;
	int r = fs_open_in_root(root, "dev", O_RDONLY | O_DIRECTORY, &dev);

	if (r == -ENOENT)
		return 0;
	return r < 0 ? err_errno(e, -r, "cannot open the new root's /dev") : tree_remove(dev, e);
}

static int set_name(int etc, const char *hostname, struct err *e)
{
	static const char hosts[] = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n";
	char text[HOST_NAME_MAX + 2];
	struct stat st;
	int r, n = snprintf(text, sizeof(text), "%s\n", hostname);

	r = change_replace(etc, "/etc", "hostname", &plain, text, (size_t)n, e);
	if (r == 0 && !change_exists(etc, "hosts", &st))
		r = change_replace(etc, "/etc", "hosts", &plain, hosts, sizeof(hosts) - 1, e);
	return r;
}

int finish_end(const int *dirs, void *arg, struct err *e)
{
	const struct finish *finish = arg;
	_cleanup_close_ int etc = change_open_dir(dirs[0], "etc");
	struct kernel_choice kernel;
	int r;

	if (etc < 0)
		return err_msg(e, ENOENT, "what was made is no root directory: it has no /etc");
	r = base_dir_check(dirs[0], "the new root", e);
	if (r == 0)
		r = forget_resolver(etc, e);
	if (r == 0)
		r = empty_dev(dirs[0], e);
	if (r == 0)
		r = set_name(etc, finish->hostname, e);
	if (r == 0 && finish->kernel)
		r = kernel_find(dirs[0], &kernel, e);
	return r;
}
