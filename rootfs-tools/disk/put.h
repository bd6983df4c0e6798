/* SPDX-License-Identifier: MIT */
/* Numbers as disks have them: little-endian, wherever they lie. */
#ifndef VMRUN_ROOTFS_DISK_PUT_H
#define VMRUN_ROOTFS_DISK_PUT_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline void put_le16(uint8_t *at, uint16_t value)
{
	value = htole16(value);
	memcpy(at, &value, sizeof(value));
}

static inline void put_le32(uint8_t *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, sizeof(value));
}

static inline void put_le64(uint8_t *at, uint64_t value)
{
	value = htole64(value);
	memcpy(at, &value, sizeof(value));
}

#endif
