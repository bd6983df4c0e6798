/* SPDX-License-Identifier: MIT */
/* A disk image's header, and what the guest that reads one says. */
#include <stdlib.h>
#include <string.h>

#include "rootfs-tools/disk/import_disk.h"
#include "runner/host/disk_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct losses losses;
	const struct import_source src = { .fd = -1, .head = data, .head_len = len };
	enum disk_format format = DISK_AUTO;
	char why[ERR_TEXT_MAX];
	char *text = malloc(len + 1);
	uint64_t entries = 0;
	struct err e;

	if (!text)
		return 0;
	for (enum disk_format asked = DISK_AUTO; asked <= DISK_QCOW2; asked++)
		if (disk_image_format(data, len, asked, &format, &e) == 0 && format == DISK_AUTO)
			abort();
	(void)import_disk_detect(&src);
	memcpy(text, data, len);
	text[len] = '\0';
	losses.n = 0;
	import_disk_words(text, &entries, &losses, why);
	if (strlen(why) >= ERR_TEXT_MAX)
		abort();
	free(text);
	return 0;
}
