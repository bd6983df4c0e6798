/* SPDX-License-Identifier: MIT */
#ifndef VMRUN_VM_TEMPLATE_MAKE_H
#define VMRUN_VM_TEMPLATE_MAKE_H

#include "runner/vm/launch.h"
#include "runner/vm/template_file.h"

struct make_input {
	const struct launch_input *in;
	const struct base_report *report; /* of what is booted; its kernel is in the cache */
	int initrd_fd;
	int store_fd;
	const uint8_t *key; /* 32 bytes */
};

/**
 * template_make() - boot a guest, save it, publish it as the template with this key.
 * @ret_signal: the signal that ended it, with -EINTR.
 * @last_words: gets the console's last lines where they may say more than @e.
 *
 * Return: 0; -EHOSTDOWN: the guest died, and @e says what of; -ETIMEDOUT: it gave no
 * sign of life; -EINTR; other -errno.
 */
int template_make(const struct make_input *make, struct template_info *ret, int *ret_signal,
		  struct strbuf *last_words, struct err *e);

#endif
