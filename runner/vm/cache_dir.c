/* SPDX-License-Identifier: MIT */
#include "runner/vm/cache_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runner/base/err.h"
#include "runner/base/fs.h"

int cache_dir_open(const char *cache_dir, const char *name, int flags, int *ret_fd)
{
	struct err ignored;
	char dir[PATH_MAX];
	int fd, r;

	if (!*cache_dir)
		return -ENOENT;
	if (snprintf(dir, sizeof(dir), "%s/%s", cache_dir, name) >= (int)sizeof(dir))
		return -ENAMETOOLONG;
	r = fs_mkdir_p(cache_dir, 0700, &ignored);
	if (r < 0)
		return r;
	if (mkdir(dir, 0700) < 0) {
		if (errno != EEXIST)
			return -errno;
	} else if (geteuid() == 0) {
		/* Real root's jail has no id that owns it. Its parent keeps others out. */
		(void)!chmod(dir, 0711);
	}
	fd = open(dir, flags | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}
