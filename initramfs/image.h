/* SPDX-License-Identifier: MIT */
/*
 * A cpio archive of the "newc" format, the one the kernel unpacks
 * (Documentation/driver-api/early-userspace/buffer-format.rst). Byte for byte
 * reproducible: inode numbers count up, times and owners are 0.
 */
#ifndef VMRUN_INITRAMFS_IMAGE_H
#define VMRUN_INITRAMFS_IMAGE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "runner/base/strbuf.h"

struct image {
	struct strbuf out; /* the archive so far; failed is sticky */
	uint32_t next_ino;
};

/** image_add() - an entry. @mode: with the S_IFMT bits. @name: no leading "/". */
void image_add(struct image *img, const char *name, mode_t mode, const void *data, size_t len);
/** image_add_node() - a character device node. */
void image_add_node(struct image *img, const char *name, mode_t mode, unsigned int major,
		    unsigned int minor);
/** image_finish() - the trailer. */
void image_finish(struct image *img);

#endif
