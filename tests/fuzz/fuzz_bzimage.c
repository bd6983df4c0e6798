/* SPDX-License-Identifier: MIT */
/* A kernel image as it is found in a base: header, payload, and the notes of what comes out. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "initramfs/kernel.h"
#include "runner/base/fs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* An empty memory file, one for all runs. */
static int empty_file(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		abort();
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct bzimage bz;
	struct err e = { 0 };
	int fd = empty_file();

	if (bzimage_parse(data, len, &bz, &e) == 0) {
		if (bz.payload_offset + bz.payload_len > len)
			abort();
		kernel_unpack(data, len, &bz, fd, &e);
		vmlinux_has_pvh(fd);
	}
	fd = empty_file();
	if (fs_write_all(fd, data, len) < 0)
		abort();
	vmlinux_has_pvh(fd);
	return 0;
}
