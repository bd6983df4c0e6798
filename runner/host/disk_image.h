/* SPDX-License-Identifier: MIT */
/*
 * Disk images that the user named, before QEMU sees them. What an image's header says is
 * the guest's word, for a guest may have written it: a raw image that begins like qcow2
 * is taken for qcow2 the next time, unless the user says raw. So nothing that a header
 * can ask for may reach beyond the image's own file: one that names other files (a
 * backing file, an external data file) is refused.
 */
#ifndef VMRUN_HOST_DISK_IMAGE_H
#define VMRUN_HOST_DISK_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "runner/base/err.h"
#include "runner/spec/vm_spec.h"

#define DISK_HEAD_SIZE 512 /* bytes that are looked at */

struct disk_image {
	int fd; /* as the guest may use it: readable, or readable and writable; owned */
	enum disk_format format; /* RAW or QCOW2 */
};

/**
 * disk_image_format() - what an image is, by its first bytes, and whether it stands alone.
 * @asked: RAW: nothing is looked at. QCOW2: it must be that.
 * @ret: RAW or QCOW2.
 */
int disk_image_format(const uint8_t *head, size_t len, enum disk_format asked,
		      enum disk_format *ret, struct err *e);

/**
 * disk_images_open() - open all of @disks, on the caller's rights.
 * @ret: @n of them; disk_images_close() it, whatever is returned.
 */
int disk_images_open(const struct disk *disks, unsigned int n, struct disk_image *ret,
		     struct err *e);
void disk_images_close(struct disk_image *images, unsigned int n);

#endif
