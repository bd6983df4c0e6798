/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Two kinds of place hold kernels: /boot/vmlinuz-VERSION (Debian, Fedora, SUSE)
 * and VERSION/vmlinuz in the module tree (Arch, Fedora, SUSE). Every name there is
 * a candidate if its version has only the characters a version has; a candidate
 * that beats the best so far must also be a regular file of a sane size, by way
 * of fs_open_regular(): a FIFO, a device, a directory, a sparse monster or a
 * symlink that dangles inside the root is passed over, and named in the error if
 * nothing else is found.
 */
#include "runner/host/kernel_find.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner/base/cleanup.h"
#include "runner/base/fs.h"

#define DIR_ENTRIES_MAX 10000
#define MODULE_LIST_MAX ((uint64_t)16 << 20)
#define REMEDY "install linux-image-amd64 in the base or name a kernel with -k"

struct place {
	const char *dir;
	const char *prefix; /* of an entry's name, before the version */
	const char *suffix; /* of the path, behind the entry's name */
};

/* Of one version found twice the first counts. */
static const struct place places[] = {
	{ "boot", "vmlinuz-", "" },
	{ "usr/lib/modules", "", "/vmlinuz" },
	{ "lib/modules", "", "/vmlinuz" },
};

static const char *const module_dirs[] = { "lib/modules", "usr/lib/modules" };

bool kernel_version_valid(const char *version)
{
	size_t len = strlen(version);

	if (len == 0 || len >= KERNEL_VERSION_MAX || strcmp(version, ".") == 0 ||
	    strcmp(version, "..") == 0)
		return false;
	for (const char *p = version; *p; p++)
		if (!isascii((unsigned char)*p) ||
		    (!isalnum((unsigned char)*p) && !strchr("._+~-", *p)))
			return false;
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Rank of what stands at @p: pre-release marks, the end and digits, letters, the rest. */
static int rank(const char *p)
{
	unsigned char c = (unsigned char)*p;

	if (c == '~' || (strncmp(p, "-rc", 3) == 0 && is_digit(p[3])))
		return -1;
	if (c == '\0' || is_digit(*p))
		return 0;
	return isalpha(c) ? c : c + 256;
}

/* Compares the numbers at *a and *b by value, of any length, and moves behind them. */
static int number_cmp(const char **a, const char **b)
{
	size_t la = 0, lb = 0;
	int d;

	while (**a == '0')
		(*a)++;
	while (**b == '0')
		(*b)++;
	while (is_digit((*a)[la]))
		la++;
	while (is_digit((*b)[lb]))
		lb++;
	d = la == lb ? memcmp(*a, *b, la) : (la > lb) - (la < lb);
	*a += la;
	*b += lb;
	return d;
}

int kernel_version_cmp(const char *a, const char *b)
{
	const char *p = a, *q = b;

	while (*p || *q) {
		int d;

		while ((*p && !is_digit(*p)) || (*q && !is_digit(*q))) {
			d = rank(p) - rank(q);
			if (d)
				return d;
			p++;
			q++;
		}
		d = number_cmp(&p, &q);
		if (d)
			return d;
	}
	/* "01" and "1": the order is total all the same. */
	return strcmp(a, b);
}

static int open_modules(int root_fd, const char *version, int *ret_fd)
{
	int first = -ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(module_dirs); i++) {
		_cleanup_close_ int dir = -1;
		_cleanup_close_ int dep = -1;
		char path[KERNEL_PATH_MAX];
		int r;

		snprintf(path, sizeof(path), "%s/%s", module_dirs[i], version);
		r = fs_open_in_root(root_fd, path, O_PATH | O_DIRECTORY, &dir);
		if (r == 0)
			r = fs_open_in_root(dir, "modules.dep", O_PATH, &dep);
		if (r == 0) {
			*ret_fd = steal_fd(&dir);
			return 0;
		}
		/* A directory that lacks only modules.dep tells more than one that is missing. */
		if (dir >= 0)
			first = -ENODATA;
	}
	return first;
}

int kernel_open_modules(int root_fd, const char *version, int *ret_fd, struct err *e)
{
	int r;

	if (!kernel_version_valid(version))
		return err_msg(e, ENOENT, "%s is no kernel version", version);
	r = open_modules(root_fd, version, ret_fd);
	if (r == -ENODATA)
		return err_msg(e, ENOENT,
			       "the module directory of kernel %s has no modules.dep; run "
			       "depmod -b BASE %s",
			       version, version);
	if (r < 0)
		return err_msg(e, ENOENT,
			       "kernel %s has no module directory /lib/modules/%s; install the "
			       "kernel's package in the base, or name a directory with --modules",
			       version, version);
	return 0;
}

/* How much use a kernel is, before its version counts. */
enum merit { MERIT_UNKNOWN, NO_MODULES, NO_9P, BOOTABLE };

static bool list_has(int modules_fd, const char *list, const char *word)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	return fs_read_regular(modules_fd, list, MODULE_LIST_MAX, &text, &len) == 0 &&
	       memmem(text, len, word, strlen(word));
}

static enum merit merit_of(int root_fd, const char *version)
{
	_cleanup_close_ int modules = -1;

	if (open_modules(root_fd, version, &modules) < 0)
		return NO_MODULES;
	/* Debian's cloud flavour has none, and sorts above the one that has. */
	return list_has(modules, "modules.dep", "/9pnet_virtio.ko") ||
			       list_has(modules, "modules.builtin", "/9pnet_virtio.ko") ?
		       BOOTABLE :
		       NO_9P;
}

struct search {
	int root_fd;
	bool found;
	unsigned int seen;
	enum merit merit; /* of .best; found out when there is a second one */
	struct kernel_choice best;
	char rejected[KERNEL_PATH_MAX]; /* the last candidate that is no file to boot */
	int rejected_why;
	struct kernel_entry *list; /* KERNELS_MAX: instead of the best, all of them */
	unsigned int listed;
};

static void reject(struct search *s, const struct kernel_choice *c, int r)
{
	if (r == -ENOENT && s->rejected_why)
		return;
	memcpy(s->rejected, c->path, sizeof(s->rejected));
	s->rejected_why = -r;
}

/* The same version in a second place is the same kernel. */
static void list_one(struct search *s, const struct kernel_choice *c)
{
	_cleanup_close_ int fd = -1;
	enum merit merit;
	int r;

	for (unsigned int i = 0; i < s->listed; i++)
		if (!strcmp(s->list[i].choice.version, c->version))
			return;
	r = fs_open_regular(s->root_fd, c->path, KERNEL_IMAGE_MAX, &fd, NULL);
	if (r < 0) {
		reject(s, c, r);
		return;
	}
	merit = merit_of(s->root_fd, c->version);
	s->list[s->listed++] = (struct kernel_entry){
		.choice = *c,
		.modules = merit != NO_MODULES,
		.has_9p = merit == BOOTABLE,
	};
}

static void consider(struct search *s, const struct kernel_choice *c)
{
	_cleanup_close_ int fd = -1;
	enum merit merit = MERIT_UNKNOWN;
	int r;

	if (s->list) {
		list_one(s, c);
		return;
	}
	if (s->found) {
		if (s->merit == MERIT_UNKNOWN)
			s->merit = merit_of(s->root_fd, s->best.version);
		merit = merit_of(s->root_fd, c->version);
		if (merit < s->merit)
			return;
		if (merit == s->merit &&
		    kernel_version_cmp(c->version, s->best.version) <= 0)
			return;
	}
	r = fs_open_regular(s->root_fd, c->path, KERNEL_IMAGE_MAX, &fd, NULL);
	if (r == 0) {
		s->found = true;
		s->merit = merit;
		s->best = *c;
	} else {
		reject(s, c, r);
	}
}

/* Makes a candidate of an entry's name; false if it is none. */
static bool candidate(const struct place *pl, const char *name, struct kernel_choice *ret)
{
	size_t prefix_len = strlen(pl->prefix);

	if (strncmp(name, pl->prefix, prefix_len) != 0 || !kernel_version_valid(name + prefix_len))
		return false;
	snprintf(ret->version, sizeof(ret->version), "%s", name + prefix_len);
	snprintf(ret->path, sizeof(ret->path), "%s/%s%s", pl->dir, name, pl->suffix);
	return true;
}

static int search_place(struct search *s, const struct place *pl, struct err *e)
{
	unsigned int entries = 0;
	struct dirent *de;
	bool crowded;
	DIR *dir;
	int fd, r;

	r = fs_open_in_root(s->root_fd, pl->dir, O_RDONLY | O_DIRECTORY, &fd);
	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	if (r < 0)
		return err_errno(e, -r, "cannot read /%s of the base", pl->dir);
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return err_oom(e);
	}
	while ((de = readdir(dir)) && entries++ < DIR_ENTRIES_MAX) {
		struct kernel_choice c;

		if (!candidate(pl, de->d_name, &c))
			continue;
		if (++s->seen > KERNELS_MAX)
			break;
		consider(s, &c);
	}
	crowded = de != NULL;
	closedir(dir);
	if (s->seen > KERNELS_MAX)
		return err_msg(e, E2BIG, "the base has more than %d kernels; name one with -k",
			       KERNELS_MAX);
	if (crowded)
		return err_msg(e, E2BIG,
			       "/%s of the base has more than %d entries; name a kernel with -k",
			       pl->dir, DIR_ENTRIES_MAX);
	return 0;
}

static int explain_none(const struct search *s, struct err *e)
{
	switch (s->rejected_why) {
	case 0:
	case ENOENT:
		return err_msg(e, ENOENT, "the base has no kernel; " REMEDY);
	case EISDIR:
	case EINVAL:
		return err_msg(e, ENOENT, "the base has no kernel: /%s is no regular file; " REMEDY,
			       s->rejected);
	case EFBIG:
		return err_msg(e, ENOENT,
			       "the base has no kernel: /%s is larger than any kernel; " REMEDY,
			       s->rejected);
	default:
		return err_msg(e, ENOENT, "the base has no kernel: /%s: %s; " REMEDY, s->rejected,
			       strerror(s->rejected_why));
	}
}

static int search(struct search *s, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		int r = search_place(s, &places[i], e);

		if (r < 0)
			return r;
	}
	return s->found || s->listed ? 0 : explain_none(s, e);
}

int kernel_find(int root_fd, struct kernel_choice *ret, struct err *e)
{
	struct search s = { .root_fd = root_fd };
	int r = search(&s, e);

	if (r == 0)
		*ret = s.best;
	return r;
}

static int newer_first(const void *a, const void *b)
{
	const struct kernel_entry *x = a, *y = b;

	return kernel_version_cmp(y->choice.version, x->choice.version);
}

int kernel_list(int root_fd, struct kernel_entry ret[KERNELS_MAX], unsigned int *ret_n,
		struct err *e)
{
	struct search s = { .root_fd = root_fd, .list = ret };
	int r = search(&s, e);

	if (r < 0)
		return r;
	qsort(ret, s.listed, sizeof(*ret), newer_first);
	*ret_n = s.listed;
	return 0;
}
