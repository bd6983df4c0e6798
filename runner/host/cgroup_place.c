/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * cgroup v2 is one tree of directories, in which each process has one place. A part of
 * it is delegated to a user by giving the user a directory and, in it, cgroup.procs
 * (and cgroup.subtree_control). Three rules decide where a guest's group can be:
 *
 *  - Who puts a process into a group must be able to write to cgroup.procs of that
 *    group, and also to that of the nearest group above both it and where the process
 *    comes from. The process is born from vmrun, so what counts is the group below
 *    which the new one is made: vmrun's own, or one above it.
 *  - What a group may limit is what cgroup.subtree_control of the one above enables.
 *  - A group that has processes of its own cannot enable any (but for the root of the
 *    whole tree). vmrun is in its own group, so that one hardly ever serves. We do not
 *    move ourselves away, nor others: they were put there by somebody.
 *
 * So we go up from our own group, and take the nearest that can limit memory, or else
 * the nearest that can limit anything. Below systemd's instance for a user
 * (user@1000.service) all belongs to the user: started in a terminal there, vmrun is in
 * app.slice/SOMETHING.scope, and app.slice will do. (systemd would rather have it in a
 * unit with Delegate=, which takes D-Bus to ask for; a group beside its units it leaves
 * alone.) A login by ssh is in session-N.scope, which root keeps: nothing is delegated.
 * In a container its root group holds processes, and most often the tree is read-only.
 *
 * Going up must not free the guest of a limit that somebody has set for vmrun: then we
 * stay below it, even if that means that there is no group at all. The guest is then
 * held by that limit, together with vmrun.
 *
 * Enabling a controller changes the files that the groups already there have. It takes
 * nothing away from them; systemd does it as its units need it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/base/parse.h"
#include "runner/host/cgroup.h"

#define TEXT_MAX ((uint64_t)16 << 20) /* a mount table of a busy host has some 100 KB */

static const struct {
	const char *name;
	enum cgroup_controller bit;
} controllers[] = {
	{ "memory", CGROUP_MEMORY },
	{ "pids", CGROUP_PIDS },
	{ "cpu", CGROUP_CPU },
};

/* A small file of a group. "" if it cannot be read, or is not there. */
static void read_file(int dir, const char *name, char *buf, size_t size)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? 0 : fs_pread_all(fd, buf, size - 1, 0);

	buf[n > 0 ? n : 0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
}

static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = list; (p = strstr(p, word)); p += len)
		if ((p == list || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\0'))
			return true;
	return false;
}

static unsigned int read_controllers(int dir, const char *file)
{
	unsigned int ret = 0;
	char list[512];

	read_file(dir, file, list, sizeof(list));
	for (size_t i = 0; i < ARRAY_SIZE(controllers); i++)
		if (has_word(list, controllers[i].name))
			ret |= controllers[i].bit;
	return ret;
}

/* Only the root of the whole tree has no cgroup.type. */
static bool is_top(int dir)
{
	return faccessat(dir, "cgroup.type", F_OK, 0) < 0;
}

static bool may_enable(int dir)
{
	char procs[32];

	read_file(dir, "cgroup.procs", procs, sizeof(procs));
	return (is_top(dir) || !*procs) &&
	       faccessat(dir, "cgroup.subtree_control", W_OK, AT_EACCESS) == 0;
}

/* What a child made in here could have. */
static unsigned int offers(int dir)
{
	unsigned int ret;
	char type[32];

	read_file(dir, "cgroup.type", type, sizeof(type));
	/* In a group of single threads a child takes no process. */
	if ((!is_top(dir) && strcmp(type, "domain")) ||
	    faccessat(dir, ".", W_OK | X_OK, AT_EACCESS) < 0 ||
	    faccessat(dir, "cgroup.procs", W_OK, AT_EACCESS) < 0)
		return 0;
	ret = read_controllers(dir, "cgroup.subtree_control");
	return may_enable(dir) ? ret | read_controllers(dir, "cgroup.controllers") : ret;
}

static void enable(int dir, unsigned int wanted)
{
	_cleanup_close_ int fd = openat(dir, "cgroup.subtree_control", O_WRONLY | O_CLOEXEC);
	unsigned int missing = wanted & ~read_controllers(dir, "cgroup.subtree_control");

	/* One by one: of several in one write none is enabled if one cannot be. */
	for (size_t i = 0; fd >= 0 && i < ARRAY_SIZE(controllers); i++) {
		char word[16];
		int n = snprintf(word, sizeof(word), "+%s", controllers[i].name);

		if (missing & controllers[i].bit)
			(void)!write(fd, word, (size_t)n);
	}
}

/* The file of a limit that leaving this group would lift, or NULL. */
static const char *own_limit(int dir)
{
	static const char *const files[] = { "memory.max", "memory.high", "memory.swap.max",
					     "cpu.max",	   "cpuset.cpus", "io.max" };
	char text[64];
	uint64_t tasks;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		read_file(dir, files[i], text, sizeof(text));
		if (*text && strncmp(text, "max", 3))
			return files[i];
	}
	/* systemd bounds these for whatever it starts; ours is less. */
	read_file(dir, "pids.max", text, sizeof(text));
	if (parse_uint(text, 0, UINT64_MAX, &tasks) == 0 && tasks < CGROUP_TASKS_MAX)
		return "pids.max";
	return NULL;
}

/* The path of our own group, of a line "0::/PATH". @text is cut. Return: NULL: not there. */
static char *own_path(char *text)
{
	for (char *line = text, *end; line && *line; line = end) {
		end = strchr(line, '\n');
		if (end)
			*end++ = '\0';
		if (!strncmp(line, "0::/", 4))
			return line + 3;
	}
	return NULL;
}

/* In place: "\040" is a space, as are three other characters written in octal. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && strspn(s + 1, "01234567") >= 3) {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/*
 * A line of the mount table: "ID PARENT DEV ROOT POINT OPTIONS [TAG...] - TYPE ...".
 * @line is cut. Return: whether it is a cgroup2.
 */
static bool parse_mount(char *line, char **ret_root, char **ret_point)
{
	char *type = strstr(line, " - "), *save, *field[5];

	if (!type || strncmp(type + 3, "cgroup2 ", 8))
		return false;
	*type = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(field); i++) {
		field[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!field[i])
			return false;
	}
	unescape(field[3]);
	unescape(field[4]);
	*ret_root = field[3];
	*ret_point = field[4];
	return true;
}

/* What of @path lies below @root: "" or "/..."; NULL: it does not. */
static const char *below(const char *path, const char *root)
{
	size_t len = strcmp(root, "/") ? strlen(root) : 0;

	if (strncmp(path, root, len) || (path[len] != '/' && path[len] != '\0'))
		return NULL;
	return strcmp(path + len, "/") ? path + len : "";
}

/*
 * Where the group @own can be seen. The last mount counts: it may cover others.
 * @ret_top: bytes of @ret_path that are the mount itself.
 */
static int locate(const char *own, char *mountinfo, char ret_path[PATH_MAX], size_t *ret_top,
		  struct err *e)
{
	bool any = false, found = false;

	for (char *line = mountinfo, *end; line && *line; line = end) {
		char *root, *point, path[PATH_MAX];
		const char *rest;

		end = strchr(line, '\n');
		if (end)
			*end++ = '\0';
		if (!parse_mount(line, &root, &point))
			continue;
		any = true;
		rest = below(own, root);
		if (!rest || snprintf(path, sizeof(path), "%s%s", point, rest) >= PATH_MAX)
			continue;
		memcpy(ret_path, path, sizeof(path));
		*ret_top = strlen(point);
		found = true;
	}
	if (found)
		return 0;
	return err_msg(e, ENOENT,
		       any ? "vmrun's own group is not below any mount of cgroup v2" :
			     "cgroup v2 is not mounted");
}

/* What takes all memory takes others with it: a limit of that is worth a way further up. */
static int rank(unsigned int offered)
{
	return offered & CGROUP_MEMORY ? 2 : offered ? 1 : 0;
}

static void consider(int *dir, const char *path, struct cgroup_place *best)
{
	unsigned int offered = offers(*dir);

	if (rank(offered) <= rank(best->controllers))
		return;
	cleanup_close(&best->fd);
	best->fd = steal_fd(dir);
	best->controllers = offered;
	snprintf(best->path, sizeof(best->path), "%s", path);
}

/*
 * From @path upwards; its first @top bytes are never left. @path is cut.
 * @ret_limit: the limit of @path that is not to be left, or NULL.
 */
static void climb(char *path, size_t top, struct cgroup_place *best, const char **ret_limit)
{
	for (;;) {
		_cleanup_close_ int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		char *slash = strrchr(path, '/');

		*ret_limit = own_limit(dir);
		consider(&dir, path, best);
		if (*ret_limit || !slash || (size_t)(slash - path) < top)
			break;
		*slash = '\0';
	}
}

static bool has_controllers(const char *path, size_t top)
{
	_cleanup_free_ char *mount = strndup(path, top);
	_cleanup_close_ int dir = mount ? open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	return read_controllers(dir, "cgroup.controllers") != 0;
}

static int find(char *path, size_t top, struct cgroup_place *ret, struct err *e)
{
	struct cgroup_place best = { .fd = -1 };
	const char *limit;

	if (!has_controllers(path, top))
		return err_msg(e, ENOENT, "cgroup v2 has no controllers here (they are with v1)");
	climb(path, top, &best, &limit);
	if (best.fd < 0 && limit)
		return err_msg(e, EBUSY, "%s of %s already limits vmrun, and the guest with it",
			       limit, path);
	if (best.fd < 0)
		return err_msg(e, EACCES,
			       "no group is delegated to the caller here; with systemd, "
			       "systemd-run --user --scope vmrun ... has one");
	enable(best.fd, best.controllers);
	best.controllers = read_controllers(best.fd, "cgroup.subtree_control");
	if (!best.controllers) {
		err_msg(e, EBUSY, "no controller can be enabled in %s", best.path);
		cleanup_close(&best.fd);
		return -EBUSY;
	}
	*ret = best;
	return 0;
}

int cgroup_place_find(const char *self, const char *mountinfo, struct cgroup_place *ret,
		      struct err *e)
{
	_cleanup_free_ char *groups = NULL, *mounts = NULL;
	char path[PATH_MAX];
	const char *own;
	size_t len, top = 0;
	int r = fs_read_host(self, TEXT_MAX, &groups, &len);

	if (r == 0)
		r = fs_read_host(mountinfo, TEXT_MAX, &mounts, &len);
	if (r < 0)
		return err_errno(e, -r, "cannot read the own control groups");
	own = own_path(groups);
	if (!own)
		return err_msg(e, ENOENT, "this kernel has no cgroup v2");
	r = locate(own, mounts, path, &top, e);
	return r == 0 ? find(path, top, ret, e) : r;
}
