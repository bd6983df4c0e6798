/* SPDX-License-Identifier: MIT */
/*
 * kill-at VICTIM CLOCK N COMMAND [ARG...]
 *
 * Runs COMMAND, a vmrun, and kills (SIGKILL) VICTIM as CLOCK enters its N-th system
 * call. Each of the two is one of
 *
 *	vmrun	COMMAND itself
 *	first	the first process of its jail
 *	qemu	what becomes QEMU, up to its execve()
 *
 * Nobody else is traced, or changed by it: newuidmap stays setuid. Everyone is let go at
 * the kill, to go on or to die as without a tracer. Prints the number of that system
 * call, or "none" if CLOCK ended (or QEMU was executed) before. Exits as COMMAND does.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum who { VMRUN, FIRST, QEMU, WHO_END };

static const char *const names[] = { "vmrun", "first", "qemu" };
static pid_t pids[WHO_END]; /* 0: not yet, or let go */

static enum who parse(const char *name)
{
	for (int i = 0; i < WHO_END; i++)
		if (!strcmp(name, names[i]))
			return (enum who)i;
	fprintf(stderr, "kill-at: no such process: %s\n", name);
	exit(97);
}

static long trace(int request, pid_t pid, long data)
{
	return ptrace(request, pid, 0, data);
}

/* Whether it is in a PID namespace below ours: "NSpid: 1234 1". */
static bool is_in_jail(pid_t pid)
{
	char path[64], line[256];
	bool below = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "NSpid:", 6))
			below = strspn(line + 6, "\t 0123456789") &&
				strrchr(line, '\t') != line + 6;
	if (f)
		fclose(f);
	return below;
}

/* A child of @parent's, stopped before its first step. */
static void meet(pid_t pid, pid_t parent)
{
	enum who who = parent == pids[VMRUN] ? FIRST : QEMU;

	if (pids[who] || !is_in_jail(pid)) {
		trace(PTRACE_DETACH, pid, 0);
		return;
	}
	pids[who] = pid;
	trace(PTRACE_SYSCALL, pid, 0);
}

/* Children may be seen before the event that tells of them, and after. */
static pid_t early[16], awaited[16], parents[16];

static bool take(pid_t *list, pid_t pid, size_t *ret_index)
{
	for (size_t i = 0; i < 16; i++)
		if (list[i] == pid) {
			list[i] = 0;
			*ret_index = i;
			return true;
		}
	return false;
}

static size_t put(pid_t *list, pid_t pid)
{
	for (size_t i = 0; i < 16; i++)
		if (!list[i]) {
			list[i] = pid;
			return i;
		}
	exit(97);
}

static void on_fork(pid_t parent)
{
	unsigned long child;
	size_t i;

	ptrace(PTRACE_GETEVENTMSG, parent, 0, &child);
	if (take(early, (pid_t)child, &i))
		meet((pid_t)child, parent);
	else
		parents[put(awaited, (pid_t)child)] = parent;
}

static enum who who_is(pid_t pid)
{
	enum who who = VMRUN;

	while (who < WHO_END && pids[who] != pid)
		who++;
	return who;
}

static void on_unknown(pid_t pid)
{
	size_t i;

	if (take(awaited, pid, &i))
		meet(pid, parents[i]);
	else
		put(early, pid);
}

/*
 * Whoever is traced still is let go when it stops next; one that does not ends, and that
 * is not held up by us.
 */
static int finish(pid_t vmrun, const char *what)
{
	int status = 0, ended = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
		if (pid > 0 && WIFSTOPPED(status))
			trace(PTRACE_DETACH, pid, 0);
		else if (pid == vmrun)
			ended = status;
	}
	puts(what);
	return WIFSIGNALED(ended) ? 128 + WTERMSIG(ended) : WEXITSTATUS(ended);
}

static pid_t start(char *argv[])
{
	pid_t pid = fork();

	if (pid == 0) {
		trace(PTRACE_TRACEME, 0, 0);
		raise(SIGSTOP);
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, NULL, 0) < 0 ||
	    trace(PTRACE_SETOPTIONS, pid,
		  PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE |
			  PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC) < 0) {
		perror("kill-at");
		exit(97);
	}
	trace(PTRACE_SYSCALL, pid, 0);
	return pid;
}

/* Return: true when it is time. */
static bool on_stop(pid_t pid, int status, enum who clock, bool *in, unsigned long *left,
		    bool *ret_over)
{
	enum who who = who_is(pid);
	int sig = WSTOPSIG(status), event = status >> 16, pass = 0;

	if (who == WHO_END) {
		on_unknown(pid);
		return false;
	}
	if (event == PTRACE_EVENT_EXEC && who == QEMU) {
		*ret_over = clock == QEMU;
		pids[QEMU] = 0;
		trace(PTRACE_DETACH, pid, 0);
		return false;
	}
	if (event && event != PTRACE_EVENT_EXEC)
		on_fork(pid);
	else if (sig == (SIGTRAP | 0x80) && who == clock) {
		*in = !*in;
		if (*in && --*left == 0)
			return true;
	} else if (sig != (SIGTRAP | 0x80) && sig != SIGSTOP && sig != SIGTRAP)
		pass = sig;
	trace(PTRACE_SYSCALL, pid, pass);
	return false;
}

int main(int argc, char *argv[])
{
	struct user_regs_struct regs;
	bool in = false, over = false;
	enum who victim, clock;
	unsigned long left;
	char text[32];
	pid_t vmrun;
	int status;

	if (argc < 5)
		return 97;
	victim = parse(argv[1]);
	clock = parse(argv[2]);
	left = strtoul(argv[3], NULL, 10);
	vmrun = pids[VMRUN] = start(argv + 4);
	while (!over) {
		pid_t pid = waitpid(-1, &status, __WALL);
		enum who who = pid < 0 ? VMRUN : who_is(pid);

		if (pid < 0)
			return 97;
		if (!WIFSTOPPED(status)) {
			if (who < WHO_END)
				pids[who] = 0;
			if (who == VMRUN) {
				puts("none");
				return WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
							     WEXITSTATUS(status);
			}
			over = who == clock;
			continue;
		}
		if (!on_stop(pid, status, clock, &in, &left, &over))
			continue;
		ptrace(PTRACE_GETREGS, pid, 0, &regs);
		snprintf(text, sizeof(text), "%lld", (long long)regs.orig_rax);
		if (!pids[victim])
			return 97; /* the clock began before its victim */
		kill(pids[victim], SIGKILL);
		if (victim != clock)
			trace(PTRACE_DETACH, pid, 0);
		return finish(vmrun, text);
	}
	return finish(vmrun, "none");
}
