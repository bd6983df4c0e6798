/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "initramfs/guest/guest.h"

static int place_failed(const struct conf *c, const char *dst, int errnum, struct fail *f)
{
	struct stat st;

	if (errnum == EROFS)
		return fail_text(f, EROFS,
				 "-v: %.200s does not exist in the read-only %s; create "
				 "it there%s",
				 dst, c->root_mode == PROTO_ROOT_RO ? "base" : "volume around it",
				 c->root_mode == PROTO_ROOT_RO ? " or use --ephemeral" : "");
	if (errnum == ENOTDIR)
		return fail_text(f, ENOTDIR,
				 "-v: %.200s is to be a directory, but the base has a "
				 "file there",
				 dst);
	if (errnum == EISDIR)
		return fail_text(f, EISDIR,
				 "-v: %.200s is to be a file, but the base has a "
				 "directory there",
				 dst);
	if (lstat(dst, &st) == 0 && S_ISLNK(st.st_mode))
		return fail_text(f, errnum, "-v: %.200s is a symbolic link to nowhere in the base",
				 dst);
	return fail_errno(f, errnum, "-v: cannot make %.200s in the base", dst);
}

static int volume_mount(const struct conf *c, const struct conf_volume *v, int initramfs,
			struct fail *f)
{
	char src[32];
	struct stat st;
	int r;

	snprintf(src, sizeof(src), ROOT_VOLUMES "/%u", v->index);
	if (fstatat(initramfs, src, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_errno(f, errno, "-v: what belongs at %.200s is not there", v->dst);
	r = S_ISDIR(st.st_mode) ? place_dir(v->dst) : place_file(v->dst);
	if (r < 0)
		return place_failed(c, v->dst, -r, f);
	r = place_bind(initramfs, src, v->dst);
	/* The host's kernel already refuses writes; here programs see why. */
	if (r == 0 && v->read_only &&
	    mount(NULL, v->dst, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
		r = -errno;
	if (r < 0)
		return fail_errno(f, -r, "-v: cannot mount %.200s", v->dst);
	return 0;
}

int volumes_mount(const struct conf *c, int initramfs, struct fail *f)
{
	for (size_t i = 0; i < c->n_volumes; i++) {
		int r = volume_mount(c, &c->volumes[i], initramfs, f);

		if (r < 0)
			return r;
	}
	return 0;
}
