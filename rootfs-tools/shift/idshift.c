/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/shift/idshift.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs-tools/core/enter.h"
#include "rootfs-tools/core/work.h"
#include "rootfs-tools/shift/apply.h"
#include "rootfs-tools/shift/note.h"
#include "runner/base/cleanup.h"
#include "runner/base/fs.h"

#define MARKER_SIZE 64
#define OPEN_TRIES 8

struct idshift {
	const char *path; /* as typed */
	const struct idshift_options *options;
	struct base_dir dir;
	int parent;  /* O_PATH */
	int plan_fd; /* locked: nobody else shifts this directory */
	char plan_name[NAME_MAX + 1];
	bool keep_plan;	  /* whatever comes: it may be needed still */
	bool other_map;	  /* than the plan's was asked for */
	struct plan plan; /* one that was left behind, or what a new one begins with */
	struct idshift_report *report;
};

enum { DIR_READ_ONLY, DIR_TREE };

/* --- inside --- */

static void marker_text(const struct plan *plan, char ret[MARKER_SIZE])
{
	snprintf(ret, MARKER_SIZE, "vmrun rootfs idshift %016" PRIx64, plan->header->nonce);
}

/* By syncfs(), or, what changed in the directory itself, by fsync(). */
static int sync_dir(int dir, int (*sync)(int fd), struct err *e)
{
	_cleanup_close_ int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || sync(fd) < 0)
		return err_errno(e, errno, "cannot write the root directory to its disk");
	return 0;
}

/* A symlink is there at once, with what it says. */
static int set_marker(struct idshift *s, int tree, struct err *e)
{
	char text[MARKER_SIZE];

	marker_text(&s->plan, text);
	/* Said before it is: who is killed now leaves a mark, and must leave its plan. */
	s->report->begun = true;
	if (symlinkat(text, tree, BASE_DIR_HALF_WAY) == 0)
		return sync_dir(tree, fsync, e);
	s->report->begun = false;
	return err_errno(e, errno, "cannot mark the root directory");
}

static int remove_marker(int tree, const struct plan *plan, struct err *e)
{
	const int64_t *t = plan->header->times;
	const struct timespec times[2] = { { t[0], t[1] }, { t[2], t[3] } };
	_cleanup_close_ int fd = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || unlinkat(tree, BASE_DIR_HALF_WAY, 0) < 0)
		return err_errno(e, errno, "cannot remove the root directory's mark");
	if (futimens(fd, times) < 0)
		return err_errno(e, errno, "cannot set the times of the root directory");
	return sync_dir(tree, fsync, e);
}

static int write_plan(const struct idshift *s, const struct plan *plan, struct err *e)
{
	int r = 0;

	if (ftruncate(s->plan_fd, 0) < 0 || lseek(s->plan_fd, 0, SEEK_SET) < 0)
		r = -errno;
	if (r == 0)
		r = fs_write_all(s->plan_fd, plan->bytes.data, plan->bytes.len);
	if (r == 0 && fsync(s->plan_fd) < 0)
		r = -errno;
	return r < 0 ? err_errno(e, -r, "cannot write the plan '%s'", s->plan_name) : 0;
}

static int apply(struct idshift *s, const int *dirs, struct plan *plan, struct err *e)
{
	const struct walk tree = { .read_only = dirs[DIR_READ_ONLY], .tree = dirs[DIR_TREE] };
	int r;

	s->report->begun = true;
	s->report->counts = plan->header->counts;
	r = apply_plan(&tree, plan, &s->report->losses, &s->report->counts.moved, e);
	if (r == 0)
		r = sync_dir(tree.tree, syncfs, e);
	if (r == 0)
		r = remove_marker(tree.tree, plan, e);
	if (r == 0)
		s->report->begun = false;
	return r;
}

static int refuse_marked(const struct idshift *s, struct err *e)
{
	return err_msg(e, EUCLEAN,
		       "'%s' is half way from one id map to another, but the plan that would "
		       "finish that is not beside it; put '%s' there (was the directory renamed "
		       "or copied?), or remove %s/" BASE_DIR_HALF_WAY " if it is no mark of "
		       "vmrun's",
		       s->path, s->plan_name, s->path);
}

static int op_begin(const int *dirs, void *arg, struct err *e)
{
	struct idshift *s = arg;
	const struct walk tree = { .read_only = dirs[DIR_READ_ONLY], .tree = dirs[DIR_TREE] };
	struct stat st;
	int r = root_lock(tree.tree, s->path, true, false, e);

	if (r == 0 && fstatat(tree.tree, BASE_DIR_HALF_WAY, &st, AT_SYMLINK_NOFOLLOW) == 0)
		r = refuse_marked(s, e);
	if (r == 0)
		r = base_dir_check(tree.tree, s->path, e);
	if (r == 0)
		r = note_tree(&tree, &s->plan, e);
	if (r == 0)
		r = write_plan(s, &s->plan, e);
	if (r == 0)
		r = set_marker(s, tree.tree, e);
	return r == 0 ? apply(s, dirs, &s->plan, e) : r;
}

static int refuse_other(const struct idshift *s, struct err *e)
{
	char map[512];

	idmap_format(&s->plan.header->maps.uids.to, map, sizeof(map));
	return err_msg(e, EINVAL, "'%s' is half way to the id map %s; finish that first", s->path,
		       map);
}

/* The plan may be all that can finish another directory, which was renamed: it stays. */
static int refuse_foreign(const struct idshift *s, struct err *e)
{
	return err_msg(e, EEXIST,
		       "'%s' beside '%s' is the plan of another directory that is half way; give "
		       "that its name back and finish it, or remove the plan if it is gone",
		       s->plan_name, s->path);
}

/* -ESTALE: the plan belongs to nothing that is to be finished. */
static int op_resume(const int *dirs, void *arg, struct err *e)
{
	struct idshift *s = arg;
	char is[MARKER_SIZE] = "", wanted[MARKER_SIZE];
	struct stat st = { 0 };
	int r = root_lock(dirs[DIR_TREE], s->path, true, false, e);

	if (r == 0 && fstat(dirs[DIR_TREE], &st) < 0)
		r = err_errno(e, errno, "cannot stat '%s'", s->path);
	if (r < 0)
		return r;
	if (st.st_ino != s->plan.header->ino)
		return refuse_foreign(s, e);
	if (readlinkat(dirs[DIR_TREE], BASE_DIR_HALF_WAY, is, sizeof(is) - 1) < 0 &&
	    errno == ENOENT)
		return err_msg(e, ESTALE, "nothing is to be finished");
	marker_text(&s->plan, wanted);
	if (strcmp(is, wanted) != 0)
		return refuse_marked(s, e);
	return s->other_map ? refuse_other(s, e) : apply(s, dirs, &s->plan, e);
}

/* --- outside --- */

static int enter(struct idshift *s, int (*op)(const int *dirs, void *arg, struct err *e),
		 int signal_fd, int *ret_signal, struct err *e)
{
	const struct shift_maps *maps = &s->plan.header->maps;
	const struct idmap_choice idmap = { .kind = IDMAP_EXPLICIT,
					    .uids = maps->uids.both,
					    .gids = maps->gids.both };
	const struct enter in = {
		.idmap = &idmap,
		.dirs = { [DIR_READ_ONLY] = { .fd = s->dir.fd, .read_only = true },
			  [DIR_TREE] = { .fd = s->dir.fd } },
		.n_dirs = 2,
		.fds = &s->plan_fd,
		.n_fds = 1,
		.signal_fd = signal_fd,
	};

	return enter_run(&in, op, s, ret_signal, e);
}

static bool same_map(const struct id_map *a, const struct id_map *b)
{
	return a->n == b->n && !memcmp(a->e, b->e, a->n * sizeof(*a->e));
}

static int open_parent(struct idshift *s, struct err *e)
{
	char *slash = strrchr(s->dir.path, '/');

	snprintf(s->plan_name, sizeof(s->plan_name), ".%.200s.vmrun-idshift", slash + 1);
	s->parent = openat(s->dir.fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->parent < 0)
		return err_errno(e, errno, "cannot open the directory that '%s' is in", s->path);
	return 0;
}

/* Return: 1 if what is locked has the name, 0 if that was taken away, or -errno. */
static int lock_plan(struct idshift *s, struct err *e)
{
	_cleanup_close_ int fd = openat(s->parent, s->plan_name,
					O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
					0600);
	_cleanup_close_ int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
	struct stat is, named;

	if (high < 0 || fstat(high, &is) < 0)
		return err_errno(e, errno, "cannot make the plan '%s' beside '%s'", s->plan_name,
				 s->path);
	if (!S_ISREG(is.st_mode) || is.st_uid != geteuid())
		return err_msg(e, EPERM, "'%s' beside '%s' is no plan of yours; remove it",
			       s->plan_name, s->path);
	if (flock(high, LOCK_EX | LOCK_NB) < 0)
		return err_msg(e, EBUSY,
			       "the owners of '%s' are being changed just now; wait for "
			       "that to end",
			       s->path);
	if (fstatat(s->parent, s->plan_name, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
	    named.st_ino != is.st_ino || named.st_dev != is.st_dev)
		return 0;
	s->plan_fd = steal_fd(&high);
	return 1;
}

/* Reads one that is there and whole. */
static int open_plan(struct idshift *s, struct err *e)
{
	_cleanup_strbuf_ struct strbuf bytes = { 0 };
	int r = 0;

	for (int i = 0; r == 0 && i < OPEN_TRIES; i++)
		r = lock_plan(s, e);
	if (r <= 0)
		return r < 0 ? r :
			       err_msg(e, EBUSY, "the plan '%s' comes and goes; try again",
				       s->plan_name);
	r = fs_read_fd(s->plan_fd, PLAN_MAX, &bytes.data, &bytes.len);
	if (r < 0)
		return err_errno(e, -r, "cannot read the plan '%s'", s->plan_name);
	r = plan_parse(&bytes, &s->plan);
	return r == -ENOMEM ? err_oom(e) : 0;
}

static int sync_parent(const struct idshift *s, struct err *e)
{
	_cleanup_close_ int fd = openat(s->parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return err_errno(e, errno, "cannot write the directory that '%s' is in to its disk",
				 s->path);
	return 0;
}

static int resume(struct idshift *s, const struct idmap_choice *to, int signal_fd, int *ret_signal,
		  struct err *e)
{
	const struct shift_maps *maps = &s->plan.header->maps;
	int r;

	s->other_map = !same_map(&maps->uids.to, &to->uids) || !same_map(&maps->gids.to, &to->gids);
	r = enter(s, op_resume, signal_fd, ret_signal, e);
	s->keep_plan = r < 0 && r != -ESTALE;
	s->report->resumed = r == 0;
	return r;
}

static int begin(struct idshift *s, const struct idmap_choice *to, int signal_fd, int *ret_signal,
		 struct err *e)
{
	struct root root = { .dir.fd = -1 };
	struct shift_maps maps = { 0 };
	struct stat st;
	int r;

	if (fstatat(s->dir.fd, BASE_DIR_HALF_WAY, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return refuse_marked(s, e);
	r = root_open(s->path, &s->options->from, &root, e);
	if (r == 0) {
		snprintf(s->report->warning, sizeof(s->report->warning), "%s", root.idmap.warning);
		s->report->same = same_map(&root.idmap.uids, &to->uids) &&
				  same_map(&root.idmap.gids, &to->gids);
		r = shift_ids_make(&root.idmap.uids, &to->uids, &maps.uids, e);
	}
	if (r == 0)
		r = shift_ids_make(&root.idmap.gids, &to->gids, &maps.gids, e);
	root_close(&root);
	if (r < 0 || s->report->same)
		return r;
	plan_free(&s->plan);
	r = plan_begin(&s->plan, &maps, e);
	if (r == 0)
		r = sync_parent(s, e);
	return r == 0 ? enter(s, op_begin, signal_fd, ret_signal, e) : r;
}

static int run(struct idshift *s, int signal_fd, int *ret_signal, struct err *e)
{
	struct idmap_choice to = { 0 };
	int r = base_dir_open(s->path, &s->dir, e);

	if (r == 0)
		r = root_idmap_for_new(&s->options->to, &to, e);
	if (r == 0)
		r = open_parent(s, e);
	if (r == 0)
		r = open_plan(s, e);
	if (r < 0)
		return r;
	r = s->plan.header ? resume(s, &to, signal_fd, ret_signal, e) : -ESTALE;
	if (r == -ESTALE)
		r = begin(s, &to, signal_fd, ret_signal, e);
	if (r < 0 && s->report->begun && r != -EINTR)
		err_prefix(e, "'%s' is half way now; run the same command again to finish that",
			   s->path);
	return r;
}

int idshift_run(const char *path, const struct idshift_options *options, int signal_fd,
		struct idshift_report *ret, int *ret_signal, struct err *e)
{
	struct idshift s = { .path = path,
			     .options = options,
			     .dir.fd = -1,
			     .parent = -1,
			     .plan_fd = -1,
			     .report = ret };
	int r = run(&s, signal_fd, ret_signal, e);

	/* It must outlive all but success, once something was changed. */
	if (s.plan_fd >= 0 && !ret->begun && !s.keep_plan)
		unlinkat(s.parent, s.plan_name, 0);
	cleanup_close(&s.plan_fd);
	cleanup_close(&s.parent);
	plan_free(&s.plan);
	base_dir_close(&s.dir);
	return r;
}
