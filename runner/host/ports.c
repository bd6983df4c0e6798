/* SPDX-License-Identifier: MIT */
#include "runner/host/ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "runner/base/cleanup.h"

int ports_explain(const struct port_forward *p, int errnum, struct err *e)
{
	if (errnum == EADDRINUSE)
		return err_msg(e, EADDRINUSE,
			       "-p: port %u of %s is in use on the host; choose another",
			       p->host_port, p->host_ip);
	if (errnum == EACCES)
		return err_msg(e, EACCES,
			       "-p: ports below 1024 need privilege on the host; choose another "
			       "than %u, or lower net.ipv4.ip_unprivileged_port_start",
			       p->host_port);
	return err_errno(e, errnum, "-p: cannot bind %s:%u", p->host_ip, p->host_port);
}

static int check(const struct port_forward *p, struct err *e)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(p->host_port) };
	_cleanup_close_ int fd =
		socket(AF_INET, (p->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0)
		return err_errno(e, errno, "cannot make a socket");
	if (inet_pton(AF_INET, p->host_ip, &addr.sin_addr) != 1)
		return err_msg(e, EINVAL, "-p: '%s' is no IPv4 address", p->host_ip);
	if (!p->udp)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return 0;
	return ports_explain(p, errno, e);
}

int ports_check(const struct port_forward *ports, unsigned int n, struct err *e)
{
	for (unsigned int i = 0; i < n; i++) {
		int r = check(&ports[i], e);

		if (r < 0)
			return r;
	}
	return 0;
}
