/* SPDX-License-Identifier: MIT */
/* One attempt of a self-test: a jail as for QEMU, with the program of tests/escape in it. */
#ifndef VMRUN_VM_SELF_TEST_JAIL_H
#define VMRUN_VM_SELF_TEST_JAIL_H

#include "runner/base/err.h"
#include "runner/base/strbuf.h"
#include "runner/vm/launch.h"
#include "runner/vm/self_test_scene.h"

struct test_jail_input {
	const struct launch_input *in;
	const struct test_scene *scene;
	const struct strvec *programs; /* as the jail shows them to QEMU */
	unsigned int without;
};

struct test_jail {
	int pidfd;
	int channel;   /* ENDED comes here, with the wait status, or ERROR, or its end */
	int stderr_fd; /* what the attempt says */
	int ports[4];  /* the ends that vmrun has of QEMU's sockets */
};

#define TEST_JAIL_INIT                                                                   \
	{                                                                                \
		.pidfd = -1, .channel = -1, .stderr_fd = -1, .ports = { -1, -1, -1, -1 } \
	}

/**
 * test_jail_start() - start the jail; it goes on by itself.
 * @name: of the attempt, or "list".
 *
 * Whatever it returns, test_jail_stop() @ret.
 */
int test_jail_start(const struct test_jail_input *input, const char *name, struct test_jail *ret,
		    struct err *e);

/** test_jail_stop() - kill what is left of it, wait for its end, close all. */
void test_jail_stop(struct test_jail *jail);

#endif
