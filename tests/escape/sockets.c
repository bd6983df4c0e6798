/* SPDX-License-Identifier: MIT */
/*
 * To reach the host by a socket: a new one, or one of those that are there. Those were
 * made by vmrun in the host's network namespace, and belong to it for as long as they
 * live: what they can be asked of their network is asked of the host's.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/escape/escape.h"

#define PEER_PIDFD 77 /* SO_PEERPIDFD, since 6.5 */

static enum verdict connect_to(int fd, const void *addr, size_t len)
{
	if (fd < 0)
		return refused("socket");
	return judge(connect(fd, addr, (socklen_t)len), "connect");
}

static enum verdict tcp(void)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons((unsigned short)number(scene.port)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	return connect_to(socket(AF_INET, SOCK_STREAM, 0), &addr, sizeof(addr));
}

static enum verdict tcp6(void)
{
	struct sockaddr_in6 addr = {
		.sin6_family = AF_INET6,
		.sin6_port = htons((unsigned short)number(scene.port6)),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT,
	};

	if (number(scene.port6) < 0)
		return held("the host has no IPv6");
	return connect_to(socket(AF_INET6, SOCK_STREAM, 0), &addr, sizeof(addr));
}

static enum verdict udp(void)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(53),
		.sin_addr.s_addr = htonl(0xc0000201), /* 192.0.2.1, which is nobody */
	};

	return connect_to(socket(AF_INET, SOCK_DGRAM, 0), &addr, sizeof(addr));
}

static enum verdict ping(void)
{
	return judge(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP), "socket");
}

static enum verdict raw(void)
{
	return judge(socket(AF_INET, SOCK_RAW, IPPROTO_RAW), "socket");
}

static socklen_t unix_address(struct sockaddr_un *ret, const char *name, bool abstract)
{
	memset(ret, 0, sizeof(*ret));
	ret->sun_family = AF_UNIX;
	snprintf(ret->sun_path + abstract, sizeof(ret->sun_path) - abstract, "%s", name);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + abstract + strlen(name));
}

static enum verdict abstract(void)
{
	struct sockaddr_un addr;
	socklen_t len = unix_address(&addr, scene.abstract, true);

	return connect_to(socket(AF_UNIX, SOCK_STREAM, 0), &addr, len);
}

static enum verdict by_path(void)
{
	struct sockaddr_un addr;
	socklen_t len = unix_address(&addr, scene.socket, false);

	return connect_to(socket(AF_UNIX, SOCK_STREAM, 0), &addr, len);
}

static enum verdict interfaces(void)
{
	char text[8192];

	if (read_text("/proc/self/net/dev", text, sizeof(text)) < 0)
		return refused("/proc/self/net/dev");
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		const char *name = line + strspn(line, " ");

		if (strchr(line, ':') && strncmp(name, "lo:", 3) != 0)
			return out("there is %.20s", name);
	}
	return held("there is loopback only");
}

/* --- the sockets that QEMU has --- */

/* Tries @step on each until it succeeds. */
static enum verdict each(long (*step)(int fd), const char *what)
{
	int error = EBADF;

	for (int fd = -1; (fd = next_fd(fd)) >= 0;) {
		if (!is_listed(scene.sockets, fd))
			continue;
		if (step(fd) >= 0)
			return out("%s succeeded on descriptor %d", what, fd);
		error = errno;
	}
	errno = error;
	return refused(what);
}

static long connect_abstract(int fd)
{
	struct sockaddr_un addr;
	socklen_t len = unix_address(&addr, scene.abstract, true);

	return connect(fd, (struct sockaddr *)&addr, len);
}

static long bind_abstract(int fd)
{
	struct sockaddr_un addr;
	socklen_t len = unix_address(&addr, scene.token, true);

	return bind(fd, (struct sockaddr *)&addr, len);
}

static long listen_on(int fd)
{
	return listen(fd, 1);
}

static long list_interfaces(int fd)
{
	struct ifreq requests[32];
	struct ifconf conf = { .ifc_len = sizeof(requests), .ifc_req = requests };

	/* Addresses: none of them is the jail's. */
	return ioctl(fd, SIOCGIFCONF, &conf) == 0 && conf.ifc_len > 0 ? 0 : -1;
}

static long network_namespace(int fd)
{
	return ioctl(fd, SIOCGSKNS);
}

static long received_descriptor(int fd)
{
	char byte, control[CMSG_SPACE(sizeof(int) * 16)];
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };

	if (recvmsg(fd, &msg, MSG_DONTWAIT) < 0)
		return -1;
	return CMSG_FIRSTHDR(&msg) ? 0 : -1;
}

/* A handle on vmrun is what signals, setns and pidfd_getfd would begin with. */
static long peer_process(int fd)
{
	int pidfd = -1;
	socklen_t len = sizeof(pidfd);

	return getsockopt(fd, SOL_SOCKET, PEER_PIDFD, &pidfd, &len);
}

static long peer_id(int fd)
{
	struct ucred peer = { 0 };
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.pid <= 1)
		return -1;
	return kill(peer.pid, SIGCONT);
}

static long attach_program(int fd)
{
	struct sock_filter code = { .code = BPF_RET | BPF_K, .k = 0xffff };
	struct sock_fprog program = { .len = 1, .filter = &code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

static long force_buffer(int fd)
{
	int size = 1 << 20;

	return setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
}

static enum verdict sockets_program(void)
{
	return each(attach_program, "setsockopt(SO_ATTACH_FILTER)");
}

static enum verdict sockets_buffer(void)
{
	return each(force_buffer, "setsockopt(SO_SNDBUFFORCE)");
}

static enum verdict sockets_connect(void)
{
	return each(connect_abstract, "connect");
}

static enum verdict sockets_bind(void)
{
	return each(bind_abstract, "bind");
}

static enum verdict sockets_listen(void)
{
	return each(listen_on, "listen");
}

static enum verdict sockets_interfaces(void)
{
	return each(list_interfaces, "ioctl(SIOCGIFCONF)");
}

static enum verdict sockets_namespace(void)
{
	return each(network_namespace, "ioctl(SIOCGSKNS)");
}

static enum verdict sockets_rights(void)
{
	return each(received_descriptor, "recvmsg");
}

static enum verdict sockets_pidfd(void)
{
	return each(peer_process, "getsockopt(SO_PEERPIDFD)");
}

static enum verdict sockets_peer(void)
{
	return each(peer_id, "getsockopt(SO_PEERCRED) and kill");
}

static const struct attempt attempts[] = {
	{ "tcp-loopback", "reach a server on the host's 127.0.0.1", tcp },
	{ "tcp6-loopback", "on ::1", tcp6 },
	{ "udp-outside", "have a route to the Internet", udp },
	{ "icmp", "ping", ping },
	{ "raw-socket", "make packets", raw },
	{ "unix-abstract", "reach an abstract socket of the host's", abstract },
	{ "unix-path", "one in a directory", by_path },
	{ "interfaces", "see the host's interfaces", interfaces },
	{ "fd-connect", "connect a socket of vmrun's elsewhere", sockets_connect },
	{ "fd-bind", "give it a name in the host's namespace", sockets_bind },
	{ "fd-listen", "listen on it", sockets_listen },
	{ "fd-interfaces", "ask it for the host's interfaces", sockets_interfaces },
	{ "fd-namespace", "for its network namespace", sockets_namespace },
	{ "fd-rights", "for descriptors on their way", sockets_rights },
	{ "fd-peer-pidfd", "for a handle on its peer", sockets_pidfd },
	{ "fd-program", "have the kernel run a program on it", sockets_program },
	{ "fd-buffer", "have more memory than its limit", sockets_buffer },
	{ "fd-peer", "for its peer, to signal it", sockets_peer },
};

GROUP(sockets, attempts);
