/* SPDX-License-Identifier: MIT */
#include "rootfs-tools/core/losses.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void losses_add(struct losses *losses, int errnum, const char *fmt, ...)
{
	char what[ERR_TEXT_MAX];
	struct err text;
	va_list ap;

	if (losses->n < LOSSES_TEXT_MAX) {
		va_start(ap, fmt);
		vsnprintf(what, sizeof(what), fmt, ap);
		va_end(ap);
		if (errnum)
			err_errno(&text, errnum, "%s", what);
		else
			err_msg(&text, 0, "%s", what);
		memcpy(losses->text[losses->n], text.text, ERR_TEXT_MAX);
	}
	losses->n++;
}
