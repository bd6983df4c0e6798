/* SPDX-License-Identifier: MIT */
/*
 * The file system that a program of the host's sees (JAIL_PROGRAM): the host's programs
 * and their configuration, read-only, and otherwise nothing of the host's. What is left
 * out on purpose is all that may be the caller's or a service's: /home, /root, /var, /run,
 * /srv, /mnt, /media, /opt, /sys, devices.
 *
 * Of /etc all can be seen that everybody may read, as a package manager's configuration
 * and keys, the dynamic linker's and the resolver's lie all over it. What only the host's
 * root or a group may read, nobody in there can: those ids are not in the map.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/jail/mounts_make.h"
#include "runner/jail/stages.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define RESOLV_CONF_MAX 65536

/* Where it is a symlink on the host, as with merged /usr, it is the same symlink. */
static const char *const trees[] = {
	"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc",
};

static int show_tree(const char *path, struct err *e)
{
	const uint64_t attrs = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
	_cleanup_close_ int tree = -1;
	char target[PATH_MAX];
	struct stat st;
	ssize_t n;
	int r;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_errno(e, errno, "cannot stat %s", path);
	if (S_ISLNK(st.st_mode)) {
		n = readlink(path, target, sizeof(target) - 1);
		if (n < 0)
			return err_errno(e, errno, "cannot read the link %s", path);
		target[n] = '\0';
		if (symlink(target, path + 1) < 0)
			return err_errno(e, errno, "cannot make %s in the jail", path);
		return 0;
	}
	tree = mounts_clone_tree(AT_FDCWD, path, attrs);
	if (tree < 0)
		return err_errno(e, -tree, "cannot attach %s", path);
	r = mounts_make_dir(path + 1, e);
	return r == 0 ? mounts_attach(tree, path + 1, e) : r;
}

int mounts_host(struct jail *jail, struct err *e)
{
	(void)jail;
	for (size_t i = 0; i < ARRAY_SIZE(trees); i++) {
		int r = show_tree(trees[i], e);

		if (r < 0)
			return r;
	}
	return 0;
}

static int make_link(const char *target, const char *path, struct err *e)
{
	if (symlink(target, path) < 0)
		return err_errno(e, errno, "cannot make /%s in the jail", path);
	return 0;
}

int mounts_scratch(struct jail *jail, struct err *e)
{
	static const struct {
		const char *path, *mode;
	} scratch[] = {
		{ "tmp", "1777" },
		{ "var", "0755" },
		{ "run", "0755" },
		{ "dev", "0755" },
	};
	/* Others of which programs expect that they are there, and what tools.h places. */
	static const char *const dirs[] = { "var/lib", "var/cache", "var/log",
					    "proc",    "sys",	    "vmrun" };
	int r = 0;

	(void)jail;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(scratch); i++) {
		_cleanup_close_ int fs = mounts_new("tmpfs", "mode", scratch[i].mode,
						    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);

		if (fs < 0)
			return err_errno(e, -fs, "cannot make the jail's /%s", scratch[i].path);
		r = mounts_make_dir(scratch[i].path, e);
		if (r == 0)
			r = mounts_attach(fs, scratch[i].path, e);
	}
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(dirs); i++)
		r = mounts_make_dir(dirs[i], e);
	if (r == 0)
		r = make_link("../run", "var/run", e);
	return r == 0 ? make_link("../tmp", "var/tmp", e) : r;
}

static int make_terminals(struct err *e)
{
	_cleanup_close_ int pts = mounts_new("devpts", "ptmxmode", "0666",
					     MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	int r;

	if (pts < 0)
		return err_errno(e, -pts, "cannot make terminals in the jail");
	r = mounts_make_dir("dev/pts", e);
	if (r == 0)
		r = mounts_attach(pts, "dev/pts", e);
	return r == 0 ? make_link("pts/ptmx", "dev/ptmx", e) : r;
}

int mounts_program_devices(struct jail *jail, struct err *e)
{
	static const char *const devices[] = { "/dev/null",   "/dev/zero",    "/dev/full",
					       "/dev/random", "/dev/urandom", "/dev/tty" };
	static const char *const links[][2] = {
		{ "/proc/self/fd", "dev/fd" },
		{ "/proc/self/fd/0", "dev/stdin" },
		{ "/proc/self/fd/1", "dev/stdout" },
		{ "/proc/self/fd/2", "dev/stderr" },
		{ "/tmp", "dev/shm" },
	};
	int r = 0;

	(void)jail;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(devices); i++)
		r = mounts_show_file(devices[i], MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, e);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(links); i++)
		r = make_link(links[i][0], links[i][1], e);
	return r == 0 ? make_terminals(e) : r;
}

static int mount_proc(const char *target, struct err *e)
{
	/* All of it, and not read-only: else the kernel allows no other one below a chroot. */
	_cleanup_close_ int proc = mounts_new("proc", NULL, NULL,
					      MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
						      MOUNT_ATTR_NOEXEC);

	if (proc < 0)
		return err_errno(e, -proc,
				 "cannot mount a /proc of the jail's own (a container that masks "
				 "its /proc forbids it)");
	return mounts_attach(proc, target, e);
}

int mounts_program_proc(struct jail *jail, struct err *e)
{
	(void)jail;
	return mount_proc("proc", e);
}

int mounts_proc_again(struct jail *jail, struct err *e)
{
	(void)jail;
	return mount_proc("/proc", e);
}

/*
 * /etc/resolv.conf is often a symlink to a file of a service, below /run: which is made.
 */
int mounts_host_resolver(struct jail *jail, struct err *e)
{
	_cleanup_free_ char *text = NULL, *path = NULL;
	size_t len;
	int r;

	if (!jail->network || fs_read_host(RESOLV_CONF, RESOLV_CONF_MAX, &text, &len) < 0)
		return 0;
	path = realpath(RESOLV_CONF, NULL);
	if (!path || faccessat(AT_FDCWD, path + 1, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	r = mounts_make_parents(path, e);
	return r == 0 ? mounts_make_file(path + 1, text, len, e) : r;
}
