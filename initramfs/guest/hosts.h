/* SPDX-License-Identifier: MIT */
#ifndef VMRUN_GUEST_HOSTS_H
#define VMRUN_GUEST_HOSTS_H

#include <stddef.h>

#define HOSTS_ADDED_MAX 512 /* bytes that hosts_add() makes at most, terminator included */

/**
 * hosts_add() - what the guest's /etc/hosts needs beside the base's own. Pure.
 * @text, @len: the base's hosts(5), as it is; NULL and 0 if it has none.
 * @hostname: or NULL.
 * @out: lines for localhost and @hostname where @text names neither; "" if all
 *	is there.
 */
void hosts_add(const char *text, size_t len, const char *hostname, char out[HOSTS_ADDED_MAX]);

#endif
