/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * All that can fail for want of memory or for a wrong user is done before fork().
 * The child then becomes what the command is to be, in an order that matters: a
 * session of its own first, then its terminal, standard streams, the signals and
 * limits that PID 1 changed for itself; then the ids, groups before user before
 * they can no longer be set; the working directory only then, with the command's
 * own rights; and last execve(). What goes wrong goes up a close-on-exec pipe as
 * a struct fail: when the parent reads end-of-file instead, execve() succeeded.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "initramfs/guest/environ.h"
#include "initramfs/guest/file.h"
#include "initramfs/guest/guest.h"
#include "initramfs/guest/passwd.h"

#define DB_MAX ((size_t)4 << 20) /* bytes of /etc/passwd or /etc/group */
#define PIPE_SIZE (256 * 1024)
#define NOFILE_SOFT 1024   /* select() can do no more, */
#define NOFILE_HARD 524288 /* and who knows better may have more */

struct launch {
	const struct conf *c;
	struct user user;
	struct environ env;
	const char *program;
	char *const *argv;
	char *login_argv[2];
	char login_name[USER_FIELD_MAX + 1]; /* "-sh" */
	int stdio[3];			     /* the child's ends */
};

static int read_db(const char *path, char **ret_data, size_t *ret_len, struct fail *f)
{
	int r = file_read(path, DB_MAX, ret_data, ret_len);

	if (r < 0 && r != -ENOENT)
		return fail_errno(f, -r, "cannot read the base's %s", path);
	return 0;
}

static int find_user(const char *spec, struct user *ret, struct fail *f)
{
	char *passwd = NULL, *group = NULL;
	struct user_db db = { 0 };
	int r;

	r = read_db("/etc/passwd", &passwd, &db.passwd_len, f);
	if (r == 0)
		r = read_db("/etc/group", &group, &db.group_len, f);
	if (r == 0) {
		db.passwd = passwd;
		db.group = group;
		r = user_resolve(spec, &db, ret, f);
	}
	free(passwd);
	free(group);
	return r;
}

static int launch_prepare(struct launch *l, struct fail *f)
{
	const struct conf *c = l->c;
	const char *slash;
	int r = find_user(c->user, &l->user, f);

	if (r < 0)
		return r;
	if (environ_build(&l->user, c->env.v, c->env.n, &l->env) < 0)
		return fail_errno(f, ENOMEM, "cannot make the environment");
	if (c->args.n) {
		l->program = c->args.v[0];
		l->argv = c->args.v;
		return 0;
	}
	slash = strrchr(l->user.shell, '/');
	snprintf(l->login_name, sizeof(l->login_name), "-%s", slash ? slash + 1 : l->user.shell);
	l->program = l->user.shell;
	l->login_argv[0] = l->login_name;
	l->argv = l->login_argv;
	return 0;
}

/* --- in the child --- */

static int child_streams(const struct launch *l, struct fail *f)
{
	if (setsid() < 0 || (l->c->tty && ioctl(l->stdio[0], TIOCSCTTY, 0) < 0))
		return fail_errno(f, errno, "cannot give the command its terminal");
	for (int fd = 0; fd < 3; fd++)
		if (dup2(l->stdio[fd], fd) < 0)
			return fail_errno(f, errno, "cannot give the command its streams");
	return 0;
}

static int child_limits(struct fail *f)
{
	struct rlimit nofile = { .rlim_cur = NOFILE_SOFT, .rlim_max = NOFILE_HARD };
	sigset_t none;
	int fd;

	sigemptyset(&none);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(022);
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) < 0 || setrlimit(RLIMIT_NOFILE, &nofile) < 0)
		return fail_errno(f, errno, "cannot reset the command's limits");
	close(fd);
	return 0;
}

static int child_ids(const struct user *u, struct fail *f)
{
	if (setgroups(u->n_groups, u->groups) < 0 || setresgid(u->gid, u->gid, u->gid) < 0 ||
	    setresuid(u->uid, u->uid, u->uid) < 0)
		return fail_errno(f, errno, "cannot become user '%.64s'", u->name);
	return 0;
}

static int child_workdir(const struct launch *l, struct fail *f)
{
	const char *dir = l->c->workdir;

	if (dir && chdir(dir) < 0)
		return fail_errno(f, errno,
				  "cannot use %.300s in the base as the working directory", dir);
	/* As login(1) has it: who has no home is at the root. */
	if (!dir && (l->c->args.n || chdir(l->user.home) < 0) && chdir("/") < 0)
		return fail_errno(f, errno, "cannot change to /");
	return 0;
}

/* Why a program that is there is not found: what would run it is not. */
static void missing_interpreter(const char *path, struct fail *f)
{
	char head[256];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof(head) - 1);
	size_t start;

	head[n > 0 ? n : 0] = '\0';
	if (strncmp(head, "#!", 2) == 0) {
		start = 2 + strspn(head + 2, " \t");
		head[start + strcspn(head + start, " \t\n")] = '\0';
		fail_text(f, ENOENT, "cannot run '%.200s': its interpreter '%s' does not exist",
			  path, head + start);
	} else {
		fail_text(f, ENOENT,
			  "cannot run '%.200s': the dynamic loader that it needs does "
			  "not exist in the base",
			  path);
	}
}

static int exec_failed(const char *program, const char *path, int errnum, struct fail *f)
{
	struct stat st;

	if (errnum == ENOENT && path && stat(path, &st) == 0)
		missing_interpreter(path, f);
	else if (errnum == ENOEXEC)
		fail_text(f, errnum,
			  "cannot run '%.200s': %s; is it a script without #!, or a "
			  "program for another machine?",
			  program, strerror(errnum));
	else
		fail_errno(f, errnum, "cannot run '%.200s'", program);
	f->code = errnum == ENOENT || errnum == ENOTDIR ? FAIL_NOT_FOUND : FAIL_NOT_EXECUTABLE;
	return -errnum;
}

/* Whether a place in $PATH that failed holds no such program after all. */
static bool not_there(const char *path, int errnum)
{
	struct stat st;

	if (errnum != ENOENT && errnum != ENOTDIR && errnum != EACCES)
		return false;
	return stat(path, &st) < 0 || S_ISDIR(st.st_mode);
}

static int child_exec(const struct launch *l, struct fail *f)
{
	const char *path = environ_get(l->env.v, "PATH");
	char file[PATH_MAX];
	bool denied = false;

	if (strchr(l->program, '/')) {
		execve(l->program, l->argv, l->env.v);
		return exec_failed(l->program, l->program, errno, f);
	}
	if (!path)
		path = ENVIRON_PATH;
	while (*l->program && path_next(&path, l->program, file, sizeof(file))) {
		execve(file, l->argv, l->env.v);
		if (not_there(file, errno))
			continue;
		if (errno != EACCES)
			return exec_failed(l->program, file, errno, f);
		denied = true;
	}
	return exec_failed(l->program, NULL, denied ? EACCES : ENOENT, f);
}

static _Noreturn void child_main(const struct launch *l, int report)
{
	struct fail f = { 0 };

	if (child_streams(l, &f) == 0 && child_limits(&f) == 0 && child_ids(&l->user, &f) == 0 &&
	    child_workdir(l, &f) == 0)
		child_exec(l, &f);
	/* Less than PIPE_BUF: all or nothing. */
	_exit(write(report, &f, sizeof(f)) < 0);
}

/* --- in PID 1 --- */

static int make_pipe(const struct user *u, int ours, int *ret_ours, int *ret_theirs)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	/* For whom /dev/stdout is opened anew, the pipe must be theirs. */
	if (fchown(fds[ours], u->uid, u->gid) < 0 || fcntl(fds[ours], F_SETFL, O_NONBLOCK) < 0) {
		int saved = errno;

		close(fds[0]);
		close(fds[1]);
		return -saved;
	}
	fcntl(fds[ours], F_SETPIPE_SZ, PIPE_SIZE);
	*ret_ours = fds[ours];
	*ret_theirs = fds[!ours];
	return 0;
}

static int make_pipes(struct launch *l, struct command *cmd)
{
	int r = make_pipe(&l->user, 1, &cmd->in, &l->stdio[0]);

	if (r == 0)
		r = make_pipe(&l->user, 0, &cmd->out, &l->stdio[1]);
	if (r == 0)
		r = make_pipe(&l->user, 0, &cmd->err, &l->stdio[2]);
	return r;
}

static int make_pty(struct launch *l, struct command *cmd)
{
	struct winsize size = { .ws_row = l->c->rows, .ws_col = l->c->columns };
	int unlock = 0;

	cmd->in = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (cmd->in < 0 || ioctl(cmd->in, TIOCSPTLCK, &unlock) < 0 ||
	    ioctl(cmd->in, TIOCSWINSZ, &size) < 0)
		return -errno;
	cmd->out = fcntl(cmd->in, F_DUPFD_CLOEXEC, 3);
	cmd->slave = ioctl(cmd->in, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (cmd->out < 0 || cmd->slave < 0 || fchown(cmd->slave, l->user.uid, -1) < 0)
		return -errno;
	for (int fd = 0; fd < 3; fd++)
		l->stdio[fd] = cmd->slave;
	return 0;
}

static void close_all(int *fds, int n)
{
	for (int i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* Waits for execve(): 0, or what the child reported. */
static int await_exec(pid_t pid, int report, struct fail *f)
{
	struct fail told;
	ssize_t n;

	do
		n = read(report, &told, sizeof(told));
	while (n < 0 && errno == EINTR);
	if (n != sizeof(told))
		return 0;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	*f = told;
	f->text[sizeof(f->text) - 1] = '\0';
	return -ECANCELED;
}

static int launch_fork(const struct launch *l, pid_t *ret_pid, struct fail *f)
{
	int report[2], r;
	pid_t pid;

	if (pipe2(report, O_CLOEXEC) < 0)
		return fail_errno(f, errno, "cannot start the command");
	pid = fork();
	if (pid == 0)
		child_main(l, report[1]);
	r = pid < 0 ? fail_errno(f, errno, "cannot start the command") : 0;
	close(report[1]);
	if (r == 0)
		r = await_exec(pid, report[0], f);
	close(report[0]);
	if (r == 0)
		*ret_pid = pid;
	return r;
}

int exec_start(const struct conf *c, struct command *ret, struct fail *f)
{
	static struct launch l;
	struct command cmd = { .in = -1, .out = -1, .err = -1, .slave = -1 };
	int r;

	l = (struct launch){ .c = c, .stdio = { -1, -1, -1 } };
	r = launch_prepare(&l, f);
	if (r == 0) {
		r = c->tty ? make_pty(&l, &cmd) : make_pipes(&l, &cmd);
		if (r < 0)
			fail_errno(f, -r, "cannot make the command's streams");
	}
	if (r == 0)
		r = launch_fork(&l, &cmd.pid, f);
	if (!c->tty)
		close_all(l.stdio, 3);
	environ_free(&l.env);
	if (r < 0) {
		close_all((int[]){ cmd.in, cmd.out, cmd.err, cmd.slave }, 4);
		return r;
	}
	*ret = cmd;
	return 0;
}
