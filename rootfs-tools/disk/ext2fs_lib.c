/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/disk/ext2fs_lib.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

/* Its interface has had this number since 1997; that of com_err came with it. */
#define LIBRARY "libext2fs.so.2"

struct symbol {
	const char *name;
	size_t offset;
};

#define EXT2FS_SYMBOL(function) { #function, offsetof(struct ext2fs_lib, function) },

static const struct symbol symbols[] = { EXT2FS_FUNCTIONS(EXT2FS_SYMBOL) };

static struct ext2fs_lib loaded;

const struct ext2fs_lib *ext2fs_lib_load(struct err *e)
{
	/* error_message() is of a library that this one is linked against: found through it. */
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (!library) {
		err_msg(e, ELIBACC,
			"cannot load " LIBRARY ", which makes ext4: %s; install e2fsprogs",
			dlerror());
		return NULL;
	}
	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		void *address = dlsym(library, symbols[i].name);

		if (!address) {
			err_msg(e, ELIBACC,
				LIBRARY " has no %s; install a newer e2fsprogs (1.45 or later)",
				symbols[i].name);
			return NULL;
		}
		memcpy((char *)&loaded + symbols[i].offset, &address, sizeof(address));
	}
	loaded.initialize_ext2_error_table();
	return &loaded;
}
