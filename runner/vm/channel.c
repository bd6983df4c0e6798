/* SPDX-License-Identifier: MIT */
#include "runner/vm/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union fd_control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(sizeof(int))];
};

int channel_send(int channel, const struct channel_msg *msg, int fd)
{
	struct iovec iov = { .iov_base = (void *)msg, .iov_len = sizeof(*msg) };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1 };
	union fd_control control = { 0 };
	ssize_t n;

	if (fd >= 0) {
		struct cmsghdr *c = &control.align;

		hdr.msg_control = control.buf;
		hdr.msg_controllen = sizeof(control.buf);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	do
		n = sendmsg(channel, &hdr, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int channel_recv(int channel, struct channel_msg *ret, int *ret_fd)
{
	struct channel_msg msg = { 0 };
	struct iovec iov = { .iov_base = &msg, .iov_len = sizeof(msg) };
	union fd_control control = { 0 };
	struct msghdr hdr = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.buf,
			      .msg_controllen = sizeof(control.buf) };
	struct cmsghdr *c;
	int fd = -1;
	ssize_t n;

	do
		n = recvmsg(channel, &hdr, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	c = CMSG_FIRSTHDR(&hdr);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(c), sizeof(int));
	if (fd >= 0 && (!ret_fd || n != sizeof(msg))) {
		close(fd);
		fd = -1;
	}
	if (n == 0)
		return -EPIPE;
	if (n != sizeof(msg) || msg.kind < CHANNEL_KERNEL || msg.kind > CHANNEL_ERROR)
		return -EPROTO;
	if (msg.kind == CHANNEL_ERROR)
		msg.err.text[sizeof(msg.err.text) - 1] = '\0';
	if (msg.kind == CHANNEL_KERNEL || msg.kind == CHANNEL_REPORT) {
		msg.report.kernel_version[sizeof(msg.report.kernel_version) - 1] = '\0';
		msg.report.kernel_path[sizeof(msg.report.kernel_path) - 1] = '\0';
	}
	*ret = msg;
	if (ret_fd)
		*ret_fd = fd;
	return 0;
}
