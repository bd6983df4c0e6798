/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <unistd.h>

#include "initramfs/guest/guest.h"

#define DISKS_MAX 8

static int disks[DISKS_MAX];
static unsigned int n_disks;

void disks_prepare(void)
{
	char path[] = "/dev/vda";

	for (; n_disks < DISKS_MAX; n_disks++, path[sizeof(path) - 2]++) {
		disks[n_disks] = open(path, O_RDONLY | O_CLOEXEC);
		if (disks[n_disks] < 0)
			break;
	}
}

bool disks_sync(void)
{
	if (n_disks == 0)
		return false;
	sync();
	for (unsigned int i = 0; i < n_disks; i++)
		fsync(disks[i]);
	return true;
}
