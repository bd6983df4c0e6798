/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner/base/cleanup.h"
#include "runner/base/fs.h"
#include "runner/base/strbuf.h"
#include "runner/jail/jail.h"

/* Each id stays what it is. */
static int write_map(pid_t pid, const char *file, const struct id_map *map, struct err *e)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };
	char path[64];
	int r;

	for (unsigned int i = 0; i < map->n; i++)
		strbuf_printf(&b, "%" PRIu32 " %" PRIu32 " %" PRIu32 "\n", map->e[i].inside,
			      map->e[i].inside, map->e[i].count);
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	r = b.failed ? -ENOMEM : fs_write_host(path, b.data, b.len);
	return r < 0 ? err_errno(e, -r, "cannot write %s of a program's user namespace", file) : 0;
}

static int write_maps(const struct jail *jail, pid_t pid, struct err *e)
{
	char path[64];
	int r = 0;

	if (jail->groups_denied) {
		snprintf(path, sizeof(path), "/proc/%d/setgroups", (int)pid);
		r = fs_write_host(path, "deny", 4);
		if (r < 0)
			return err_errno(e, -r, "cannot deny setgroups to a program");
	}
	r = write_map(pid, "uid_map", jail->uids, e);
	return r == 0 ? write_map(pid, "gid_map", jail->gids, e) : r;
}

_Noreturn static void child(const int go[2], void (*main)(void *arg), void *arg)
{
	char byte;

	close(go[1]);
	/* No byte: it could not write the maps, or is gone. */
	if (read(go[0], &byte, 1) != 1)
		_exit(1);
	close(go[0]);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	main(arg);
	_exit(1);
}

int jail_nest(const struct jail *jail, void (*main)(void *arg), void *arg, pid_t *ret_pid,
	      struct err *e)
{
	const struct clone_args args = {
		.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
			 CLONE_NEWCGROUP,
		.exit_signal = SIGCHLD,
	};
	int go[2], r;
	long pid;

	if (pipe2(go, O_CLOEXEC) < 0)
		return err_errno(e, errno, "cannot make a pipe");
	/* For as long as the child's files in /proc have to be this one's. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		child(go, main, arg);
	close(go[0]);
	r = pid < 0 ? err_errno(e, errno, "cannot make a user namespace for a program") :
		      write_maps(jail, (pid_t)pid, e);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (r == 0 && write(go[1], "", 1) != 1)
		r = err_errno(e, EPIPE, "a program's jail died at its start");
	close(go[1]);
	if (r == 0)
		*ret_pid = (pid_t)pid;
	else if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return r;
}
