/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * modules.dep has a line "PATH: PATH PATH ..." for each module; modules.builtin
 * a line "PATH" for each one inside the kernel. A module's name is its file name
 * without ".ko" and compression suffix, "-" and "_" alike, and a kernel has each
 * name once. So each file is indexed once, sorted by name (a binary search for
 * each look-up: the cost stays n log n, whatever the text), and the closure is a
 * depth-first walk that puts a module behind all that it needs.
 *
 * Lines that are no module are passed over; of two lines for one name the first
 * counts. Only what the walk reaches must be in order: a path is used as a file
 * name below the module directory and in the initramfs's list of modules, so it
 * is relative, clean, and of harmless characters.
 *
 * Soft dependencies and aliases are not looked at: no module wanted here has any.
 */
#include "initramfs/modules.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "runner/base/cleanup.h"

/* The largest kernel seen has 6,000 modules. */
#define INDEX_MAX ((size_t)1 << 18)
#define MODULE_PATH_MAX 512
#define PATH_MARKS "/._+,=@~-" /* beside letters and digits */
#define SHOWN_MAX 128	       /* bytes of a bad path that an error repeats */

#define NO_9P "which Debian's cloud flavour and RHEL's kernels are built without"

/* clang-format off: rows of a table. */
#define ALWAYS_WANTED \
	{ "virtio_pci", true, "every device of the guest (CONFIG_VIRTIO_PCI)" }, \
	{ "virtio_console", true, "the connection to the guest (CONFIG_VIRTIO_CONSOLE)" }, \
	{ "9p", true, "the root file system (CONFIG_9P_FS, " NO_9P ")" }, \
	{ "9pnet_virtio", true, "the root file system (CONFIG_NET_9P_VIRTIO, " NO_9P ")" }, \
	{ "overlay", false, "--ephemeral (CONFIG_OVERLAY_FS)" }, \
	{ "virtio_net", false, "--network (CONFIG_VIRTIO_NET)" }, \
	{ "virtio_rng", false, "random numbers from the host (CONFIG_HW_RANDOM_VIRTIO)" }, \
	{ "vmgenid", false, "new random numbers after a restore (CONFIG_VMGENID)" }
/* clang-format on */

const struct module_want modules_wanted[] = {
	ALWAYS_WANTED,
	{ NULL, false, NULL },
};

const struct module_want modules_wanted_with_disks[] = {
	ALWAYS_WANTED,
	{ "virtio_blk", true, "--disk (CONFIG_VIRTIO_BLK)" },
	{ NULL, false, NULL },
};

struct span {
	const char *p;
	size_t len;
};

enum state { NEW, OPEN, DONE };

struct line {
	struct span name; /* part of path */
	struct span path;
	struct span deps; /* what follows the colon */
	enum state state;
};

struct index {
	struct line *v;
	size_t n;
	size_t cap;
};

static void index_free(struct index *x)
{
	free(x->v);
}

static int name_char(char c)
{
	return c == '-' ? '_' : (unsigned char)c;
}

static int name_cmp(struct span a, struct span b)
{
	size_t common = a.len < b.len ? a.len : b.len;

	for (size_t i = 0; i < common; i++) {
		int d = name_char(a.p[i]) - name_char(b.p[i]);

		if (d)
			return d;
	}
	return (a.len > b.len) - (a.len < b.len);
}

/* By name, then in the order of the file. */
static int line_cmp(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	int d = name_cmp(x->name, y->name);

	return d ? d : (x->path.p > y->path.p) - (x->path.p < y->path.p);
}

static bool strip_suffix(struct span *s, const char *suffix)
{
	size_t len = strlen(suffix);

	if (s->len <= len || memcmp(s->p + s->len - len, suffix, len) != 0)
		return false;
	s->len -= len;
	return true;
}

/* Return: false if @path is not that of a module. */
static bool module_name(struct span path, struct span *ret)
{
	const char *slash = memrchr(path.p, '/', path.len);
	struct span name = path;

	if (slash) {
		name.p = slash + 1;
		name.len = path.len - (size_t)(name.p - path.p);
	}
	if (!strip_suffix(&name, ".xz") && !strip_suffix(&name, ".zst"))
		strip_suffix(&name, ".gz");
	if (!strip_suffix(&name, ".ko"))
		return false;
	*ret = name;
	return true;
}

/* The next piece of @text up to @sep (which is dropped) or the end. */
static struct span take(struct span *text, char sep)
{
	const char *end = memchr(text->p, sep, text->len);
	struct span piece = { text->p, end ? (size_t)(end - text->p) : text->len };
	size_t used = piece.len + (end ? 1 : 0);

	text->p += used;
	text->len -= used;
	return piece;
}

static int index_add(struct index *x, const struct line *l)
{
	if (x->n == x->cap) {
		size_t cap = x->cap ? x->cap * 2 : 1024;
		struct line *v;

		if (x->n >= INDEX_MAX)
			return -E2BIG;
		v = reallocarray(x->v, cap, sizeof(*v));
		if (!v)
			return -ENOMEM;
		x->v = v;
		x->cap = cap;
	}
	x->v[x->n++] = *l;
	return 0;
}

/* @colon: lines are "PATH: ...", else "PATH". @x is to be freed in any case. */
static int index_make(struct index *x, const char *file, const char *text, size_t len, bool colon,
		      struct err *e)
{
	struct span rest = { text, len };

	while (rest.len) {
		struct line l = { .state = NEW };

		l.deps = take(&rest, '\n');
		if (l.deps.len && l.deps.p[l.deps.len - 1] == '\r')
			l.deps.len--;
		if (colon && !memchr(l.deps.p, ':', l.deps.len))
			continue;
		l.path = take(&l.deps, colon ? ':' : '\n');
		if (!module_name(l.path, &l.name))
			continue;
		switch (index_add(x, &l)) {
		case -E2BIG:
			return err_msg(e, EINVAL, "%s names more than %zu modules", file,
				       INDEX_MAX);
		case -ENOMEM:
			return err_oom(e);
		}
	}
	if (x->n)
		qsort(x->v, x->n, sizeof(*x->v), line_cmp);
	return 0;
}

/* The first line for @name, or NULL. */
static struct line *index_find(const struct index *x, struct span name)
{
	size_t low = 0, high = x->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (name_cmp(x->v[mid].name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < x->n && name_cmp(x->v[low].name, name) == 0 ? &x->v[low] : NULL;
}

/* Whether @path is relative and no component is empty or starts with a dot. */
static bool path_is_clean(struct span path)
{
	if (path.len == 0 || path.len > MODULE_PATH_MAX)
		return false;
	for (size_t i = 0; i < path.len; i++) {
		unsigned char c = (unsigned char)path.p[i];
		bool starts = i == 0 || path.p[i - 1] == '/';

		if (starts && (c == '/' || c == '.'))
			return false;
		if (!isascii(c) || (!isalnum(c) && !memchr(PATH_MARKS, c, sizeof(PATH_MARKS) - 1)))
			return false;
	}
	return true;
}

struct walk {
	struct index dep;
	struct index builtin;
	unsigned int opened; /* bounds the depth of the recursion, too */
	struct strvec *out;
	struct err *e;
};

static int shown(struct span s)
{
	return (int)(s.len < SHOWN_MAX ? s.len : SHOWN_MAX);
}

static int visit(struct walk *w, struct line *l);

static int visit_dep(struct walk *w, const struct line *l, struct span dep)
{
	struct span name;
	struct line *d = NULL;

	if (module_name(dep, &name)) {
		d = index_find(&w->dep, name);
		if (!d && index_find(&w->builtin, name))
			return 0;
	}
	/* This also holds every path in the text to the one form that visit() checks. */
	if (!d || d->path.len != dep.len || memcmp(d->path.p, dep.p, dep.len) != 0)
		return err_msg(w->e, EINVAL,
			       "modules.dep: %.*s needs %.*s, which has no line; run depmod",
			       shown(l->path), l->path.p, shown(dep), dep.p);
	return visit(w, d);
}

static int visit(struct walk *w, struct line *l)
{
	struct span deps = l->deps;

	if (l->state == DONE)
		return 0;
	if (l->state == OPEN)
		return err_msg(w->e, EINVAL, "modules.dep: %.*s depends on itself; run depmod",
			       shown(l->path), l->path.p);
	if (!path_is_clean(l->path))
		return err_msg(w->e, EINVAL,
			       "modules.dep: %.*s is no clean relative path; run depmod",
			       shown(l->path), l->path.p);
	if (w->opened++ == MODULES_CLOSURE_MAX)
		return err_msg(w->e, EINVAL, "modules.dep: the guest needs more than %d modules",
			       MODULES_CLOSURE_MAX);
	l->state = OPEN;
	while (deps.len) {
		struct span dep = take(&deps, ' ');
		int r = dep.len ? visit_dep(w, l, dep) : 0;

		if (r < 0)
			return r;
	}
	l->state = DONE;
	strvec_addf(w->out, "%.*s", (int)l->path.len, l->path.p);
	return w->out->failed ? err_oom(w->e) : 0;
}

static int visit_wanted(struct walk *w, const struct module_want *want)
{
	struct span name = { want->name, strlen(want->name) };
	struct line *l;

	if (index_find(&w->builtin, name))
		return 0;
	l = index_find(&w->dep, name);
	if (l)
		return visit(w, l);
	if (!want->required)
		return 0;
	return err_msg(w->e, ENOENT,
		       "the kernel has no module %s, needed for %s; install linux-image-amd64 in "
		       "the base or name another kernel with -k",
		       want->name, want->why);
}

int modules_closure(const char *dep, size_t dep_len, const char *builtin, size_t builtin_len,
		    const struct module_want *want, struct strvec *ret, struct err *e)
{
	_cleanup_(index_free) struct index deps = { 0 };
	_cleanup_(index_free) struct index builtins = { 0 };
	_cleanup_strvec_ struct strvec out = { 0 };
	struct walk w;
	int r;

	r = index_make(&deps, "modules.dep", dep, dep_len, true, e);
	if (r < 0)
		return r;
	r = index_make(&builtins, "modules.builtin", builtin, builtin_len, false, e);
	if (r < 0)
		return r;
	w = (struct walk){ .dep = deps, .builtin = builtins, .out = &out, .e = e };
	for (; want->name; want++) {
		r = visit_wanted(&w, want);
		if (r < 0)
			return r;
	}
	*ret = out;
	out = (struct strvec){ 0 };
	return 0;
}
