/* SPDX-License-Identifier: MIT */
/*
 * Sockets of every family. QEMU has no use for a new one, and each family is a piece of
 * the kernel that a namespace does not bound: to have one is a way on.
 */
#include <errno.h>
#include <linux/if_alg.h>
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/escape/escape.h"

static enum verdict family(int domain, int type, int protocol)
{
	return judge(socket(domain, type | SOCK_CLOEXEC, protocol), "socket");
}

/* By number: no header knows them all. */
static enum verdict netlink_route(void)
{
	return family(16, SOCK_RAW, 0);
}

static enum verdict netlink_sock_diag(void)
{
	return family(16, SOCK_RAW, 4);
}

static enum verdict netlink_xfrm(void)
{
	return family(16, SOCK_RAW, 6);
}

static enum verdict netlink_audit(void)
{
	return family(16, SOCK_RAW, 9);
}

static enum verdict netlink_netfilter(void)
{
	return family(16, SOCK_RAW, 12);
}

static enum verdict netlink_uevent(void)
{
	return family(16, SOCK_RAW, 15);
}

static enum verdict netlink_generic(void)
{
	return family(16, SOCK_RAW, 16);
}

static enum verdict packet(void)
{
	return family(17, SOCK_RAW, 0x300);
}

static enum verdict unix_datagram(void)
{
	return family(AF_UNIX, SOCK_DGRAM, 0);
}

/* The hypervisor that the host runs under answers this from any network namespace. */
static enum verdict vsock(void)
{
	struct sockaddr_vm addr = { .svm_family = AF_VSOCK, .svm_cid = 2, .svm_port = 1024 };
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return refused("socket");
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return out("connected to the hypervisor");
	return out("made a socket to the hypervisor (connect: %s)", strerror(errno));
}

static enum verdict alg(void)
{
	struct sockaddr_alg addr = {
		.salg_family = AF_ALG,
		.salg_type = "hash",
		.salg_name = "sha256",
	};
	int fd = socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return refused("socket");
	return out("made a socket to the kernel's ciphers%s",
		   bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 ? ", and used one" : "");
}

static enum verdict key(void)
{
	return family(15, SOCK_RAW, 2);
}

static enum verdict bluetooth(void)
{
	return family(31, SOCK_RAW, 1);
}

static enum verdict can(void)
{
	return family(29, SOCK_RAW, 1);
}

static enum verdict rds(void)
{
	return family(21, SOCK_SEQPACKET, 0);
}

static enum verdict tipc(void)
{
	return family(30, SOCK_SEQPACKET, 0);
}

static enum verdict kcm(void)
{
	return family(41, SOCK_DGRAM, 0);
}

static enum verdict xdp(void)
{
	return family(44, SOCK_RAW, 0);
}

static enum verdict smc(void)
{
	return family(43, SOCK_STREAM, 0);
}

static enum verdict mptcp(void)
{
	return family(AF_INET, SOCK_STREAM, 262);
}

static enum verdict sctp(void)
{
	return family(AF_INET, SOCK_STREAM, 132);
}

static enum verdict others(void)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET };
	int tried = 0;

	for (int domain = 3; domain < 50; domain++) {
		/* IPv6, and those that have an attempt of their own. */
		if (domain == 10 || domain == 16 || domain == 17)
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(types); i++, tried++)
			if (socket(domain, types[i] | SOCK_CLOEXEC, 0) >= 0)
				return out("made a socket of family %d", domain);
	}
	return held("%d kinds, none", tried);
}

static enum verdict pair(void)
{
	int fds[2];

	return judge(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), "socketpair");
}

static const struct attempt attempts[] = {
	{ "socket-netlink-route", "netlink: interfaces and routes", netlink_route },
	{ "socket-netlink-diag", "all sockets", netlink_sock_diag },
	{ "socket-netlink-xfrm", "IPsec", netlink_xfrm },
	{ "socket-netlink-audit", "the audit log", netlink_audit },
	{ "socket-netlink-filter", "packet filters", netlink_netfilter },
	{ "socket-netlink-uevent", "devices", netlink_uevent },
	{ "socket-netlink-generic", "and everything else", netlink_generic },
	{ "socket-packet", "frames of the wire", packet },
	{ "socket-unix", "AF_UNIX", unix_datagram },
	{ "socket-pair", "a pair, to pass descriptors by", pair },
	{ "socket-vsock", "the hypervisor", vsock },
	{ "socket-alg", "the kernel's ciphers", alg },
	{ "socket-key", "IPsec keys", key },
	{ "socket-bluetooth", "Bluetooth", bluetooth },
	{ "socket-can", "CAN", can },
	{ "socket-rds", "RDS", rds },
	{ "socket-tipc", "TIPC", tipc },
	{ "socket-kcm", "KCM", kcm },
	{ "socket-xdp", "XDP", xdp },
	{ "socket-smc", "SMC", smc },
	{ "socket-mptcp", "MPTCP", mptcp },
	{ "socket-sctp", "SCTP", sctp },
	{ "socket-others", "any other", others },
};

GROUP(families, attempts);
