/* SPDX-License-Identifier: MIT */
/*
 * The file system that QEMU sees: a small tmpfs, read-only once built, that
 * shows the host's programs and libraries (read-only), a few devices, a /proc of
 * the jail's own PID namespace, and what the run is about: the base and the
 * volumes.
 *
 * The new mount API is used throughout: a mount is made, given its flags, and
 * only then attached, so that none is ever visible with more rights than meant.
 * Between mounts_new_root() and mounts_pivot() the working directory is the new
 * root, and every relative path below is one in the jail.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/jail/mounts_make.h"
#include "runner/jail/stages.h"
#include "runner/jail/userns.h"

#define DATA_ATTRS (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

static const struct jail_mount mounts[MOUNT_END] = {
	/* Read-only only once it is built: mounts_seal_root(). */
	[MOUNT_ROOT] = { JAIL_VMM | JAIL_NETWORK | JAIL_TOOL | JAIL_PROGRAM, "/", "tmpfs of 1 MiB",
			 MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV },
	[MOUNT_PROGRAMS] = { JAIL_VMM, "/usr/...",
			     "QEMU, its libraries and firmware, each file by itself",
			     MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV },
	[MOUNT_DEVICES] = { JAIL_VMM, "/dev/...", "null, urandom, and kvm where it is used",
			    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC },
	[MOUNT_PROC] = { JAIL_VMM | JAIL_TOOL, "/proc", "processes of the jail, and nothing else of proc",
			 MOUNT_ATTR_RDONLY | DATA_ATTRS },
	[MOUNT_BINDS] = { JAIL_VMM, "/vm/...", "the base, the volumes and the disks", DATA_ATTRS },
	[MOUNT_CACHES] = { JAIL_VMM, "(detached)", "kernels and templates, for PID 1 only",
			   MOUNT_ATTR_RDONLY | DATA_ATTRS },
};

const struct jail_mount *jail_mounts(void)
{
	return mounts;
}

int mounts_private(struct jail *jail, struct err *e)
{
	(void)jail;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
		return 0;
	if (userns_restricted())
		return err_msg(e, EPERM,
			       "AppArmor denies mounts in user namespaces here; sudo sysctl -w "
			       "kernel.apparmor_restrict_unprivileged_userns=0, or give vmrun a "
			       "profile that allows userns");
	return err_errno(e, errno, "cannot make mounts private");
}

int mounts_clone_tree(int dirfd, const char *path, uint64_t attrs)
{
	struct mount_attr attr = { .attr_set = attrs };
	_cleanup_close_ int tree = -1;

	/* Recursive: a part that hides another mount must not be shown without it. */
	tree = open_tree(dirfd, path,
			 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_EMPTY_PATH);
	if (tree < 0)
		return -errno;
	if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return -errno;
	return steal_fd(&tree);
}

int mounts_clone(int fd, const struct jail_bind *bind)
{
	return mounts_clone_tree(fd, "",
				 (bind->programs ? 0 : mounts[MOUNT_BINDS].attrs) |
					 (bind->read_only ? MOUNT_ATTR_RDONLY : 0));
}

/*
 * The caller's descriptor lies in the mount namespace that was left, and a mount
 * can be cloned only from the own one: so walk there again, by the caller's
 * rights, and make sure that it is still the same file.
 */
static int attach_bind(struct jail_bind *b, struct err *e)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	_cleanup_close_ int fd = (int)syscall(SYS_openat2, AT_FDCWD, b->source, &how, sizeof(how));
	struct stat was, is;
	int tree;

	if (fd < 0)
		return err_errno(e, errno, "cannot open %s in the jail", b->source);
	if (fstat(fd, &is) < 0 || fstat(b->source_fd, &was) < 0)
		return err_errno(e, errno, "cannot stat %s", b->source);
	if (is.st_dev != was.st_dev || is.st_ino != was.st_ino)
		return err_msg(e, ESTALE, "%s was replaced while vmrun started; run it again",
			       b->source);
	tree = mounts_clone(fd, b);
	if (tree < 0)
		return err_errno(e, -tree, "cannot attach %s", b->source);
	b->tree_fd = tree;
	return 0;
}

int mounts_attach_binds(struct jail *jail, struct err *e)
{
	for (unsigned int i = 0; i < jail->n_binds; i++) {
		int r = jail->binds[i].tree_fd >= 0 ? 0 : attach_bind(&jail->binds[i], e);

		if (r < 0)
			return r;
		/* On a mount of the host's, with whatever rights that gives. */
		cleanup_close(&jail->binds[i].source_fd);
	}
	return 0;
}

int mounts_new(const char *type, const char *key, const char *value, unsigned int attrs)
{
	_cleanup_close_ int fs = fsopen(type, FSOPEN_CLOEXEC);
	int fd;

	if (fs < 0)
		return -errno;
	if ((key && fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0) < 0) ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	fd = fsmount(fs, FSMOUNT_CLOEXEC, attrs);
	return fd < 0 ? -errno : fd;
}

int mounts_attach(int mount_fd, const char *target, struct err *e)
{
	if (move_mount(mount_fd, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_errno(e, errno, "cannot mount on %s in the jail", target);
	return 0;
}

int mounts_make_dir(const char *path, struct err *e)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return err_errno(e, errno, "cannot make /%s in the jail", path);
	return 0;
}

int mounts_make_parents(const char *path, struct err *e)
{
	char part[PATH_MAX];

	for (const char *p = path + 1; (p = strchr(p, '/')); p++) {
		int r;

		snprintf(part, sizeof(part), "%.*s", (int)(p - path - 1), path + 1);
		r = mounts_make_dir(part, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int mounts_make_file(const char *path, const void *data, size_t len, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	int r = fd < 0 ? -errno : fs_write_all(fd, data, len);

	if (r < 0)
		return err_errno(e, -r, "cannot make /%s in the jail", path);
	return 0;
}

int mounts_new_root(struct jail *jail, struct err *e)
{
	static const char *const dirs[] = { "dev", "proc", "etc", "vm", "vm/root",
					    "vm/volumes", "vm/disks" };
	_cleanup_close_ int root = mounts_new("tmpfs", "size", "1m",
					     mounts[MOUNT_ROOT].attrs & ~MOUNT_ATTR_RDONLY);
	int r;

	if (root < 0)
		return err_errno(e, -root, "cannot make the jail's root file system");
	umask(0022);
	/* A directory that every host has and nothing below is needed of. */
	r = mounts_attach(root, "/sys", e);
	if (r < 0)
		return r;
	if (fchdir(root) < 0)
		return err_errno(e, errno, "cannot enter the jail's root file system");
	if (jail->kind == JAIL_PROGRAM)
		return 0;
	if (jail->kind == JAIL_NETWORK)
		return mounts_make_dir("etc", e);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		r = mounts_make_dir(dirs[i], e);
		if (r < 0)
			return r;
	}
	return 0;
}

int mounts_show_file(const char *path, unsigned int attrs, struct err *e)
{
	_cleanup_close_ int tree = mounts_clone_tree(AT_FDCWD, path, attrs);
	int r;

	if (tree < 0)
		return err_errno(e, -tree, "cannot attach %s", path);
	r = mounts_make_file(path + 1, "", 0, e);
	if (r == -ENOENT) {
		r = mounts_make_parents(path, e);
		if (r == 0)
			r = mounts_make_file(path + 1, "", 0, e);
	}
	return r == 0 ? mounts_attach(tree, path + 1, e) : r;
}

int mounts_programs(struct jail *jail, struct err *e)
{
	for (size_t i = 0; i < jail->programs->n; i++) {
		int r = mounts_show_file(jail->programs->v[i], mounts[MOUNT_PROGRAMS].attrs, e);

		if (r < 0)
			return r;
	}
	return jail->preload ?
		       mounts_make_file(&JAIL_PRELOAD[1], jail->preload, jail->preload_len, e) :
		       0;
}

int mounts_devices(struct jail *jail, struct err *e)
{
	const char *const devices[] = { "/dev/null", "/dev/urandom",
					jail->kvm ? "/dev/kvm" : NULL };

	for (size_t i = 0; i < ARRAY_SIZE(devices) && devices[i]; i++) {
		int r = mounts_show_file(devices[i], mounts[MOUNT_DEVICES].attrs, e);

		if (r < 0)
			return r;
	}
	return 0;
}

int mounts_proc(struct jail *jail, struct err *e)
{
	/* QEMU's 9p server goes by /proc/self/fd for chmod and xattrs. */
	unsigned int attrs = mounts[MOUNT_PROC].attrs;
	/* Where a self-test left the PID namespace out, only the host's can be had. */
	_cleanup_close_ int proc = jail->without & 1u << LAYER_PID ?
					   mounts_clone_tree(AT_FDCWD, "/proc", attrs) :
					   mounts_new("proc", "subset", "pid", attrs);

	if (proc < 0)
		return err_errno(e, -proc,
				 "cannot mount a /proc of the jail's own (a container that masks "
				 "its /proc forbids it)");
	return mounts_attach(proc, "proc", e);
}

int mounts_resolver(struct jail *jail, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	/* Name queries are forwarded to the host's servers. */
	(void)jail;
	if (fs_read_host("/etc/resolv.conf", 65536, &text, &len) < 0)
		return 0;
	return mounts_make_file("etc/resolv.conf", text, len, e);
}

int mounts_place_binds(struct jail *jail, struct err *e)
{
	for (unsigned int i = 0; i < jail->n_binds; i++) {
		struct jail_bind *b = &jail->binds[i];
		const char *target = b->target + 1;
		struct stat st;
		int r;

		if (!*b->target)
			continue;
		if (fstat(b->tree_fd, &st) < 0)
			return err_errno(e, errno, "cannot stat %s", b->source);
		r = S_ISDIR(st.st_mode) ? mounts_make_dir(target, e) : mounts_make_file(target, "", 0, e);
		if (r < 0)
			return r;
		r = mounts_attach(b->tree_fd, target, e);
		if (r < 0)
			return err_prefix(e, "%s", b->source);
	}
	return 0;
}

int mounts_pivot(struct jail *jail, struct err *e)
{
	(void)jail;
	/* pivot_root(2): with both the same, the old root is stacked on top. */
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return err_errno(e, errno, "cannot change to the jail's root");
	if (umount2(".", MNT_DETACH) < 0)
		return err_errno(e, errno, "cannot leave the host's root");
	if (chdir("/") < 0)
		return err_errno(e, errno, "cannot enter the jail's root");
	return 0;
}

int mounts_seal_root(struct jail *jail, struct err *e)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	(void)jail;
	if (mount_setattr(AT_FDCWD, "/", 0, &attr, sizeof(attr)) < 0)
		return err_errno(e, errno, "cannot make the jail's root read-only");
	return 0;
}
