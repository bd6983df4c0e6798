/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/core/xattr.h"

#include <string.h>

bool xattr_is_hosts(const char *name)
{
	return !strcmp(name, "security.selinux") || !strcmp(name, "security.evm") ||
	       !strcmp(name, "security.ima");
}
