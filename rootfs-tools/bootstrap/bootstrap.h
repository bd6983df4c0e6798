/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A root directory is made by its distribution's own tool, which this host has, in a jail
 * (core/tool.h) as root of the id map: so owners are right from the start, and neither the
 * tool nor a package's script sees more of the caller than the new root.
 *
 *	outside                             inside
 *	choose driver, tool, map
 *	make .DIR.vmrun-partial, lock it
 *	                                    make it the map's root's
 *	                                    mmdebstrap, pacman, dnf: in the tool's jail, with
 *	                                    the caller's network; or an archive is unpacked,
 *	                                    and a guest runs apk
 *	                                    host name, resolver; is there a kernel?
 *	rename to DIR
 *
 * What a driver runs is a table (driver.h): programs in order of preference, each with what
 * brings it, how its command line is built, and what its complaints mean.
 *
 * Kernels are installed without their initramfs: vmrun has its own, of the few modules that
 * it needs, and making the distribution's is most of the time that a kernel takes.
 *
 * Whatever fails, and a signal, removes what was begun; kill -9 ends the tool, and leaves
 * the directory for the next one to remove (core/partial.h).
 */
#ifndef VMRUN_ROOTFS_BOOTSTRAP_BOOTSTRAP_H
#define VMRUN_ROOTFS_BOOTSTRAP_BOOTSTRAP_H

#include <stdbool.h>

#include "rootfs-tools/archive/unpack.h"
#include "rootfs-tools/core/root.h"
#include "runner/base/err.h"
#include "runner/base/strbuf.h"

#define BOOTSTRAP_DISTROS "debian, ubuntu, arch, alpine or fedora"

/* Words as typed, NULL where not given; bootstrap_run() checks them. */
struct bootstrap_options {
	const char *suite;
	const char *mirror;
	const char *arch;
	const char *include; /* "PACKAGE,PACKAGE" */
	const char *variant;
	const char *keyring;
	const char *archive; /* Alpine's: a file or a URL */
	const char *sha256;  /* its checksum */
	const char *guest_kernel;
	const char *guest_modules;
	bool kernel; /* the default, but for Alpine's archive */
	bool no_kernel;
	struct root_idmap idmap;
};

struct bootstrap_report {
	char warning[256]; /* "" or one line for the user */
	struct strbuf log; /* the end of what the tools said where one failed for a reason that is
			    * not known here; lines that are safe to show; to free */
	struct unpack_report *unpacked; /* of enter_share(), given by the caller */
};

/**
 * bootstrap_run() - make root directory @dst, which must not exist.
 * @status: gets what is being done, a line that is safe to show, again and again; may be NULL.
 * @ret_signal: what ended it where -EINTR is returned.
 */
int bootstrap_run(const char *distro, const char *dst, const struct bootstrap_options *options,
		  void (*status)(const char *line), int signal_fd, struct bootstrap_report *ret,
		  int *ret_signal, struct err *e);

#endif
