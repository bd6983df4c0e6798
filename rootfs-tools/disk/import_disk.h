/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A helper guest (helper.h) has the image as its disk, read-only, and writes the tree in
 * it as a tar to its standard output, which vmrun carries to a pipe. At the other end of
 * that the tar is unpacked (unpack.h), at the same time.
 *
 * The import is complete only if the guest says so, by its exit status and by the number
 * of entries that it wrote; if the archive has its end mark; and if that many entries came
 * out of it. What the guest says beside, on standard error, goes to a file in memory of a
 * fixed size: a guest that talks without end cannot fill more, nor keep its tar waiting.
 */
#ifndef VMRUN_DISK_IMPORT_DISK_H
#define VMRUN_DISK_IMPORT_DISK_H

#include "rootfs-tools/archive/import.h"

/** import_disk_detect() - whether SRC begins like a disk image. */
bool import_disk_detect(const struct import_source *src);

/** import_disk() - as the other kinds of import.h. */
int import_disk(const struct import *import, int *ret_signal, struct err *e);

/**
 * import_disk_words() - what the guest said; a part of import_disk() for its tests.
 * @text: hostile.
 * @ret_entries: of its "end: " line; touched only by that.
 * @losses: gets its notes.
 * @ret: its error, or vmrun's, or -> "" if it told none.
 */
void import_disk_words(char *text, uint64_t *ret_entries, struct losses *losses,
		       char ret[ERR_TEXT_MAX]);

#endif
