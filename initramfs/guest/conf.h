/* SPDX-License-Identifier: MIT */
/*
 * What the host asks for: CONF frames, checked, as one typed value. Pure.
 */
#ifndef VMRUN_GUEST_CONF_H
#define VMRUN_GUEST_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "initramfs/guest/fail.h"
#include "runner/proto/proto.h"

#define CONF_SEED_MIN 32
#define CONF_SEED_MAX 256
#define CONF_VOLUMES_MAX 256
#define CONF_ENV_MAX 8192 /* compared pair by pair */
/* execve() takes at most 2 MiB of strings and pointers with the usual stack limit. */
#define CONF_ARGS_MAX 262144

struct conf_volume {
	uint32_t index; /* name of the file or directory on the volumes device */
	bool read_only;
	char *dst; /* absolute, no "..", not "/", no "/" at the end */
};

struct strings {
	char **v; /* NULL or NULL-terminated */
	size_t n;
	size_t cap;
};

struct conf {
	size_t received; /* bytes of all payloads */
	uint32_t seen;	 /* bit 1 << key for each enum proto_key that came */

	uint8_t seed[CONF_SEED_MAX];
	size_t seed_len;
	uint64_t clock_ns; /* since the epoch */
	enum proto_root_mode root_mode;
	enum proto_cache root_cache;
	struct conf_volume volumes[CONF_VOLUMES_MAX];
	size_t n_volumes;
	enum proto_cache volume_cache; /* one device, hence one for all */
	char *hostname;		       /* of letters, digits, "-", "." and "_"; or NULL */
	bool network;
	char *user;    /* or NULL: root */
	char *workdir; /* absolute, or NULL */
	struct strings env;
	struct strings args; /* none: the login shell */
	bool tty;
	uint16_t rows, columns;
};

/**
 * conf_add() - take the payload of one CONF frame.
 *
 * Every length and count is bounded; strings hold no NUL; what may come once
 * comes once. Return: 0, -EPROTO or -ENOMEM with @f.
 */
int conf_add(struct conf *c, const uint8_t *payload, size_t len, struct fail *f);

/** conf_check() - at RUN: whether all came that a run cannot do without. */
int conf_check(const struct conf *c, struct fail *f);

void conf_free(struct conf *c);

#endif
