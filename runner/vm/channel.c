/* SPDX-License-Identifier: MIT */
#include "runner/vm/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runner/base/cleanup.h"

#define ERRNUM_MAX 4095 /* of the kernel */

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

static void check_report(struct base_report *report)
{
	uint8_t pvh;

	report->kernel_version[sizeof(report->kernel_version) - 1] = '\0';
	report->kernel_path[sizeof(report->kernel_path) - 1] = '\0';
	text_sanitize(report->kernel_version);
	text_sanitize(report->kernel_path);
	/* Any byte may have come, and a bool has but two values. */
	memcpy(&pvh, &report->pvh, sizeof(pvh));
	report->pvh = pvh != 0;
}

/* PID 1 reads what a hostile base holds: what it says is made safe to act upon and to show. */
static int check_content(struct channel_msg *msg)
{
	switch (msg->kind) {
	case CHANNEL_ERROR:
		msg->err.text[sizeof(msg->err.text) - 1] = '\0';
		text_sanitize(msg->err.text);
		/* The receiver returns its negative, which must be a failure. */
		return msg->err.errnum > 0 && msg->err.errnum <= ERRNUM_MAX ? 0 : -EPROTO;
	case CHANNEL_IDENT:
		check_report(&msg->ident.report);
		return 0;
	case CHANNEL_KERNEL:
	case CHANNEL_REPORT:
		check_report(&msg->report);
		return 0;
	default:
		return 0;
	}
}

int channel_recv(int channel, struct channel_msg *ret, int *ret_fd)
{
	struct channel_msg msg = { 0 };
	struct iovec iov = { .iov_base = &msg, .iov_len = sizeof(msg) };
	union fd_control control = { 0 };
	/* Not sizeof(control): the padding has room for a second descriptor. */
	struct msghdr hdr = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.buf,
			      .msg_controllen = CMSG_LEN(sizeof(int)) };
	_cleanup_close_ int fd = -1;
	struct cmsghdr *c;
	ssize_t n;
	int r;

	do
		n = recvmsg(channel, &hdr, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	c = CMSG_FIRSTHDR(&hdr);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(c), sizeof(int));
	if (n == 0)
		return -EPIPE;
	if (n != sizeof(msg) || hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ||
	    msg.kind < CHANNEL_IDENT || msg.kind > CHANNEL_ERROR)
		return -EPROTO;
	r = check_content(&msg);
	if (r < 0)
		return r;
	*ret = msg;
	if (ret_fd)
		*ret_fd = steal_fd(&fd);
	return 0;
}
