/* SPDX-License-Identifier: MIT */
/* The distributions that can be bootstrapped, and by which programs; see bootstrap.h. */
#ifndef VMRUN_ROOTFS_BOOTSTRAP_DRIVER_H
#define VMRUN_ROOTFS_BOOTSTRAP_DRIVER_H

#include <stdbool.h>

#include "rootfs-tools/bootstrap/bootstrap.h"
#include "rootfs-tools/core/partial.h"
#include "rootfs-tools/core/tool.h"

#define DRIVER_ROOT TOOL_DIR "/root"

/* A kind of machine, under each of its names. */
struct arch {
	const char *machine; /* as uname -m, and Fedora, Arch, Alpine have it */
	const char *debian;
	const char *native_on; /* another machine that runs its programs, or NULL */
	const char *binfmt;    /* of its interpreter in /proc/sys/fs/binfmt_misc */
};

/* What is being made. */
struct making {
	const struct bootstrap_options *options;
	const struct driver *driver;
	const struct driver_tool *tool;
	const struct arch *arch;
	const char *suite; /* NULL: the distribution has none */
	const char *variant;
	bool kernel;
	struct idmap_choice idmap;
	struct partial dst;
	int keyring; /* -1: none */
	bool keyring_armored;
	void (*status)(const char *line);
	int signal_fd;
	struct bootstrap_report *report;
};

/* A program that is run, and what it reads. */
struct command {
	struct strvec argv;
	struct strbuf input; /* it can be opened as /dev/stdin, too */
};

/* What a program says when it fails, and what that means. */
struct cause {
	const char *said;
	const char *means;
};

struct driver_tool {
	const char *program;
	const char *brought_by; /* packages by distribution, for people */
	/* The command that makes the root, and another one, or NULL. */
	int (*plan)(const struct making *m, struct command *ret, struct err *e);
	int (*then)(const struct making *m, struct command *ret, struct err *e);
	const struct cause *causes; /* the first that fits counts; .said NULL ends it */
};

struct driver {
	const char *distro;
	const char *suite;	     /* by default; NULL: there are none */
	const char *const *variants; /* NULL-terminated, the default first; NULL: there are none */
	const char *kernel;	     /* the package that brings the newest for x86-64 */
	bool archive; /* made of one: --archive, --sha256, and no --mirror, --keyring */
	const struct driver_tool *tools; /* in order of preference; .program NULL ends it */
	/* Makes the root where .tools does not: NULL. */
	int (*make)(struct making *m, int *ret_signal, struct err *e);
};

extern const struct driver_tool driver_debian_tools[];
extern const struct driver_tool driver_arch_tools[];
extern const struct driver_tool driver_fedora_tools[];
int driver_alpine_make(struct making *m, int *ret_signal, struct err *e);

/** driver_find() - by name. Return: NULL and an error that names the nearest. */
const struct driver *driver_find(const char *distro, struct err *e);

/**
 * driver_choose() - fill in what follows from the options: suite, variant, architecture,
 * tool. Checks every word that will get into a command line.
 * @m: .options and .driver are set.
 */
int driver_choose(struct making *m, struct err *e);

/** driver_keyring() - the path of --keyring in the tool's jail; only if there is one. */
const char *driver_keyring(const struct making *m);

/** driver_add_packages() - --include's, each a word. */
void driver_add_packages(const struct making *m, struct strvec *argv);

/** driver_check_url() - for http: and https: only, and nothing that a shell or a file of
 * settings would take for something else. @option: for the message.
 */
int driver_check_url(const char *option, const char *value, struct err *e);

#endif
