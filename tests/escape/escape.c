/* SPDX-License-Identifier: MIT */
/*
 *	escape list
 *	escape NAME KEY=VALUE...
 *
 * "list" prints the attempts, a line for each: NAME, GROUP and WHAT, tabs between. The
 * other form makes one attempt, and prints a line:
 *
 *	NAME<TAB>held|out<TAB>DETAIL
 *
 * all of it to stderr, the only thing that QEMU can print to. The name comes before the
 * attempt is made, the rest after: one that is killed by a filter of system calls leaves
 * a line that ends behind its name, and a wait status that tells why. The keys are those
 * of struct scene. "escape proof NAME" is what an attempt has executed that should not
 * have been able to: it ends the line.
 *
 * A refusal is HELD whatever its reason: that a kernel does not have a system call at all
 * (ENOSYS) is no way out either, and from in here it looks as a filter does.
 */
#include "tests/escape/escape.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct attempt_group *const groups[] = {
	&files_group,	  &writes_group,     &programs_group,	 &mounts_group,
	&processes_group, &privileges_group, &namespaces_group,	 &sockets_group,
	&families_group,  &kernel_group,     &descriptors_group, &terminal_group,
};

struct scene scene;
const char *attempt_name = "";

static const struct {
	const char *key;
	const char **value;
} keys[] = {
	{ "token", &scene.token },	   { "dir", &scene.dir },
	{ "secret", &scene.secret },	   { "socket", &scene.socket },
	{ "abstract", &scene.abstract },   { "port", &scene.port },
	{ "port6", &scene.port6 },	   { "shm", &scene.shm },
	{ "victim", &scene.victim },	   { "victim_addr", &scene.victim_addr },
	{ "victim_fd", &scene.victim_fd }, { "first_addr", &scene.first_addr },
	{ "handle", &scene.handle },	   { "uid", &scene.uid },
	{ "user", &scene.user_ns },	   { "mnt", &scene.mnt_ns },
	{ "pid", &scene.pid_ns },	   { "net", &scene.net_ns },
	{ "ipc", &scene.ipc_ns },	   { "uts", &scene.uts_ns },
	{ "cgroup", &scene.cgroup_ns },	   { "fds", &scene.fds },
	{ "sockets", &scene.sockets },	   { "kernel", &scene.kernel },
	{ "initrd", &scene.initrd },	   { "ram", &scene.ram },
	{ "state", &scene.state },	   { "kvm", &scene.kvm },
};

static char detail[512];

static void say(const char *text)
{
	(void)!write(STDERR_FILENO, text, strlen(text));
}

enum verdict out(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	return OUT;
}

enum verdict held(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	return HELD;
}

static void list(void)
{
	char line[256];

	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		for (size_t j = 0; j < groups[i]->n; j++) {
			snprintf(line, sizeof(line), "%s\t%s\t%s\n", groups[i]->attempts[j].name,
				 groups[i]->name, groups[i]->attempts[j].what);
			say(line);
		}
	}
}

static bool set_scene(const char *word)
{
	const char *value = strchr(word, '=');

	for (size_t i = 0; value && i < ARRAY_SIZE(keys); i++) {
		size_t len = strlen(keys[i].key);

		if (len == (size_t)(value - word) && !strncmp(word, keys[i].key, len)) {
			*keys[i].value = value + 1;
			return true;
		}
	}
	return false;
}

static const struct attempt *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		for (size_t j = 0; j < groups[i]->n; j++)
			if (!strcmp(groups[i]->attempts[j].name, name))
				return &groups[i]->attempts[j];
	return NULL;
}

static void finish(enum verdict verdict)
{
	char line[sizeof(detail) + 16];

	for (char *p = detail; *p; p++)
		if (*p < ' ')
			*p = '?';
	snprintf(line, sizeof(line), "%s\t%s\n", verdict == OUT ? "out" : "held", detail);
	say(line);
}

int main(int argc, char *argv[])
{
	const struct attempt *attempt;

	if (argc == 2 && !strcmp(argv[1], "list")) {
		list();
		return 0;
	}
	if (argc == 3 && !strcmp(argv[1], "proof")) {
		attempt_name = argv[2];
		finish(out("a program was executed that the attempt had made"));
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		*keys[i].value = "";
	for (int i = 2; i < argc; i++)
		if (!set_scene(argv[i]))
			return 2;
	attempt = argc > 1 ? find(argv[1]) : NULL;
	if (!attempt)
		return 2;
	attempt_name = attempt->name;
	say(attempt_name);
	say("\t");
	finish(attempt->run());
	return 0;
}
