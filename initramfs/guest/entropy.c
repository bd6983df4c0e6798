/* SPDX-License-Identifier: MIT */
/*
 * A guest restored from a template wakes with the generator's state and the
 * clock of all its siblings. Whatever the first program does with either must
 * come after these two.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "initramfs/guest/guest.h"

static int urandom = -1;

void entropy_prepare(void)
{
	urandom = open("/dev/urandom", O_RDWR | O_CLOEXEC);
}

int entropy_add(const void *seed, size_t len, struct fail *f)
{
	union {
		struct rand_pool_info head;
		unsigned char bytes[sizeof(struct rand_pool_info) + CONF_SEED_MAX];
	} pool = { .head = { .entropy_count = (int)len * 8, .buf_size = (int)len } };
	int r = 0;

	memcpy(pool.bytes + offsetof(struct rand_pool_info, buf), seed, len);
	if (ioctl(urandom, RNDADDENTROPY, &pool) < 0)
		r = fail_errno(f, errno, "cannot seed the guest's random numbers");
	/* Not before Linux 4.14; then what was added is used at once, or soon. */
	else if (ioctl(urandom, RNDRESEEDCRNG) < 0 && errno != ENOTTY && errno != EINVAL)
		r = fail_errno(f, errno, "cannot renew the guest's random numbers");
	explicit_bzero(&pool, sizeof(pool));
	return r;
}

int clock_set(uint64_t ns, struct fail *f)
{
	struct timespec t = { .tv_sec = (time_t)(ns / 1000000000),
			      .tv_nsec = (long)(ns % 1000000000) };

	if (clock_settime(CLOCK_REALTIME, &t) < 0)
		return fail_errno(f, errno, "cannot set the guest's clock");
	return 0;
}
