/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/disk/gpt.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs-tools/disk/put.h"

#define ENTRY_BYTES 128
#define ENTRIES_BYTES (GPT_PARTITIONS_MAX * ENTRY_BYTES)
#define HEADER_BYTES 92
#define MBR_CODE_BYTES 440
#define MBR_ENTRY 446
#define MBR_TYPE_PROTECTIVE 0xee

static uint32_t crc32(const uint8_t *data, size_t len)
{
	uint32_t crc = ~0u;

	for (size_t i = 0; i < len; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

void gpt_guid(const char *text, uint8_t ret[GPT_ID_BYTES])
{
	static const uint8_t order[GPT_ID_BYTES] = { 3, 2, 1,  0,  5,  4,  7,  6,
						     8, 9, 10, 11, 12, 13, 14, 15 };

	for (size_t i = 0; i < GPT_ID_BYTES; i++) {
		char digits[3] = { 0 };

		text += *text == '-';
		memcpy(digits, text, 2);
		ret[order[i]] = (uint8_t)strtoul(digits, NULL, 16);
		text += 2;
	}
}

static bool is_sound(const struct gpt *gpt)
{
	if (gpt->n_partitions > GPT_PARTITIONS_MAX ||
	    gpt->sectors < GPT_FIRST_USABLE + GPT_SECTORS_AT_END + 1)
		return false;
	for (unsigned int i = 0; i < gpt->n_partitions; i++) {
		const struct gpt_partition *p = &gpt->partitions[i];

		if (p->first < GPT_FIRST_USABLE || p->last < p->first ||
		    p->last >= gpt->sectors - GPT_SECTORS_AT_END || strlen(p->name) > GPT_NAME_MAX)
			return false;
		for (unsigned int j = 0; j < i; j++)
			if (p->first <= gpt->partitions[j].last &&
			    gpt->partitions[j].first <= p->last)
				return false;
	}
	return true;
}

/* For who knows no GPT: all of the disk is taken. */
static void make_mbr(const struct gpt *gpt, uint8_t *mbr)
{
	static const uint8_t chs_first[] = { 0x00, 0x02, 0x00 }, chs_last[] = { 0xff, 0xff, 0xff };
	uint64_t len = gpt->sectors - 1;
	uint8_t *entry = mbr + MBR_ENTRY;

	memset(mbr + MBR_CODE_BYTES, 0, GPT_SECTOR - MBR_CODE_BYTES);
	memcpy(entry + 1, chs_first, sizeof(chs_first));
	entry[4] = MBR_TYPE_PROTECTIVE;
	memcpy(entry + 5, chs_last, sizeof(chs_last));
	put_le32(entry + 8, 1);
	put_le32(entry + 12, len > UINT32_MAX ? UINT32_MAX : (uint32_t)len);
	mbr[510] = 0x55;
	mbr[511] = 0xaa;
}

static void make_entries(const struct gpt *gpt, uint8_t *entries)
{
	memset(entries, 0, ENTRIES_BYTES);
	for (unsigned int i = 0; i < gpt->n_partitions; i++) {
		const struct gpt_partition *p = &gpt->partitions[i];
		uint8_t *entry = entries + (size_t)i * ENTRY_BYTES;

		gpt_guid(p->type, entry);
		memcpy(entry + 16, p->id, GPT_ID_BYTES);
		put_le64(entry + 32, p->first);
		put_le64(entry + 40, p->last);
		for (size_t c = 0; p->name[c]; c++)
			put_le16(entry + 56 + 2 * c, (uint8_t)p->name[c]);
	}
}

static void make_header(const struct gpt *gpt, uint64_t at, uint64_t other, uint64_t entries_at,
			uint32_t entries_crc, uint8_t *header)
{
	memset(header, 0, GPT_SECTOR);
	memcpy(header, "EFI PART", 8);
	put_le32(header + 8, 0x00010000);
	put_le32(header + 12, HEADER_BYTES);
	put_le64(header + 24, at);
	put_le64(header + 32, other);
	put_le64(header + 40, GPT_FIRST_USABLE);
	put_le64(header + 48, gpt->sectors - GPT_SECTORS_AT_END - 1);
	memcpy(header + 56, gpt->id, GPT_ID_BYTES);
	put_le64(header + 72, entries_at);
	put_le32(header + 80, GPT_PARTITIONS_MAX);
	put_le32(header + 84, ENTRY_BYTES);
	put_le32(header + 88, entries_crc);
	put_le32(header + 16, crc32(header, HEADER_BYTES));
}

int gpt_make(const struct gpt *gpt, uint8_t *ret_head, uint8_t *ret_tail)
{
	uint64_t end = gpt->sectors - 1;
	uint8_t *entries = ret_head + 2 * GPT_SECTOR;
	uint32_t crc;

	if (!is_sound(gpt))
		return -EINVAL;
	make_mbr(gpt, ret_head);
	make_entries(gpt, entries);
	crc = crc32(entries, ENTRIES_BYTES);
	make_header(gpt, 1, end, 2, crc, ret_head + GPT_SECTOR);
	memcpy(ret_tail, entries, ENTRIES_BYTES);
	make_header(gpt, end, 1, end - (GPT_SECTORS_AT_END - 1), crc, ret_tail + ENTRIES_BYTES);
	return 0;
}
