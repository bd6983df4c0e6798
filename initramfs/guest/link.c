/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A virtio-serial port takes writes of up to 32 KiB as one buffer each, answers
 * EAGAIN once the queue to the host is full, and hands out what came in pieces
 * of at most a page. It reports POLLIN and POLLHUP for as long as the host's
 * side is not connected, and read() then returns 0; that is not an end, the host
 * may yet connect. So the port is watched edge-triggered: each change wakes us
 * once, and we read until there is nothing and write until it would block.
 *
 * Output goes through one buffer. DATA is read from the command's pipe straight
 * into it, behind the place for its header. DATA may fill it up to DATA_MAX;
 * what is above is for control frames, the number of which the windows bound
 * (a CREDIT for a part of a window, at most a few WARN, and one each of the
 * others), so that a host that keeps to the protocol never finds it full.
 */
#include "initramfs/guest/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define WRITE_MAX ((size_t)32 * 1024)
#define DATA_MAX ((size_t)256 * 1024)
#define CONTROL_MAX ((size_t)64 * 1024)
#define OUT_SIZE (DATA_MAX + CONTROL_MAX)
#define STARVED_RETRY_MS 20

int link_init(struct link *l, int fd)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET };

	*l = (struct link){ .fd = fd, .out = malloc(OUT_SIZE) };
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epfd < 0 || epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &event) < 0)
		return -errno;
	return l->out ? proto_reader_init(&l->in) : -ENOMEM;
}

int link_next(struct link *l, struct proto_frame *ret)
{
	for (;;) {
		int r = proto_reader_next(&l->in, ret);
		uint8_t *space;
		size_t size;
		ssize_t n;

		if (r != 0)
			return r;
		size = proto_reader_space(&l->in, &space);
		do
			n = read(l->fd, space, size);
		while (n < 0 && errno == EINTR);
		if (n <= 0)
			return 0;
		proto_reader_commit(&l->in, (size_t)n);
	}
}

int link_wait(struct link *l, int timeout_ms)
{
	struct epoll_event event;

	if (l->starved && (timeout_ms < 0 || timeout_ms > STARVED_RETRY_MS))
		timeout_ms = STARVED_RETRY_MS;
	if (epoll_wait(l->epfd, &event, 1, timeout_ms) < 0 && errno != EINTR)
		return -errno;
	return link_flush(l);
}

/* Makes @size bytes of room behind the queue's end. */
static bool make_room(struct link *l, size_t size)
{
	if (l->end + size <= OUT_SIZE)
		return true;
	memmove(l->out, l->out + l->start, l->end - l->start);
	l->end -= l->start;
	l->start = 0;
	return l->end + size <= OUT_SIZE;
}

int link_send(struct link *l, uint16_t type, uint16_t stream, const void *payload, size_t len)
{
	if (!make_room(l, PROTO_HEADER_SIZE + len))
		return -ENOBUFS;
	proto_header(l->out + l->end, type, stream, (uint32_t)len);
	if (len)
		memcpy(l->out + l->end + PROTO_HEADER_SIZE, payload, len);
	l->end += PROTO_HEADER_SIZE + len;
	return link_flush(l);
}

int link_send_u32(struct link *l, uint16_t type, uint16_t stream, uint32_t value)
{
	uint8_t payload[4];

	proto_put32(payload, value);
	return link_send(l, type, stream, payload, sizeof(payload));
}

uint8_t *link_reserve(struct link *l)
{
	const size_t frame = PROTO_HEADER_SIZE + LINK_DATA_MAX;

	if (l->end - l->start + frame > DATA_MAX || !make_room(l, frame))
		return NULL;
	return l->out + l->end + PROTO_HEADER_SIZE;
}

void link_commit(struct link *l, uint16_t stream, size_t len)
{
	proto_header(l->out + l->end, PROTO_DATA, stream, (uint32_t)len);
	l->end += PROTO_HEADER_SIZE + len;
}

int link_flush(struct link *l)
{
	l->starved = false;
	while (l->start < l->end) {
		size_t size = l->end - l->start;
		ssize_t n = write(l->fd, l->out + l->start, size < WRITE_MAX ? size : WRITE_MAX);

		/* 32 KiB in one piece may not be there, a page nearly always is. */
		if (n < 0 && errno == ENOMEM)
			n = write(l->fd, l->out + l->start, size < 2048 ? size : 2048);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == ENOMEM)) {
			l->starved = errno == ENOMEM;
			return 0;
		}
		if (n < 0)
			return -errno;
		l->start += (size_t)n;
	}
	l->start = l->end = 0;
	return 0;
}

static void discard(struct link *l)
{
	uint8_t bytes[4096];

	while (read(l->fd, bytes, sizeof(bytes)) > 0)
		;
}

int link_drain(struct link *l)
{
	int r = link_flush(l);

	while (r == 0 && l->start < l->end) {
		discard(l);
		r = link_wait(l, -1);
	}
	return r;
}

void link_linger(struct link *l, int seconds)
{
	struct timespec now, end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += seconds;
	do {
		discard(l);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec &&
		 link_wait(l, (int)(end.tv_sec - now.tv_sec) * 1000) == 0);
}
