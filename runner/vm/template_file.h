/* SPDX-License-Identifier: MIT */
/*
 * One template as one file: a booted guest, waiting for its orders, to be woken
 * any number of times.
 *
 *	offset 0		the guest's memory, as QEMU maps it; sparse
 *	.memory			the state of QEMU's devices (a migration stream)
 *	.memory + .state_size	the trailer, TEMPLATE_TRAILER_SIZE bytes
 *
 * One file, because one file can appear whole or not at all, and vanish at once.
 * The trailer is little-endian, begins with a magic and ends with the SHA-256 of
 * all of it that comes before; it has a SHA-256 of the state, too. The memory has
 * none: to read it would cost more than the start. A guest that does not wake
 * tells what is wrong with that.
 */
#ifndef VMRUN_VM_TEMPLATE_FILE_H
#define VMRUN_VM_TEMPLATE_FILE_H

#include <stdint.h>

#include "runner/base/err.h"

#define TEMPLATE_FORMAT 1
#define TEMPLATE_TRAILER_SIZE 4096
#define TEMPLATE_STATE_MAX ((uint64_t)64 << 20) /* bytes; 0.5 MiB is usual */

/* What it was made of: for "vmrun template ls", and for the restoring QEMU. */
struct template_info {
	uint8_t key[32];
	uint64_t memory;     /* bytes, of the guest */
	uint64_t state_size; /* bytes */
	int64_t created;     /* seconds since the epoch */
	uint32_t cpus;
	uint32_t accel;		  /* enum accel: KVM or TCG */
	uint32_t qemu_version[3]; /* major, minor, micro */
	char kernel_version[128]; /* no control characters once read */
};

/**
 * template_file_write() - compose a template.
 * @fd: an empty file, open for writing.
 * @memory_fd: holds info->memory bytes; pages of zeros become holes.
 * @state_fd: the state, from offset 0 to its end, which is put into info->state_size.
 *
 * The file is on the disk when this returns. Return: 0, or -errno (-ENOSPC, -EDQUOT:
 * the disk is full; -EFBIG: a state of more than TEMPLATE_STATE_MAX).
 */
int template_file_write(int fd, int memory_fd, int state_fd, struct template_info *info,
			struct err *e);

/**
 * template_file_check() - read and verify a template: size, magic, trailer, state.
 * @fd: open for reading.
 * @key: what it must be for, or NULL: any (then the state is not read either).
 *
 * Return: 0; -EBADMSG with why it is no good; other -errno of reading.
 */
int template_file_check(int fd, const uint8_t key[32], struct template_info *ret, struct err *e);

/**
 * template_trailer_parse() - the parser of the trailer: hostile bytes in.
 *
 * Checks magic, format, checksum and bounds. Return: 0 or -EBADMSG.
 */
int template_trailer_parse(const uint8_t buf[TEMPLATE_TRAILER_SIZE], struct template_info *ret,
			   uint8_t ret_state_digest[32], struct err *e);

#endif
