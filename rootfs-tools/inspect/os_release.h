/* SPDX-License-Identifier: MIT */
#ifndef VMRUN_ROOTFS_INSPECT_OS_RELEASE_H
#define VMRUN_ROOTFS_INSPECT_OS_RELEASE_H

#include <stddef.h>

#define OS_RELEASE_FILE_MAX 65536 /* bytes */
#define OS_RELEASE_VALUE_MAX 128

/* What os-release(5) says, "" for what it does not; without control characters. */
struct os_release {
	char id[OS_RELEASE_VALUE_MAX];
	char id_like[OS_RELEASE_VALUE_MAX];
	char version_id[OS_RELEASE_VALUE_MAX];
	char codename[OS_RELEASE_VALUE_MAX];
	char pretty_name[OS_RELEASE_VALUE_MAX];
};

/**
 * os_release_parse() - hostile text of @len bytes.
 *
 * Assignments as a shell reads them, without expansion; lines that are none are passed
 * over, of a key given twice the last counts, longer values are cut short.
 */
void os_release_parse(const char *text, size_t len, struct os_release *ret);

#endif
