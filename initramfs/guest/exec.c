/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * The pipes of the command's streams are made before the run; a terminal takes
 * their place where one is wanted. All that can fail for want of memory or for a
 * wrong user is done before the child is made.
 *
 * The child shares PID 1's memory, which stands still until execve() or the end of
 * the child: so there are no page tables to copy, and a failure is told by writing
 * it where PID 1 reads it. The child has a stack of its own, and must not call what
 * may leave something behind: no malloc(), and the ids are set by system calls, for
 * the libc's functions are about threads. Descriptors, signal handlers, limits and
 * the working directory are copies.
 *
 * It becomes what the command is to be in an order that matters: a session of its
 * own first, then its terminal, standard streams, the signals and limits that PID 1
 * changed for itself; then the ids, groups before user before they can no longer
 * be set; the working directory only then, with the command's own rights; and
 * last execve(). What PID 1 has as the command is to have it stays: root's ids, "/",
 * the umask, and what the OOM killer thinks of it, for that spares PID 1 anyway.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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
#define CHILD_STACK ((size_t)64 * 1024)

struct launch {
	const struct conf *c;
	struct user user;
	struct environ env;
	const char *program;
	char *const *argv;
	char *login_argv[2];
	char login_name[USER_FIELD_MAX + 1]; /* "-sh" */
	int stdio[3];			     /* the child's ends */
	bool failed;			     /* the child wrote to .fail and ended */
	struct fail fail;
};

/* One for each of the command's streams. */
struct stdio_pipe {
	int ours, theirs;
};

static struct stdio_pipe pipes[3];
static int pipes_result;

/* Room for the one and the other; what is not used of it costs nothing. */
static char passwd[DB_MAX], group[DB_MAX];

static int read_db(const char *path, char *buf, size_t *ret_len, struct fail *f)
{
	int r = file_read(path, buf, DB_MAX, ret_len);

	if (r < 0 && r != -ENOENT)
		return fail_errno(f, -r, "cannot read the base's %s", path);
	return 0;
}

static int find_user(const char *spec, struct user *ret, struct fail *f)
{
	struct user_db db = { .passwd = passwd, .group = group };
	int r = read_db("/etc/passwd", passwd, &db.passwd_len, f);

	if (r == 0)
		r = read_db("/etc/group", group, &db.group_len, f);
	return r < 0 ? r : user_resolve(spec, &db, ret, f);
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
	static const int changed[] = { SIGPIPE, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
	struct rlimit nofile = { .rlim_cur = NOFILE_SOFT, .rlim_max = NOFILE_HARD };
	sigset_t none;

	for (size_t i = 0; i < sizeof(changed) / sizeof(changed[0]); i++)
		signal(changed[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (setrlimit(RLIMIT_NOFILE, &nofile) < 0)
		return fail_errno(f, errno, "cannot reset the command's limits");
	return 0;
}

static int child_ids(const struct user *u, struct fail *f)
{
	bool already = u->uid == 0 && u->gid == 0 && u->n_groups == 0;

	if (!already && (syscall(SYS_setgroups, u->n_groups, u->groups) < 0 ||
			 syscall(SYS_setresgid, u->gid, u->gid, u->gid) < 0 ||
			 syscall(SYS_setresuid, u->uid, u->uid, u->uid) < 0))
		return fail_errno(f, errno, "cannot become user '%.64s'", u->name);
	return 0;
}

static int child_workdir(const struct launch *l, struct fail *f)
{
	const char *dir = l->c->workdir;

	if (dir && chdir(dir) < 0)
		return fail_errno(f, errno,
				  "cannot use %.300s in the base as the working directory", dir);
	/* As login(1) has it: who has no home is at the root. PID 1 is there already. */
	if (!dir && l->c->args.n == 0 && chdir(l->user.home) < 0 && chdir("/") < 0)
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

/*
 * Whether a place in $PATH holds the program, or something that execve() is to tell
 * of. A failed execve() costs far more than a look, and for what is open the
 * kernel need not ask the host again. The descriptor goes with execve().
 */
static bool is_there(const char *path)
{
	struct stat st;
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return errno != ENOENT && errno != ENOTDIR && errno != EACCES;
	return fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode);
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
		if (!is_there(file))
			continue;
		execve(file, l->argv, l->env.v);
		if (errno != EACCES)
			return exec_failed(l->program, file, errno, f);
		denied = true;
	}
	return exec_failed(l->program, NULL, denied ? EACCES : ENOENT, f);
}

static int child_main(void *arg)
{
	struct launch *l = arg;

	if (child_streams(l, &l->fail) == 0 && child_limits(&l->fail) == 0 &&
	    child_ids(&l->user, &l->fail) == 0 && child_workdir(l, &l->fail) == 0)
		child_exec(l, &l->fail);
	l->failed = true;
	_exit(1);
}

/* --- in PID 1 --- */

static void close_all(int *fds, int n)
{
	for (int i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static int make_pipe(int stream, struct stdio_pipe *ret)
{
	int ours = stream == 0;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	*ret = (struct stdio_pipe){ .ours = fds[ours], .theirs = fds[!ours] };
	fcntl(ret->ours, F_SETPIPE_SZ, PIPE_SIZE);
	return fcntl(ret->ours, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static void command_of_pipes(struct command *cmd)
{
	cmd->in = pipes[0].ours;
	cmd->out = pipes[1].ours;
	cmd->err = pipes[2].ours;
}

void exec_prepare(struct command *ret)
{
	for (int i = 0; i < 3; i++)
		pipes[i] = (struct stdio_pipe){ -1, -1 };
	for (int i = 0; i < 3 && pipes_result == 0; i++)
		pipes_result = make_pipe(i, &pipes[i]);
	command_of_pipes(ret);
}

static int take_pipes(struct launch *l, struct command *cmd)
{
	command_of_pipes(cmd);
	for (int i = 0; i < 3; i++) {
		l->stdio[i] = pipes[i].theirs;
		/* For whom /dev/stdout is opened anew, the pipe must be theirs. */
		if (pipes_result == 0 && (l->user.uid || l->user.gid) &&
		    fchown(pipes[i].ours, l->user.uid, l->user.gid) < 0)
			return -errno;
	}
	return pipes_result;
}

static int make_pty(struct launch *l, struct command *cmd)
{
	struct winsize size = { .ws_row = l->c->rows, .ws_col = l->c->columns };
	int unlock = 0;

	for (int fd = 0; fd < 3; fd++)
		close_all((int[]){ pipes[fd].ours, pipes[fd].theirs }, 2);
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

static int launch_child(struct launch *l, pid_t *ret_pid, struct fail *f)
{
	static char stack[CHILD_STACK] __attribute__((aligned(16)));
	pid_t pid = clone(child_main, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, l);

	if (pid < 0)
		return fail_errno(f, errno, "cannot start the command");
	if (!l->failed) {
		*ret_pid = pid;
		return 0;
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	*f = l->fail;
	return -ECANCELED;
}

int exec_start(const struct conf *c, struct command *ret, struct fail *f)
{
	static struct launch l;
	struct command cmd = { .in = -1, .out = -1, .err = -1, .slave = -1 };
	int r;

	l = (struct launch){ .c = c, .stdio = { -1, -1, -1 } };
	r = launch_prepare(&l, f);
	if (r == 0) {
		r = c->tty ? make_pty(&l, &cmd) : take_pipes(&l, &cmd);
		if (r < 0)
			fail_errno(f, -r, "cannot make the command's streams");
	}
	if (r == 0)
		r = launch_child(&l, &cmd.pid, f);
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
