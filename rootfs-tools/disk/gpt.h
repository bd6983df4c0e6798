/* SPDX-License-Identifier: MIT */
/*
 * A GUID partition table with its protective MBR, as UEFI 2.10, chapter 5, has it: made,
 * not read. Sectors of 512 bytes.
 */
#ifndef VMRUN_ROOTFS_DISK_GPT_H
#define VMRUN_ROOTFS_DISK_GPT_H

#include <stdint.h>

#define GPT_SECTOR 512
#define GPT_FIRST_USABLE 34   /* sectors taken before: MBR, header, 32 of entries */
#define GPT_SECTORS_AT_END 33 /* and behind the last usable: entries, header */
#define GPT_PARTITIONS_MAX 128
#define GPT_NAME_MAX 36
#define GPT_ID_BYTES 16

#define GPT_HEAD_BYTES ((size_t)GPT_FIRST_USABLE * GPT_SECTOR)
#define GPT_TAIL_BYTES ((size_t)GPT_SECTORS_AT_END * GPT_SECTOR)

/* Types, as text is written; a GUID's first three parts are little-endian on disk. */
#define GPT_TYPE_BIOS_BOOT "21686148-6449-6e6f-744e-656564454649"
#define GPT_TYPE_ESP "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
#define GPT_TYPE_ROOT_X86_64 "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"

struct gpt_partition {
	const char *type; /* GPT_TYPE_* */
	const char *name; /* ASCII, up to GPT_NAME_MAX */
	uint64_t first;	  /* sectors; both are of it */
	uint64_t last;
	uint8_t id[GPT_ID_BYTES];
};

struct gpt {
	uint64_t sectors; /* of the disk */
	uint8_t id[GPT_ID_BYTES];
	const struct gpt_partition *partitions;
	unsigned int n_partitions;
};

/**
 * gpt_guid() - a GUID's text as bytes, in the order of the disk.
 * @text: 8-4-4-4-12 hexadecimal digits, trusted to be so.
 */
void gpt_guid(const char *text, uint8_t ret[GPT_ID_BYTES]);

/**
 * gpt_make() - the table. Pure.
 * @ret_head: GPT_HEAD_BYTES from the disk's first sector on. The MBR's code (its first
 *	440 bytes) is left as it is; all else is written.
 * @ret_tail: GPT_TAIL_BYTES, the disk's last.
 *
 * Return: 0; -EINVAL: partitions that overlap, or are out of bounds, or too many.
 */
int gpt_make(const struct gpt *gpt, uint8_t *ret_head, uint8_t *ret_tail);

#endif
