/* SPDX-License-Identifier: MIT */
/* The network itself: libslirp between the guest's frames and the host's sockets. */
#ifndef VMRUN_NET_SLIRP_LOOP_H
#define VMRUN_NET_SLIRP_LOOP_H

#include "runner/base/err.h"
#include "runner/net/frames.h"
#include "runner/spec/vm_spec.h"

struct slirp_loop; /* opaque */

struct slirp_loop_config {
	bool host_loopback;
	const struct port_forward *ports; /* borrowed for the loop's life */
	unsigned int n_ports;
};

/**
 * slirp_loop_new() - load libslirp, make the network, listen on the published ports.
 *
 * Everything that needs files of the host's is done by then; only /etc/resolv.conf is
 * read later, again and again. Errors are fit to be shown.
 */
int slirp_loop_new(const struct slirp_loop_config *config, struct slirp_loop **ret, struct err *e);
void slirp_loop_free(struct slirp_loop *loop);

/**
 * slirp_loop_run() - move frames until it is over.
 * @seen: frames that were read from @link before; taken over, and left empty.
 * @link: stream socket to QEMU.
 * @lifeline: readable or at its end: the network is not needed any more.
 *
 * Return: 0 when either ended; -EPROTO if QEMU sent what is no frame; -errno.
 */
int slirp_loop_run(struct slirp_loop *loop, struct frame_reader *seen, int link, int lifeline,
		   struct err *e);

#endif
