/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A root directory that was made of a container's image keeps what the image says of how
 * it is run, as IMAGE_CONFIG_PATH: the object that image-spec 1.1 calls "config" in an
 * image's configuration (Entrypoint, Cmd, Env, User, WorkingDir, and what vmrun has no
 * use for, unchanged). It holds for what the command line leaves open:
 *
 *	command   Entrypoint and Cmd; words on the command line stand for Cmd, --entrypoint
 *	          for both
 *	Env       then --env: of one name the last counts
 *	User, WorkingDir   unless --user, --workdir
 *
 * The file is hostile. PID 1 of the jail reads and parses it, and hands over strings in a
 * form that takes no parser (image_config_pack()); what it says is checked as the same
 * values of the command line are.
 */
#ifndef VMRUN_HOST_IMAGE_CONFIG_H
#define VMRUN_HOST_IMAGE_CONFIG_H

#include "runner/base/err.h"
#include "runner/base/strbuf.h"
#include "runner/spec/vm_spec.h"

#define IMAGE_CONFIG_DIR ".vmrun"
#define IMAGE_CONFIG_PATH IMAGE_CONFIG_DIR "/config.json"
#define IMAGE_CONFIG_MAX ((size_t)1 << 20) /* bytes of the file, and of what is handed over */

struct image_config {
	bool there; /* else the base has none, and all else is empty */
	struct strvec entrypoint;
	struct strvec cmd;
	struct strvec env; /* "K=V" */
	char *user;	   /* NULL: not said */
	char *workdir;
};

void image_config_free(struct image_config *config);

/**
 * image_config_parse() - hostile JSON.
 *
 * Unknown members are passed over, null is as good as none, variables without a value are
 * left out. Return: 0, -EINVAL or -ENOMEM.
 */
int image_config_parse(const char *text, size_t len, struct image_config *ret, struct err *e);

/**
 * image_config_read() - that of the root at @root_fd.
 * @ret: not .there, with success, where it has none.
 */
int image_config_read(int root_fd, struct image_config *ret, struct err *e);

/** image_config_pack() - for another process. */
void image_config_pack(const struct image_config *config, struct strbuf *out);

/** image_config_unpack() - hostile bytes. Return: 0, -EPROTO, -EINVAL or -ENOMEM. */
int image_config_unpack(const char *data, size_t len, struct image_config *ret, struct err *e);

/**
 * image_config_complete() - what was asked, with @config where it leaves something open.
 * @ret: .command and .env are its own, for image_config_completed_free(); all else is
 *	borrowed from @asked and @config.
 */
int image_config_complete(const struct vm_spec *asked, const struct image_config *config,
			  struct vm_spec *ret, struct err *e);
void image_config_completed_free(struct vm_spec *completed);

#endif
