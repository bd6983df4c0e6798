/* SPDX-License-Identifier: MIT */
/*
 * The run's own resolv.conf and hosts are files of the initramfs, mounted over
 * the base's, which stay as they are. Where the base has none, an empty file is
 * made to mount over, and removed after the run; where it has a symbolic link
 * that leads nowhere (to /run/systemd/resolve, say), the file is made there.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "initramfs/guest/file.h"
#include "initramfs/guest/guest.h"
#include "initramfs/guest/hosts.h"
#include "initramfs/guest/report.h"

#define RESOLV_CONF "nameserver 10.0.2.3\n"
#define HOSTS_MAX ((size_t)1 << 20) /* bytes of the base's own */
#define LINKS_MAX 8

/* Follows symbolic links in the last component; what they lead to need not exist. */
static int follow_links(const char *path, char out[PATH_MAX])
{
	char target[PATH_MAX], joined[PATH_MAX];

	snprintf(out, PATH_MAX, "%s", path);
	for (int i = 0; i < LINKS_MAX; i++) {
		ssize_t len = readlink(out, target, sizeof(target) - 1);
		int dir = (int)(strrchr(out, '/') + 1 - out);
		int used;

		if (len < 0)
			return 0;
		target[len] = '\0';
		used = snprintf(joined, sizeof(joined), "%.*s%s", target[0] == '/' ? 0 : dir, out,
				target);
		if (used < 0 || (size_t)used >= sizeof(joined))
			return -ENAMETOOLONG;
		memcpy(out, joined, (size_t)used + 1);
	}
	return -ELOOP;
}

static int write_file(int dir, const char *name, const char *a, size_t a_len, const char *b)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	size_t b_len = strlen(b);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, a, a_len) != (ssize_t)a_len || write(fd, b, b_len) != (ssize_t)b_len)
		r = -ENOSPC;
	close(fd);
	return r;
}

/* Puts "@a@b" in the place of @path. */
static int replace(int initramfs, const char *path, const char *a, size_t a_len, const char *b)
{
	const char *name = strrchr(path, '/') + 1;
	char target[PATH_MAX];
	int r = follow_links(path, target);

	if (r == 0)
		r = place_file(target);
	if (r == 0)
		r = write_file(initramfs, name, a, a_len, b);
	if (r == 0)
		r = place_bind(initramfs, name, target);
	return r;
}

void etc_mount(const struct conf *c, int initramfs)
{
	char added[HOSTS_ADDED_MAX];
	char *own = NULL;
	size_t len = 0;
	int r;

	if (c->network) {
		r = replace(initramfs, "/etc/resolv.conf", RESOLV_CONF, strlen(RESOLV_CONF), "");
		if (r < 0)
			report_warn("cannot put a resolv.conf for the guest's network in place of "
				    "/etc/resolv.conf: %s",
				    strerror(-r));
	}
	r = file_read("/etc/hosts", HOSTS_MAX, &own, &len);
	if (r == 0 || r == -ENOENT) {
		hosts_add(own, len, c->hostname, added);
		r = added[0] ? replace(initramfs, "/etc/hosts", own, len, added) : 0;
	}
	/* A read-only base without the file is one that does not look names up. */
	if (r < 0 && r != -EROFS)
		report_warn("cannot add the guest's names to /etc/hosts: %s", strerror(-r));
	free(own);
}
