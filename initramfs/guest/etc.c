/* SPDX-License-Identifier: MIT */
/*
 * The run's own resolv.conf and hosts are files of the initramfs, made before the
 * run and mounted over the base's, which stay as they are. Where the base has none,
 * an empty file is made to mount over, and removed after the run; where it has a
 * symbolic link that leads nowhere (to /run/systemd/resolve, say), the file is made
 * there.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "initramfs/guest/file.h"
#include "initramfs/guest/guest.h"
#include "initramfs/guest/hosts.h"
#include "initramfs/guest/report.h"

#define RESOLV_CONF "nameserver 10.0.2.3\n"
#define HOSTS_MAX ((size_t)1 << 20) /* bytes of the base's own */
#define LINKS_MAX 8

/* A file of ours, to be mounted over one of the base. */
struct own {
	const char *path;
	int file; /* for writing */
	int tree; /* a mount of it, in no place yet */
	int r;	  /* 0, or -errno of making it */
};

static struct own resolv_conf = { .path = "/etc/resolv.conf" };
static struct own hosts = { .path = "/etc/hosts" };

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

static int write_all(int fd, const char *p, size_t len)
{
	return len == 0 || write(fd, p, len) == (ssize_t)len ? 0 : -ENOSPC;
}

static int own_prepare(struct own *o, int initramfs)
{
	const char *name = strrchr(o->path, '/') + 1;

	o->file = openat(initramfs, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (o->file < 0)
		return -errno;
	o->tree = place_tree(initramfs, name);
	return o->tree < 0 ? o->tree : 0;
}

void etc_prepare(int initramfs)
{
	resolv_conf.r = own_prepare(&resolv_conf, initramfs);
	if (resolv_conf.r == 0)
		resolv_conf.r = write_all(resolv_conf.file, RESOLV_CONF, strlen(RESOLV_CONF));
	hosts.r = own_prepare(&hosts, initramfs);
}

/* Puts @o in the place of its path. */
static int replace(const struct own *o)
{
	char target[PATH_MAX];
	int r;

	if (o->r < 0)
		return o->r;
	/* Mostly there is something to mount over, and nothing more to find out. */
	if (place_move(o->tree, o->path) == 0)
		return 0;
	r = follow_links(o->path, target);
	if (r == 0)
		r = place_file(target);
	return r < 0 ? r : place_move(o->tree, target);
}

static int replace_hosts(const char *base, size_t len, const char *added)
{
	int r = hosts.r;

	if (r == 0)
		r = write_all(hosts.file, base, len);
	if (r == 0)
		r = write_all(hosts.file, added, strlen(added));
	return r < 0 ? r : replace(&hosts);
}

void etc_mount(const struct conf *c)
{
	static char base[HOSTS_MAX];
	char added[HOSTS_ADDED_MAX];
	size_t len = 0;
	int r;

	if (c->network) {
		r = replace(&resolv_conf);
		if (r < 0)
			report_warn("cannot put a resolv.conf for the guest's network in place of "
				    "/etc/resolv.conf: %s",
				    strerror(-r));
	}
	r = file_read(hosts.path, base, sizeof(base), &len);
	if (r == 0 || r == -ENOENT) {
		hosts_add(base, len, c->hostname, added);
		r = added[0] ? replace_hosts(base, len, added) : 0;
	}
	/* A read-only base without the file is one that does not look names up. */
	if (r < 0 && r != -EROFS)
		report_warn("cannot add the guest's names to /etc/hosts: %s", strerror(-r));
}
