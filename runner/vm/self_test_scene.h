/* SPDX-License-Identifier: MIT */
/* What a self-test leaves about on the host for the program in the jail to find. */
#ifndef VMRUN_VM_SELF_TEST_SCENE_H
#define VMRUN_VM_SELF_TEST_SCENE_H

#include <sys/types.h>

#include "runner/base/err.h"
#include "runner/base/strbuf.h"
#include "runner/vm/launch.h"

#define TEST_TOKEN_SIZE 33

struct test_scene {
	char token[TEST_TOKEN_SIZE]; /* random: whoever has it has read what he should not */
	char dir[128];		     /* all files are below it; mode 0700 */
	int leak;		     /* the same, open, and not close-on-exec */
	int base;		     /* O_PATH: what is exported as "/" */
	int volumes[2];		     /* writable, read-only */
	int cache;		     /* where "kernel" and "template" lie */
	int initrd;		     /* a sealed memory file */
	int program;		     /* tests/escape, in another */
	int sockets[4];
	int secret;
	void *shm;
	pid_t victim;
	struct strvec args; /* "KEY=VALUE": what there is, and where */
};

#define TEST_SCENE_INIT                                                                   \
	{                                                                                 \
		.leak = -1, .base = -1, .volumes = { -1, -1 }, .cache = -1, .initrd = -1, \
		.program = -1, .sockets = { -1, -1, -1, -1 }, .secret = -1                \
	}

/**
 * test_scene_make() - put it all there.
 *
 * Joins a session keyring of its own. Whatever it returns, test_scene_clear() @ret.
 */
int test_scene_make(const struct launch_input *in, struct test_scene *ret, struct err *e);

/** test_scene_clear() - take it all away. */
void test_scene_clear(struct test_scene *scene);

#endif
