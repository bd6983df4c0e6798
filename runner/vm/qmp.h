/* SPDX-License-Identifier: MIT */
/*
 * A client of QEMU's machine protocol, over an inherited socket pair. QEMU may be
 * in the guest's hands: every line is bounded, and what it says is only ever
 * compared with what was expected or shown to the user sanitized.
 *
 * Commands are queued in the socket before QEMU runs, so there are no round trips.
 */
#ifndef VMRUN_VM_QMP_H
#define VMRUN_VM_QMP_H

#include <stdbool.h>
#include <stdint.h>

#include "runner/base/err.h"
#include "runner/base/strbuf.h"

struct qmp {
	int fd; /* non-blocking stream socket; owned */
	struct strbuf in;
	uint32_t version[3];  /* of QEMU: major, minor, micro; 0.0.0 before the greeting */
	unsigned int returns; /* commands answered without an error so far */
	bool resumed;	      /* the RESUME event came */
	bool migrated;	      /* MIGRATION completed */
};

/** qmp_init() - take over the socket @fd. Return: 0 or -errno. */
int qmp_init(struct qmp *qmp, int fd, struct err *e);
void qmp_free(struct qmp *qmp);

/**
 * qmp_read() - read what is there, and note what it says in the fields above.
 *
 * Return: 1; 0 at the end of the stream; -EREMOTEIO when QEMU reports an error
 * (a command's, or a failed migration), with its text in @e; -EPROTO for what is
 * no QMP, -EMSGSIZE for a line of more than 64 KiB; other -errno.
 */
int qmp_read(struct qmp *qmp, struct err *e);

/**
 * qmp_send_restore() - the commands that wake a guest: what a QEMU with "-incoming
 * defer" needs, @state_fd being its number of the descriptor of the state.
 *
 * The guest runs as soon as the state is loaded. Call it before QEMU runs or after.
 */
int qmp_send_restore(struct qmp *qmp, int state_fd, struct err *e);

/**
 * qmp_send_save() - the commands that save a running guest's devices, without its
 * memory, to @fd (a descriptor of ours, sent along); it stops at that. The end is
 * .migrated.
 */
int qmp_send_save(struct qmp *qmp, int fd, struct err *e);

#endif
