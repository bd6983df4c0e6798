/* SPDX-License-Identifier: MIT */
/*
 * The addresses are those that QEMU's user network gives out by DHCP; they are
 * fixed, so nobody need wait for DHCP, and the network is up before the run. One
 * that is to have none gets eth0 as the kernel made it: down, with no address.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "initramfs/guest/guest.h"
#include "initramfs/guest/report.h"

#define IFACE "eth0"
#define IPV6_OFF "/proc/sys/net/ipv6/conf/" IFACE "/disable_ipv6"
#define ADDRESS "10.0.2.15"
#define NETMASK "255.255.255.0"
#define ROUTER "10.0.2.2"
/* The driver's module is loaded long before; the device may lag behind. */
#define IFACE_TRIES 100
#define IFACE_PAUSE_NS 20000000

static int sock = -1;
static int lo_result;  /* 0 or -errno */
static bool eth_ready; /* has its address and its route */

static void set_address(struct sockaddr *sa, const char *address)
{
	struct sockaddr_in in = { .sin_family = AF_INET };

	inet_pton(AF_INET, address, &in.sin_addr);
	memcpy(sa, &in, sizeof(*sa));
}

static int iface_up(const char *name)
{
	struct ifreq req = { 0 };

	strncpy(req.ifr_name, name, IFNAMSIZ - 1);
	if (ioctl(sock, SIOCGIFFLAGS, &req) < 0)
		return -errno;
	req.ifr_flags |= IFF_UP | IFF_RUNNING;
	return ioctl(sock, SIOCSIFFLAGS, &req) < 0 ? -errno : 0;
}

static int iface_wait(void)
{
	struct timespec pause = { .tv_nsec = IFACE_PAUSE_NS };
	struct ifreq req = { .ifr_name = IFACE };

	for (int i = 0; i < IFACE_TRIES; i++) {
		if (ioctl(sock, SIOCGIFINDEX, &req) == 0)
			return 0;
		nanosleep(&pause, NULL);
	}
	return -errno;
}

static int iface_address(void)
{
	struct ifreq address = { .ifr_name = IFACE }, mask = { .ifr_name = IFACE };

	set_address(&address.ifr_addr, ADDRESS);
	set_address(&mask.ifr_netmask, NETMASK);
	if (ioctl(sock, SIOCSIFADDR, &address) < 0 || ioctl(sock, SIOCSIFNETMASK, &mask) < 0)
		return -errno;
	return iface_up(IFACE);
}

static int route_add(void)
{
	struct rtentry route = { .rt_flags = RTF_UP | RTF_GATEWAY };

	set_address(&route.rt_dst, "0.0.0.0");
	set_address(&route.rt_genmask, "0.0.0.0");
	set_address(&route.rt_gateway, ROUTER);
	return ioctl(sock, SIOCADDRT, &route) < 0 ? -errno : 0;
}

static void eth_up(void)
{
	int r = iface_wait();

	if (r < 0) {
		report_warn("the guest has no network interface; its kernel may lack virtio_net");
		return;
	}
	r = iface_address();
	if (r == 0)
		r = route_add();
	if (r < 0)
		report_warn("cannot set up the guest's network: %s", strerror(-r));
}

/* Back to what it was: no address, no route, and down. */
static int eth_down(void)
{
	struct ifreq req = { .ifr_name = IFACE };

	set_address(&req.ifr_addr, "0.0.0.0");
	if (ioctl(sock, SIOCSIFADDR, &req) < 0 || ioctl(sock, SIOCGIFFLAGS, &req) < 0)
		return -errno;
	req.ifr_flags &= ~IFF_UP;
	return ioctl(sock, SIOCSIFFLAGS, &req) < 0 ? -errno : 0;
}

/*
 * QEMU's network has no IPv6. A kernel that does not know looks for neighbours and
 * routers once the link is up, and all runs of a template that is saved meanwhile do it
 * again: a tenth of an emulated start.
 */
static void ipv6_off(void)
{
	int fd = open(IPV6_OFF, O_WRONLY | O_CLOEXEC);
	ssize_t unused;

	if (fd < 0)
		return;
	unused = write(fd, "1\n", 2);
	(void)unused;
	close(fd);
}

void net_prepare(void)
{
	struct ifreq req = { .ifr_name = IFACE };

	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	lo_result = sock < 0 ? -errno : iface_up("lo");
	if (sock < 0 || ioctl(sock, SIOCGIFINDEX, &req) < 0)
		return;
	ipv6_off();
	eth_ready = iface_address() == 0 && route_add() == 0;
	if (!eth_ready)
		eth_down();
}

void net_up(bool network)
{
	int r;

	if (lo_result < 0)
		report_warn("cannot bring up the guest's lo: %s", strerror(-lo_result));
	if (network && !eth_ready && sock >= 0)
		eth_up();
	if (!network && eth_ready) {
		r = eth_down();
		if (r < 0)
			report_warn("cannot take down the guest's network: %s", strerror(-r));
	}
}
