/* SPDX-License-Identifier: MIT */
#include "runner/jail/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/base/strbuf.h"

bool userns_only_own_id(const struct id_map *map, uid_t own)
{
	return map->n == 1 && map->e[0].count == 1 && map->e[0].outside == own;
}

bool userns_groups_denied(const struct id_map *uids, const struct id_map *gids)
{
	return geteuid() != 0 && userns_only_own_id(uids, geteuid()) &&
	       userns_only_own_id(gids, getegid());
}

static int write_map(pid_t pid, const char *file, const struct id_map *map, struct err *e)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };
	char path[64];
	int r;

	for (unsigned int i = 0; i < map->n; i++)
		strbuf_printf(&b, "%u %u %u\n", map->e[i].inside, map->e[i].outside,
			      map->e[i].count);
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	r = b.failed ? -ENOMEM : fs_write_host(path, b.data, b.len);
	if (r < 0)
		return err_errno(e, -r, "cannot write %s of the user namespace", file);
	return 0;
}

/* A running newuidmap or newgidmap. */
struct helper {
	const char *name;
	pid_t pid;
	int err_fd; /* its stderr */
};

static void exec_helper(const char *name, pid_t pid, const struct id_map *map, int err_fd)
{
	struct strvec argv = { 0 };

	strvec_add(&argv, name);
	strvec_addf(&argv, "%d", (int)pid);
	for (unsigned int i = 0; i < map->n; i++) {
		strvec_addf(&argv, "%u", map->e[i].inside);
		strvec_addf(&argv, "%u", map->e[i].outside);
		strvec_addf(&argv, "%u", map->e[i].count);
	}
	/* vmrun's signals stay blocked: it decides what a Ctrl-C ends. */
	dup2(err_fd, STDERR_FILENO);
	if (!argv.failed)
		execvp(name, argv.v);
	_exit(errno == ENOENT ? 127 : 126);
}

static int helper_start(const char *name, pid_t pid, const struct id_map *map,
			struct helper *ret, struct err *e)
{
	int pipefd[2];
	pid_t child;

	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return err_errno(e, errno, "cannot make a pipe for %s", name);
	child = fork();
	if (child < 0) {
		close(pipefd[0]);
		close(pipefd[1]);
		return err_errno(e, errno, "cannot start %s", name);
	}
	if (child == 0)
		exec_helper(name, pid, map, pipefd[1]);
	close(pipefd[1]);
	*ret = (struct helper){ .name = name, .pid = child, .err_fd = pipefd[0] };
	return 0;
}

static int helper_finish(struct helper *h, struct err *e)
{
	_cleanup_close_ int err_fd = h->err_fd;
	char said[256];
	ssize_t n = read(err_fd, said, sizeof(said) - 1);
	int status = -1;

	said[n > 0 ? n : 0] = '\0';
	said[strcspn(said, "\n")] = '\0';
	while (waitpid(h->pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_errno(e, errno, "cannot wait for %s", h->name);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127 && !*said)
		return err_msg(e, ENOENT,
			       "%s not found; install it (Debian, Ubuntu: uidmap; Fedora: "
			       "shadow-utils; Arch: shadow)",
			       h->name);
	return err_msg(e, EPERM,
		       "%s refused the id map: %s; check /etc/subuid and /etc/subgid, and that "
		       "%s is setuid root or has its file capability",
		       h->name, *said ? said : "no reason given", h->name);
}

static int write_by_helpers(pid_t pid, const struct id_map *uids, const struct id_map *gids,
			    struct err *e)
{
	struct helper u, g;
	struct err second;
	int ru, rg;

	ru = helper_start("newuidmap", pid, uids, &u, e);
	if (ru < 0)
		return ru;
	rg = helper_start("newgidmap", pid, gids, &g, &second);
	ru = helper_finish(&u, e);
	if (rg == 0)
		rg = helper_finish(&g, &second);
	if (ru == 0 && rg < 0)
		*e = second;
	return ru < 0 ? ru : rg;
}

int userns_write_maps(pid_t pid, const struct id_map *uids, const struct id_map *gids,
		      struct err *e)
{
	bool own = userns_groups_denied(uids, gids);
	char path[64];
	int r;

	if (geteuid() != 0 && !own)
		return write_by_helpers(pid, uids, gids, e);
	if (own) {
		/* Without privilege the kernel takes a gid map only after this. */
		snprintf(path, sizeof(path), "/proc/%d/setgroups", (int)pid);
		r = fs_write_host(path, "deny", 4);
		if (r < 0)
			return err_errno(e, -r, "cannot deny setgroups in the user namespace");
	}
	r = write_map(pid, "uid_map", uids, e);
	if (r < 0)
		return r;
	return write_map(pid, "gid_map", gids, e);
}

/* Whether a sysctl is there and begins with @value. */
static bool sysctl_is(const char *path, char value)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	return fs_read_host(path, 64, &text, &len) == 0 && text[0] == value;
}

bool userns_restricted(void)
{
	return sysctl_is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", '1');
}

int userns_explain(int errnum, struct err *e)
{
	if (sysctl_is("/proc/sys/kernel/unprivileged_userns_clone", '0'))
		return err_msg(e, errnum,
			       "user namespaces are forbidden to ordinary users here; "
			       "sudo sysctl -w kernel.unprivileged_userns_clone=1");
	if (errnum == ENOSPC || sysctl_is("/proc/sys/user/max_user_namespaces", '0'))
		return err_msg(e, errnum,
			       "no more user namespaces are allowed here; raise "
			       "/proc/sys/user/max_user_namespaces");
	if (errnum == EAGAIN)
		return err_msg(e, errnum,
			       "cannot start another process: the limit is reached; raise ulimit -u, "
			       "or end some");
	if (errnum == ENOSYS || errnum == EINVAL)
		return err_errno(e, errnum,
				 "this kernel has no user namespaces, or none in a container");
	return err_errno(e, errnum,
			 "cannot make a user namespace; in a container, allow the clone, unshare "
			 "and mount system calls");
}
