/* SPDX-License-Identifier: MIT */
#include "runner/vm/explain_proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/base/parse.h"

#define CMDLINE_MAX 65536u

void proc_list_free(struct proc_list *list)
{
	for (unsigned int i = 0; i < list->n; i++)
		cleanup_close(&list->e[i].dir);
	list->n = 0;
}

/* How /proc says that a process is gone. */
static int gone(int r)
{
	return r == -ENOENT ? -ESRCH : r;
}

int proc_open(int proc, uint64_t pid)
{
	char name[24];
	int fd;

	snprintf(name, sizeof(name), "%llu", (unsigned long long)pid);
	fd = openat(proc, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? gone(-errno) : fd;
}

int proc_open_self(int proc)
{
	int fd = openat(proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static void cleanup_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* Return: NULL with errno. */
static DIR *open_dir(int at, const char *path)
{
	int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir)
		cleanup_close(&fd);
	return dir;
}

int proc_read_text(int dir, const char *file, char **ret_text)
{
	size_t len;

	return fs_read_regular(dir, file, PROC_FILE_MAX, ret_text, &len);
}

int proc_read_namespace(int dir, const char *name, char *ret, size_t size)
{
	char path[32], link[64];
	ssize_t n;

	snprintf(path, sizeof(path), "ns/%s", name);
	n = readlinkat(dir, path, link, sizeof(link) - 1);
	if (n < 0)
		return -errno;
	link[n] = '\0';
	snprintf(ret, size, "%s", link);
	return 0;
}

/* --- status --- */

/* The number at the start of @s, and what follows it. */
static uint64_t number(const char *s, int base, const char **ret_end)
{
	char *end;
	unsigned long long n;

	s += strspn(s, " \t");
	*ret_end = s;
	if (!strchr(base == 16 ? "0123456789abcdefABCDEF" : "0123456789", *s) || !*s)
		return PROC_UNKNOWN;
	errno = 0;
	n = strtoull(s, &end, base);
	if (errno || (*end && !strchr(" \t\n", *end)))
		return PROC_UNKNOWN;
	*ret_end = end;
	return n;
}

static void take_number(const char *value, int base, uint64_t *ret)
{
	const char *end;

	*ret = number(value, base, &end);
}

/* "Uid: real effective saved fs" */
static void take_second(const char *value, uint64_t *ret)
{
	const char *end;

	if (number(value, 10, &end) != PROC_UNKNOWN)
		*ret = number(end, 10, &end);
}

/* "NSpid: 15067 2" */
static void take_pids(const char *value, struct proc_status *st)
{
	uint64_t last = PROC_UNKNOWN, depth = 0, n;

	while ((n = number(value, 10, &value)) != PROC_UNKNOWN) {
		last = n;
		depth++;
	}
	st->inner_pid = last;
	st->pid_depth = depth ? depth : PROC_UNKNOWN;
}

static void take_line(const char *key, const char *value, struct proc_status *st)
{
	const struct {
		const char *key;
		int base;
		uint64_t *to;
	} numbers[] = {
		{ "PPid", 10, &st->parent },
		{ "Threads", 10, &st->threads },
		{ "CapInh", 16, &st->caps[CAPS_INHERITABLE] },
		{ "CapPrm", 16, &st->caps[CAPS_PERMITTED] },
		{ "CapEff", 16, &st->caps[CAPS_EFFECTIVE] },
		{ "CapBnd", 16, &st->caps[CAPS_BOUNDING] },
		{ "CapAmb", 16, &st->caps[CAPS_AMBIENT] },
		{ "NoNewPrivs", 10, &st->no_new_privs },
		{ "Seccomp", 10, &st->seccomp },
		{ "Seccomp_filters", 10, &st->filters },
	};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (!strcmp(key, numbers[i].key))
			take_number(value, numbers[i].base, numbers[i].to);
	if (!strcmp(key, "Name"))
		snprintf(st->name, sizeof(st->name), "%s", value);
	else if (!strcmp(key, "Groups"))
		snprintf(st->groups, sizeof(st->groups), "%s", value);
	else if (!strcmp(key, "Uid"))
		take_second(value, &st->uid);
	else if (!strcmp(key, "Gid"))
		take_second(value, &st->gid);
	else if (!strcmp(key, "NSpid"))
		take_pids(value, st);
}

int proc_read_status(int dir, struct proc_status *ret)
{
	struct proc_status st;
	char *rest, *line;
	_cleanup_free_ char *text = NULL;
	int r = gone(proc_read_text(dir, "status", &text));

	if (r < 0)
		return r;
	memset(&st, 0xff, sizeof(st)); /* PROC_UNKNOWN */
	st.name[0] = st.groups[0] = '\0';
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		char *value = strchr(line, ':');

		/* A line without an end is one that was cut off. */
		if (!value || !rest)
			continue;
		*value++ = '\0';
		take_line(line, value + strspn(value, " \t"), &st);
	}
	*ret = st;
	return 0;
}

static bool same_rights(const struct proc_status *a, const struct proc_status *b)
{
	return !memcmp(a->caps, b->caps, sizeof(a->caps)) && a->uid == b->uid && a->gid == b->gid &&
	       a->no_new_privs == b->no_new_privs && a->seccomp == b->seccomp &&
	       a->filters == b->filters;
}

int proc_other_threads(int dir, const struct proc_status *st)
{
	_cleanup_(cleanup_dir) DIR *threads = open_dir(dir, "task");
	struct dirent *entry;
	int others = 0;

	if (!threads)
		return gone(-errno);
	while ((entry = readdir(threads))) {
		_cleanup_close_ int thread = -1;
		struct proc_status its;

		if (entry->d_name[0] == '.')
			continue;
		thread = openat(dirfd(threads), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (thread >= 0 && proc_read_status(thread, &its) == 0 && !same_rights(&its, st))
			others++;
	}
	return others;
}

/* --- id maps, mounts --- */

int proc_next_extent(const char **text, struct proc_extent *ret)
{
	const char *p = *text + strspn(*text, " \t\n");
	struct proc_extent x;

	if (!*p)
		return 0;
	x.inside = number(p, 10, &p);
	x.outside = x.inside == PROC_UNKNOWN ? PROC_UNKNOWN : number(p, 10, &p);
	x.count = x.outside == PROC_UNKNOWN ? PROC_UNKNOWN : number(p, 10, &p);
	p += strspn(p, " \t");
	if (x.count == PROC_UNKNOWN || (*p && *p != '\n'))
		return -EINVAL;
	*text = p;
	*ret = x;
	return 1;
}

int proc_next_mount(char **text, struct proc_mount *ret)
{
	/* "36 35 98:0 ROOT TARGET OPTIONS [TAG...] - TYPE SOURCE OPTIONS" */
	struct proc_mount m = { 0 };
	char *line = strsep(text, "\n"), *word;
	unsigned int n = 0, after = 0;

	if (!line || (!*line && !*text))
		return 0;
	while ((word = strsep(&line, " "))) {
		n++;
		if (n == 4)
			m.root = word;
		else if (n == 5)
			m.target = word;
		else if (n == 6)
			m.options = word;
		else if (n > 6 && !after && !strcmp(word, "-"))
			after = n;
		else if (after && n == after + 1)
			m.type = word;
		else if (after && n == after + 2)
			m.source = word;
	}
	if (!m.source || m.target[0] != '/')
		return -EINVAL;
	*ret = m;
	return 1;
}

/* --- descriptors --- */

static enum proc_fd_kind kind_of(const char *link)
{
	static const struct {
		const char *prefix;
		enum proc_fd_kind kind;
	} kinds[] = {
		{ "socket:", FD_SOCKETS }, { "pipe:", FD_PIPES }, { "anon_inode:", FD_EVENTS },
		{ "/memfd:", FD_MEMORY },  { "/", FD_FILES },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strncmp(link, kinds[i].prefix, strlen(kinds[i].prefix)))
			return kinds[i].kind;
	return FD_OTHERS;
}

int proc_count_fds(int dir, unsigned int ret[FD_KINDS])
{
	_cleanup_(cleanup_dir) DIR *fds = open_dir(dir, "fd");
	unsigned int counts[FD_KINDS] = { 0 };
	struct dirent *entry;

	if (!fds)
		return -errno;
	while ((entry = readdir(fds))) {
		char link[16];
		ssize_t n;

		if (entry->d_name[0] == '.')
			continue;
		n = readlinkat(dirfd(fds), entry->d_name, link, sizeof(link) - 1);
		if (n < 0)
			continue; /* closed meanwhile */
		link[n] = '\0';
		counts[kind_of(link)]++;
	}
	memcpy(ret, counts, sizeof(counts));
	return 0;
}

/* --- who there is --- */

/* Whether its words are those of a QEMU with "-name guest=NAME". */
static bool has_name(int dir, const char *name)
{
	_cleanup_free_ char *words = NULL;
	const char *end, *word, *base;
	bool option = false;
	size_t len;

	if (fs_read_regular(dir, "cmdline", CMDLINE_MAX, &words, &len) < 0)
		return false;
	base = strrchr(words, '/');
	if (strncmp(base ? base + 1 : words, "qemu", 4))
		return false;
	end = words + len;
	for (word = words; word < end; word += strlen(word) + 1) {
		if (option && !strncmp(word, "guest=", 6) && !strcmp(word + 6, name))
			return true;
		option = !strcmp(word, "-name");
	}
	return false;
}

static bool namespace_is_owned(int dir, const char *not_this, uint32_t owner)
{
	_cleanup_close_ int fd = -1;
	char is[64];
	uid_t uid;

	if (proc_read_namespace(dir, "user", is, sizeof(is)) < 0 || !strcmp(is, not_this))
		return false;
	fd = openat(dir, "ns/user", O_RDONLY | O_CLOEXEC);
	return fd >= 0 && ioctl(fd, NS_GET_OWNER_UID, &uid) == 0 && uid == owner;
}

struct wanted {
	uint64_t parent; /* PROC_UNKNOWN: by the others */
	const char *name;
	const char *own_namespace;
	uint32_t owner;
};

static bool is_wanted(int dir, const struct wanted *w)
{
	struct proc_status st;

	if (w->parent != PROC_UNKNOWN)
		return proc_read_status(dir, &st) == 0 && st.parent == w->parent;
	return has_name(dir, w->name) && namespace_is_owned(dir, w->own_namespace, w->owner);
}

static int find(int proc, const struct wanted *w, struct proc_list *ret)
{
	_cleanup_(cleanup_dir) DIR *all = open_dir(proc, ".");
	struct proc_list list = { 0 };
	struct dirent *entry;

	if (!all)
		return -errno;
	while ((entry = readdir(all))) {
		_cleanup_close_ int dir = -1;
		uint64_t pid;

		if (parse_uint(entry->d_name, 1, INT_MAX, &pid) < 0)
			continue;
		dir = proc_open(proc, pid);
		if (dir < 0 || !is_wanted(dir, w))
			continue;
		if (list.n == PROC_FOUND_MAX) {
			list.more++;
			continue;
		}
		list.e[list.n].pid = (pid_t)pid;
		list.e[list.n++].dir = steal_fd(&dir);
	}
	*ret = list;
	return 0;
}

int proc_find_guests(int proc, uint32_t owner, const char *name, struct proc_list *ret)
{
	char own[64];
	struct wanted w = {
		.parent = PROC_UNKNOWN, .name = name, .own_namespace = own, .owner = owner
	};
	_cleanup_close_ int self = proc_open_self(proc);
	int r = self < 0 ? self : proc_read_namespace(self, "user", own, sizeof(own));

	return r < 0 ? r : find(proc, &w, ret);
}

int proc_find_children(int proc, uint64_t parent, struct proc_list *ret)
{
	struct wanted w = { .parent = parent, .name = "", .own_namespace = "" };

	return find(proc, &w, ret);
}
