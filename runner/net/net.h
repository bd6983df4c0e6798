/* SPDX-License-Identifier: MIT */
/*
 * The guest's user network, from vmrun's side: a process of its own, in a jail of its
 * own. net.c opens with its theory of operation.
 */
#ifndef VMRUN_NET_NET_H
#define VMRUN_NET_NET_H

#include <stdbool.h>
#include <sys/types.h>

#include "runner/base/err.h"
#include "runner/net/frames.h"
#include "runner/spec/vm_spec.h"

struct net_config {
	uid_t uid; /* of the host: whom the helper runs as */
	gid_t gid;
	bool host_loopback;
	const struct port_forward *ports; /* borrowed */
	unsigned int n_ports;
	enum seccomp_mode seccomp;
};

struct net {
	struct net_config config;
	int link; /* the other end of QEMU's socket, until the helper has it; owned */
	struct frame_reader seen;
	int pidfd;   /* of the helper, once it runs */
	int channel; /* to it; the helper's lifeline */
};

#define NET_INIT                                       \
	{                                              \
		.link = -1, .pidfd = -1, .channel = -1 \
	}

/**
 * net_open() - a guest that has a network, of which nothing runs yet.
 * @link: QEMU's frames come here; taken over.
 */
void net_open(struct net *net, const struct net_config *config, int link);

/**
 * net_start() - start the helper, without waiting for it.
 *
 * Ports that are published need it from the beginning; else net_handle() does it when
 * the guest sends something.
 */
int net_start(struct net *net, struct err *e);

/**
 * net_wait() - after net_start(): until the helper is in its jail and listens on the
 * published ports, or why it does not. Nothing to wait for is success.
 */
int net_wait(struct net *net, struct err *e);

/** net_fd() - call net_handle() when this is readable, or at its end; -1: never. */
int net_fd(const struct net *net);

/**
 * net_handle() - something happened.
 *
 * Return: 0, or -errno and why the guest has no network any more: told once.
 */
int net_handle(struct net *net, struct err *e);

/**
 * net_stop() - end the helper, wait for its end, close all. After QEMU's end it has a
 * moment to send on what came from the guest before.
 */
void net_stop(struct net *net);

#endif
