/* SPDX-License-Identifier: MIT */
/*
 * Finds the agent's port. A port's name arrives in a message from the host some
 * time after its device, and the kernel then sends an event; so we listen first,
 * look, and look again at each event.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "initramfs/guest/guest.h"

#define PORTS_DIR "/sys/class/virtio-ports"
/* Only there to end a guest that can never work; the host has its own deadline. */
#define PORT_TIMEOUT_S 60

int port_listen(void)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			NETLINK_KOBJECT_UEVENT);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -errno;
}

static bool port_is_ours(int dir, const char *entry)
{
	static const char wanted[] = PROTO_PORT_NAME "\n";
	char path[300], name[sizeof(wanted) + 1];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "%.255s/name", entry);
	fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	len = read(fd, name, sizeof(name));
	close(fd);
	return len == sizeof(wanted) - 1 && memcmp(name, wanted, sizeof(wanted) - 1) == 0;
}

/* Return: fd; -ENOENT if there is no such port yet; -errno of open(). */
static int port_look(void)
{
	DIR *dir = opendir(PORTS_DIR);
	char path[300];
	struct dirent *d;
	int fd = -ENOENT;

	while (dir && fd == -ENOENT && (d = readdir(dir))) {
		if (d->d_name[0] == '.' || !port_is_ours(dirfd(dir), d->d_name))
			continue;
		snprintf(path, sizeof(path), "/dev/%.255s", d->d_name);
		fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			fd = -errno;
	}
	if (dir)
		closedir(dir);
	return fd;
}

static void drain_events(int uevents)
{
	char event[8192];

	while (recv(uevents, event, sizeof(event), 0) > 0)
		;
}

int port_open(int uevents, int *ret_fd)
{
	struct pollfd p = { .fd = uevents, .events = POLLIN };
	struct timespec now, end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += PORT_TIMEOUT_S;
	do {
		int fd = port_look();

		if (fd >= 0) {
			*ret_fd = fd;
			return 0;
		}
		if (fd != -ENOENT)
			return fd;
		/* With no events to be had (fd -1) this is a slow look round. */
		if (poll(&p, 1, uevents >= 0 ? 1000 : 20) > 0)
			drain_events(uevents);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec);
	return -ETIMEDOUT;
}
